"""A SQLite file that can be repaired: implements the `RepairEngine` port.

Foreign keys are enforced, whether the application does so or not: a repair may be stricter than
the application, never laxer. SQLite's defensive mode is on, and a name in double quotes is never
taken for a string. An application that has collations or functions of its own has to be repaired
by its own means: SQLite says that they are missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import apsw

from dbops.engines.sqlite.connect import open_work
from dbops.engines.sqlite.dump import utc_now
from dbops.engines.sqlite.identity import read_identity
from dbops.engines.sqlite.repair_faults import Place
from dbops.engines.sqlite.repair_guard import Guard, Mode
from dbops.engines.sqlite.repair_marker import CREATE, DROP, has_run, is_prepared
from dbops.engines.sqlite.repair_session import SqliteRepairSession
from dbops.errors import Refused, Unreachable
from dbops.estate.values import SqliteAddress
from dbops.repair.ports import RepairTraits, SessionOrder, Strength
from dbops.repair.table import TableName

TRAITS: Final = RepairTraits(
    counters=Strength.EXACT,
    counted_by="sqlite3_preupdate_hook",
    dialect="sqlite",
    schemas=False,
    roles=False,
    own_rows=True,
    overruling=False,
)
RECOVERY_WAIT: Final = timedelta(seconds=10)
ASK_WAIT: Final = timedelta(milliseconds=200)
INSTALL_WAIT: Final = timedelta(seconds=10)
INSTALL_LIMIT: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class SqliteRepairEngine:
    """Implements the `RepairEngine` port for one file."""

    address: SqliteAddress
    clock: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic

    @property
    def traits(self) -> RepairTraits:
        return TRAITS

    def identity(self) -> str:
        """A file whose last writer was killed is recovered first: a reader cannot do that."""
        name, path = self.address.name, self.address.path
        try:
            return read_identity(name, path)
        except Refused:
            with self._connect(self._place(RECOVERY_WAIT), read_only=False) as connection:
                connection.execute("SELECT count(*) FROM main.sqlite_schema").fetchall()
            return read_identity(name, path)

    @contextmanager
    def session(self, order: SessionOrder) -> Iterator[SqliteRepairSession]:
        place = self._place(order.lock_wait)
        if order.read_only:
            self.identity()  # what a killed writer left is taken back
        with self._connect(place, read_only=order.read_only) as connection:
            guard = Guard(
                connection,
                limit=order.statement,
                temporary=order.temporary,
                monotonic=self.monotonic,
            )
            yield SqliteRepairSession(connection, guard, place, order, self.clock)

    def committed(self, run: str, work: str) -> bool:
        """The lock for writing is taken for the answer: who has it could still commit."""
        place = self._place(ASK_WAIT)
        try:
            with self._connect(place, read_only=False) as connection:
                connection.execute("BEGIN IMMEDIATE")
                return is_prepared(connection) and has_run(connection, run, work)
        except Unreachable:
            raise Unreachable(
                "work-running",
                f"somebody is writing {place.name}, which may be the run itself",
                hint=f"wait for it, or see who it is: fuser -v {place.path}",
            ) from None

    def prepare_sql(
        self,
        tables: Sequence[TableName],  # noqa: ARG002 - there are no roles
        read: Sequence[TableName] = (),  # noqa: ARG002
    ) -> str:
        return CREATE

    def remove_sql(self) -> str:
        return DROP

    def install(self, sql: str) -> None:
        place = self._place(INSTALL_WAIT)
        with self._connect(place, read_only=False) as connection:
            guard = Guard(connection, limit=INSTALL_LIMIT, monotonic=self.monotonic)
            try:
                connection.execute("BEGIN IMMEDIATE")
                with guard.mode(Mode.INSTALL):
                    connection.execute(sql, can_cache=False).fetchall()
                with guard.ending():
                    connection.execute("COMMIT")
            except apsw.Error as failure:
                raise place.fault(failure, "preparing") from None

    def _place(self, lock_wait: timedelta) -> Place:
        return Place(self.address.name, self.address.path, lock_wait)

    @contextmanager
    def _connect(self, place: Place, *, read_only: bool) -> Iterator[apsw.Connection]:
        """A connection whose errors are translated, and that leaves no transaction."""
        with open_work(place.name, place.path, read_only=read_only) as connection:
            try:
                _configure(connection, place.lock_wait)
                yield connection
            except apsw.Error as failure:
                raise place.fault(failure, "the transaction") from None


def _configure(connection: apsw.Connection, lock_wait: timedelta) -> None:
    connection.set_busy_timeout(int(lock_wait.total_seconds() * 1000))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0)
    connection.execute("PRAGMA synchronous=EXTRA")  # COMMIT is durable when it returns
