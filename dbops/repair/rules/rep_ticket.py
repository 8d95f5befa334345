"""REP-TICKET: nobody can see why the data were wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    repair = case.repair
    if repair.ticket is None:
        hint = "ticket: T-2026-117"
        yield REP_TICKET.found("repair.yml", "there is no ticket", hint)
    if repair.cause is None and repair.undo_of is None:
        hint = "cause: {found: the interface kept the old ward map, fix: T-2026-120}"
        yield REP_TICKET.found("repair.yml", "the cause of the error is not found yet", hint)
    elif repair.cause is not None and repair.cause.fix is None:
        hint = "cause: {found: …, fix: T-2026-120}"
        yield REP_TICKET.found("repair.yml", "nothing says what keeps it from returning", hint)


REP_TICKET: Final = Rule(
    "REP-TICKET", Severity.WARNING, "no ticket, no cause, or no fix of the cause", _examine
)
