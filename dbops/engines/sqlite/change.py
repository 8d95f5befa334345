"""A SQLite file whose schema can be read and changed: implements the `ChangeEngine` port.

Every definition can be altered inside a transaction. What decides how a statement is read is
pinned: defensive mode, no names in double quotes taken for strings, no functions of the
application in the schema. An application that has collations or functions of its own has to be
changed by its own means: SQLite says that they are missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import apsw

from dbops.change.ports import ChangeTraits, SessionOrder
from dbops.change.step import Step
from dbops.engines.sqlite.change_faults import ChangePlace
from dbops.engines.sqlite.change_guard import ChangeGuard
from dbops.engines.sqlite.change_session import SqliteChangeSession
from dbops.engines.sqlite.connect import open_work
from dbops.engines.sqlite.dump import utc_now
from dbops.engines.sqlite.identity import read_identity
from dbops.engines.sqlite.repair_faults import Place
from dbops.errors import Refused
from dbops.estate.values import SqliteAddress

TRAITS: Final = ChangeTraits(transactional_ddl=True, dialect="sqlite", schemas=False, locks=False)
RECOVERY_WAIT: Final = timedelta(seconds=10)
_OFF: Final = (
    apsw.SQLITE_DBCONFIG_DQS_DDL,
    apsw.SQLITE_DBCONFIG_DQS_DML,
    apsw.SQLITE_DBCONFIG_ENABLE_FKEY,
    apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
    apsw.SQLITE_DBCONFIG_LEGACY_ALTER_TABLE,
    apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA,
    apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA,
)
_ON: Final = (
    apsw.SQLITE_DBCONFIG_DEFENSIVE,
    apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER,
    apsw.SQLITE_DBCONFIG_ENABLE_VIEW,
)


@dataclass(frozen=True, slots=True)
class SqliteChangeEngine:
    """Implements the `ChangeEngine` port for one file.

    Up to `cache` bytes of changed pages are kept in memory until COMMIT: what does not fit goes
    into the file, and where that has a rollback journal nobody can read it from then on.
    """

    address: SqliteAddress
    clock: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    cache: int = 128 << 20

    @property
    def traits(self) -> ChangeTraits:
        return TRAITS

    def identity(self) -> str:
        """A file whose last writer was killed is recovered first: a reader cannot do that."""
        name, path = self.address.name, self.address.path
        try:
            return read_identity(name, path)
        except Refused:
            at = ChangePlace(Place(name, path, RECOVERY_WAIT), name)
            with open_work(name, path, read_only=False) as connection, _translated(at):
                _configure(connection, RECOVERY_WAIT, self.cache)
                connection.execute("SELECT count(*) FROM main.sqlite_schema").get  # noqa: B018
            return read_identity(name, path)

    def is_alone(self, step: Step) -> bool:  # noqa: ARG002 - none is
        return False

    @contextmanager
    def session(self, order: SessionOrder) -> Iterator[SqliteChangeSession]:
        name, path = self.address.name, self.address.path
        at = ChangePlace(Place(name, path, order.lock_wait), order.work)
        self.identity()  # what a killed writer left is taken back: a reader cannot do that
        with (
            ExitStack() as kept,
            open_work(name, path, read_only=order.read_only) as connection,
            _translated(at),
        ):
            _configure(connection, order.lock_wait, self.cache)
            self._refuse_other(order)
            guard = ChangeGuard(connection, limit=order.statement, monotonic=self.monotonic)
            session = SqliteChangeSession(connection, guard, at, order, self.clock, kept)
            if not order.read_only:
                session.prepare()
            yield session

    def _refuse_other(self, order: SessionOrder) -> None:
        if order.identity is not None and self.identity() != order.identity:
            raise Refused(
                "change-database",
                f"{self.address.name} is another database than the one that {order.work} was"
                " approved for",
                hint=f"see what the estate and the approval say: dbops review show {order.work}",
            )


def _configure(connection: apsw.Connection, lock_wait: timedelta, cache: int) -> None:
    connection.set_busy_timeout(int(lock_wait.total_seconds() * 1000))
    for setting in _OFF:
        connection.config(setting, 0)
    for setting in _ON:
        connection.config(setting, 1)
    connection.execute(f"PRAGMA main.cache_size = -{cache >> 10}")
    connection.execute("PRAGMA synchronous=EXTRA")  # COMMIT is durable when it returns


@contextmanager
def _translated(at: ChangePlace) -> Iterator[None]:
    try:
        yield
    except apsw.Error as failure:
        raise at.fault(failure, "the transaction") from None
