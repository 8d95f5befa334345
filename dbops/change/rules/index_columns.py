"""Which columns the indexes of a table begin with; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Clause, ConstraintKind, Does, Flag, Name
from dbops.change.rules.finding import Case, is_same
from dbops.change.schema import ObjectKind

_KINDS: Final = frozenset({ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE})
_KEY: Final = re.compile(r"(?:PRIMARY KEY|UNIQUE)[^(]*\(([^()]*)\)", re.IGNORECASE)
_INDEX: Final = re.compile(r"\bON\b[^(]*\(([^()]*)", re.IGNORECASE)


def leading_columns(case: Case, table: Name) -> tuple[tuple[str, ...], ...]:
    """Return the columns of each index of a table, in order, before the change and by it."""
    names = (table, *_later_names(case, table))
    return (*_known(case, table), *(columns for name in names for columns in _made(case, name)))


def columns_of(case: Case, table: Name, index: str) -> tuple[str, ...]:
    """Return the columns of an index of a table, which is there or made; () for none known."""
    path = (*table.path[:-1], index)
    for each in case.belonging(table, ObjectKind.INDEX):
        found = _INDEX.search(each.properties.get("definition", ""))
        if found is not None and is_same(each.name.path, path):
            return tuple(_plain(column) for column in found[1].split(","))
    for reading in case.up:
        own = reading.table if reading.kind is ObjectKind.INDEX else None
        made = own is not None and is_same(own.path, table.path) and reading.does is Does.CREATE
        if made and any(name.last == index for name in reading.names):
            return reading.columns
    return ()


def _later_names(case: Case, table: Name) -> Iterator[Name]:
    """Yield what the change calls the table afterwards."""
    for reading in case.up:
        own = reading.table
        if own is not None and is_same(own.path, table.path):
            for clause in reading.acts(Act.RENAME_TABLE):
                if clause.name is not None:
                    yield Name((*own.path[:-1], clause.name))


def _known(case: Case, table: Name) -> Iterator[tuple[str, ...]]:
    for each in case.belonging(table, ObjectKind.COLUMN):
        unique = " UNIQUE" in each.properties.get("definition", "").upper()
        if unique or each.properties.get("primary key") == "1":  # SQLite says it of the column
            yield (each.name.path[-1].casefold(),)
    for kind, form in ((ObjectKind.CONSTRAINT, _KEY), (ObjectKind.INDEX, _INDEX)):
        for each in case.belonging(table, kind):
            if " where " in (text := each.properties.get("definition", "")).lower():
                continue
            found = form.search(text)
            columns = each.properties.get("columns") if found is None else found[1]
            if columns is not None and "references" not in each.properties:
                yield tuple(_plain(column) for column in columns.split(","))


def _made(case: Case, table: Name) -> Iterator[tuple[str, ...]]:
    for reading in case.up:
        own = reading.table if reading.kind is ObjectKind.INDEX else None
        if own is not None and is_same(own.path, table.path):
            if reading.does is Does.CREATE and Flag.WHERE not in reading.flags:
                yield _folded(reading.columns)
        elif reading.kind is ObjectKind.TABLE and any(
            is_same(name.path, table.path) for name in reading.names
        ):
            yield from (_folded(key) for clause in reading.clauses for key in _keys(clause))


def _keys(clause: Clause) -> Iterator[tuple[str, ...]]:
    """Yield the columns of each key that a clause makes."""
    if clause.constraint is not None and clause.constraint.kind in _KINDS:
        yield clause.constraint.columns
    column = clause.definition if clause.act is Act.ADD_COLUMN else None
    if column is not None and any(each.kind in _KINDS for each in column.constraints):
        yield (column.name,)


def _folded(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column.casefold() for column in columns)


def _plain(column: str) -> str:
    words = column.strip().strip('"`[]').split()
    return words[0].strip('"').casefold() if words else ""
