"""Which columns the indexes of a table begin with; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, ConstraintKind, Does, Flag, Name
from dbops.change.rules.finding import Case, is_same
from dbops.change.schema import ObjectKind

_KINDS: Final = frozenset({ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE})
_KEY: Final = re.compile(r"(?:PRIMARY KEY|UNIQUE)[^(]*\(([^()]*)\)", re.IGNORECASE)
_INDEX: Final = re.compile(r"\bON\b[^(]*\(([^()]*)", re.IGNORECASE)


def leading_columns(case: Case, table: Name) -> tuple[tuple[str, ...], ...]:
    """Return the columns of each index of a table, in order, before the change and by it."""
    return (*_known(case, table), *_made(case, table))


def _known(case: Case, table: Name) -> Iterator[tuple[str, ...]]:
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
        if reading.does is Does.CREATE and own is not None and is_same(own.path, table.path):
            if Flag.WHERE not in reading.flags:
                yield tuple(column.casefold() for column in reading.columns)
        if reading.kind is ObjectKind.TABLE and any(
            is_same(name.path, table.path) for name in reading.names
        ):
            for clause in reading.clauses:
                if clause.constraint is not None and clause.constraint.kind in _KINDS:
                    yield tuple(column.casefold() for column in clause.constraint.columns)
                if clause.act is Act.ADD_COLUMN and clause.definition is not None:
                    if any(each.kind in _KINDS for each in clause.definition.constraints):
                        yield (clause.definition.name.casefold(),)


def _plain(column: str) -> str:
    words = column.strip().strip('"`[]').split()
    return words[0].strip('"').casefold() if words else ""
