"""What proves to PostgreSQL that no row lacks a value of a column, so that none is read; pure.

That is NOT NULL itself, or a valid check that says so and is there when the statement runs: what
the statement drops itself is gone before (ALTER TABLE, its passes in the server's tablecmds.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dbops.change.reading import Act, Clause, Name, Reading
from dbops.change.rules.finding import Case, is_same
from dbops.change.schema import ObjectKind

_CONSTRAINT_ACTS = (
    Act.DROP_CONSTRAINT,
    Act.ADD_CONSTRAINT,
    Act.VALIDATE,
    Act.RENAME_CONSTRAINT,
)


@dataclass(slots=True)
class _Checks:
    """The checks that say so, by name.

    Behind a valid one stands the part in which it came to be valid: 0 before the change.
    """

    valid: dict[str, int] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)

    def take(self, clause: Clause, column: str, part: int) -> None:
        """Afterwards they are what the clause leaves."""
        name = clause.name or ""
        if clause.act is Act.DROP_CONSTRAINT:
            self.valid.pop(name, None)
            self.waiting.discard(name)
        elif clause.act is Act.RENAME_CONSTRAINT and clause.becomes is not None:
            self._rename(name, clause.becomes)
        elif clause.act is Act.VALIDATE and name in self.waiting:
            self.waiting.discard(name)
            self.valid[name] = part
        elif clause.constraint is not None and _says(clause.constraint.nulls, column):
            if clause.constraint.not_valid:
                self.waiting.add(name)
            else:
                self.valid[name] = part

    def _rename(self, old: str, new: str) -> None:
        if old in self.valid:
            self.valid[new] = self.valid.pop(old)
        if old in self.waiting:
            self.waiting.discard(old)
            self.waiting.add(new)


def is_not_null(case: Case, at: Reading, table: Name, column: str) -> bool:
    """Whether the column is NOT NULL already when a statement runs, as far as is known."""
    known = case.column(table, column)
    found = known is not None and "not null" in known.properties
    for _reading, clause in _before(case, at, table, Act.SET_NOT_NULL, Act.DROP_NOT_NULL):
        if (clause.column or "").casefold() == column.casefold():
            found = clause.act is Act.SET_NOT_NULL
    return found


def proved_in(case: Case, at: Reading, table: Name, column: str) -> int | None:
    """Return the part in which it came to be proved by a check, 0 before the change; else None."""
    checks = _Checks()
    for name, is_valid in _known(case, table, column):
        if is_valid:
            checks.valid[name] = 0
        else:
            checks.waiting.add(name)
    for reading, clause in _before(case, at, table, *_CONSTRAINT_ACTS):
        checks.take(clause, column, reading.part)
    for clause in at.acts(Act.DROP_CONSTRAINT):
        checks.take(clause, column, at.part)
    return min(checks.valid.values(), default=None)


def _before(case: Case, at: Reading, table: Name, *acts: Act) -> Iterator[tuple[Reading, Clause]]:
    """Yield what the statements before one do to its table; what one drops comes first."""
    for reading in case.up[: case.up.index(at)]:
        own = reading.table
        if reading.kind is ObjectKind.TABLE and own is not None and is_same(own.path, table.path):
            clauses = sorted(reading.acts(*acts), key=lambda each: acts.index(each.act))
            yield from ((reading, clause) for clause in clauses)


def _known(case: Case, table: Name, column: str) -> Iterator[tuple[str, bool]]:
    """The checks of the database that say so, by name, and whether they are valid."""
    name = re.escape(column.casefold())
    # As the server prints it; one of several conditions it need not understand.
    form = re.compile(rf'check \(+"?{name}"? is not null\)+( no inherit)?( not valid)?')
    for each in case.belonging(table, ObjectKind.CONSTRAINT):
        found = form.fullmatch(each.properties.get("definition", "").casefold())
        if found is not None:
            yield each.name.path[-1], found[2] is None


def _says(columns: Iterable[str], column: str) -> bool:
    return column.casefold() in {each.casefold() for each in columns}
