"""DDL-PKDROP: a constraint that is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_HINT: Final = "keep it, or replace it in the same change by one of the same name"


def _examine(case: Case) -> Iterator[Finding]:
    for reading, table, clause in case.altered(Act.DROP_CONSTRAINT, Act.SWITCH_CONSTRAINT):
        name = clause.name or "a constraint"
        if clause.act is Act.SWITCH_CONSTRAINT:
            if {"DISABLE", "NOCHECK"} & set(clause.words):
                what = f"constraint {name} of {table.written} is switched off"
                yield DDL_PKDROP.found(reading.place, what, "keep it on")
        elif not _is_made_again(case, name, table):
            what = f"constraint {name} of {table.written} is dropped, and keeps nothing whole then"
            yield DDL_PKDROP.found(reading.place, what + case.measured(table), _HINT)
    for reading in case.up:
        for index in _unique_indexes(case, reading):
            what = f"unique index {index.written} is dropped, and keeps nothing unique then"
            yield DDL_PKDROP.found(reading.place, what, _HINT)


def _is_made_again(case: Case, name: str, table: Name) -> bool:
    added = [clause for _r, t, clause in case.altered(Act.ADD_CONSTRAINT) if t.last == table.last]
    if name == "PRIMARY KEY":
        return any(
            c.constraint is not None and c.constraint.kind.value == "primary key" for c in added
        )
    return any((clause.name or "").casefold() == name.casefold() for clause in added)


def _unique_indexes(case: Case, reading: Reading) -> Iterator[Name]:
    if reading.does is not Does.DROP or reading.kind is not ObjectKind.INDEX:
        return
    made = {
        name.last.casefold() for each in case.up if each.does is Does.CREATE for name in each.names
    }
    for name in reading.names:
        known = case.find(ObjectKind.INDEX, name)
        text = "" if known is None else known.properties.get("definition", "").upper()
        if text.startswith("CREATE UNIQUE") and name.last.casefold() not in made:
            yield name


DDL_PKDROP: Final = Rule("DDL-PKDROP", Severity.ERROR, "a constraint that is dropped", _examine)
