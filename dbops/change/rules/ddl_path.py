"""DDL-PATH: a name without its schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_DIALECTS: Final = frozenset({"postgres", "tsql", "oracle"})
_KINDS: Final = frozenset(
    {ObjectKind.TABLE, ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW, ObjectKind.SEQUENCE}
    | {ObjectKind.FUNCTION, ObjectKind.PROCEDURE, ObjectKind.TYPE, ObjectKind.DOMAIN}
)


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect not in _DIALECTS:
        return
    for reading in (*case.up, *case.down):
        for name in _names(reading):
            if len(name.path) == 1:
                yield DDL_PATH.found(
                    reading.place,
                    f"{name.written} has no schema: who runs the change decides which one is meant",
                    "write the schema in front: his.visit",
                )


def _names(reading: Reading) -> Iterator[Name]:
    if Flag.TEMPORARY in reading.flags:
        return
    dropped = reading.does in {Does.DROP, Does.ALTER} and reading.kind is ObjectKind.INDEX
    if reading.kind in _KINDS or (dropped and reading.table is None):
        yield from reading.names
    if reading.table is not None and reading.table not in reading.names:
        yield reading.table
    for clause in reading.clauses:
        if clause.constraint is not None and clause.constraint.target is not None:
            yield clause.constraint.target


DDL_PATH: Final = Rule("DDL-PATH", Severity.WARNING, "a name without its schema", _examine)
