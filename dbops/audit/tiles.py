"""The hashes of the ledger's tree on disk, so that a proof need not read the ledger.

A cache and nothing more: it can be made anew from the lines, and whoever uses a hash from it checks
the result against a signed root. A file for every fourth level, named by its level (`0`, `4`, `8`,
… `24`), holds the 32-byte hashes of that level's perfect subtrees, one after another: those of the
leaves, of each 16 leaves, of each 256, and so on. The three levels between are computed.

Whoever changes the files holds the ledger's lock; reading needs none. Higher levels are written
before level 0, so that a process that dies leaves at most hashes too many, which nobody reads and
the next `append` cuts off. Nothing is fsynced: what a power failure takes is rebuilt.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from dbops.audit.tree import HASH_SIZE, parents, perfect_root
from dbops.errors import DbopsError, Failed

# The levels that have a file; a tree of over 2**28 leaves only costs more time.
LEVELS: Final = (0, 4, 8, 12, 16, 20, 24)
SPAN: Final = 4  # levels from one file to the next
WIDTH: Final = 1 << SPAN  # hashes of one file under one hash of the next

_BATCH: Final = 1 << 14  # leaves written at once
_REBUILD: Final = "rebuild"  # the directory of a rebuild under way
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_Answer = TypeVar("_Answer")


class Tiles:
    """The cached hashes of the ledger in `directory`, in `tile/` there; holds no state of its own.

    Every call looks at the files anew, so that several processes take turns. A file that cannot be
    read or written raises `Failed` `ledger-tiles-unreadable` or `ledger-tiles-unwritable`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "tile"
        self._paths = {level: str(self._directory / str(level)) for level in LEVELS}

    @property
    def size(self) -> int:
        """The number of leaves that every file has the hashes for; 0 where there is no cache.

        Bytes after that, of a torn hash or of a process that died, do not count.
        """
        return _agreed(self._reading(self._lengths))

    def append(self, leaf: bytes) -> None:
        """Add the hash of leaf number `size`; what stands after the last agreed one is cut off."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add many leaf hashes, as `append` does; a crash leaves any number of them added."""
        self._writing(lambda: self._extend(leaves))

    def rebuild(self, leaves: Iterable[bytes]) -> None:
        """Replace everything by the hashes above `leaves`; a crash leaves nothing or all of it.

        A reader meanwhile may find the cache empty.
        """
        self._writing(lambda: self._rebuild(leaves))

    def leaf(self, index: int) -> bytes:
        """Return the hash of leaf `index`; `Failed` `ledger-tiles-short` where it is not there."""
        return self._read(0, index, 1)

    def range_hash(self, level: int, index: int) -> bytes:
        """Return the hash of the 2**level leaves that begin at leaf `index` * 2**level.

        At most 8 hashes are read for it, up to 2**28 leaves. Raises `Failed`
        `ledger-tiles-short` where they are not all there.
        """
        stored = min(level - level % SPAN, LEVELS[-1])
        above = level - stored
        data = self._read(stored, index << above, 1 << above)
        return perfect_root(_split(data))

    def _extend(self, leaves: Iterable[bytes]) -> None:
        size = self._mend()
        if size == 0:
            self._directory.mkdir(parents=True, exist_ok=True)
        rest = iter(leaves)
        while batch := list(islice(rest, _BATCH)):
            if any(len(leaf) != HASH_SIZE for leaf in batch):
                raise ValueError("a leaf hash has 32 bytes")
            self._add(0, size, batch)
            size += len(batch)

    def _add(self, level: int, count: int, batch: Sequence[bytes]) -> None:
        """Write hashes behind the first `count` of a level's file, and before that, those above."""
        before = count % WIDTH
        if level != LEVELS[-1] and before + len(batch) >= WIDTH:
            group = _split(self._read(level, count - before, before)) if before else []
            group.extend(batch)
            above: Sequence[bytes] = group[: len(group) // WIDTH * WIDTH]
            for _ in range(SPAN):
                above = parents(above)
            self._add(level + SPAN, count >> SPAN, above)
        _write_bytes(self._paths[level], count * HASH_SIZE, b"".join(batch))

    def _mend(self) -> int:
        """Cut off what goes past the agreed leaves; return their number."""
        lengths = self._lengths()
        size = _agreed(lengths)
        for level, length in lengths.items():
            wanted = (size >> level) * HASH_SIZE
            if length > wanted:
                _cut(self._paths[level], wanted)
        return size

    def _rebuild(self, leaves: Iterable[bytes]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        fresh = self._directory / _REBUILD
        if fresh.exists():
            shutil.rmtree(fresh)
        made = Tiles(fresh)  # in tile/rebuild/tile
        made._extend(leaves)
        # Without level 0 nothing counts: so old and new files are never taken for one tree.
        for level in LEVELS:
            Path(self._paths[level]).unlink(missing_ok=True)
        for level in reversed(LEVELS):
            if os.path.lexists(made._paths[level]):
                Path(made._paths[level]).replace(self._paths[level])
        shutil.rmtree(fresh)

    def _lengths(self) -> dict[int, int]:
        """Return the bytes of each level's file, level 0 first: the higher ones are ahead of it."""
        return {level: _length(path) for level, path in self._paths.items()}

    def _read(self, level: int, begin: int, count: int) -> bytes:
        data = self._reading(
            lambda: _read_bytes(self._paths[level], begin * HASH_SIZE, count * HASH_SIZE)
        )
        if len(data) != count * HASH_SIZE:
            raise Failed(
                "ledger-tiles-short",
                f"the ledger's tile cache has no hash {begin + count - 1} at level {level}",
                hint="have it rebuilt: dbops audit verify",
            )
        return data

    def _reading(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            return work()
        except OSError as fault:
            raise self._fault("unreadable", "read", fault) from None

    def _writing(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as fault:
            raise self._fault("unwritable", "written", fault) from None

    def _fault(self, reason: str, done: str, fault: OSError) -> DbopsError:
        name = errno.errorcode.get(fault.errno or 0, "unknown error")
        return Failed(
            f"ledger-tiles-{reason}",
            f"the ledger's tile cache cannot be {done} ({name})",
            hint=f"look at the directory: ls -l {self._directory}",
        )


def _agreed(lengths: dict[int, int]) -> int:
    """Return the largest number of leaves for which all files are long enough."""
    size = lengths[0] // HASH_SIZE
    for level in LEVELS[1:]:
        whole = lengths[level] // HASH_SIZE
        size = min(size, ((whole + 1) << level) - 1)
    return size


def _length(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


def _read_bytes(path: str, offset: int, size: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)


def _write_bytes(path: str, offset: int, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _FLAGS, 0o644)
    try:
        if os.pwrite(descriptor, data, offset) != len(data):
            raise OSError(errno.ENOSPC, "only a part was taken")
    finally:
        os.close(descriptor)


def _cut(path: str, size: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | _FLAGS)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
