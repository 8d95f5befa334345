"""One PostgreSQL database whose schema can be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from dbops.change.ports import ChangeTraits, SessionOrder
from dbops.change.step import Step
from dbops.doctor.finding import Finding
from dbops.engines.postgresql.change_opening import Clock, refuse_other_database
from dbops.engines.postgresql.change_session import PostgresqlChangeSession
from dbops.engines.postgresql.change_words import alone_kind
from dbops.engines.postgresql.connect import Parameters, connect
from dbops.engines.postgresql.engine import PostgresqlEngine
from dbops.engines.postgresql.inspect_admin import inspect_admin
from dbops.engines.postgresql.scratch_login import login_on_copy
from dbops.engines.postgresql.snapshot import read_identity

TRAITS: Final = ChangeTraits(
    transactional_ddl=True,
    dialect="postgres",
    schemas=True,
    locks=True,
)


@dataclass(frozen=True)
class PostgresqlChangeEngine:
    """Implements the `ChangeEngine` port.

    `admin` is the login of whoever may change the schema, asked once for each connection. `clock`
    tells time and passes it.
    """

    admin: Callable[[], Parameters] = field(repr=False)
    clock: Clock = field(default_factory=Clock)

    @property
    def traits(self) -> ChangeTraits:
        return TRAITS

    def identity(self) -> str:
        """The cluster's system identifier and the database's OID, as snapshots have them."""
        with connect(self.admin()) as session:
            return read_identity(session)

    def inspect(self) -> tuple[Finding, ...]:
        """What a person should know before the first change: whether the login gets in and may."""
        return tuple(inspect_admin(self.admin()))

    def is_alone(self, step: Step) -> bool:
        return alone_kind(step) is not None

    @contextmanager
    def session(self, order: SessionOrder) -> Iterator[PostgresqlChangeSession]:
        """A connection of its own; what was not committed is rolled back at its end."""
        with connect(self.admin()) as session:
            refuse_other_database(order, read_identity(session))
            found = PostgresqlChangeSession(session, order, self.clock)
            try:
                yield found
            finally:
                found.close()


def change_engine_of_copy(copy: PostgresqlEngine, role: str) -> PostgresqlChangeEngine:
    """Return the change engine of a restored copy; afterwards `role` may log in on its server.

    It is the role that changes the source: who owns what it makes, and what it may not do, are the
    same there.
    """
    return PostgresqlChangeEngine(login_on_copy(copy, role, creates=True))
