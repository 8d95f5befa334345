"""DDL-DML: rows that a schema change writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.held_locks import BEGIN, beside, is_dark, told
from dbops.change.rules.lt_rebuild import writes_counter
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_APART: Final = f"write -- part: name between the two: {BEGIN}"
_GOES_ON: Final = "goes on from another number: one that was given out may come again"
_BEYOND: Final = "leave it out; or name a number beyond all that are there, and accept it for that"
_FILE: Final = "a change cannot copy rows from or to a file"  # the run refuses it as well
_BY_INSERT: Final = "write INSERT statements, or load the rows by another way"
_SHOWN: Final = frozenset({ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW})
_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE")


def _examine(case: Case) -> Iterator[Finding]:
    yield from _restarted(case)
    for reading in case.up:
        if _is_copy(case, reading):
            yield from _copied(case, reading)
        if reading.words[:1] == ("COPY",):
            yield DDL_DML.found(reading.place, _FILE, _BY_INSERT)
            continue
        if reading.does is not Does.WRITE or _is_own(case, reading):
            continue
        table = reading.names[0] if reading.names else None
        word = next((word for word in _WRITES if word in reading.words), "the statement")
        every = word in {"UPDATE", "DELETE"} and Flag.WHERE not in reading.flags
        where = "a table" if table is None else table.written
        yield DDL_DML.found(
            reading.place,
            f"{word} writes {'every row' if every else 'rows'} of {where}"
            + _meanwhile(_beside(case, reading))
            + case.measured(table),
            "write rows by a repair, which counts them and can be taken back",
        )


def _restarted(case: Case) -> Iterator[Finding]:
    """A counter is a row, and one that goes back gives out a number for the second time."""
    for reading in case.up:
        altered = reading.kind is ObjectKind.SEQUENCE and reading.does is Does.ALTER
        for name in reading.names if altered and "RESTART" in reading.words else ():
            if not case.is_own(ObjectKind.SEQUENCE, name, reading):
                yield DDL_DML.found(reading.place, f"{name.written} {_GOES_ON}", _BEYOND)
    for reading, table, clause in case.filled(Act.ALTER_COLUMN):
        if "RESTART" in clause.words:
            what = f"{table.written}.{clause.column} {_GOES_ON}{case.measured(table)}"
            yield DDL_DML.found(reading.place, what, _BEYOND)


def _beside(case: Case, reading: Reading) -> tuple[Reading, ...]:
    return tuple(beside(case, reading)) if case.dialect == "postgres" else ()


def _meanwhile(others: tuple[Reading, ...]) -> str:
    """Who waits for more than these rows, whatever `accepted` says of writing them."""
    if not others:
        return ""
    return f" in one transaction with {told(others)}, for whose locks others wait meanwhile"


def _is_own(case: Case, reading: Reading) -> bool:
    """Whether it fills what the change makes, or what is empty, or sets its counter."""
    if case.dialect == "sqlite" and writes_counter(reading):
        return any(each.acts(Act.RENAME_TABLE) for each in case.up)
    return bool(reading.names) and case.is_empty(reading.names[0], reading)


def _is_copy(case: Case, reading: Reading) -> bool:
    """Whether it fills from a query what nobody uses yet."""
    if "FROM" not in reading.words or not reading.names or reading.has("WITH", "NO", "DATA"):
        return False
    if reading.does is Does.WRITE:
        return Flag.QUERY in reading.flags and _is_own(case, reading)
    view = reading.kind is ObjectKind.MATERIALIZED_VIEW
    return reading.does is Does.CREATE and (view or Flag.QUERY in reading.flags)


def _copied(case: Case, reading: Reading) -> Iterator[Finding]:
    """That the rows go where nobody looks yet is no matter; how long a table is locked is.

    A view that is exchanged stays as long in any other order.
    """
    others = (each for each in _beside(case, reading) if each.kind not in _SHOWN)
    meanwhile = _meanwhile(tuple(each for each in others if not is_dark(each)))
    source = next(iter(_sources(case, reading)), None)
    if meanwhile and (source is not None or case.schema is None):
        what = f"{reading.names[0].written} is filled from a query{meanwhile}"
        yield DDL_DML.found(reading.place, what + case.measured(source), _APART)


def _sources(case: Case, reading: Reading) -> Iterator[Name]:
    """Yield the tables with rows that the query names, for all we know; the largest first."""
    words = set(reading.words[reading.words.index("FROM") :])
    found = (Name(each.name.path) for each in case.objects if each.name.kind is ObjectKind.TABLE)
    named = [name for name in found if name.last.upper() in words]
    known = sorted(named, key=lambda name: -(case.rows(name) or 0))
    yield from (name for name in known if not case.is_unused(name, reading))


DDL_DML: Final = Rule("DDL-DML", Severity.ERROR, "rows that a schema change writes", _examine)
