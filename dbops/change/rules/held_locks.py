"""Which statements of a transaction let others wait until its end; pure.

PostgreSQL keeps every lock to the end of the transaction, and dbops asks for all locks that a
rehearsal saw before the first step: so it does not matter which statement comes first.
https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dbops.change.reading import Act, Clause, Does, Doubt, Flag, Name, Reading, has
from dbops.change.rules.domains import is_asked, tables_of
from dbops.change.rules.finding import Case
from dbops.change.rules.partitions import default_of, is_default
from dbops.change.rules.references import referred, referred_by
from dbops.change.schema import ObjectKind

BEGIN: Final = "a transaction begins there"
"""What `-- part: name` does, to end a hint with."""

_LOCKING: Final = frozenset({Does.CREATE, Does.ALTER, Does.DROP, Does.RENAME, Does.TRUNCATE})
_ON_TABLES: Final = frozenset({ObjectKind.TRIGGER, ObjectKind.POLICY, ObjectKind.RULE})
# What is locked itself: who uses it waits, as who calls nextval for a sequence that is altered.
_USED: Final = frozenset({ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW, ObjectKind.SEQUENCE})
# Beside these modes others read and write.
_MILD: Final = (("SHARE", "UPDATE", "EXCLUSIVE"), ("ACCESS", "SHARE"), ("ROW",))


def beside(case: Case, at: Reading) -> Iterator[Reading]:
    """Yield the statements in the transaction of one, itself too, whose locks others wait for.

    Those of which nobody here knows what they lock are among them.
    """
    for each in case.up:
        if each.part == at.part and (is_dark(each) or _lets_wait(case, each)):
            yield each


def is_dark(reading: Reading) -> bool:
    """Whether it may lock any table: it runs code, or drops what is known to the server only."""
    runs = reading.does is Does.BLOCK or (
        reading.does is Does.QUERY and reading.doubt is Doubt.OPAQUE
    )
    cascades = reading.does is Does.DROP and Flag.CASCADE in reading.flags
    owned = reading.words[:2] in {("DROP", "OWNED"), ("REASSIGN", "OWNED")}
    return runs or cascades or owned or reading.doubt is Doubt.FAULT


def told(others: Sequence[Reading]) -> str:
    """Return where one of the statements stands, and where that is so that nobody knows more."""
    known = next((each for each in others if not is_dark(each)), None)
    if known is not None:
        return known.place
    return f"{others[0].place} (what that locks is known to the server only)"


def _lets_wait(case: Case, reading: Reading) -> bool:
    """Whether it locks a table that others use, for more than to validate a constraint."""
    return any(not case.is_unused(table, reading) for table in _locked(case, reading))


def _locked(case: Case, reading: Reading) -> Iterator[Name | None]:
    """The tables that it locks; None is one that nobody knows."""
    if reading.does is Does.LOCK:
        mode = reading.words[reading.words.index("IN") + 1 :] if "IN" in reading.words else ()
        mild = any(mode[: len(each)] == each for each in _MILD)
        yield from () if mild else reading.names
    elif reading.does is Does.UPKEEP:
        yield from _kept_up(reading)
    elif reading.does not in _LOCKING:
        return
    elif reading.kind is ObjectKind.TABLE:
        yield from _of_table(case, reading)
    elif reading.kind in _ON_TABLES:
        yield reading.table
    elif reading.kind is ObjectKind.INDEX:
        mild = reading.does is Does.ALTER and not reading.has("SET", "TABLESPACE")
        yield from () if mild else [reading.table]
    elif reading.kind in _USED:
        yield from _of_used(case, reading)
    elif is_asked(reading):
        yield from tables_of(case, reading.names[0]) if case.schema is not None else [None]


def _kept_up(reading: Reading) -> Iterator[Name | None]:
    """REINDEX and CLUSTER within a transaction; REFRESH keeps out who reads the view."""
    if "CONCURRENTLY" not in reading.words and reading.words[0] in {"REINDEX", "CLUSTER"}:
        yield None
    elif reading.words[0] == "REFRESH" and "CONCURRENTLY" not in reading.words:
        yield from reading.names


def _of_used(case: Case, reading: Reading) -> Iterator[Name]:
    """The views and sequences that are there and not what they were; a new one nobody uses."""
    if reading.does is Does.CREATE and Flag.REPLACE not in reading.flags:
        return
    kind = reading.kind or ObjectKind.VIEW
    for name in reading.names:
        new = reading.does is Does.CREATE and case.schema is not None
        absent = new and case.find(kind, name) is None
        if not absent and not case.is_own(kind, name, reading):
            yield name


def _of_table(case: Case, reading: Reading) -> Iterator[Name | None]:
    others = [clause for clause in reading.clauses if not _is_mild(clause)]
    if reading.does is Does.CREATE:
        yield from [reading.table] if reading.table else []  # of which it becomes a partition
    elif others or not reading.clauses:
        yield from [reading.table] if reading.table else reading.names
    for clause in reading.clauses:
        yield from _of_clause(case, reading, clause)
    if reading.does is Does.DROP:
        for name in reading.names:
            yield from referred_by(case, name)


def _of_clause(case: Case, reading: Reading, clause: Clause) -> Iterator[Name]:
    """The other tables that a clause locks: of keys, and of partitions."""
    column = () if clause.definition is None else clause.definition.constraints
    for constraint in (clause.constraint, *column):
        if constraint is not None and constraint.target is not None:
            yield constraint.target
    if reading.table is not None and clause.act is Act.DROP_CONSTRAINT:
        yield from referred(case, reading.table, clause.name)
    if clause.part is not None:
        yield clause.part
        default = None if reading.table is None else default_of(case, reading.table)
        if default is not None and not is_default(reading):
            yield default


def _is_mild(clause: Clause) -> bool:
    """Whether others read and write the table beside it (ALTER TABLE names the lock of each)."""
    words = clause.words
    if clause.act is Act.ALTER_COLUMN:
        return has(words, "SET", "STATISTICS") or has(words, "SET", "(") or has(words, "RESET", "(")
    if clause.act is Act.OPTION:
        setting = words[:2] in {("SET", "("), ("RESET", "(")}
        return (setting and "USER_CATALOG_TABLE" not in words) or "CLUSTER" in words
    return clause.act is Act.VALIDATE or "ATTACH" in words[:1]
