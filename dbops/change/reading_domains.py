"""The clauses of ALTER DOMAIN, which are those of ALTER TABLE by other words; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Clause, has
from dbops.change.reading_clauses import alterations
from dbops.change.reading_words import Cursor, upper_words

_CONSTRAINTS: Final = frozenset({Act.ADD_CONSTRAINT, Act.DROP_CONSTRAINT, Act.VALIDATE})


def domain_clauses(cursor: Cursor) -> Iterator[Clause]:
    """Yield what is done to a domain's constraints; `cursor` is behind its name.

    NOT NULL is said as SET, or since PostgreSQL 17 as a constraint that is added. Nothing is
    yielded for what reads no rows: another default, owner, name or schema.
    """
    words = upper_words(cursor.rest)
    if words[:1] in {("SET",), ("ADD",)} and has(words, "NOT", "NULL") and "CHECK" not in words:
        yield Clause(Act.SET_NOT_NULL, words=words)
        return
    for clause in alterations(cursor.rest, cursor.dialect):
        if clause.act in _CONSTRAINTS:
            yield clause
