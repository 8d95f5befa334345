"""One PostgreSQL database that can be repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from psycopg.pq import TransactionStatus

from dbops.engines.postgresql.connect import Parameters, Session, connect
from dbops.engines.postgresql.repair_faults import repairing
from dbops.engines.postgresql.repair_marker import lock_work, refuse_unprepared
from dbops.engines.postgresql.repair_prepare import prepare_sql, remove_sql
from dbops.engines.postgresql.repair_session import PostgresqlRepairSession
from dbops.engines.postgresql.snapshot import read_identity
from dbops.errors import Refused
from dbops.repair.ports import CommitUnknown, RepairTraits, SessionOrder, Strength
from dbops.repair.table import TableName

REPAIR_ROLE: Final = "dbops_repair"
TRAITS: Final = RepairTraits(
    counters=Strength.EXACT,
    counted_by="pg_stat_xact_all_tables",
    dialect="postgres",
    schemas=True,
    roles=True,
    own_rows=True,
    overruling=True,
)


@dataclass(frozen=True)
class PostgresqlRepairEngine:
    """Implements the `RepairEngine` port.

    `parameters` is the login of the repair role, asked once for each connection; `admin` that of
    somebody who may make roles and tables, asked by `install` only. `repair_role` is the role that
    `prepare_sql` makes.
    """

    parameters: Callable[[], Parameters] = field(repr=False)
    admin: Callable[[], Parameters] = field(repr=False)
    repair_role: str = REPAIR_ROLE

    @property
    def traits(self) -> RepairTraits:
        return TRAITS

    def identity(self) -> str:
        """The cluster's system identifier and the database's OID, as snapshots have them."""
        with connect(self.parameters()) as session:
            return read_identity(session)

    @contextmanager
    def session(self, order: SessionOrder) -> Iterator[PostgresqlRepairSession]:
        """A connection for one transaction; what was not committed is rolled back at its end."""
        with connect(self.parameters()) as session:
            if order.identity not in {None, read_identity(session)}:
                raise Refused(
                    "repair-database",
                    f"{order.work} is of another database than the one that answers now",
                    hint="let one name lead to one server, and run the command again",
                )
            yield PostgresqlRepairSession(session, order)

    def committed(self, run: str, work: str) -> bool:
        """Whether that run has committed; Unreachable `work-running` while nobody can know."""
        with connect(self.parameters()) as session:
            refuse_unprepared(session)
            lock_work(session, work, for_session=True)
            found = session.value(
                "SELECT EXISTS (SELECT FROM dbops.dbops_run WHERE run = %s)",
                [run],
                doing="looking for the marker",
            )
            return bool(found)

    def prepare_sql(self, tables: Sequence[TableName], read: Sequence[TableName] = ()) -> str:
        return prepare_sql(self.repair_role, tables, read)

    def remove_sql(self) -> str:
        return remove_sql(self.repair_role)

    def install(self, sql: str) -> None:
        """One transaction; on any error but `CommitUnknown` nothing of the text has happened.

        That is raised for a text that ends its transaction itself.
        """
        doing = "preparing the database for repairs"
        with connect(self.admin()) as session:
            session.run("BEGIN", doing=doing)
            try:
                with repairing(doing):
                    session.connection.execute(session.encoding.encode(sql))
            finally:
                _refuse_ended(session)
            session.run("COMMIT", doing=doing)


def _refuse_ended(session: Session) -> None:
    if session.connection.pgconn.transaction_status == TransactionStatus.IDLE:
        raise CommitUnknown(
            "commit-unknown",
            "the text ended its own transaction: part of it has taken place, or all of it",
            hint="look at the database, and take BEGIN, COMMIT and ROLLBACK out of the text",
        ) from None
