"""Which statements take rows or values away; no rule of its own.

A table that has no rows loses none, nor one that the change itself has made; one of SQLite that is
built anew keeps its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Name, Reading
from dbops.change.rules.finding import Case, is_same
from dbops.change.schema import ObjectKind

_HELD: Final = frozenset({ObjectKind.TABLE, ObjectKind.SCHEMA, ObjectKind.SEQUENCE})


def lost(case: Case) -> Iterator[tuple[Reading, str]]:
    """Yield the statements of up.sql, and what each takes away, with the size of the table."""
    for reading in case.up:
        for what in _lost_by(case, reading):
            yield reading, what
    for reading, table, clause in case.filled(Act.DROP_COLUMN):
        if not _is_made(case, table, clause.column, reading):
            what = f"column {clause.column} of {table.written} is dropped with its values"
            yield reading, what + case.measured(table)


def is_held(case: Case, reading: Reading, name: Name) -> bool:
    """Whether a DROP of the name takes along what it holds, for all we know."""
    return (
        reading.kind in _HELD and not case.is_empty(name, reading) and not _is_rebuilt(case, name)
    )


def _lost_by(case: Case, reading: Reading) -> Iterator[str]:
    if reading.does is Does.TRUNCATE:
        for table in reading.names:
            if not case.is_empty(table, reading):
                yield f"TRUNCATE empties {table.written}{case.measured(table)}"
    elif reading.does is Does.DROP and reading.kind is not None:
        for name in reading.names:
            if is_held(case, reading, name):
                yield f"{reading.kind.value} {name.written} is dropped{case.measured(name)}"
    elif reading.kind is ObjectKind.TYPE and reading.has("DROP", "ATTRIBUTE"):
        yield f"an attribute of {reading.names[0].written} is dropped with its values"


def _is_made(case: Case, table: Name, column: str | None, at: Reading) -> bool:
    """Whether the change itself has made the column before."""
    return any(
        clause.definition is not None
        and (clause.definition.name.casefold() == (column or "").casefold())
        for each in case.up[: case.up.index(at)]
        if each.table is not None and is_same(each.table.path, table.path)
        for clause in each.acts(Act.ADD_COLUMN)
    )


def _is_rebuilt(case: Case, name: Name) -> bool:
    """Whether another table takes the name, as where SQLite's tables are built anew."""
    return any(
        clause.act is Act.RENAME_TABLE and (clause.name or "").casefold() == name.last.casefold()
        for reading in case.up
        for clause in reading.clauses
    )
