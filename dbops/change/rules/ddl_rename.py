"""DDL-RENAME: a name that programs still use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_KINDS: Final = frozenset(
    {ObjectKind.TABLE, ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW, ObjectKind.FUNCTION}
    | {ObjectKind.PROCEDURE, ObjectKind.SCHEMA, ObjectKind.SEQUENCE, ObjectKind.TYPE, None}
)
_HINT: Final = "add the new name beside the old one, and drop the old one by a later change"


def _examine(case: Case) -> Iterator[Finding]:
    for reading in case.up:
        whole = reading.does is Does.RENAME or reading.renamed is not None
        what = "is renamed" if whole else _otherwise(reading)
        for name in reading.names if what and reading.kind in _KINDS else ():
            own = reading.kind is not None and case.is_own(reading.kind, name, reading)
            if not own and not case.is_new(name, reading):
                yield DDL_RENAME.found(reading.place, f"{name.written} {what}", _HINT)
    for reading, table, clause in case.altered(Act.RENAME_TABLE, Act.RENAME_COLUMN):
        column = f".{clause.column}" if clause.act is Act.RENAME_COLUMN else ""
        if not case.is_new(table, reading):
            yield DDL_RENAME.found(reading.place, f"{table.written}{column} is renamed", _HINT)


def _otherwise(reading: Reading) -> str:
    """Return what else programs stumble over, for people: another schema, another column."""
    if reading.does is not Does.ALTER:
        return ""
    if reading.has("SET", "SCHEMA"):
        return "moves to another schema"
    of_view = reading.kind in {ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW}
    if of_view and "RENAME" in reading.words:
        return "has a column that is renamed"
    for word in ("VALUE", "ATTRIBUTE"):
        if reading.kind is ObjectKind.TYPE and reading.has("RENAME", word):
            return f"has {'a value' if word == 'VALUE' else 'an attribute'} that is renamed"
    return ""


DDL_RENAME: Final = Rule("DDL-RENAME", Severity.ERROR, "a name that programs still use", _examine)
