"""DDL-OWN: tables that dbops keeps for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from dbops.change.reading import Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_OWN: Final[Mapping[str, str]] = MappingProxyType(
    {"dbops_change": "dbops' journal of changes", "dbops_run": "dbops' marks of repairs"}
)
_SCHEMA: Final = "dbops"
_HINT: Final = "leave it alone: without it nobody knows what ran here, and no server lets it pass"


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.up, *case.down):
        for name, what in _named(reading):
            yield DDL_OWN.found(reading.place, f"the statement is about {name}, {what}", _HINT)


def own_places(case: Case) -> frozenset[str]:
    """Return the lines of which nothing but DDL-OWN is to be told, as they are to be left out.

    Hints of other rules would lead to an acceptance or to a way back. Of a line that has another
    statement too they are told; and all is where the author accepts DDL-OWN.
    """
    if any(entry.rule == DDL_OWN.id for entry in case.change.accepted):
        return frozenset()
    readings = (*case.up, *case.down)
    others = {each.place for each in readings if not any(_named(each))}
    return frozenset(each.place for each in readings) - others


def _named(reading: Reading) -> Iterator[tuple[str, str]]:
    if reading.does is Does.QUERY:
        return
    yield from ((name, what) for name, what in _OWN.items() if name.upper() in reading.words)
    is_there = reading.kind is ObjectKind.SCHEMA and reading.does is not Does.CREATE
    if is_there and any(name.last.lower() == _SCHEMA for name in reading.names):
        yield f"schema {_SCHEMA}", "where dbops keeps its journal"


DDL_OWN: Final = Rule("DDL-OWN", Severity.ERROR, "tables that dbops keeps for itself", _examine)
