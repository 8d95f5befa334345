"""One instant of a PostgreSQL database, held open while it is read.

The order is what makes it one instant. A transaction takes ACCESS SHARE on every table *first*, and
only then its snapshot. The other way round, a TRUNCATE or CLUSTER that commits in between leaves a
snapshot that sees an empty table, in a backup that agrees with itself. LOCK TABLE is the one
statement that a REPEATABLE READ transaction can begin with and take no snapshot yet
(`analyze_requires_snapshot` and `PlannedStmtRequiresSnapshot` in PostgreSQL's source).

Then the tables are listed again, and it starts over where they are not the ones that are locked,
or where one has another file than the snapshot knows. The locks are held to the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from dbops.backup.ports import StreamPlan, Unit
from dbops.engines.postgresql.binaries import Installation, client_for
from dbops.engines.postgresql.catalog import catalog_facts
from dbops.engines.postgresql.connect import Parameters, Session, connect
from dbops.engines.postgresql.counting import count_rows, join_snapshot
from dbops.engines.postgresql.definitions import Definitions, definitions
from dbops.engines.postgresql.object_pages import METADATA, object_ranges
from dbops.engines.postgresql.preflight import refuse_unreadable
from dbops.engines.postgresql.properties import schema_detail
from dbops.engines.postgresql.reading import LOCK_SECONDS, PostgresqlRecipe
from dbops.engines.postgresql.sequences import (
    SequenceState,
    read_sequences,
    sequence_facts,
    sequence_text,
)
from dbops.engines.postgresql.streams import (
    COLUMNS,
    CONDITION,
    ENCODING,
    GLOBALS,
    LARGE_OBJECT_METADATA,
    LARGE_OBJECTS,
    SCHEMA,
    SEQUENCES,
)
from dbops.engines.postgresql.tables import (
    Relation,
    RowStream,
    list_gaps,
    list_relations,
    row_streams,
    with_blocks,
)
from dbops.engines.postgresql.units import (
    DUMP_GLOBALS,
    DUMP_SCHEMA,
    dump_unit,
    query_units,
    table_units,
    text_unit,
)
from dbops.errors import DbopsError, Failed
from dbops.repository.frames import Payload
from dbops.repository.manifest import Facts, Gap
from dbops.repository.ranges import Proof

ATTEMPTS = 30
_TABLES_PER_LOCK = 200
_TID_RANGES_SINCE = 14
# What a change of the schema between the list and the locks looks like: worth another attempt.
_MOVING = frozenset({"object-missing", "transaction-conflict", "tables-moving"})

_EXPORT = "SELECT pg_export_snapshot(), statement_timestamp(), pg_current_snapshot()::text"
_LOCKED = """
    SELECT DISTINCT relation::bigint FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
        AND mode = 'AccessShareLock'"""
_IDENTITY = """
    SELECT CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
        THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE 'unknown' END
        || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())"""


@dataclass(frozen=True, slots=True)
class _Instant:
    """What one attempt found and holds."""

    snapshot: str
    visible: str
    taken_at: datetime
    relations: tuple[Relation, ...]
    sequences: tuple[SequenceState, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read at the instant, before any range."""

    identity: str
    superuser: bool
    gaps: tuple[Gap, ...]
    rows: tuple[RowStream, ...]
    schema: dict[str, str]
    objects: tuple[tuple[str, int], ...]
    definitions: Definitions
    facts: Facts


@dataclass(frozen=True, slots=True)
class PostgresqlSnapshot:
    """Implements the `Snapshot` port."""

    _session: Session
    _installation: Installation
    _instant: _Instant
    _read: _Read
    _by_tid: bool

    @property
    def identity(self) -> str:
        """The cluster's system identifier and the database's OID."""
        return self._read.identity

    @property
    def server(self) -> str:
        return self._session.server

    @property
    def taken_at(self) -> datetime:
        """The server's clock, just before the snapshot was taken."""
        return self._instant.taken_at

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return self._read.gaps

    @property
    def recipe(self) -> PostgresqlRecipe:
        return PostgresqlRecipe(
            parameters=self._session.parameters,
            programs=self._installation.bindir,
            encoding=self._session.encoding,
            snapshot=self._instant.snapshot,
            superuser=self._read.superuser,
            definitions=self._read.definitions,
        )

    def streams(self) -> Sequence[StreamPlan]:
        """The schema first, because definitions are watched until it is read."""
        encoding = {ENCODING: self._session.encoding.name}
        text = sequence_text(self._instant.sequences)
        return (
            _plan(SCHEMA, (dump_unit(SCHEMA, DUMP_SCHEMA),), self._read.schema),
            _plan(GLOBALS, (dump_unit(GLOBALS, DUMP_GLOBALS),), encoding),
            _plan(SEQUENCES, (text_unit(SEQUENCES, text),), encoding),
            _plan(LARGE_OBJECTS, query_units(LARGE_OBJECTS, self._read.objects), encoding),
            _plan(
                LARGE_OBJECT_METADATA,
                query_units(LARGE_OBJECT_METADATA, ((METADATA, 0),)),
                encoding,
            ),
            *(self._table(stream) for stream in self._read.rows),
        )

    def tables(self, key: bytes) -> dict[str, Proof]:  # noqa: ARG002 - the port's
        """None: every stream of rows is a table itself."""
        return {}

    def facts(self, *, witness: bool) -> Facts:
        """What the catalog said at the instant, and what another connection counts now."""
        with join_snapshot(self._session.parameters, self._instant.snapshot) as session:
            counted = count_rows(session, self._read.rows, self._instant.sequences, witness=witness)
        return {**self._read.facts, **counted}

    def confirm(self) -> None:
        """Raises Failed where the transaction or one of its locks is gone."""
        try:
            visible = self._session.value("SELECT pg_current_snapshot()::text")
            locked = _locked(self._session)
        except DbopsError as failure:
            raise _lost(failure.message) from None
        missing = [one.name for one in self._instant.relations if _unlocked(one, locked)]
        if visible != self._instant.visible:
            raise _lost("its transaction has ended")
        if missing:
            raise _lost(f"{len(missing)} tables are not locked any more: {', '.join(missing)}")

    def _table(self, stream: RowStream) -> StreamPlan:
        detail = {
            ENCODING: self._session.encoding.name,
            COLUMNS: ", ".join(stream.columns),
            CONDITION: stream.condition,
        }
        return _plan(stream.name, table_units(stream, by_tid=self._by_tid), detail)


