"""PG-TS: a type that keeps less than it seems to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Column
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_HINT: Final = "timestamptz for points in time, text or varchar for texts, jsonb for json"


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading, table, column in case.new_columns():
        why = _why(column)
        if why is not None:
            yield PG_TS.found(reading.place, f"{table.written}.{column.name} {why}", _HINT)


def _why(column: Column) -> str | None:
    kind = column.type
    if kind.name in {"TIMESTAMP", "TIMESTAMPNTZ"}:
        return "is a timestamp without time zone: nobody knows when it was"
    if kind.padded and kind.text.casefold() != '"char"':
        return "is of char(n): blanks are added, and lost again"
    if kind.name == "JSON":
        return "is of json, which has no equality: DISTINCT and UNION fail"
    return "is of money, whose digits the server's locale decides" if kind.name == "MONEY" else None


PG_TS: Final = Rule("PG-TS", Severity.WARNING, "a type that keeps less than it seems to", _examine)
