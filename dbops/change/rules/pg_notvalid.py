"""PG-NOTVALID: a constraint that reads all rows under a lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dbops.change.reading import (
    Act,
    Clause,
    Column,
    Constraint,
    ConstraintKind,
    Name,
    Reading,
)
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.held_locks import BEGIN, beside
from dbops.review.finding import Finding, Severity

_KINDS: Final = frozenset({ConstraintKind.FOREIGN_KEY, ConstraintKind.CHECK})
_LATER: Final = (
    "ADD CONSTRAINT … NOT VALID; then -- part: name, and VALIDATE CONSTRAINT in that transaction"
)


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT, Act.ADD_COLUMN, Act.VALIDATE):
        for what, hint in _said(case, reading, table, clause):
            yield PG_NOTVALID.found(reading.place, what + case.measured(table), hint)


def _said(case: Case, reading: Reading, table: Name, clause: Clause) -> Iterator[tuple[str, str]]:
    """What is wrong with a clause, and what to do."""
    if clause.act is Act.VALIDATE:
        yield from _held(case, reading, table, clause)
        return
    column = clause.definition
    given = [clause.constraint] if column is None else [*column.constraints]
    for constraint in given:
        if constraint is None or constraint.kind not in _KINDS:
            continue
        if column is not None and _is_empty(column) and constraint.kind is not ConstraintKind.CHECK:
            continue  # no key is looked for where every row has NULL; a check is asked of each
        what = _what(case, table, constraint)
        if what is not None:
            yield what, _LATER


def _is_empty(column: Column) -> bool:
    return not column.filled and (column.default is None or column.default.null)


def _what(case: Case, table: Name, constraint: Constraint) -> str | None:
    title = f"{constraint.kind.value} {constraint.name or ''}".strip()
    if not constraint.not_valid:
        return f"the {title} of {table.written} reads all rows, and others wait meanwhile"
    validated = [each.name for _reading, _table, each in case.altered(Act.VALIDATE)]
    if constraint.name not in validated:
        return f"the {title} of {table.written} is NOT VALID, and no step validates it"
    return None


def _held(case: Case, reading: Reading, table: Name, clause: Clause) -> Iterator[tuple[str, str]]:
    """A validation by itself lets nobody wait; others wait for what is in its transaction."""
    others = tuple(beside(case, reading))
    if not others:
        return
    beyond = f"one transaction with {others[0].place}"
    if reading in others:
        beyond = "a statement that does more"
    yield (
        f"{clause.name} of {table.written} is validated in {beyond}: others wait while all rows are"
        " read",
        _apart(case, reading, others),
    )


def _apart(case: Case, reading: Reading, others: Sequence[Reading]) -> str:
    """Where to begin transactions, so that the validation has one to itself."""
    if reading in others:
        return f"validate it in a statement of its own, with -- part: name before it: {BEGIN}"
    at = case.up.index(reading)
    behind = next((each.place for each in others if case.up.index(each) > at), None)
    places = ["it"] if case.up.index(others[0]) < at else []
    places += [] if behind is None else [behind]
    return f"write -- part: name before {' and before '.join(places)}: {BEGIN}"


PG_NOTVALID: Final = Rule(
    "PG-NOTVALID", Severity.ERROR, "a constraint that reads all rows under a lock", _examine
)
