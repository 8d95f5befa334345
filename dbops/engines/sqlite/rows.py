"""Proofs of rows: what a SQLite table holds, whatever its pages look like.

A row is its rowid and its values, each with its type and length before it, so that 'ab','c' is
not 'a','bc', 1 is not 1.0 and NULL is not ''. Text counts as the bytes that are stored: a value
that is not valid text is proven like any other.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw

from dbops.engines.sqlite.connect import quoted
from dbops.repository.ranges import MODULUS, Proof

_ROWID_NAMES = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of its own; virtual tables live in their shadow tables."""

    name: str
    columns: tuple[str, ...]
    rowid: str | None

    @property
    def select(self) -> str:
        """Reads rowid, then type and bytes of every column. Generated columns are left out."""
        shown = [self.rowid] if self.rowid else []
        for column in map(quoted, self.columns):
            # Text as a blob: its bytes as stored, even where they are no valid text.
            stored = f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column}"
            shown += [f"typeof({column})", f"{stored} END"]
        listed = ", ".join(shown) or "NULL"
        return f"SELECT {listed} FROM main.{quoted(self.name)}"  # noqa: S608 - quoted


def list_tables(connection: apsw.Connection) -> tuple[Table, ...]:
    """Every table that stores rows, by name."""
    listed = connection.execute(
        "SELECT name, wr FROM pragma_table_list"
        " WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema'"
        " ORDER BY name"
    ).fetchall()
    return tuple(_table(connection, str(name), without_rowid=bool(wr)) for name, wr in listed)


def _table(connection: apsw.Connection, name: str, *, without_rowid: bool) -> Table:
    rows = connection.execute(
        "SELECT name, hidden FROM pragma_table_xinfo(?) ORDER BY cid", (name,)
    )
    every = [(str(column), int(str(hidden))) for column, hidden in rows]
    taken = {column.lower() for column, _ in every}
    free = next((alias for alias in _ROWID_NAMES if alias not in taken), None)
    # hidden 2 and 3 are generated columns: computed again from the stored ones
    stored = tuple(column for column, hidden in every if hidden == 0)
    return Table(name, stored, None if without_rowid else free)


def prove_table(connection: apsw.Connection, table: Table, key: bytes) -> Proof:
    """The proof of all rows of the table, in one pass and bounded memory."""
    fresh = hashlib.blake2b(digest_size=32, key=key).copy
    rows = size = total = 0
    for row in connection.execute(table.select):
        digest = fresh()
        for part in _encoded(row, has_rowid=table.rowid is not None):
            digest.update(part)
            size += len(part)
        total += int.from_bytes(digest.digest(), "big")
        rows += 1
    return Proof(rows, size, f"{total % MODULUS:064x}")


def _encoded(row: Sequence[apsw.SQLiteValue], *, has_rowid: bool) -> Iterator[bytes]:
    start = 0
    if has_rowid:
        yield b"R" + _integer(row[0])
        start = 1
    for kind, value in zip(row[start::2], row[start + 1 :: 2], strict=False):
        match kind:
            case "null":
                yield b"N"
            case "integer":
                yield b"I" + _integer(value)
            case "real":
                yield b"F" + struct.pack(">d", value)
            case _:
                yield (b"T" if kind == "text" else b"B") + _counted(value)


def _integer(value: apsw.SQLiteValue) -> bytes:
    return int(str(value)).to_bytes(8, "big", signed=True)


def _counted(value: apsw.SQLiteValue) -> bytes:
    data = bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else b""
    return struct.pack(">Q", len(data)) + data


def count_rows(connection: apsw.Connection, table: Table) -> int:
    """What SQLite itself counts."""
    query = f"SELECT count(*) FROM main.{quoted(table.name)}"  # noqa: S608 - quoted
    (count,) = connection.execute(query).fetchone() or (0,)
    return int(str(count))
