"""What a step did to others: the locks that it added, and the tables whose storage is new.

Only relations that were there when the transaction began count: nobody else sees the others. A
lock on an index is said where its table is not locked as strongly. The two weakest modes, which
every reader takes, are left out.
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg.rows import TupleRow

from dbops.change.ports import Lock
from dbops.change.schema import ObjectKind, ObjectName
from dbops.engines.postgresql.change_wire import ask
from dbops.engines.postgresql.connect import Session

READS: Final = "reads"
WRITES: Final = "writes"
SCHEMA_CHANGES: Final = "schema changes"
MODES: Final[Mapping[str, tuple[int, str]]] = {
    "RowExclusiveLock": (3, SCHEMA_CHANGES),
    "ShareUpdateExclusiveLock": (4, SCHEMA_CHANGES),
    "ShareLock": (5, WRITES),
    "ShareRowExclusiveLock": (6, WRITES),
    "ExclusiveLock": (7, WRITES),
    "AccessExclusiveLock": (8, READS),
}
"""How strong each mode is, and what others cannot do meanwhile."""
_STRONGEST: Final = 8

_RELATIONS: Final = """
    SELECT c.oid, c.relkind::pg_catalog.text, n.nspname, c.relname, c.relfilenode,
        coalesce(i.indrelid, 0)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f', 'S', 'i', 'I') AND n.nspname !~ '^pg_'
        AND n.nspname <> 'information_schema'
        AND NOT (n.nspname = 'dbops' AND c.relname ~ '^dbops_(change|run)')"""
_LOCKS: Final = """
    SELECT l.relation, l.mode FROM pg_catalog.pg_locks AS l
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database())"""
_FILES: Final = """
    SELECT c.oid, c.relfilenode FROM pg_catalog.pg_class AS c
    WHERE c.oid = ANY (%s::pg_catalog.oid[])"""


@dataclass(frozen=True, slots=True)
class _Relation:
    kind: str
    title: str
    file: int
    table: int  # of an index, else 0


class Footprint:
    """What a transaction has locked and rewritten so far; made when it begins."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = {
            oid: _Relation(kind, written(schema, name), file, table)
            for oid, kind, schema, name, file, table in self._rows(_RELATIONS)
        }
        self._held: dict[int, str] = {}

    def added(self) -> tuple[tuple[Lock, ...], tuple[str, ...]]:
        """Locks that are held now and were not before, and tables that were rewritten since."""
        now = self._strongest()
        locks = tuple(sorted(self._new(now)))
        self._held = now
        return locks, tuple(sorted(self._rewritten(now)))

    def _strongest(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for oid, mode in self._rows(_LOCKS):
            if oid in self._known and _rank(mode) > _rank(found.get(oid)):
                found[oid] = mode
        return found

    def _new(self, now: Mapping[int, str]) -> Iterator[Lock]:
        for oid, mode in now.items():
            one = self._known[oid]
            if _rank(mode) > _rank(self._held.get(oid)) and _rank(now.get(one.table)) < _rank(mode):
                yield Lock(one.title, mode, MODES[mode][1])

    def _rewritten(self, now: Mapping[int, str]) -> Iterator[str]:
        """Storage is written anew only under the strongest lock."""
        locked = [
            oid
            for oid, mode in now.items()
            if _rank(mode) == _STRONGEST and self._known[oid].kind in {"r", "m"}
        ]
        if not locked:
            return
        for oid, file in self._rows(_FILES, [locked]):
            before = self._known[oid]
            if before.file != file:
                self._known[oid] = replace(before, file=file)
                yield before.title

    def _rows(self, query: str, params: Sequence[object] | None = None) -> list[TupleRow]:
        return ask(self._session, query, params, doing="looking at locks")


def written(schema: str, name: str) -> str:
    """A relation's name as the schema's objects are written."""
    return ObjectName(ObjectKind.TABLE, (schema, name)).written


def _rank(mode: str | None) -> int:
    return MODES[mode][0] if mode is not None and mode in MODES else 0
