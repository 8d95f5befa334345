"""REP-ACCEPTED: the manifest accepts what no rule found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked


def _examine(case: Case) -> Iterator[Finding]:
    found = {each.rule for each in case.earlier if isinstance(each, Finding)}
    unchecked = {each.rule for each in case.earlier if isinstance(each, Unchecked)}
    for entry in case.repair.accepted:
        if entry.rule not in case.rules:
            what = f"{entry.rule} is accepted, and there is no such rule"
        elif entry.rule not in found | unchecked:
            what = f"{entry.rule} is accepted, and found nothing"
        else:
            continue
        hint = "remove the entry: it would hide what the rule may find later"
        yield REP_ACCEPTED.found(f"repair.yml line {entry.line}", what, hint)


REP_ACCEPTED: Final = Rule(
    "REP-ACCEPTED", Severity.WARNING, "an acceptance that nothing needs", _examine
)
