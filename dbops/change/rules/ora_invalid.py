"""ORA-INVALID: programs that become invalid and compile at night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.rules.dependents import changed_names, dependents
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked
from dbops.wording import listed

_COMPILES: Final = frozenset({"COMPILE", "COMPILE_SCHEMA", "RECOMP_SERIAL", "RECOMP_PARALLEL"})


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect != "oracle":
        return
    changed = tuple(changed_names(case))
    if changed:
        yield ORA_INVALID.unchecked("what is INVALID afterwards: the rehearsal compares that")
    if any(_COMPILES & set(reading.words) for reading in case.up):
        return
    for each in changed:
        found = dependents(case, each)
        if found:
            yield ORA_INVALID.found(
                each.place,
                f"{each.written} makes {listed(found)} INVALID, and no step compiles it",
                "add ALTER … COMPILE for each, and look at USER_ERRORS in verify.sql",
            )


ORA_INVALID: Final = Rule(
    "ORA-INVALID", Severity.WARNING, "programs that become invalid and compile at night", _examine
)
