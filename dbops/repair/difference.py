"""The rows of a repair as people look at them: before and after, and only what may be shown; pure.

A column that the manifest lists under `show` is shown as it is. Any other value is a short keyed
digest: equal values have equal digests within one bundle, and nothing more can be learned of them
without the bundle's key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dbops.repair.table import Change, Row, Shape, Value

NULL: Final = "NULL"
DIGEST_LENGTH: Final = 8  # hex digits


class Operation(StrEnum):
    """What became of a row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of one row. `before` is None for an inserted row, `after` for a deleted one.

    `masked` cells hold digests.
    """

    column: str
    before: str | None
    after: str | None
    masked: bool

    @property
    def changed(self) -> bool:
        """Whether the value is another one afterwards."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One row: `key` names it, as far as it may be shown; `cells` are those that differ.

    For an inserted and a deleted row all its columns differ.
    """

    table: str
    operation: Operation
    key: tuple[Cell, ...]
    cells: tuple[Cell, ...]


def operation_of(change: Change) -> Operation:
    """Return what became of the row."""
    if change.before is None:
        return Operation.INSERT
    return Operation.DELETE if change.after is None else Operation.UPDATE


def difference_of(
    shape: Shape,
    change: Change,
    *,
    shown: Collection[str] | None,
    key: bytes,
    text: Callable[[bytes], str],
) -> RowDifference:
    """Return the change as cells; `shown` None shows every column.

    `key` is the bundle's, 32 bytes; `text` makes of a value what people read.
    """

    def cell(place: int) -> Cell:
        name = shape.columns[place].name
        plain = shown is None or name in shown

        def look(row: Row | None) -> str | None:
            if row is None:
                return None
            return _plain(row[place], text) if plain else _digest(row[place], key, name)

        return Cell(name, look(change.before), look(change.after), not plain)

    differing = [
        place
        for place in range(len(shape.columns))
        if change.before is None
        or change.after is None
        or change.before[place] != change.after[place]
    ]
    return RowDifference(
        table=str(shape.table),
        operation=operation_of(change),
        key=tuple(cell(place) for place in shape.key),
        cells=tuple(cell(place) for place in differing),
    )


def _plain(value: Value, text: Callable[[bytes], str]) -> str:
    """A text that reads NULL, in whatever quotes, gets quotes, so that it is not taken for one."""
    if value is None:
        return NULL
    shown = text(value)
    return f"'{shown}'" if shown.strip("'") == NULL else shown


def _digest(value: Value, key: bytes, column: str) -> str:
    """NULL is told from a value by its digest too, not by its look."""
    mark = b"N" if value is None else b"V" + value
    keyed = hashlib.blake2b(mark, digest_size=DIGEST_LENGTH // 2, key=key, person=_person(column))
    return f"#{keyed.hexdigest()}"


def _person(column: str) -> bytes:
    """One value in two columns has two digests: a ward's code is not told by another column."""
    return hashlib.blake2b(column.encode(), digest_size=16).digest()
