"""The rows of a repair before and after, sealed: age( zstd( JSON lines ) ).

    age -d -i key FILE | zstd -d

yields the header (`BundleHeader` with `"dbops": "bundle/v1"`), then a line for each row that
differs, `[table, key, before or null, after or null]` with the place of its table in the header,
and last `{"end": {"rows": …, "sha256": …}}`, the digest of all lines before it. Values are as in
`value_text`, rows in the order of the header's columns, keys as `KeyedRow.order`.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Annotated, BinaryIO, ClassVar, Final, Self, cast

import zstandard
from pydantic import ConfigDict, StringConstraints, TypeAdapter

from dbops.crypto.age import BlockSink, Identity, OpeningReader, Recipient, SealingWriter
from dbops.errors import Failed, Refused, Unreachable
from dbops.repair.change_line import ChangeLines
from dbops.repair.diff_digest import DiffDigest, DigestedTable
from dbops.repair.manifest import SideEffect
from dbops.repair.ports import MarkerKind
from dbops.repair.table import Change, Column, Shape, TableName, size_of
from dbops.repair.value_text import PIECE, change_lines, change_text

FORMAT: Final = "bundle/v1"
BLOCK: Final = 256 << 10
_AT_ONCE: Final = 64  # rows

Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_STRICT: Final = ConfigDict(extra="forbid", strict=True)
_HINT: Final = "look for another copy of it; the ledger names each bundle by its sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleTable:
    """One table. `key` are the names of its key's columns, `schema` is the shape's sha256.

    `volatile` columns are left out of the digest that approvals name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    table: TableName
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    schema: Hex32
    volatile: tuple[str, ...] = ()

    @classmethod
    def of(cls, shape: Shape, volatile: Iterable[str] = ()) -> BundleTable:
        """Describe a table as it is; `volatile` may name columns of other tables too."""
        return cls(
            table=shape.table,
            columns=shape.columns,
            key=shape.key_names,
            schema=shape.sha256,
            volatile=tuple(name for name in shape.names if name in set(volatile)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleHeader:
    """Whose rows they are. `database` is the alias, `identity` the engine's own name of it.

    `plan` is the sha256 of the reviewed files. `encoding` is Python's codec of the values. `at`
    is the server's time, UTC. `key` are 32 random bytes in hex, under which rows are told apart
    outside of the bundle. `batch` counts from 0. `undoes` is the run that an undo takes back.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    run: str
    work: str
    plan: str
    kind: MarkerKind
    database: str
    identity: str
    server: str
    encoding: str
    at: datetime
    key: Hex32 = field(repr=False)
    tables: tuple[BundleTable, ...]
    side_effects: tuple[SideEffect, ...] = ()
    batch: int = 0
    undoes: str | None = None


_HEADER: Final = TypeAdapter(BundleHeader)


@dataclass(frozen=True, slots=True)
class BundleSeal:
    """A finished bundle: the sha256 of the sealed file, its rows, and the keyed digest of them."""

    sha256: str
    rows: int
    digest: str


def digest_of(
    header: BundleHeader, changes: Iterable[tuple[int, Change]], key: str | None = None
) -> str:
    """Return the digest of a bundle's changes under `key` (hex), its own by default."""
    digest = _begin_digest(header, header.key if key is None else key)
    for index, change in changes:
        digest.add(index, change)
    return digest.hexdigest()


def _begin_digest(header: BundleHeader, key: str) -> DiffDigest:
    tables = (
        DigestedTable(each.table, [column.name for column in each.columns], each.volatile)
        for each in header.tables
    )
    return DiffDigest(tuple(tables), key)


class BundleWriter:
    """Writes a bundle into `sink`; after `close` the sink holds all of it, not yet durable.

    Changes come by table, ascending by key. Memory: a block of some 100 KB, or one long row. Where
    the context ends by an error, the sink holds nothing of use and whoever owns it discards it.
    """

    def __init__(
        self, sink: BlockSink, recipients: Sequence[Recipient], header: BundleHeader
    ) -> None:
        """Write the header. `recipients` are all who can open the bundle."""
        self._sealed = _HashingSink(sink)
        self._digest = _begin_digest(header, header.key)
        self._lines = hashlib.sha256()
        self._rows = 0
        self._index = 0
        self._short: list[Change] = []  # gathered rows of the table at this place, and their bytes
        self._gathered = 0
        self._block = bytearray()
        self._seal: BundleSeal | None = None
        self._compressor = zstandard.ZstdCompressor(write_checksum=True).compressobj()
        self._writer = SealingWriter(self._sealed, recipients)
        self._put(header_line(header))

    def add(self, index: int, change: Change) -> None:
        """Write one row that differs, of the table at this place in the header."""
        self._rows += 1
        size = size_of(change.before or ()) + size_of(change.after or ())
        if index != self._index or self._gathered + size >= PIECE or len(self._short) >= _AT_ONCE:
            self._put_short()
            self._index = index
        if size < PIECE:
            self._gathered += size
            self._short.append(change)
            return
        self._digest.add(index, change)
        self._put(b"[%d," % index)
        for piece in change_text(*change):
            self._put(piece)
        self._put(b"]\n")

    def close(self) -> BundleSeal:
        """Write the last line; the sink has taken every byte. May be called again."""
        if self._seal is None:
            self._put_short()
            self._flush()
            self._put(end_line(self._rows, self._lines.hexdigest()))
            self._flush()
            self._writer.write(self._compressor.flush())
            self._writer.close()
            digest = self._digest.hexdigest()
            self._seal = BundleSeal(self._sealed.hash.hexdigest(), self._rows, digest)
        return self._seal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._writer.abandon()

    def _put_short(self) -> None:
        """Write the rows that were gathered; together they take little time."""
        self._digest.add_short(self._index, self._short)
        self._put(change_lines(b"[%d," % self._index, self._short))
        self._short.clear()
        self._gathered = 0

    def _put(self, piece: bytes) -> None:
        self._block += piece
        if len(self._block) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        block = bytes(self._block)
        self._lines.update(block)
        self._writer.write(self._compressor.compress(block))
        self._block.clear()


class _HashingSink:
    def __init__(self, sink: BlockSink) -> None:
        self._sink = sink
        self.hash = hashlib.sha256()

    def write(self, block: bytes, /) -> int:
        self.hash.update(block)
        return self._sink.write(block)


class Bundle:
    """A sealed bundle that can be read any number of times.

    Each reading opens it anew and yields `(place of the table, change)`. Whether the bundle is
    whole shows at the end only: act on what a whole reading yielded, or be ready to roll back.

    Reading raises NoIdentity where none of the identities opens it, and Refused: `bundle-damaged`
    where it was changed or cut, `bundle-short` where its last line is missing or wrong,
    `bundle-invalid` and `bundle-version` for what this version does not understand.
    """

    def __init__(
        self,
        opener: Callable[[], BinaryIO],
        identities: Sequence[Identity],
        title: str,
        sha256: str | None = None,
    ) -> None:
        """Read the header. With `sha256` every reading checks that of the sealed file."""
        self._opener = opener
        self._identities = tuple(identities)
        self._title = title
        self._sha256 = sha256
        self.header = self._read_header()
        self._reader = ChangeLines([len(table.columns) for table in self.header.tables])

    def __iter__(self) -> Iterator[tuple[int, Change]]:
        """Yield the changes, as they were written."""
        hashed = hashlib.sha256()
        rows = 0
        end = b""
        with self._open() as (lines, source):
            hashed.update(next(lines, b""))
            for line in lines:
                if end or line[:1] != b"[":
                    end += line  # the last line; whatever follows it makes it wrong
                    continue
                hashed.update(line)
                rows += 1
                yield self._parse_change(line)
            if end != end_line(rows, hashed.hexdigest()):
                raise self._refusal("bundle-short", "is cut: its last line is missing or wrong")
            if self._sha256 not in {None, source.hash.hexdigest()}:
                raise self._refusal("bundle-damaged", "has another sha256 than it should have")

    def check(self) -> int:
        """Read all of it; returns the number of its rows."""
        return sum(1 for _ in self)

    @contextmanager
    def _open(self) -> Iterator[tuple[Iterator[bytes], _HashingSource]]:
        try:
            with ExitStack() as opened:
                source = _HashingSource(opened.enter_context(self._opener()))
                sealed = cast("BinaryIO", source)
                plain = opened.enter_context(OpeningReader(sealed, self._identities, self._title))
                unpacked = zstandard.ZstdDecompressor().stream_reader(
                    cast("BinaryIO", plain), read_across_frames=True, closefd=False
                )
                yield io.BufferedReader(unpacked, BLOCK), source
        except zstandard.ZstdError:
            raise self._refusal("bundle-damaged", "is damaged: it does not unpack") from None
        except Failed as failure:
            if failure.code != "sealed-damaged":
                raise
            raise self._refusal("bundle-damaged", "is damaged: it does not decrypt") from None
        except OSError as failure:
            reason = errno.errorcode.get(failure.errno or 0, "unknown")
            raise Unreachable(
                "bundle-unreachable", f"{self._title} cannot be read ({reason})", hint=_HINT
            ) from None

    def _read_header(self) -> BundleHeader:
        with self._open() as (lines, _):
            line = next(lines, b"")
        if not line:
            raise self._refusal("bundle-short", "is cut: it holds nothing")
        try:
            document = json.loads(line)
            version = document.pop("dbops")
            if version == FORMAT:
                return _HEADER.validate_json(json.dumps(document))
        except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
            raise self._refusal("bundle-invalid", "does not begin with a bundle's header") from None
        raise self._refusal("bundle-version", f"is not of the version {FORMAT}")

    def _parse_change(self, line: bytes) -> tuple[int, Change]:
        try:
            return self._reader.change(line)
        except (ValueError, TypeError, IndexError, RecursionError):
            raise self._refusal("bundle-invalid", "holds a line that is no row") from None

    def _refusal(self, code: str, what: str) -> Refused:
        return Refused(code, f"{self._title} {what}", hint=_HINT)


class _HashingSource:
    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._source.read(size)
        self.hash.update(block)
        return block


def header_line(header: BundleHeader) -> bytes:
    """The first line."""
    return _json({"dbops": FORMAT, **asdict(header)}) + b"\n"


def end_line(rows: int, sha256: str) -> bytes:
    """The last line, for so many changes and lines with this digest."""
    return _json({"end": {"rows": rows, "sha256": sha256}}) + b"\n"


def _json(document: object) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_moment)
    return text.encode()


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no place in a bundle")
