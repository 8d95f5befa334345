"""The locks of a change's transaction: asked for before its first step, in one wait for all.

Whoever comes behind a lock that was asked for waits as well, and for as long as the transaction
waits for its others. So the waits of a transaction have one bound together. What a step finds only
as it runs (views, sequences, what no rehearsal saw) has what is left of that.
https://www.postgresql.org/docs/current/sql-lock.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from dbops.change.ports import Lock
from dbops.engines.postgresql.change_effects import written
from dbops.engines.postgresql.change_wire import ask, command
from dbops.engines.postgresql.connect import Session, quoted

LEAST: Final = timedelta(milliseconds=100)
"""What a step may wait for a lock once all is used up.

Most transactions of an application end in that time, and nobody who sits before it notices. With
less a step that met one of them would throw away the work of all before it.
"""
_MOMENT: Final = timedelta(milliseconds=1)  # the least that the server knows: 0 is no bound

_MODES: Final[Mapping[str, str]] = {
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}
# Only tables: LOCK of a view locks all that it reads, and takes nothing else. Whoever may alter a
# table need not be allowed to lock it: only to refer to it, for example.
_TABLES: Final = """
    WITH RECURSIVE above (oid, parent, depth) AS (
        SELECT i.inhrelid, i.inhparent, 1 FROM pg_catalog.pg_inherits AS i
        UNION ALL SELECT a.oid, i.inhparent, a.depth + 1
            FROM above AS a JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = a.parent)
    SELECT n.nspname, c.relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN (SELECT a.oid, pg_catalog.max(a.depth) AS depth FROM above AS a GROUP BY a.oid) AS d
        ON d.oid = c.oid
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT (n.nspname = 'dbops' AND c.relname ~ '^dbops_(change|run)')
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
    ORDER BY coalesce(d.depth, 0), c.oid"""
_BOUND: Final = "SELECT pg_catalog.set_config('lock_timeout', %s, true)"


class Patience:
    """How long one transaction still waits for locks; it begins with the first that is asked for.

    The time that steps work counts as well: nobody can tell it from waiting.
    """

    def __init__(self, wait: timedelta, monotonic: Callable[[], float]) -> None:
        self._wait = wait
        self._monotonic = monotonic
        self._until: float | None = None

    def begin(self) -> None:
        """Afterwards it runs out, from the first time on that this was said."""
        if self._until is None:
            self._until = self._monotonic() + self._wait.total_seconds()

    def left(self, least: timedelta = _MOMENT) -> timedelta:
        """What is left, and never less than `least`, or than the whole of it."""
        if self._until is None:
            return self._wait
        rest = timedelta(seconds=self._until - self._monotonic())
        return max(rest, min(least, self._wait), _MOMENT)


class _Table(NamedTuple):
    schema: str
    name: str
    mode: str


def take_locks(session: Session, locks: Sequence[Lock], patience: Patience) -> None:
    """Afterwards the open transaction has the locks that are of tables which are there.

    Parents come before their partitions, and the rest in the order in which they were made: always
    the same. One statement each: the server counts its bound for each lock anew. Raises LockTimeout
    once the patience is at its end, and where two waited for each other.
    """
    if not locks:
        return
    tables = tuple(_tables(session, {lock.object: lock.mode for lock in locks}))
    patience.begin()
    for table in tables:
        title = written(table.schema, table.name)
        doing = f"locking {title} before the first step of the part"
        bound_waits(session, patience.left(), doing)
        name = f"{quoted(table.schema)}.{quoted(table.name)}"
        command(session, f"LOCK TABLE ONLY {name} IN {_MODES[table.mode]} MODE", doing=doing)


def bound_waits(session: Session, wait: timedelta, doing: str) -> None:
    """Afterwards no lock is waited for longer, until the transaction ends."""
    milliseconds = max(1, int(wait / timedelta(milliseconds=1)))
    ask(session, _BOUND, [str(milliseconds)], doing=doing)


def _tables(session: Session, modes: Mapping[str, str]) -> Iterator[_Table]:
    for schema, name in ask(session, _TABLES, doing="looking for the tables to lock"):
        mode = modes.get(written(schema, name))
        if mode is not None and mode in _MODES:
            yield _Table(schema, name, mode)
