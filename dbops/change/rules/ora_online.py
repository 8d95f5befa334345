"""ORA-ONLINE: an index or a table built while nobody writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Flag
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "oracle":
        return
    for reading in case.up:
        if Flag.ONLINE in reading.flags:
            continue
        made = reading.kind is ObjectKind.INDEX and reading.does is Does.CREATE
        rebuilt = reading.kind is ObjectKind.INDEX and reading.has("REBUILD")
        moved = reading.kind is ObjectKind.TABLE and bool(reading.acts(Act.REBUILD))
        if (made or moved) and case.is_unused(reading.table, reading):
            continue
        if made or rebuilt or moved:
            what = "an index is built" if made or rebuilt else "a table is moved"
            yield ORA_ONLINE.found(
                reading.place,
                f"{what} without ONLINE: nobody writes the table meanwhile"
                + case.measured(reading.table),
                "add ONLINE at the end of the statement",
            )


ORA_ONLINE: Final = Rule(
    "ORA-ONLINE", Severity.ERROR, "an index or a table built while nobody writes", _examine
)
