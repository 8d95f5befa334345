"""DDL-RENAME: a name that programs still use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_KINDS: Final = frozenset(
    {ObjectKind.TABLE, ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW, ObjectKind.FUNCTION}
    | {ObjectKind.PROCEDURE, ObjectKind.SCHEMA, ObjectKind.SEQUENCE, None}
)
_HINT: Final = "add the new name beside the old one, and drop the old one by a later change"


def _examine(case: Case) -> Iterator[Finding]:
    for reading in case.up:
        whole = reading.does is Does.RENAME or reading.renamed is not None
        for name in reading.names if whole and reading.kind in _KINDS else ():
            if not case.is_new(name, reading):
                yield DDL_RENAME.found(reading.place, f"{name.written} is renamed", _HINT)
    for reading, table, clause in case.altered(Act.RENAME_TABLE, Act.RENAME_COLUMN):
        column = f".{clause.column}" if clause.act is Act.RENAME_COLUMN else ""
        if not case.is_new(table, reading):
            yield DDL_RENAME.found(reading.place, f"{table.written}{column} is renamed", _HINT)


DDL_RENAME: Final = Rule("DDL-RENAME", Severity.ERROR, "a name that programs still use", _examine)
