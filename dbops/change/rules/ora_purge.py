"""ORA-PURGE: what the recycle bin and flashback cannot bring back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Flag
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_HINT: Final = "drop without PURGE, and purge by a later change"


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "oracle":
        return
    for reading in case.up:
        table = reading.names[0] if reading.names else None
        name = "an object" if table is None else table.written
        first = next(iter(reading.words), "")
        if Flag.PURGE in reading.flags and reading.does is Does.DROP:
            yield ORA_PURGE.found(reading.place, f"{name} is dropped past the recycle bin", _HINT)
        elif reading.does is Does.TRUNCATE and not case.is_empty(table, reading):
            what = f"TRUNCATE of {name} leaves nothing for flashback{case.measured(table)}"
            yield ORA_PURGE.found(reading.place, what, "delete rows by a repair")
        elif first == "PURGE":
            yield ORA_PURGE.found(reading.place, "the recycle bin is emptied", _HINT)


ORA_PURGE: Final = Rule(
    "ORA-PURGE", Severity.ERROR, "what the recycle bin and flashback cannot bring back", _examine
)
