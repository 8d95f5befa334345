"""REP-LIMIT: rows chosen by a LIMIT that anything may decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.reading import Cut
from dbops.repair.rules.finding import Case, Rule
from dbops.repair.rules.naming import table_named
from dbops.review.finding import Finding, Severity, Unchecked

_HINT: Final = "choose the rows by a condition, or order them by the whole key"


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    for reading in (*case.script, *case.fragments):
        for cut in reading.cuts:
            found = _judge(case, cut, reading.place)
            if found is not None:
                yield found


def _judge(case: Case, cut: Cut, place: str) -> Finding | Unchecked | None:
    if not cut.order:
        return REP_LIMIT.found(place, "a LIMIT or TOP cuts rows that nothing orders", _HINT)
    if len(cut.targets) != 1:
        return REP_LIMIT.found(place, "a LIMIT or TOP cuts the rows of several tables", _HINT)
    shapes = {} if case.facts is None else case.facts.shapes
    shape = case.known(shapes, cut.targets[0])
    table = table_named(case, cut.targets[0])
    if shape is None:
        return REP_LIMIT.unchecked(f"{place}: whether a LIMIT orders {table} by its whole key")
    ordered = {case.column_of(name).casefold() for name in cut.order}
    if shape.key and {name.casefold() for name in shape.key_names} <= ordered:
        return None
    what = f"a LIMIT or TOP cuts rows of {table} that are not ordered by its whole key"
    return REP_LIMIT.found(place, what, _HINT)


REP_LIMIT: Final = Rule(
    "REP-LIMIT", Severity.ERROR, "rows chosen by a LIMIT without the key's order", _examine
)
