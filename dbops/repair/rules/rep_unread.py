"""REP-UNREAD: a statement that these rules cannot look into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Rule
from dbops.repair.rules.rep_tx import control_of
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.script, *case.fragments):
        if reading.doubt is not None and control_of(reading, case) is None:
            yield REP_UNREAD.found(
                reading.place,
                f"the statement {reading.doubt.value}, so the other rules saw less of it",
                "read it with care: the engine's counters still see every row that it writes",
            )


REP_UNREAD: Final = Rule(
    "REP-UNREAD", Severity.WARNING, "a statement that the rules cannot read", _examine
)
