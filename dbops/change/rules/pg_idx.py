"""PG-IDX: an index that blocks all writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading in (*case.up, *case.down):
        if Flag.CONCURRENTLY in reading.flags or "CONCURRENTLY" in reading.words:
            continue
        word = next(iter(reading.words), "")
        if word == "REINDEX":
            what = "REINDEX without CONCURRENTLY: nobody writes the table meanwhile"
            yield PG_IDX.found(reading.place, what, "write REINDEX … CONCURRENTLY")
        elif reading.kind is ObjectKind.INDEX and reading.does in {Does.CREATE, Does.DROP}:
            yield from _blocks(case, reading)


def _is_frame(case: Case, reading: Reading) -> bool:
    """Whether it makes an index of a partitioned table alone, which has no rows of its own."""
    if reading.table is None or not reading.has("ON", "ONLY"):
        return False
    known = case.find(ObjectKind.TABLE, reading.table)
    return known is not None and "partitioned by" in known.properties


def _blocks(case: Case, reading: Reading) -> Iterator[Finding]:
    verb = "made" if reading.does is Does.CREATE else "dropped"
    tables = [reading.table] if reading.table else [_table(case, name) for name in reading.names]
    for table in tables:
        if not case.is_unused(table, reading) and not _is_frame(case, reading):
            of = "" if table is None else f" of {table.written}"
            yield PG_IDX.found(
                reading.place,
                f"an index{of} is {verb} without CONCURRENTLY: nobody writes the table meanwhile"
                + case.measured(table),
                f"write {reading.words[0]} INDEX CONCURRENTLY; dbops runs it outside a transaction",
            )


def _table(case: Case, name: Name) -> Name | None:
    known = case.find(ObjectKind.INDEX, name)
    return None if known is None or known.of is None else Name(known.of.path)


PG_IDX: Final = Rule("PG-IDX", Severity.ERROR, "an index that blocks all writes", _examine)
