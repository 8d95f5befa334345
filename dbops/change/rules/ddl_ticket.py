"""DDL-TICKET: nothing says who asked, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.change.ticket is None:
        yield DDL_TICKET.found("change.yml", "there is no ticket", "ticket: HIS-4833")
    if case.change.why is None:
        hint = "why: the map error of May could not have been stored"
        yield DDL_TICKET.found("change.yml", "nothing says why the change is made", hint)


DDL_TICKET: Final = Rule(
    "DDL-TICKET", Severity.WARNING, "nothing says who asked, and why", _examine
)
