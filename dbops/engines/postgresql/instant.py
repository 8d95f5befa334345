"""Get hold of one instant of a database, with everybody who will read it.

The order is what makes it one instant. A transaction takes ACCESS SHARE on every table *first*, and
only then its snapshot. The other way round, a TRUNCATE or CLUSTER that commits in between leaves a
snapshot that sees an empty table, in a backup that agrees with itself. LOCK TABLE is the one
statement that a REPEATABLE READ transaction can begin with and take no snapshot yet
(`analyze_requires_snapshot` and `PlannedStmtRequiresSnapshot` in PostgreSQL's source). Then the
tables are listed again, and it starts over where they are not the ones that are locked, or where
one has another file than the snapshot knows. The locks are held to the end.

A lock does not let others of us in: who asks for ACCESS SHARE after somebody else began to wait for
ACCESS EXCLUSIVE waits behind him, and he waits for us. So the witness locks everything at once too,
and `pg_dump` runs at once; where one of them had to wait, all locks are given back, and it starts
over after the other one has had his turn. Workers lock everything as their first act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from dbops.engines.postgresql.change_schema_backup import SourceObjects, read_objects
from dbops.engines.postgresql.connect import Parameters, Session, connect, literal
from dbops.engines.postgresql.definitions import definitions, refuse_changed
from dbops.engines.postgresql.dump import Programs, Spooled, schema_dump
from dbops.engines.postgresql.preflight import refuse_unreadable
from dbops.engines.postgresql.sequences import SequenceState, read_sequences
from dbops.engines.postgresql.tables import Relation, list_relations
from dbops.errors import DbopsError, Failed

ATTEMPTS = 30
DUMP_ATTEMPTS = 5
# Whoever has to wait once the first locks are held waits for somebody who waits for us; that ends
# only if he gives up.
FOLLOW_SECONDS = 1.0
_TABLES_PER_LOCK = 200
# What a change of the schema, or somebody who waits for a table, looks like.
_MOVING = frozenset(
    {"object-missing", "transaction-conflict", "tables-moving", "lock-behind", "schema-changed"}
)
_EXPORT = "SELECT pg_export_snapshot(), statement_timestamp(), pg_current_snapshot()::text"
_LOCKED = """
    SELECT DISTINCT relation::bigint FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
        AND mode = 'AccessShareLock'"""


@dataclass(frozen=True, slots=True)
class Instant:
    """One instant, held: `session` holds the first locks, `witness` sees the same snapshot.

    `visible` is the snapshot in the server's words; `locks` are the statements that lock every
    table; `schema` is the archive of pg_dump; `objects` the same as a value, for changes.
    """

    session: Session
    witness: Session
    snapshot: str
    visible: str
    taken_at: datetime
    relations: tuple[Relation, ...]
    sequences: tuple[SequenceState, ...]
    locks: tuple[str, ...]
    schema: Spooled
    objects: SourceObjects

    def confirm(self) -> None:
        """Raises Failed where a transaction or one of its locks is gone."""
        for session in (self.session, self.witness):
            try:
                visible = session.value("SELECT pg_current_snapshot()::text")
                locked = _locked(session)
            except DbopsError as failure:
                raise _lost(failure.message) from None
            if session is self.session and visible != self.visible:
                raise _lost("its transaction has ended")
            missing = [one.name for one in self.relations if _unlocked(one, locked)]
            if missing:
                raise _lost(f"{len(missing)} tables are not locked any more: {', '.join(missing)}")


@contextmanager
def hold_instant(
    params: Parameters, programs_for: Callable[[Session], Programs], lock_seconds: float
) -> Iterator[Instant]:
    """One instant for the length of the `with`; `lock_seconds` bounds each wait for a lock.

    Raises Refused where something could not be read, Unreachable where a table stays locked,
    Failed where the schema does not hold still.
    """
    with connect(params, lock_seconds=lock_seconds) as session:
        programs = programs_for(session)
        instant, held = _try(session, programs)
        with held:
            yield instant


def _try(session: Session, programs: Programs) -> tuple[Instant, ExitStack]:
    """Try until everything holds still for one attempt, and everybody is in."""
    dumps = 0
    for _ in range(ATTEMPTS):
        relations = list_relations(session)
        refuse_unreadable(session, relations)
        with ExitStack() as stack:
            try:
                return _attempt(session, programs, relations, stack), stack.pop_all()
            except DbopsError as failure:
                dumps += failure.code == "client-failed"
                if failure.code not in _MOVING and not 0 < dumps < DUMP_ATTEMPTS:
                    raise
        session.run("ROLLBACK")
    raise Failed(
        "schema-moving",
        f"tables were created, dropped or rewritten in each of {ATTEMPTS} attempts to lock them",
        hint="run the command again when no schema change is under way",
    )


def _attempt(
    session: Session, programs: Programs, expected: tuple[Relation, ...], stack: ExitStack
) -> Instant:
    locks = _lock_statements(expected)
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    for statement in locks:
        session.run(statement, doing="locking tables")
    snapshot, taken_at, visible = session.rows(_EXPORT, doing="exporting the snapshot")[0]
    relations = list_relations(session)
    _refuse_moved(session, expected, relations)
    sequences = read_sequences(session, relations)
    witness = stack.enter_context(_follow(session.parameters, snapshot, locks))
    watched = definitions(session)
    schema = stack.enter_context(schema_dump(programs, snapshot, FOLLOW_SECONDS))
    objects = read_objects(session, FOLLOW_SECONDS)
    refuse_changed(session.parameters, watched)
    return Instant(
        session,
        witness,
        snapshot,
        visible,
        taken_at.astimezone(UTC),
        relations,
        sequences,
        locks,
        schema,
        objects,
    )


def _refuse_moved(
    session: Session, expected: Sequence[Relation], relations: Sequence[Relation]
) -> None:
    locked = _locked(session)
    if (
        [(one.oid, one.name) for one in relations] != [(one.oid, one.name) for one in expected]
        or any(one.moved for one in relations if one.lockable)
        or any(_unlocked(one, locked) for one in relations)
    ):
        raise Failed(
            "tables-moving",
            "tables changed between the list and the locks",
            hint="run the command again",
        )


@contextmanager
def _follow(params: Parameters, snapshot: str, locks: Sequence[str]) -> Iterator[Session]:
    """Another session in the same snapshot, with the same locks."""
    with connect(params, lock_seconds=FOLLOW_SECONDS) as session:
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.run(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}", doing="joining the snapshot")
        for statement in locks:
            try:
                session.run(statement, doing="locking tables")
            except DbopsError as failure:
                if failure.code != "lock-timeout":
                    raise
                raise Failed(
                    "lock-behind", "somebody waits for a table", hint="run the command again"
                ) from None
        yield session


def _lock_statements(relations: Sequence[Relation]) -> tuple[str, ...]:
    names = [f"ONLY {one.sql}" for one in relations if one.lockable]
    return tuple(
        f"LOCK TABLE {', '.join(names[start : start + _TABLES_PER_LOCK])} IN ACCESS SHARE MODE"
        for start in range(0, len(names), _TABLES_PER_LOCK)
    )


def _locked(session: Session) -> frozenset[int]:
    return frozenset(oid for (oid,) in session.rows(_LOCKED, doing="looking at the locks"))


def _unlocked(relation: Relation, locked: frozenset[int]) -> bool:
    return relation.lockable and relation.oid not in locked


def _lost(why: str) -> Failed:
    return Failed(
        "snapshot-lost",
        f"the snapshot did not hold to the end: {why}",
        hint="run the command again; no backup was made",
    )
