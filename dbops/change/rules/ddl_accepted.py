"""DDL-ACCEPTED: an acceptance that nothing needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.rules.finding import Case, Rule
from dbops.change.squawk_report import PREFIX, is_squawks
from dbops.review.finding import Finding, Severity
from dbops.wording import quoted


def _examine(case: Case) -> Iterator[Finding]:
    found = [each for each in case.earlier if isinstance(each, Finding)]
    unsure = {each.rule for each in case.earlier if not isinstance(each, Finding)}
    for entry in case.change.accepted:
        where = "" if entry.at is None else f" at {entry.at}"
        alike = [each for each in found if each.rule == entry.rule]
        tool = PREFIX if is_squawks(entry.rule) else entry.rule  # squawk knows which rules it has
        if tool != PREFIX and entry.rule not in case.rules:
            what = f"{quoted(entry.rule)} is accepted, and there is no such rule"
        elif any(entry.at in {None, each.where} for each in alike) or tool in unsure:
            continue
        else:
            what = f"{entry.rule} is accepted{where}, and found nothing there"
        line = f"change.yml line {entry.line}" if entry.line else "change.yml"
        yield DDL_ACCEPTED.found(line, what, "take it out: it would hide what a later edit brings")


DDL_ACCEPTED: Final = Rule(
    "DDL-ACCEPTED", Severity.WARNING, "an acceptance that nothing needs", _examine
)
