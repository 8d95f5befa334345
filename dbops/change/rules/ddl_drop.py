"""DDL-DROP: data that is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Flag
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.lost import is_held, lost
from dbops.review.finding import Finding, Severity

_HINT: Final = "stop using it first, keep it for a while, and say why in accepted: of change.yml"


def _examine(case: Case) -> Iterator[Finding]:
    for reading, what in lost(case):
        yield DDL_DROP.found(reading.place, what, _HINT)
    for reading in case.up:
        if reading.words[:2] == ("DROP", "OWNED"):
            what = "all that a role owns is dropped, tables with their rows too"
            yield DDL_DROP.found(reading.place, what, "drop each by its name")
        elif reading.does is Does.DROP and Flag.CASCADE in reading.flags:
            kind = "object" if reading.kind is None else reading.kind.value
            for name in reading.names:
                if not is_held(case, reading, name):
                    what = f"{kind} {name.written} is dropped with all that depends on it (CASCADE)"
                    yield DDL_DROP.found(reading.place, what, "drop what depends on it by name")


DDL_DROP: Final = Rule("DDL-DROP", Severity.ERROR, "data that is dropped", _examine)
