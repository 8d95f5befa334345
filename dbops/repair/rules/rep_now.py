"""REP-NOW: values that differ from one run to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.reading import Unsteady
from dbops.repair.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.script, *case.fragments):
        names = [each.name for each in reading.unsteady if not _is_volatile(case, each)]
        if names:
            shown = ", ".join(dict.fromkeys(names))
            yield REP_NOW.found(
                reading.place,
                f"{shown} differs from run to run, so production differs from the rehearsal",
                "make the value a parameter, or name its column in undo.volatile",
            )


def _is_volatile(case: Case, each: Unsteady) -> bool:
    if each.column is None:
        return False
    volatile = {name.casefold() for name in case.repair.undo.volatile}
    return case.column_of(each.column).casefold() in volatile


REP_NOW: Final = Rule("REP-NOW", Severity.WARNING, "values that differ from run to run", _examine)
