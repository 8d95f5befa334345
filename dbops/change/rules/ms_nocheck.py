"""MS-NOCHECK: a constraint that the server does not trust."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "tsql":
        return
    trusted = [
        clause.name
        for _reading, _table, clause in case.altered(Act.SWITCH_CONSTRAINT)
        if clause.words[:3] == ("WITH", "CHECK", "CHECK")
    ]
    for reading, table, clause in case.altered(Act.ADD_CONSTRAINT, Act.SWITCH_CONSTRAINT):
        unchecked = clause.words[:2] == ("WITH", "NOCHECK") or clause.words[:1] == ("NOCHECK",)
        trusting = clause.act is Act.SWITCH_CONSTRAINT and clause.words[:1] == ("CHECK",)
        if (unchecked or trusting) and clause.name not in trusted:
            yield MS_NOCHECK.found(
                reading.place,
                f"{clause.name or 'a constraint'} of {table.written} is not checked on rows that "
                "are there, so the optimiser ignores it",
                "ALTER TABLE … WITH CHECK CHECK CONSTRAINT in a later step",
            )


MS_NOCHECK: Final = Rule(
    "MS-NOCHECK", Severity.WARNING, "a constraint that the server does not trust", _examine
)
