"""MS-ONLINE: an index built while nobody uses the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, ConstraintKind, Does, Flag
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_KINDS: Final = frozenset({ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY})
_HINT: Final = "add WITH (ONLINE = ON); say in accepted: where the edition has it not"


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "tsql":
        return
    for reading in case.up:
        if reading.kind is not ObjectKind.INDEX or Flag.ONLINE in reading.flags:
            continue
        built = reading.does is Does.CREATE or reading.has("REBUILD")
        if built and not case.is_unused(reading.table, reading):
            what = "an index is built without ONLINE = ON: others wait meanwhile"
            yield MS_ONLINE.found(reading.place, what + case.measured(reading.table), _HINT)
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT, Act.REBUILD):
        key = clause.constraint is None or clause.constraint.kind in _KINDS
        if key and Flag.ONLINE not in reading.flags:
            what = f"{table.written} gets an index without ONLINE = ON: others wait meanwhile"
            yield MS_ONLINE.found(reading.place, what + case.measured(table), _HINT)


MS_ONLINE: Final = Rule(
    "MS-ONLINE", Severity.ERROR, "an index built while nobody uses the table", _examine
)
