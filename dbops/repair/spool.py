"""Rows that are read several times: in memory while they are few, else in a sealed file.

The file has no name, and its age identity lives in this process's memory only: no plaintext lies
on a disk, and nothing that can be opened is left when the process ends, however it ends.
"""

from __future__ import annotations

import errno
import marshal
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

from dbops.crypto.age import Identity, OpeningReader, SealingWriter
from dbops.errors import Failed, Unreachable
from dbops.repair.table import KeyedRow

MEMORY: Final = 16 << 20
BATCH: Final = 256 << 10
_LENGTH_BYTES: Final = 8
_FORMAT: Final = 2  # the last version of marshal without references: parts make up a whole


class Spool:
    """Keeps rows in their order: first `add` them all, then iterate any number of times.

    Memory holds about 16 MiB and twice the longest row, whatever the number of rows. Raises Failed
    `no-space`, Unreachable `spool-unreachable`, and Failed `spool-damaged` where the file
    does not hold what was written.
    """

    def __init__(self, directory: Path) -> None:
        """Make the file in `directory`, if there must be one."""
        self._directory = directory
        self._rows: list[bytes] = []  # the batch that is being gathered, each row by itself
        self._gathered = 0
        self._batches: list[bytes] = []
        self._held = 0
        self._count = 0
        self._file: _SealedFile | None = None
        self._complete = False

    def __len__(self) -> int:
        """How many rows were added."""
        return self._count

    def add(self, row: KeyedRow) -> None:
        """Afterwards `row` is the last; raises ValueError once the rows have been read."""
        if self._complete:
            raise ValueError("rows are added before the first of them is read")
        part = marshal.dumps(tuple(row), _FORMAT)
        self._rows.append(part)
        self._gathered += len(part)
        self._count += 1
        if self._gathered >= BATCH:
            self._close_batch()

    def extend(self, rows: Iterable[KeyedRow]) -> None:
        """Add all of them."""
        for row in rows:
            self.add(row)

    def __iter__(self) -> Iterator[KeyedRow]:
        """Yield the rows as they were added."""
        if not self._complete:
            self._close_batch()
            self._complete = True
            if self._file is not None:
                self._file.seal()
        return self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._complete = True
        self._batches.clear()
        if self._file is not None:
            self._file.close()

    def _close_batch(self) -> None:
        """Put the gathered rows where the others are: rows in marshal's form make up a list."""
        if not self._rows:
            return
        head = b"[" + len(self._rows).to_bytes(4, "little")
        if self._file is None and self._held + self._gathered > MEMORY:
            self._file = _SealedFile(self._directory)
            for batch in self._batches:
                self._file.write([batch])
            self._batches.clear()
        if self._file is None:
            self._batches.append(head + b"".join(self._rows))
            self._held += self._gathered
        else:
            self._file.write([head, *self._rows])
        self._rows.clear()
        self._gathered = 0

    def _read(self) -> Iterator[KeyedRow]:
        count = 0
        for batch in self._batches if self._file is None else self._file.batches():
            rows = marshal.loads(batch)  # noqa: S302 - this process wrote and sealed it itself
            count += len(rows)
            yield from starmap(KeyedRow, rows)
        if count != self._count:
            raise _damaged()


class _SealedFile:
    """Batches, each after its length in 8 bytes, in one age file without a name."""

    def __init__(self, directory: Path) -> None:
        with _translated():
            # Its lifetime is the spool's, whose context closes it.
            self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115
        self._identity = Identity.generate()
        self._writer = SealingWriter(self._file, [self._identity.recipient])

    def write(self, parts: list[bytes]) -> None:
        with _translated():
            self._writer.write(sum(map(len, parts)).to_bytes(_LENGTH_BYTES, "little"))
            for part in parts:
                self._writer.write(part)

    def seal(self) -> None:
        with _translated():
            self._writer.close()
            self._file.flush()

    def batches(self) -> Iterator[bytes]:
        source = cast("BinaryIO", _FromStart(self._file.fileno()))
        with _translated(), OpeningReader(source, [self._identity], "the spool") as reader:
            while head := reader.read(_LENGTH_BYTES):
                length = int.from_bytes(head, "little")
                batch = reader.read(length)
                if len(head) < _LENGTH_BYTES or len(batch) < length:
                    raise _damaged()
                yield batch

    def close(self) -> None:
        self._writer.abandon()
        with suppress(OSError):  # the rows are not wanted any more
            self._file.close()


class _FromStart:
    """Reads a file from its start whatever place others have reached in it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._offset = 0

    def read(self, size: int) -> bytes:
        block = os.pread(self._descriptor, size, self._offset)
        self._offset += len(block)
        return block


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the operating system and age say into what the user can act upon."""
    try:
        yield
    except OSError as failure:
        if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Failed(
                "no-space",
                "no space is left where rows are kept while a repair runs",
                hint="free some space and run the same command again: nothing was changed",
            ) from None
        reason = errno.errorcode.get(failure.errno or 0, "unknown")
        raise Unreachable(
            "spool-unreachable",
            f"rows cannot be kept while a repair runs ({reason})",
            hint="check that this account may write there: dbops doctor",
        ) from None
    except Failed as failure:
        if failure.code == "sealed-damaged":
            raise _damaged() from None
        raise


def _damaged() -> Failed:
    return Failed(
        "spool-damaged",
        "rows that were kept while a repair runs cannot be read again",
        hint="check the disk, and run the same command again: nothing was changed",
    )
