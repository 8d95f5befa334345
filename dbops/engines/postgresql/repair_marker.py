"""The marker table of PostgreSQL, and the lock that lets a work run once at a time."""

from __future__ import annotations

import hashlib
from typing import Final

from psycopg.rows import TupleRow

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.deferred import NUMBER
from dbops.engines.postgresql.repair_wire import Bind, Wire
from dbops.errors import DbopsError, Refused, Unreachable
from dbops.repair.ports import Marker, MarkerKind
from dbops.repair.table import TableName

TABLE: Final = TableName("dbops", "dbops_run")

_READY = """
    SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        AND has_table_privilege(c.oid, 'INSERT')
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'dbops' AND c.relname = 'dbops_run' AND c.relkind = 'r'"""
_MARK = (
    "INSERT INTO dbops.dbops_run (run, work, plan, kind, batch, bundle, undoes, upto)"  # noqa: S608 - constants
    f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {NUMBER}"
)
_MARKERS = """
    SELECT run, work, plan, kind, batch, bundle, undoes, upto FROM dbops.dbops_run
    WHERE work = %s ORDER BY at, batch, run"""
_DUPLICATE = "(23505)"


def refuse_unprepared(session: Session) -> None:
    """Raises Refused `repair-not-prepared` where the marker table cannot be used."""
    if session.rows(_READY) != [(True,)]:
        raise Refused(
            "repair-not-prepared",
            f"database {session.parameters.dbname} has no table {TABLE} that role "
            f"{session.parameters.user} may read and append to",
            hint="dbops repair prepare, then have it approved",
        )


def mark(wire: Wire, marker: Marker) -> tuple[int, ...]:
    """Afterwards the transaction holds the marker; raises Refused `already-run`.

    Returns the number of the command that wrote it; nothing where a trigger left it out.
    """
    values = (
        marker.run,
        marker.work,
        marker.plan,
        marker.kind.value,
        str(marker.batch),
        marker.bundle,
        marker.undoes,
        marker.upto,
    )
    doing = "writing the marker"
    binds = [Bind(None if value is None else wire.encode(value, doing)) for value in values]
    try:
        found = wire.rows(_MARK.encode(), binds, doing=doing)
    except DbopsError as error:
        if _DUPLICATE not in error.message:
            raise
        raise Refused(
            "already-run",
            f"{marker.work}: this has been committed before in this database",
            hint=f"dbops repair list shows what has become of {marker.work}",
        ) from None
    return tuple(int(number or 0) for (number,) in found)


def read_markers(session: Session, work: str) -> tuple[Marker, ...]:
    """What of this work has committed, in the order of commits."""
    rows = session.rows(_MARKERS, [work], doing="reading the markers")
    return tuple(_marker(row) for row in rows)


def _marker(row: TupleRow) -> Marker:
    return Marker(
        run=row[0],
        work=row[1],
        plan=row[2],
        kind=MarkerKind(row[3]),
        batch=row[4],
        bundle=row[5],
        undoes=row[6],
        upto=row[7],
    )


def lock_work(session: Session, work: str, *, for_session: bool = False) -> None:
    """Afterwards nobody else in this database runs the same work or asks about it.

    Until the transaction ends, or else the session. Raises Unreachable `work-running`.
    """
    function = "pg_try_advisory_lock" if for_session else "pg_try_advisory_xact_lock"
    if not session.value(f"SELECT pg_catalog.{function}(%s::bigint)", [work_key(work)]):
        raise Unreachable(
            "work-running",
            f"{work} runs in this database just now, or the server has not noticed its end yet",
            hint="wait until it is done: select * from pg_locks where locktype = 'advisory'",
        )


def work_key(work: str) -> int:
    """The key of the work's advisory lock: the first 8 bytes of sha256("dbops repair WORK")."""
    digest = hashlib.sha256(f"dbops repair {work}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
