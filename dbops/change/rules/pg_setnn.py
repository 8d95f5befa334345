"""PG-SETNN: SET NOT NULL that reads all rows under a lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Clause, ConstraintKind, Name, Reading
from dbops.change.rules.domains import asked, tables_of
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.held_locks import BEGIN
from dbops.change.rules.index_columns import columns_of
from dbops.change.rules.not_nulls import is_not_null, proved_in
from dbops.review.finding import Finding, Severity, Unchecked
from dbops.wording import listed

_CHECK: Final = "validate CHECK (column IS NOT NULL) in a part before, and drop it afterwards"
_TABLES: Final = (
    "set NOT NULL on the columns, table by table; or accept it for a time at which nobody writes"
)


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect != "postgres":
        return
    for reading, table, clause in case.filled(Act.SET_NOT_NULL):
        if clause.column is not None:
            yield from _found(case, reading, table, clause.column)
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT):
        yield from _of_key(case, reading, table, clause)
    for reading, domain, clause in asked(case):
        if clause.act is Act.SET_NOT_NULL:
            yield from _of_domain(case, reading, domain)


def _found(case: Case, reading: Reading, table: Name, column: str) -> Iterator[Finding]:
    if is_not_null(case, reading, table, column):
        return
    proved = proved_in(case, reading, table, column)
    if proved is not None and proved < reading.part:
        return
    what, hint = "", _CHECK
    if proved is not None:
        what = "its check is validated in the same transaction, and "
        hint = f"write -- part: name before it: {BEGIN}"
    what = f"{table.written}.{column}: {what}all rows are read while nobody uses the table"
    yield PG_SETNN.found(reading.place, what + case.measured(table), hint)


def _of_key(
    case: Case, reading: Reading, table: Name, clause: Clause
) -> Iterator[Finding | Unchecked]:
    """A primary key that takes over an index sets NOT NULL on its columns."""
    key = clause.constraint
    if key is None or key.kind is not ConstraintKind.PRIMARY_KEY or key.index is None:
        return
    columns = columns_of(case, table, key.index)
    if case.schema is None or not columns:
        yield PG_SETNN.unchecked(f"whether the columns of {key.index} are NOT NULL already")
        return
    for column in columns:
        yield from _found(case, reading, table, column)


def _of_domain(case: Case, reading: Reading, domain: Name) -> Iterator[Finding]:
    tables = [table for table in tables_of(case, domain) if not case.is_unused(table, reading)]
    if case.schema is not None and not tables:
        return
    those = listed([table.written for table in tables]) if tables else "each table that has it"
    size = case.measured(tables[0]) if len(tables) == 1 else ""
    what = f"domain {domain.written}: all rows of {those} are read while nobody writes them{size}"
    yield PG_SETNN.found(reading.place, what, _TABLES)


PG_SETNN: Final = Rule(
    "PG-SETNN", Severity.WARNING, "SET NOT NULL that reads all rows under a lock", _examine
)
