"""PG-REWRITE: a table that is written anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.column_type import is_rewritten
from dbops.change.parsed_types import read_type
from dbops.change.reading import Act, Column, Reading, has
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked

# Functions of which the server computes one value for all rows, or which nothing makes differ.
_STEADY_SPELLED: Final = """
now current_timestamp current_date current_time localtimestamp localtime transaction_timestamp
statement_timestamp current_user session_user user current_setting current_database coalesce
nullif lower upper date_trunc to_date to_timestamp make_date make_timestamptz make_interval md5
jsonb_build_object jsonb_build_array json_build_object greatest least length round numeric varchar
character decimal char bpchar bit timestamp timestamptz time interval array_fill concat replace abs
"""
_STEADY: Final = frozenset(_STEADY_SPELLED.split())
_HINT: Final = "add the column bare, set the default in a later step, and fill rows in batches"

_APART: Final = "leave it out, or accept it for a time at which nobody uses the table"
_WAYS: Final = (
    (("SET", "LOGGED"), "becomes logged"),
    (("SET", "UNLOGGED"), "becomes unlogged, and empty after a crash"),
    (("SET", "TABLESPACE"), "moves to another tablespace"),
    (("SET", "ACCESS", "METHOD"), "gets another access method"),
    (("SET", "EXPRESSION"), "has a column generated otherwise"),
)


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect != "postgres":
        return
    yield from _whole(case)
    for reading, table, clause in case.filled(Act.ADD_COLUMN, Act.RETYPE):
        column = clause.definition
        if column is None:
            continue
        title = f"{table.written}.{clause.column}"
        if clause.act is Act.ADD_COLUMN:
            why = _why(column)
            if why is not None:
                what = f"{title} {why}: every row is written anew while nobody uses the table"
                yield PG_REWRITE.found(reading.place, what + case.measured(table), _HINT)
            continue
        known = case.column(table, clause.column)
        if known is None or "type" not in known.properties:
            yield PG_REWRITE.unchecked(f"whether the new type of {title} rewrites the table")
        elif is_rewritten(read_type(known.properties["type"], case.dialect), column.type):
            what = (
                f"{title} gets another type: every row is written anew while nobody uses the table"
            )
            hint = "add a column of the new type, fill it in batches, and exchange the two later"
            yield PG_REWRITE.found(reading.place, what + case.measured(table), hint)


def _whole(case: Case) -> Iterator[Finding]:
    """Yield the statements that write a table anew whatever is in it."""
    for reading, table, clause in case.filled(Act.OPTION, Act.ALTER_COLUMN):
        way = next((way for phrase, way in _WAYS if has(clause.words, *phrase)), None)
        if way is not None:
            what = f"{table.written} {way}: it is written anew while nobody uses it"
            yield PG_REWRITE.found(reading.place, what + case.measured(table), _APART)
    for reading in case.up:
        view = reading.names[0] if reading.names else None
        if reading.words[:1] == ("CLUSTER",) or (
            reading.words[:1] == ("VACUUM",) and "FULL" in reading.words
        ):
            word = "CLUSTER" if reading.words[0] == "CLUSTER" else "VACUUM FULL"
            what = f"{word} writes tables anew while nobody uses them"
            yield PG_REWRITE.found(reading.place, what, _APART)
        elif view is not None and _is_refreshed(reading) and not case.is_new(view, reading):
            what = f"{view.written} is filled anew while nobody reads it"
            hint = "write REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index"
            yield PG_REWRITE.found(reading.place, what, hint)


def _is_refreshed(reading: Reading) -> bool:
    return reading.words[:1] == ("REFRESH",) and "CONCURRENTLY" not in reading.words


def _why(column: Column) -> str | None:
    if column.stored:
        return "is generated and stored"
    if column.identity or column.filled:
        return "counts the rows that are there"
    calls = [] if column.default is None else [c for c in column.default.calls if c not in _STEADY]
    return f"has a default that may differ by row ({', '.join(calls)})" if calls else None


PG_REWRITE: Final = Rule("PG-REWRITE", Severity.ERROR, "a table that is written anew", _examine)
