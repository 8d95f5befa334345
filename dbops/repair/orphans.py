"""Whether rows that an undo deletes have children that would be left, or deleted with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from dbops.errors import Refused
from dbops.repair.conflicts import rows_text
from dbops.repair.ports import RepairSession
from dbops.repair.table import Reference, Row, Shape, TableName, Value

_AT_ONCE: Final = 1000  # keys


def refuse_children(session: RepairSession, shape: Shape, rows: Iterable[Row]) -> None:
    """Raise Refused `undo-children` where a row of another table points at one of these rows.

    To be asked when the undo has already moved back, or deleted, the children that it knows.
    """
    links = [link for link in shape.incoming if link.child != shape.table]
    if not links:
        return
    found = Counter[TableName]()
    stream = iter(rows)
    while part := list(islice(stream, _AT_ONCE)):
        for link in links:
            found[link.child] += session.children(link, list(_targets(part, shape, link)))
    _refuse(shape, found)


def refuse_wave_children(session: RepairSession, shape: Shape, rows: Sequence[Row]) -> None:
    """The same for rows of the same table that are not among `rows` themselves."""
    found = Counter[TableName]()
    for link in shape.incoming:
        if link.child == shape.table:
            there = 0
            for first in range(0, len(rows), _AT_ONCE):
                part = rows[first : first + _AT_ONCE]
                there += session.children(link, list(_targets(part, shape, link)))
            targets = set(_targets(rows, shape, link))
            among = sum(_values(row, shape, link.columns) in targets for row in rows)
            found[link.child] += there - among
    _refuse(shape, found)


def _refuse(shape: Shape, found: Counter[TableName]) -> None:
    told = [f"{rows_text(found[child])} of {child}" for child in sorted(found) if found[child]]
    if told:
        raise Refused(
            "undo-children",
            f"rows of {shape.table} that the undo would delete are pointed at by {', '.join(told)}",
            hint="somebody has used these rows since; nothing was changed",
        )


def _targets(rows: Iterable[Row], shape: Shape, link: Reference) -> Iterator[tuple[Value, ...]]:
    """What children point at; a NULL in it is pointed at by nobody."""
    for row in rows:
        values = _values(row, shape, link.target_columns)
        if None not in values:
            yield values


def _values(row: Row, shape: Shape, columns: Sequence[str]) -> tuple[Value, ...]:
    missing = sorted(set(columns) - set(shape.names))
    if missing:
        raise Refused(
            "undo-children",
            f"foreign keys point at generated columns of {shape.table} ({', '.join(missing)}),"
            " whose values no bundle holds",
            hint="delete the rows by a new repair that names them",
        )
    return tuple(row[shape.names.index(name)] for name in columns)
