"""ORA-VALID: a constraint that locks the table while it looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "oracle":
        return
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT):
        if "NOVALIDATE" not in clause.words:
            yield ORA_VALID.found(
                reading.place,
                f"a constraint of {table.written} is validated under an exclusive lock"
                + case.measured(table),
                "ADD CONSTRAINT … ENABLE NOVALIDATE, and MODIFY CONSTRAINT … VALIDATE later",
            )


ORA_VALID: Final = Rule(
    "ORA-VALID", Severity.WARNING, "a constraint that locks the table while it looks", _examine
)
