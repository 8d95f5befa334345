"""PG-SETNN: SET NOT NULL that reads all rows under a lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Name
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading, table, clause in case.filled(Act.SET_NOT_NULL):
        if clause.column is not None and not _is_known(case, table, clause.column):
            yield PG_SETNN.found(
                reading.place,
                f"{table.written}.{clause.column}: all rows are read while nobody uses the table"
                + case.measured(table),
                "validate CHECK (column IS NOT NULL) in a step before, and drop it afterwards",
            )


def _is_known(case: Case, table: Name, column: str) -> bool:
    """Whether a valid check says already that no row lacks a value."""
    form = f"{column} IS NOT NULL".casefold()
    for each in case.belonging(table, ObjectKind.CONSTRAINT):
        text = each.properties.get("definition", "").casefold()
        if form in text and "not valid" not in text:
            return True
    validated = {clause.name for _reading, _table, clause in case.altered(Act.VALIDATE)}
    return any(
        clause.constraint is not None
        and column in clause.constraint.nulls
        and (not clause.constraint.not_valid or clause.name in validated)
        for _reading, other, clause in case.altered(Act.ADD_CONSTRAINT)
        if other.last == table.last
    )


PG_SETNN: Final = Rule(
    "PG-SETNN", Severity.WARNING, "SET NOT NULL that reads all rows under a lock", _examine
)
