"""PG-REWRITE: a table that is written anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Clause, Column, Does, Name, Reading, has
from dbops.change.rules.domains import is_constrained
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.retyping import is_written_anew, rebuilt
from dbops.change.rules.spelling import path_of
from dbops.change.schema import ObjectKind
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
_BASE: Final = (
    "add the column of the type under the domain, with a check NOT VALID, and validate it"
)
_OTHER: Final = "add a column of the new type, fill it in batches, and exchange the two later"
_INDEX: Final = (
    "drop the index in a step before, and make it again CONCURRENTLY; or accept it for a time at"
    " which nobody uses the table"
)
_ANEW: Final = "every row is written anew while nobody uses the table"

# As pg_get_functiondef prints it: on the line behind the language.
_NOT_VOLATILE: Final = re.compile(r"^ LANGUAGE [^\n]*\n (IMMUTABLE|STABLE)\b", re.MULTILINE)

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
    for reading, table, clause in case.filled(Act.ADD_COLUMN):
        if clause.definition is not None:
            yield from _added(case, reading, table, clause.definition)
    for reading, table, clause in case.filled(Act.RETYPE):
        yield from _retyped(case, reading, table, clause)
    for reading, table, column, index in rebuilt(case):
        what = (
            f"{index} is built anew for the new type of {table.written}.{column}, and nobody uses"
        )
        yield PG_REWRITE.found(
            reading.place, f"{what} the table meanwhile{case.measured(table)}", _INDEX
        )


def _added(case: Case, reading: Reading, table: Name, column: Column) -> Iterator[Finding]:
    why, hint = _why(case, column), _HINT
    if why is None and is_constrained(case, Name(path_of(column.type.text))):
        why, hint = f"is of domain {column.type.text}, which looks at each value", _BASE
    if why is not None:
        what = f"{table.written}.{column.name} {why}: {_ANEW}{case.measured(table)}"
        yield PG_REWRITE.found(reading.place, what, hint)


def _retyped(
    case: Case, reading: Reading, table: Name, clause: Clause
) -> Iterator[Finding | Unchecked]:
    title = f"{table.written}.{clause.column}"
    anew = is_written_anew(case, table, clause)
    if anew is None:
        yield PG_REWRITE.unchecked(f"whether the new type of {title} rewrites the table")
    elif anew:
        computed = clause.using is not None and clause.using.casts is None
        how = "is computed by USING" if computed else "gets another type"
        yield PG_REWRITE.found(
            reading.place, f"{title} {how}: {_ANEW}{case.measured(table)}", _OTHER
        )


def _whole(case: Case) -> Iterator[Finding]:
    """Yield the statements that write a table anew whatever is in it."""
    for reading, table, clause in case.filled(Act.OPTION, Act.ALTER_COLUMN):
        way = next((way for phrase, way in _WAYS if has(clause.words, *phrase)), None)
        if way is not None:
            what = f"{table.written} {way}: it is written anew while nobody uses it"
            yield PG_REWRITE.found(reading.place, what + case.measured(table), _APART)
    for reading in case.up:
        if _is_moved(reading):
            what = f"{_moved(reading)} anew in another place, and nobody uses it meanwhile"
            yield PG_REWRITE.found(reading.place, what, _APART)
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


def _is_moved(reading: Reading) -> bool:
    """Whether it moves an index or a view, or all that lies in a tablespace."""
    whole = reading.kind in {ObjectKind.INDEX, ObjectKind.MATERIALIZED_VIEW}
    moves = reading.has("SET", "TABLESPACE") or reading.has("SET", "ACCESS", "METHOD")
    return reading.does is Does.ALTER and moves and (whole or reading.has("ALL", "IN"))


def _moved(reading: Reading) -> str:
    """What it moves, with the verb."""
    kind = "object" if reading.kind is None else reading.kind.value
    if not reading.names:
        return f"every {kind} of a tablespace is written"
    return f"{kind} {reading.names[0].written} is written"


def _is_refreshed(reading: Reading) -> bool:
    return reading.words[:1] == ("REFRESH",) and "CONCURRENTLY" not in reading.words


def _why(case: Case, column: Column) -> str | None:
    if column.stored:
        return "is generated and stored"
    if column.identity or column.filled:
        return "counts the rows that are there"
    given = () if column.default is None else column.default.calls
    calls = [call for call in given if call not in _STEADY and not _is_steady(case, call)]
    return f"has a default that may differ by row ({', '.join(calls)})" if calls else None


def _is_steady(case: Case, call: str) -> bool:
    """Whether the database has functions of the name, and each says that it is not volatile."""
    texts = [
        each.properties.get("definition", "")
        for each in case.objects
        if each.name.kind is ObjectKind.FUNCTION
        and each.name.path[-1].partition("(")[0].casefold() == call
    ]
    return bool(texts) and all(_NOT_VOLATILE.search(text) for text in texts)


PG_REWRITE: Final = Rule("PG-REWRITE", Severity.ERROR, "a table that is written anew", _examine)
