"""PG-NOTVALID: a constraint that reads all rows under a lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Constraint, ConstraintKind, Name
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_KINDS: Final = frozenset({ConstraintKind.FOREIGN_KEY, ConstraintKind.CHECK})


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT, Act.ADD_COLUMN):
        column = clause.definition
        given = [clause.constraint] if column is None else [*column.constraints]
        for constraint in given:
            if constraint is None or constraint.kind not in _KINDS:
                continue
            if column is not None and constraint.kind is ConstraintKind.CHECK:
                continue  # the column is new: what it holds is its default
            what = _what(case, table, constraint)
            if what is not None:
                yield PG_NOTVALID.found(
                    reading.place,
                    what + case.measured(table),
                    "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in a later step",
                )


def _what(case: Case, table: Name, constraint: Constraint) -> str | None:
    title = f"{constraint.kind.value} {constraint.name or ''}".strip()
    if not constraint.not_valid:
        return f"the {title} of {table.written} reads all rows, and others wait meanwhile"
    validated = [each.name for _reading, _table, each in case.altered(Act.VALIDATE)]
    if constraint.name not in validated:
        return f"the {title} of {table.written} is NOT VALID, and no step validates it"
    return None


PG_NOTVALID: Final = Rule(
    "PG-NOTVALID", Severity.ERROR, "a constraint that reads all rows under a lock", _examine
)
