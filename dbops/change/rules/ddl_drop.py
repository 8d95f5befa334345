"""DDL-DROP: data that is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Flag
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.lost import is_held, lost
from dbops.review.finding import Finding, Severity
from dbops.wording import listed

_BY_NAME: Final = "drop what depends on it by name"
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
                    yield DDL_DROP.found(reading.place, what, _BY_NAME)
        elif reading.does is Does.TRUNCATE and "CASCADE" in reading.words:
            those = listed([name.written for name in reading.names])
            what = f"every table that refers to {those} is emptied too (CASCADE)"
            yield DDL_DROP.found(reading.place, what, "name each table that is to be emptied")
    for reading, table, clause in case.altered(Act.DROP_CONSTRAINT):
        if clause.words[-1:] == ("CASCADE",):
            constraint = f"constraint {clause.name} of {table.written}"
            what = f"{constraint} is dropped with all that depends on it (CASCADE)"
            yield DDL_DROP.found(reading.place, what, _BY_NAME)


DDL_DROP: Final = Rule("DDL-DROP", Severity.ERROR, "data that is dropped", _examine)
