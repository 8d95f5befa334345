"""PG-SETNN: SET NOT NULL that reads all rows under a lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.held_locks import BEGIN
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading, table, clause in case.filled(Act.SET_NOT_NULL):
        if clause.column is None or _is_valid_before(case, table, clause.column):
            continue
        proved = list(_proved(case, reading, table, clause.column))
        if any(each.part < reading.part for each in proved):
            continue
        what, hint = (
            "",
            "validate CHECK (column IS NOT NULL) in a part before, and drop it afterwards",
        )
        if proved:
            what = "its check is validated in the same transaction, and "
            hint = f"write -- part: name before it: {BEGIN}"
        what = (
            f"{table.written}.{clause.column}: {what}all rows are read while nobody uses the table"
        )
        yield PG_SETNN.found(reading.place, what + case.measured(table), hint)


def _is_valid_before(case: Case, table: Name, column: str) -> bool:
    """Whether the database has a valid check that no row lacks a value."""
    return any("not valid" not in text for _name, text in _checks(case, table, column))


def _proved(case: Case, at: Reading, table: Name, column: str) -> Iterator[Reading]:
    """Yield the statements before one behind which a valid check says that no row lacks a value."""
    names = {name for name, _text in _checks(case, table, column)}
    before = case.up[: case.up.index(at)]
    for reading, other, clause in case.altered(Act.ADD_CONSTRAINT, Act.VALIDATE):
        if other.last != table.last or reading not in before:
            continue
        if clause.act is Act.VALIDATE:
            if clause.name in names:
                yield reading
        elif clause.constraint is not None and column in clause.constraint.nulls:
            names.add(clause.name or "")
            if not clause.constraint.not_valid:
                yield reading


def _checks(case: Case, table: Name, column: str) -> Iterator[tuple[str, str]]:
    """The checks of the database that say so, by name, with their text in small letters."""
    name = re.escape(column.casefold())
    # As the server prints it; one of several conditions it need not understand.
    form = re.compile(rf'check \(+"?{name}"? is not null\)+( no inherit)?( not valid)?')
    for each in case.belonging(table, ObjectKind.CONSTRAINT):
        text = each.properties.get("definition", "").casefold()
        if form.fullmatch(text):
            yield each.name.path[-1], text


PG_SETNN: Final = Rule(
    "PG-SETNN", Severity.WARNING, "SET NOT NULL that reads all rows under a lock", _examine
)
