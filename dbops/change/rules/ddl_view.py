"""DDL-VIEW: views and procedures that use what changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.rules.dependents import changed_names, dependents
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked
from dbops.wording import listed


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    changed = tuple(changed_names(case))
    if changed and case.schema is None:
        yield DDL_VIEW.unchecked("which views, functions and triggers use what changes")
        return
    for each in changed:
        found = dependents(case, each)
        if found:
            yield DDL_VIEW.found(
                each.place,
                f"{each.written} is used by {listed(found)}",
                "make them anew in this change, or say in the ticket who has looked at them",
            )


DDL_VIEW: Final = Rule(
    "DDL-VIEW", Severity.WARNING, "views and procedures that use what changes", _examine
)
