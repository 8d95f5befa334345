"""PG-IDX: an index that blocks all writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule, is_same
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_CREATE: Final = (
    "CREATE INDEX ON ONLY the table, CREATE INDEX CONCURRENTLY on each partition, then ALTER INDEX"
    " … ATTACH PARTITION for each"
)
_DROP: Final = "DROP INDEX is the only way and ends at once: accept it, with that as the reason"


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading in (*case.up, *case.down):
        concurrent = Flag.CONCURRENTLY in reading.flags or "CONCURRENTLY" in reading.words
        if reading.kind is ObjectKind.INDEX and reading.does in {Does.CREATE, Does.DROP}:
            yield from _looked_at(case, reading, concurrent=concurrent)
        elif next(iter(reading.words), "") == "REINDEX" and not concurrent:
            what = "REINDEX without CONCURRENTLY: nobody writes the table meanwhile"
            yield PG_IDX.found(reading.place, what, "write REINDEX … CONCURRENTLY")


def _looked_at(case: Case, reading: Reading, *, concurrent: bool) -> Iterator[Finding]:
    tables = [reading.table] if reading.table else [_table(case, name) for name in reading.names]
    for table in tables:
        if case.is_unused(table, reading) or (_is_frame(case, reading) and not concurrent):
            continue
        if table is not None and _has_parts(case, table):
            yield _of_all_parts(case, reading, table, concurrent=concurrent)
        elif not concurrent:
            yield _blocks(case, reading, table)


def _has_parts(case: Case, table: Name) -> bool:
    """Whether a table is partitioned, as the catalogue says, or indexes that are made of it."""
    known = case.find(ObjectKind.TABLE, table)
    if known is not None:
        return "partitioned by" in known.properties
    attached = {
        name.last for each in case.up if each.has("ATTACH", "PARTITION") for name in each.names
    }
    return any(
        each.table is not None
        and is_same(each.table.path, table.path)
        and any(name.last in attached for name in each.names)
        for each in case.up
        if each.kind is ObjectKind.INDEX and each.has("ON", "ONLY")
    )


def _is_frame(case: Case, reading: Reading) -> bool:
    """Whether it makes an index of a partitioned table alone, which has no rows of its own."""
    if reading.table is None or not reading.has("ON", "ONLY"):
        return False
    known = case.find(ObjectKind.TABLE, reading.table)
    return known is not None and "partitioned by" in known.properties


def _of_all_parts(case: Case, reading: Reading, table: Name, *, concurrent: bool) -> Finding:
    """PostgreSQL knows no CONCURRENTLY for an index of a partitioned table."""
    size = case.measured(table)
    verb, hint, waits = "dropped", _DROP, "nobody uses the tables meanwhile"
    if reading.does is Does.CREATE:
        verb, hint, waits = "made", _CREATE, "nobody writes them"
    what = f"an index of {table.written} and of all its partitions is {verb}: {waits}{size}"
    if concurrent:
        what = f"an index of {table.written} is {verb} CONCURRENTLY, which PostgreSQL refuses there"
    return PG_IDX.found(reading.place, what, hint)


def _blocks(case: Case, reading: Reading, table: Name | None) -> Finding:
    verb = "made" if reading.does is Does.CREATE else "dropped"
    of = "" if table is None else f" of {table.written}"
    return PG_IDX.found(
        reading.place,
        f"an index{of} is {verb} without CONCURRENTLY: nobody writes the table meanwhile"
        + case.measured(table),
        f"write {reading.words[0]} INDEX CONCURRENTLY; dbops runs it outside a transaction",
    )


def _table(case: Case, name: Name) -> Name | None:
    """Return the table of an index: as the catalogue says, or the statement that makes it."""
    known = case.find(ObjectKind.INDEX, name)
    if known is not None:
        return None if known.of is None else Name(known.of.path)
    made = (
        each.table
        for each in case.up
        if each.does is Does.CREATE and each.kind is ObjectKind.INDEX and each.table is not None
        for own in each.names
        if is_same((*each.table.path[:-1], own.last), name.path)
    )
    return next(made, None)


PG_IDX: Final = Rule("PG-IDX", Severity.ERROR, "an index that blocks all writes", _examine)
