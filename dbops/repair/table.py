"""Tables and rows as a repair sees them: names, columns, keys, and the server's own text; pure.

A value is the bytes that the server itself prints for it, with pinned settings, or None for NULL.
It never becomes a number or a time of Python's, which have other digits and other limits.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import compress
from operator import ne
from typing import Final, NamedTuple

Value = bytes | None
Row = tuple[Value, ...]
Key = tuple[bytes, ...]

_PART: Final = r'[^\s."\x00-\x1f][^."\x00-\x1f]{0,127}|"(?:[^"\x00-\x1f]|""){1,128}"'
_NAME: Final = re.compile(rf"(?:({_PART})\.)?({_PART})")
TABLE_RULE: Final = "a table such as visit or his.visit, exactly as the catalogue spells it"


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table's name as the catalogue spells it; `schema` is "" where none was given."""

    schema: str
    name: str

    def __str__(self) -> str:
        """As it is written in a manifest, quoted only where it must be."""
        parts = [self.schema, self.name] if self.schema else [self.name]
        return ".".join(_spelled(part) for part in parts)

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Return the table that `visit`, `his.visit` or `"odd.name"` means; raises ValueError."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError(TABLE_RULE)
        return cls(_bare(found[1] or ""), _bare(found[2]))


def _spelled(part: str) -> str:
    return (
        part
        if re.fullmatch(_PART, part) and part[0] != '"'
        else f'"{part.replace(chr(34), chr(34) * 2)}"'
    )


def _bare(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


@dataclass(frozen=True, slots=True)
class Column:
    """A stored column; `type` is in the engine's own words, as in `numeric(10,2)`.

    `assigned` columns are filled by the server unless it is overruled (an identity column).
    """

    name: str
    type: str
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: rows of `child` point, by `columns`, at `target_columns` of `target`."""

    name: str
    child: TableName
    columns: tuple[str, ...]
    target: TableName
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the catalogue says of a table.

    `columns` are those that an image holds, in the table's order: all but generated ones, whose
    names stand in `generated`. `key` are the positions of the key's columns in `columns`: the
    primary key, else a unique key without NULL; empty where there is none. `incoming` are the
    foreign keys that point at this table, `outgoing` its own. `text` describes the table for a
    digest: two databases with equal text take the same images.
    """

    table: TableName
    columns: tuple[Column, ...]
    key: tuple[int, ...]
    generated: tuple[str, ...] = ()
    incoming: tuple[Reference, ...] = ()
    outgoing: tuple[Reference, ...] = ()
    partitioned: bool = False
    text: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of the key's columns."""
        return tuple(self.columns[place].name for place in self.key)

    @property
    def sha256(self) -> str:
        """The digest of `text`."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def key_of(self, row: Row) -> Key:
        """Return the row's key; raises ValueError where a part of it is NULL."""
        found = tuple(row[place] for place in self.key)
        if not found or any(part is None for part in found):
            raise ValueError("a row has no key")
        return tuple(part for part in found if part is not None)


class KeyedRow(NamedTuple):
    """A row as it was read. `order` is what the rows of one reading ascend by, compared as bytes.

    `order` identifies the row in its table as the key does. `own` says whether this transaction
    wrote the row.
    """

    order: tuple[bytes, ...]
    row: Row
    own: bool = False


class Change(NamedTuple):
    """One row of one table before and after: an insert has no `before`, a delete no `after`.

    `key` is the row's key in the form of `KeyedRow.order`.
    """

    key: tuple[bytes, ...]
    before: Row | None
    after: Row | None


def differing(before: Row, after: Row) -> tuple[int, ...]:
    """Return the places of the columns whose values differ."""
    return tuple(compress(range(len(before)), map(ne, before, after)))


def size_of(row: Row) -> int:
    """Return how many bytes the row's values are."""
    return sum(map(len, filter(None, row)))
