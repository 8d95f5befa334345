"""What a step did to others: the locks that it added, and the tables whose storage is new.

Only relations that were there when the transaction began count: nobody else sees the others. An
index is said where its table is not locked as strongly, or was not rewritten. The two weakest
modes, which every reader takes, are left out.
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
SAME_ROWS: Final = "schema changes and writes of the same rows"
MODES: Final[Mapping[str, tuple[int, str]]] = {
    "RowExclusiveLock": (3, SAME_ROWS),
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
_STORED: Final = frozenset({"r", "m", "i"})


@dataclass(frozen=True, slots=True)
class Relation:
    """What others can see: its kind as `pg_class` has it, its name, and its storage.

    `table` is the OID of the table of an index, and else 0.
    """

    kind: str
    title: str
    file: int
    table: int

    @property
    def is_stored(self) -> bool:
        """Whether it has storage that can be written anew: tables and their indexes."""
        return self.kind in _STORED


def relations(session: Session) -> dict[int, Relation]:
    """Return all relations by OID but the server's and dbops' own."""
    rows = ask(session, _RELATIONS, doing="looking at locks")
    return {
        oid: Relation(kind, written(schema, name), file, table)
        for oid, kind, schema, name, file, table in rows
    }


def locks_told(
    now: Mapping[int, str], known: Mapping[int, Relation], held: Mapping[int, str]
) -> tuple[Lock, ...]:
    """Return the locks that are stronger than those held before, by OID."""
    return tuple(
        sorted(
            Lock(known[oid].title, mode, MODES[mode][1])
            for oid, mode in now.items()
            if rank(mode) > rank(held.get(oid)) and rank(now.get(known[oid].table)) < rank(mode)
        )
    )


def rewritten_told(anew: Collection[int], known: Mapping[int, Relation]) -> tuple[str, ...]:
    """Return the names of what has new storage, an index only where its table has not."""
    return tuple(sorted(known[oid].title for oid in anew if known[oid].table not in anew))


class Footprint:
    """What a transaction has locked and rewritten so far; made when it begins."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = relations(session)
        self._held: dict[int, str] = {}

    def added(self) -> tuple[tuple[Lock, ...], tuple[str, ...]]:
        """Locks that are held now and were not before, and tables that were rewritten since."""
        now = self._strongest()
        locks = locks_told(now, self._known, self._held)
        self._held = now
        return locks, rewritten_told(set(self._rewritten(now)), self._known)

    def _strongest(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for oid, mode in self._rows(_LOCKS):
            if oid in self._known and rank(mode) > rank(found.get(oid)):
                found[oid] = mode
        return found

    def _rewritten(self, now: Mapping[int, str]) -> Iterator[int]:
        """Storage is written anew only under the strongest lock."""
        locked = [
            oid
            for oid, mode in now.items()
            if rank(mode) == _STRONGEST and self._known[oid].is_stored
        ]
        if not locked:
            return
        for oid, file in self._rows(_FILES, [locked]):
            before = self._known[oid]
            if before.file != file:
                self._known[oid] = replace(before, file=file)
                yield oid

    def _rows(self, query: str, params: Sequence[object] | None = None) -> list[TupleRow]:
        return ask(self._session, query, params, doing="looking at locks")


def written(schema: str, name: str) -> str:
    """A relation's name as the schema's objects are written."""
    return ObjectName(ObjectKind.TABLE, (schema, name)).written


def rank(mode: str | None) -> int:
    """Return how strong a mode is; 0 for none, and for those that every reader takes."""
    return MODES[mode][0] if mode is not None and mode in MODES else 0
