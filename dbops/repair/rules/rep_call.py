"""REP-CALL: functions and procedures that may write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Rule
from dbops.repair.rules.naming import plain_name
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.script, *case.fragments):
        if reading.calls:
            names = [plain_name(name) for name in sorted(set(reading.calls))]
            shown = ", ".join(name for name in names if name) or str(len(names))
            yield REP_CALL.found(
                reading.place,
                f"calls functions ({shown}); only the counters see what they write",
                "read their source, and watch every table that they write",
            )


REP_CALL: Final = Rule("REP-CALL", Severity.WARNING, "functions that may write", _examine)
