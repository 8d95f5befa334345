"""PG-UNIQUECON: a key whose index is built under a lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, ConstraintKind
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_KINDS: Final = {
    ConstraintKind.UNIQUE: "unique constraint",
    ConstraintKind.PRIMARY_KEY: "primary key",
    ConstraintKind.EXCLUDE: "exclusion constraint",
}


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT, Act.ADD_COLUMN):
        column = clause.definition
        given = [clause.constraint] if column is None else [*column.constraints]
        for constraint in given:
            if constraint is None or constraint.kind not in _KINDS or constraint.index is not None:
                continue
            hint = "CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX"
            if constraint.kind is ConstraintKind.EXCLUDE:
                hint = "there is no other way: accept it for a time at which nobody uses the table"
            yield PG_UNIQUECON.found(
                reading.place,
                f"the {_KINDS[constraint.kind]} of {table.written} builds its index while nobody "
                f"uses the table{case.measured(table)}",
                hint,
            )


PG_UNIQUECON: Final = Rule(
    "PG-UNIQUECON", Severity.ERROR, "a key whose index is built under a lock", _examine
)