def _plan(name: str, units: tuple[Unit, ...], detail: dict[str, str]) -> StreamPlan:
    payload = Payload.OPAQUE if name in (SCHEMA, GLOBALS) else Payload.ROWS
    return StreamPlan(name, payload, units, detail)


@contextmanager
def take_snapshot(
    params: Parameters,
    installations: Sequence[Installation],
    *,
    tid_ranges: bool = True,
    lock_seconds: float = LOCK_SECONDS,
) -> Iterator[PostgresqlSnapshot]:
    """One instant of the database, for the length of the `with`.

    Each wait for a lock takes `lock_seconds` at most. Without `tid_ranges`, or where the server
    is older than 14, a table is one range. Raises Refused where anything could not be read, and
    Failed where the schema does not hold still.
    """
    with connect(params, lock_seconds=lock_seconds) as session:
        installation = client_for(session.major, installations)
        instant = _take(session)
        by_tid = tid_ranges and session.major >= _TID_RANGES_SINCE
        yield PostgresqlSnapshot(session, installation, instant, _look(session, instant), by_tid)


def _take(session: Session) -> _Instant:
    """Try until the tables hold still for one attempt."""
    for _ in range(ATTEMPTS):
        relations = list_relations(session)
        refuse_unreadable(session, relations)
        try:
            return _attempt(session, relations)
        except DbopsError as failure:
            if failure.code not in _MOVING:
                raise
            session.run("ROLLBACK")
    raise Failed(
        "schema-moving",
        f"tables were created, dropped or renamed in each of {ATTEMPTS} attempts to lock them",
        hint="run the command again when no schema change is under way",
    )


def _attempt(session: Session, expected: tuple[Relation, ...]) -> _Instant:
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    _lock(session, expected)
    snapshot, taken_at, visible = session.rows(_EXPORT, doing="exporting the snapshot")[0]
    relations = list_relations(session)
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
    sequences = read_sequences(session, relations)
    return _Instant(snapshot, visible, taken_at.astimezone(UTC), relations, sequences)


def _lock(session: Session, relations: Sequence[Relation]) -> None:
    names = [one.sql for one in relations if one.lockable]
    for start in range(0, len(names), _TABLES_PER_LOCK):
        some = ", ".join(f"ONLY {name}" for name in names[start : start + _TABLES_PER_LOCK])
        session.run(f"LOCK TABLE {some} IN ACCESS SHARE MODE", doing="locking tables")


def _locked(session: Session) -> frozenset[int]:
    return frozenset(oid for (oid,) in session.rows(_LOCKED, doing="looking at the locks"))


def _unlocked(relation: Relation, locked: frozenset[int]) -> bool:
    return relation.lockable and relation.oid not in locked


def _look(session: Session, instant: _Instant) -> _Read:
    """Everything that is read once; definitions by the same transaction that holds the locks."""
    watched = definitions(session)
    rows = row_streams(instant.relations)
    schema = schema_detail(session)
    facts = catalog_facts(session, schema)
    facts["sequence"] = sequence_facts(session, instant.sequences)
    return _Read(
        identity=session.value(_IDENTITY, doing="identifying the server"),
        superuser=session.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"),
        gaps=list_gaps(session, instant.relations),
        rows=with_blocks(session, rows),
        schema=schema,
        objects=tuple((one.query, one.weight) for one in object_ranges(session)),
        definitions=watched,
        facts=facts,
    )


def _lost(why: str) -> Failed:
    return Failed(
        "snapshot-lost",
        f"the snapshot did not hold to the end: {why}",
        hint="run the command again; no backup was made",
    )
