"""REP-ENG: a table that no rollback takes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked

_DIALECTS: Final = frozenset({"mysql"})  # others have one kind of table


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect not in _DIALECTS:
        return
    known = None if case.facts is None else case.facts.transactional
    tables = [
        *((watch.table, watch.line) for watch in case.repair.watches),
        *((side.table, side.line) for side in case.repair.side_effects),
    ]
    unknown = []
    for table, line in tables:
        answer = None if known is None else case.known(known, table)
        if answer is None:
            unknown.append(str(table))
        elif not answer:
            yield REP_ENG.found(
                f"repair.yml line {line}",
                f"{table} is of a storage engine without transactions: what is written stays",
                "turn it into InnoDB by a change before this repair",
            )
    if unknown:
        yield REP_ENG.unchecked(f"the storage engine of {', '.join(unknown)}")


REP_ENG: Final = Rule("REP-ENG", Severity.ERROR, "a table that no rollback takes back", _examine)
