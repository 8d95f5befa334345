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
from dbops.change.rules.domains import asked, tables_of
from dbops.change.rules.finding import Case, Rule, is_same
from dbops.change.rules.held_locks import BEGIN, beside, told
from dbops.change.rules.partitions import has_keys_of_parts, is_partitioned, read_through
from dbops.change.rules.retyping import rechecked
from dbops.review.finding import Finding, Severity
from dbops.wording import listed

_KINDS: Final = frozenset({ConstraintKind.FOREIGN_KEY, ConstraintKind.CHECK})
_LATER: Final = (
    "ADD CONSTRAINT … NOT VALID; then -- part: name, and VALIDATE CONSTRAINT in that transaction"
)
_NEW_ONLY: Final = (
    "add it NOT VALID: new values obey it, and no row is read; old ones are VALIDATEd at a time at"
    " which nobody writes"
)
_LATER_WRITTEN: Final = "accept it for a time at which nobody writes these tables"
_BOUNDS: Final = (
    "a valid CHECK of that table, which proves that its rows fit: ADD CONSTRAINT … NOT VALID, then"
    " VALIDATE CONSTRAINT in a part of its own, then this in another"
)
# PostgreSQL knows no NOT VALID there up to 17.
_PARTS_FIRST: Final = (
    "ADD it NOT VALID to each partition; VALIDATE each with -- part: name before it; then ADD it to"
    " the table in one more part: that takes them over"
)
_AGAIN: Final = (
    "drop the check in this statement, and add it again NOT VALID; then -- part: name, and VALIDATE"
    " CONSTRAINT in that transaction"
)


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT, Act.ADD_COLUMN, Act.VALIDATE):
        for what, hint in _said(case, reading, table, clause):
            yield PG_NOTVALID.found(reading.place, what + case.measured(table), hint)
    for reading, domain, clause in asked(case):
        if clause.act is not Act.SET_NOT_NULL:
            yield from _of_domain(case, reading, domain, clause)
    for reading, table, part in read_through(case):
        what = f"{table.written} gets a partition: all rows of {part.written} are read"
        what += f" while nobody uses it{case.measured(part)}"
        yield PG_NOTVALID.found(reading.place, what, _BOUNDS)
    for reading, table, name in rechecked(case):
        what = f"the check {name} of {table.written} is asked of all rows again for the new type"
        what += f", and nobody uses the table meanwhile{case.measured(table)}"
        yield PG_NOTVALID.found(reading.place, what, _AGAIN)


def _of_domain(case: Case, reading: Reading, domain: Name, clause: Clause) -> Iterator[Finding]:
    """Its values lie in tables; up to PostgreSQL 17 a validation holds off writes as well."""
    tables = [table for table in tables_of(case, domain) if not case.is_unused(table, reading)]
    if case.schema is not None and not tables:
        return
    those = listed([table.written for table in tables]) if tables else "each table that has it"
    size = case.measured(tables[0]) if len(tables) == 1 else ""
    what = f"the check {clause.name or ''}".strip() + f" of domain {domain.written} reads all rows"
    hint = _LATER_WRITTEN if clause.act is Act.VALIDATE else _NEW_ONLY
    what += f" of {those}, and nobody writes them meanwhile{size}"
    yield PG_NOTVALID.found(reading.place, what, hint)


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
        what = _what(case, reading, table, constraint)
        of_parts = constraint.kind is ConstraintKind.FOREIGN_KEY and is_partitioned(case, table)
        if what is not None and not (
            of_parts and has_keys_of_parts(case, reading, table, constraint)
        ):
            yield what, _PARTS_FIRST if of_parts else _LATER


def _is_empty(column: Column) -> bool:
    return not column.filled and (column.default is None or column.default.null)


def _what(case: Case, reading: Reading, table: Name, constraint: Constraint) -> str | None:
    title = f"{constraint.kind.value} {constraint.name or ''}".strip()
    if not constraint.not_valid:
        return f"the {title} of {table.written} reads all rows, and others wait meanwhile"
    called = (table, case.later_name(table, reading))
    validated = any(
        each.name == constraint.name and any(is_same(other.path, name.path) for name in called)
        for _reading, other, each in case.altered(Act.VALIDATE)
    )
    if not validated:
        return f"the {title} of {table.written} is NOT VALID, and no step validates it"
    return None


def _held(case: Case, reading: Reading, table: Name, clause: Clause) -> Iterator[tuple[str, str]]:
    """A validation by itself lets nobody wait; others wait for what is in its transaction."""
    others = tuple(beside(case, reading))
    if not others:
        return
    beyond = f"one transaction with {told(others)}"
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
