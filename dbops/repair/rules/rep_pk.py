"""REP-PK: a watched table without a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    shapes = {} if case.facts is None else case.facts.shapes
    unknown = []
    for watch in case.repair.watches:
        shape = case.known(shapes, watch.table)
        if shape is None:
            unknown.append(str(watch.table))
        elif not shape.key:
            yield REP_PK.found(
                f"repair.yml line {watch.line}",
                f"{watch.table} has no primary key and no unique key without NULL",
                "rows are told apart by their key: add one by a change before this repair",
            )
    if unknown:
        yield REP_PK.unchecked(f"whether there is a key of {', '.join(unknown)}")


REP_PK: Final = Rule("REP-PK", Severity.ERROR, "a watched table without a key", _examine)
