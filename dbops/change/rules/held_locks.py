"""Which statements of a transaction let others wait until its end; pure.

PostgreSQL keeps every lock to the end of the transaction, and dbops asks for all locks that a
rehearsal saw before the first step: so it does not matter which statement comes first.
https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Name, Reading
from dbops.change.rules.finding import Case
from dbops.change.schema import ObjectKind

BEGIN: Final = "a transaction begins there"
"""What `-- part: name` does, to end a hint with."""

_LOCKING: Final = frozenset({Does.CREATE, Does.ALTER, Does.DROP, Does.RENAME, Does.TRUNCATE})
_ON_TABLES: Final = frozenset(
    {ObjectKind.INDEX, ObjectKind.TRIGGER, ObjectKind.POLICY, ObjectKind.RULE}
)


def beside(case: Case, at: Reading) -> Iterator[Reading]:
    """Yield the statements in the transaction of one, itself too, whose locks others wait for."""
    for each in case.up:
        if each.part == at.part and _lets_wait(case, each):
            yield each


def _lets_wait(case: Case, reading: Reading) -> bool:
    """Whether it locks a table that others use, for more than to validate a constraint."""
    if reading.does not in _LOCKING:
        return False
    return any(not case.is_unused(table, reading) for table in _locked(reading))


def _locked(reading: Reading) -> Iterator[Name | None]:
    """The tables that it locks; None is one that nobody knows."""
    if reading.kind is ObjectKind.TABLE:
        others = [clause for clause in reading.clauses if clause.act is not Act.VALIDATE]
        if reading.does is not Does.CREATE and (others or not reading.clauses):
            yield from [reading.table] if reading.table else reading.names
        for clause in others:
            column = () if clause.definition is None else clause.definition.constraints
            for constraint in (clause.constraint, *column):
                if constraint is not None and constraint.target is not None:
                    yield constraint.target
    elif reading.kind in _ON_TABLES:
        yield reading.table
