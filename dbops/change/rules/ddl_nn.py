"""DDL-NN: NOT NULL on rows that have no value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Clause, Column, Name
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_HINT: Final = "add the column without NOT NULL, fill it, and set NOT NULL by a later step"


def _examine(case: Case) -> Iterator[Finding]:
    for reading, table, clause in case.filled(Act.ADD_COLUMN, Act.RETYPE, Act.SET_NOT_NULL):
        column = f"{table.written}.{clause.column}"
        if clause.act is Act.ADD_COLUMN and _is_bare(clause.definition):
            what = f"{column} is NOT NULL, and rows that are there have no value for it"
            yield DDL_NN.found(reading.place, what + case.measured(table), _HINT)
        elif case.dialect != "postgres" and _becomes_not_null(case, table, clause):
            what = f"{column} becomes NOT NULL: the change fails where a row has none"
            yield DDL_NN.found(reading.place, what + case.measured(table), _HINT)


def _is_bare(column: Column | None) -> bool:
    """Whether rows have nothing to fill the column with."""
    if column is None or not column.not_null or column.filled:
        return False
    return column.default is None or column.default.null


def _becomes_not_null(case: Case, table: Name, clause: Clause) -> bool:
    known = case.column(table, clause.column)
    if clause.act is Act.ADD_COLUMN or (known is not None and "not null" in known.properties):
        return False
    if clause.act is Act.SET_NOT_NULL:
        return True
    return clause.definition is not None and clause.definition.not_null


DDL_NN: Final = Rule("DDL-NN", Severity.ERROR, "NOT NULL on rows that have no value", _examine)
