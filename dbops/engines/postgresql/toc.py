"""The table of contents of a pg_dump archive in custom format: what it holds, by name.

`pg_restore --list` prints names so that they cannot be told apart ("TABLE a b c" is table `b c` of
schema `a`, or `c` of `a b`), and neither definitions nor dependencies. So the list is read here,
from the archive's own bytes. Source of the format: src/bin/pg_dump/pg_backup_archiver.c of
PostgreSQL (ReadHead, ReadToc), versions 1.14 (PostgreSQL 12) to 1.16 (17, 18). The layout of later
versions is not guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dbops.engines.postgresql.encoding import Encoding
from dbops.errors import Failed, Refused

_MAGIC = b"PGDMP"
_CUSTOM = 1
_OLDEST, _NEWEST = (1, 14), (1, 16)
_COMPRESSION_BYTE = (1, 15)
_RELATION_KIND = (1, 16)
_DATE_FIELDS = 7
_SECTIONS = {1: "none", 2: "pre-data", 3: "data", 4: "post-data"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the archive. `needs` are the dump ids of what must be there before it.

    `section` is never "none": an entry without one (a comment, a grant) goes where the entry
    before it goes, as pg_restore has it.
    """

    id: int
    kind: str
    schema: str | None
    name: str
    owner: str
    section: str
    definition: str = field(repr=False)
    tablespace: str | None
    method: str | None
    needs: frozenset[int]

    @property
    def title(self) -> str:
        """Kind and name, for people, on one line."""
        return titled(self.kind, self.schema, self.name)


def titled(kind: str, schema: str | None, name: str) -> str:
    """How an object is called in messages."""
    return one_line(f"{kind.lower()} {f'{schema}.{name}' if schema else name}")


def one_line(name: str) -> str:
    """The name with its control characters escaped: names may hold line ends."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


@dataclass(frozen=True, slots=True)
class Contents:
    """Every entry of one archive, in its order, and the major version of the pg_dump behind it."""

    major: int
    entries: tuple[Entry, ...]

    def of_kind(self, *kinds: str) -> tuple[Entry, ...]:
        """The entries of these kinds, in order."""
        return tuple(entry for entry in self.entries if entry.kind in kinds)

    def by_id(self) -> dict[int, Entry]:
        """Dump id to entry."""
        return {entry.id: entry for entry in self.entries}


def read_contents(archive: bytes, encoding: Encoding) -> Contents:
    """What the archive holds; its names are in `encoding`.

    Raises Failed `archive-damaged`, and Refused `archive-too-new` for a format that is not known.
    """
    reader = _Reader(archive, encoding)
    try:
        return _contents(reader)
    except (IndexError, ValueError):
        raise _damaged() from None


def _contents(reader: _Reader) -> Contents:
    dumped_by = _head(reader)
    entries = []
    section = "pre-data"
    for _ in range(reader.integer()):
        entry = _entry(reader, section)
        section = entry.section
        entries.append(entry)
    return Contents(int(dumped_by.split(".")[0].split(" ")[0]), tuple(entries))


def _head(reader: _Reader) -> str:
    """The archive's head is read; the version of the pg_dump that wrote it."""
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise _damaged()
    major, minor, _ = reader.take(3)
    reader.version = (major, minor)
    if not _OLDEST <= reader.version <= _NEWEST:
        raise Refused(
            "archive-too-new" if reader.version > _NEWEST else "archive-too-old",
            f"the schema's archive has format {major}.{minor}; "
            f"this version of dbops reads {_dotted(_OLDEST)} to {_dotted(_NEWEST)}",
            hint="restore with a newer dbops, or as docs/recovery.md says",
        )
    reader.integer_bytes, reader.offset_bytes, kind = reader.take(3)
    if kind != _CUSTOM:
        raise _damaged()
    if reader.version >= _COMPRESSION_BYTE:
        reader.take(1)
    else:
        reader.integer()
    for _ in range(_DATE_FIELDS):
        reader.integer()
    reader.text()  # the database's name
    reader.text()  # the server's version
    return reader.text() or ""


def _entry(reader: _Reader, section_before: str) -> Entry:
    number = reader.integer()
    reader.integer()  # whether data follows
    reader.text()  # the OID of its catalog
    reader.text()  # its own OID
    name = reader.text() or ""
    kind = reader.text() or ""
    section = _SECTIONS[reader.integer()]
    definition = reader.text() or ""
    reader.text()  # the statement that drops it
    reader.text()  # the statement that copies its rows
    schema, tablespace, method = reader.text(), reader.text(), reader.text()
    if reader.version >= _RELATION_KIND:
        reader.integer()
    owner = reader.text() or ""
    reader.text()  # rows with OIDs, of servers before 12
    needs = []
    while (needed := reader.text()) is not None:
        needs.append(int(needed))
    reader.take(1 + reader.offset_bytes)  # where its data lies
    return Entry(
        id=number,
        kind=kind,
        schema=schema or None,
        name=name,
        owner=owner,
        section=section_before if section == "none" else section,
        definition=definition,
        tablespace=tablespace or None,
        method=method or None,
        needs=frozenset(needs),
    )


class _Reader:
    """A place in the archive's bytes."""

    def __init__(self, archive: bytes, encoding: Encoding) -> None:
        self._archive = archive
        self._at = 0
        self._decode = encoding.decode
        self.version = (0, 0)
        self.integer_bytes = 4
        self.offset_bytes = 8

    def take(self, size: int) -> bytes:
        block = self._archive[self._at : self._at + size]
        if len(block) != size:
            raise ValueError("the archive ends early")
        self._at += size
        return block

    def integer(self) -> int:
        """A sign byte, then the value, lowest byte first."""
        sign, *value = self.take(1 + self.integer_bytes)
        number = int.from_bytes(bytes(value), "little")
        return -number if sign else number

    def text(self) -> str | None:
        length = self.integer()
        return None if length < 0 else self._decode(self.take(length))


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _damaged() -> Failed:
    return Failed(
        "archive-damaged",
        "the schema stream is not a whole pg_dump archive",
        hint="restore from another backup: dbops backup list",
    )
