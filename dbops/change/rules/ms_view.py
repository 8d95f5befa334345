"""MS-VIEW: a view by SELECT * whose columns shift."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Name
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity, Unchecked

_STAR: Final = re.compile(r"SELECT\s+(?:DISTINCT\s+)?(?:\w+\.)?\*", re.IGNORECASE)


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect != "tsql":
        return
    for reading in case.up:
        view = reading.kind is ObjectKind.VIEW and reading.does in {Does.CREATE, Does.ALTER}
        if view and (reading.has("SELECT", "*") or reading.has(".", "*")):
            name = reading.names[0].written if reading.names else "a view"
            what = f"{name} takes all columns, and new ones shift into others' places"
            yield MS_VIEW.found(reading.place, what, "name the columns")
    tables = {
        table: reading.place for reading, table, _c in case.altered(Act.ADD_COLUMN, Act.DROP_COLUMN)
    }
    if tables and case.schema is None:
        yield MS_VIEW.unchecked("which views take all columns of the tables that change")
        return
    for table, place in tables.items():
        for stale in _stale(case, table):
            what = f"{stale} takes all columns of {table.written}, and no step refreshes it"
            yield MS_VIEW.found(place, what, "EXEC sp_refreshview, or name the view's columns")


def _stale(case: Case, table: Name) -> Iterator[str]:
    refreshed = " ".join(
        t for r in case.up if "SP_REFRESHVIEW" in r.words for t in r.texts
    ).casefold()
    for each in case.objects:
        text = each.properties.get("definition", "")
        used = re.search(rf"(?<!\w){re.escape(table.last)}(?!\w)", text, re.IGNORECASE)
        star = each.name.kind is ObjectKind.VIEW and _STAR.search(text) is not None
        if star and used and each.name.path[-1].casefold() not in refreshed:
            yield each.name.written


MS_VIEW: Final = Rule(
    "MS-VIEW", Severity.WARNING, "a view by SELECT * whose columns shift", _examine
)
