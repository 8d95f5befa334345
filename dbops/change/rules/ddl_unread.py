"""DDL-UNREAD: a statement that the rules cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Doubt
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_WHY: Final = {
    Doubt.FAULT: "its words cannot be told apart",
    Doubt.UNKNOWN: "it begins as none that is known here",
    Doubt.OPAQUE: "what it runs, or what it is about, is known to the database only",
    Doubt.PART: "a part of it has a form that is not known here",
}
_HINT: Final = (
    "which rows it writes nobody sees: read it, or write it out; the rehearsal counts them, and"
    " shows objects that it makes differ"
)


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.up, *case.down):
        if reading.doubt is not None:
            yield DDL_UNREAD.found(
                reading.place,
                f"not checked: the statement {reading.doubt.value} ({_WHY[reading.doubt]})",
                _HINT,
            )


DDL_UNREAD: Final = Rule(
    "DDL-UNREAD", Severity.WARNING, "a statement that the rules cannot read", _examine
)
