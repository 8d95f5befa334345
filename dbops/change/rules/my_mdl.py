"""MY-MDL: a long wait for a lock, behind which all others queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_MOST: Final = timedelta(seconds=30)


def _examine(case: Case) -> Iterator[Finding]:
    wait = case.change.limits.lock_wait
    if case.dialect == "mysql" and wait > _MOST and case.up:
        yield MY_MDL.found(
            "change.yml",
            f"a statement waits up to {wait.total_seconds():.0f} s for its metadata lock, and "
            "every query of the table waits behind it",
            "limits: {lock_wait: 3s}: dbops tries again, and others get through in between",
        )


MY_MDL: Final = Rule(
    "MY-MDL", Severity.ERROR, "a long wait for a lock, behind which all others queue", _examine
)
