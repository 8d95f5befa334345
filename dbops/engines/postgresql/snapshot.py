"""One instant of a PostgreSQL database as the backup sees it: its streams, facts and gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from dbops.backup.ports import StreamPlan, Unit
from dbops.engines.postgresql.binaries import Installation, client_for
from dbops.engines.postgresql.catalog import catalog_facts
from dbops.engines.postgresql.connect import Parameters, Session
from dbops.engines.postgresql.counting import count_rows
from dbops.engines.postgresql.dump import Programs
from dbops.engines.postgresql.instant import Instant, hold_instant
from dbops.engines.postgresql.object_pages import METADATA, object_ranges
from dbops.engines.postgresql.properties import schema_detail
from dbops.engines.postgresql.reading import PostgresqlRecipe
from dbops.engines.postgresql.sequences import sequence_facts, sequence_text
from dbops.engines.postgresql.streams import (
    COLUMNS,
    CONDITION,
    ENCODING,
    GLOBALS,
    LARGE_OBJECT_METADATA,
    LARGE_OBJECTS,
    OBJECTS,
    SCHEMA,
    SEQUENCES,
)
from dbops.engines.postgresql.tables import RowStream, list_gaps, row_streams, with_blocks
from dbops.engines.postgresql.units import (
    document_unit,
    file_unit,
    globals_unit,
    query_units,
    table_units,
    text_unit,
)
from dbops.repository.frames import Payload
from dbops.repository.manifest import Facts, Gap
from dbops.repository.ranges import Proof

LOCK_SECONDS = 60.0
_TID_RANGES_SINCE = 14
_IDENTITY = """
    SELECT CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
        THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE 'unknown' END
        || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())"""


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read at the instant, before any range."""

    identity: str
    superuser: bool
    gaps: tuple[Gap, ...]
    rows: tuple[RowStream, ...]
    schema: dict[str, str]
    objects: tuple[tuple[str, int], ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class PostgresqlSnapshot:
    """Implements the `Snapshot` port."""

    _programs: Programs
    _instant: Instant
    _read: _Read
    _by_tid: bool

    @property
    def identity(self) -> str:
        """The cluster's system identifier and the database's OID."""
        return self._read.identity

    @property
    def server(self) -> str:
        return self._instant.session.server

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
            programs=self._programs,
            snapshot=self._instant.snapshot,
            locks=self._instant.locks,
            superuser=self._read.superuser,
        )

    def streams(self) -> Sequence[StreamPlan]:
        """What pg_dump and the catalog say first, then the tables."""
        encoding = {ENCODING: self._programs.encoding.name}
        text = sequence_text(self._instant.sequences)
        schema = file_unit(SCHEMA, self._instant.schema)
        return (
            _plan(SCHEMA, (schema,), self._read.schema),
            _plan(GLOBALS, (globals_unit(GLOBALS),), encoding),
            *self._objects(),
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
        counted = count_rows(
            self._instant.witness, self._read.rows, self._instant.sequences, witness=witness
        )
        return {**self._read.facts, **counted}

    def confirm(self) -> None:
        """Raises Failed where a transaction or one of its locks is gone."""
        self._instant.confirm()

    def _objects(self) -> tuple[StreamPlan, ...]:
        text = self._instant.objects.text
        if text is None:
            return ()
        return (_plan(OBJECTS, (document_unit(OBJECTS, text),), {}),)

    def _table(self, stream: RowStream) -> StreamPlan:
        detail = {
            ENCODING: self._programs.encoding.name,
            COLUMNS: ", ".join(stream.columns),
            CONDITION: stream.condition,
        }
        return _plan(stream.name, table_units(stream, by_tid=self._by_tid), detail)


def _plan(name: str, units: tuple[Unit, ...], detail: dict[str, str]) -> StreamPlan:
    payload = Payload.OPAQUE if name in (SCHEMA, GLOBALS, OBJECTS) else Payload.ROWS
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

    def programs_for(session: Session) -> Programs:
        chosen = client_for(session.major, installations)
        return Programs(params, chosen.bindir, session.encoding)

    with hold_instant(params, programs_for, lock_seconds) as instant:
        session = instant.session
        by_tid = tid_ranges and session.major >= _TID_RANGES_SINCE
        yield PostgresqlSnapshot(programs_for(session), instant, _look(instant), by_tid)


def read_identity(session: Session) -> str:
    """The cluster's system identifier and the database's OID: `7301…/16384`."""
    return str(session.value(_IDENTITY, doing="identifying the server"))


def _look(instant: Instant) -> _Read:
    """Everything that is read once, by the transaction that holds the first locks."""
    session = instant.session
    schema = schema_detail(session)
    facts = catalog_facts(session, schema)
    facts["sequence"] = sequence_facts(session, instant.sequences)
    return _Read(
        identity=read_identity(session),
        superuser=session.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"),
        gaps=(*list_gaps(session, instant.relations), *instant.objects.gaps),
        rows=with_blocks(session, row_streams(instant.relations)),
        schema=schema,
        objects=tuple((one.query, one.weight) for one in object_ranges(session)),
        facts=facts,
    )
