"""REP-PK: a watched table without a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Finding, Rule, Severity, Unchecked


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    shapes = {} if case.facts is None else case.facts.shapes
    unknown = 0
    for watch in case.repair.watches:
        shape = case.known(shapes, watch.table)
        if shape is None:
            unknown += 1
        elif not shape.key:
            yield REP_PK.found(
                f"repair.yml line {watch.line}",
                f"{watch.table} has no primary key and no unique key without NULL",
                "rows are told apart by their key: add one by a change before this repair",
            )
    if unknown:
        yield REP_PK.unchecked(f"the keys of {unknown} watched tables, for want of the catalogue")


REP_PK: Final = Rule("REP-PK", Severity.ERROR, "a watched table without a key", _examine)
