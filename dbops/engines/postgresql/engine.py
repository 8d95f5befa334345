"""One PostgreSQL database as source, target or scratch: the parts, assembled into the port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from dbops.backup.ports import Contents, RestoreOrder, Traits
from dbops.doctor.finding import Finding
from dbops.engines.postgresql import target
from dbops.engines.postgresql.binaries import Installation, find_installations
from dbops.engines.postgresql.checking import check_database
from dbops.engines.postgresql.connect import Parameters, connect
from dbops.engines.postgresql.inspect import inspect_database
from dbops.engines.postgresql.opening import Target
from dbops.engines.postgresql.restore import left_out, refuse_unrestorable, restore
from dbops.engines.postgresql.schema import Reference, compare_schema
from dbops.engines.postgresql.snapshot import PostgresqlSnapshot, read_identity, take_snapshot
from dbops.estate.values import PostgresqlAddress

TRAITS = Traits(parallel_read=True)


@dataclass(frozen=True)
class PostgresqlEngine:
    """Implements the `Engine` port for one database.

    `password` is asked once for each use. `installations` are the client programs at hand, looked
    for where not given. `reference` makes the empty database that `compare_schema` compares with;
    without one the schema cannot be compared, which is a finding.
    """

    address: PostgresqlAddress
    password: Callable[[], str | None] = field(repr=False)
    installations: Sequence[Installation] | None = None
    reference: Reference | None = None
    scratch: bool = False

    @property
    def traits(self) -> Traits:
        return TRAITS

    def snapshot(self) -> AbstractContextManager[PostgresqlSnapshot]:
        return take_snapshot(self._parameters(), self._programs())

    def identity(self) -> str:
        """The same as its snapshots have; raises Unreachable where nobody answers."""
        with connect(self._parameters()) as session:
            return read_identity(session)

    def obstacles(self) -> tuple[str, ...]:
        with connect(self._parameters()) as session:
            return target.obstacles(session)

    def refuse_unfit(self, contents: Contents) -> None:
        refuse_unrestorable(self._target(), contents)

    def clear(self) -> None:
        target.clear(self._parameters())

    def restore(self, contents: Contents, order: RestoreOrder) -> None:
        restore(self._target(), contents, order)

    def left_out(self, contents: Contents, order: RestoreOrder) -> tuple[str, ...]:
        """What a restore of single tables cannot bring along: foreign keys to other tables."""
        return left_out(contents, order)

    def inspect(self) -> tuple[Finding, ...]:
        """What a person should know before the night: connection, privileges, programs."""
        return tuple(inspect_database(self._parameters(), self._programs()))

    def check(self) -> tuple[str, ...]:
        return check_database(self._parameters())

    def compare_schema(self, contents: Contents) -> tuple[str, ...]:
        if self.reference is None:
            return ("the schema was not compared: no scratch server to load the source's into",)
        return compare_schema(self._parameters(), self._programs(), self.reference, contents)

    def _target(self) -> Target:
        return Target(self._parameters(), self._programs(), scratch=self.scratch)

    def _parameters(self) -> Parameters:
        return parameters_of(self.address, self.password)

    def _programs(self) -> Sequence[Installation]:
        return find_installations() if self.installations is None else self.installations


def parameters_of(address: PostgresqlAddress, password: Callable[[], str | None]) -> Parameters:
    """How to log in there; raises what `password` raises."""
    return Parameters(
        host=address.host,
        port=address.port,
        dbname=address.dbname,
        user=address.user,
        password=password(),
        sslmode=address.sslmode,
        sslrootcert=address.sslrootcert,
    )


def address_of(params: Parameters, name: str) -> PostgresqlAddress:
    """The address of a database that dbops made itself."""
    return PostgresqlAddress(
        name=name,
        host=params.host,
        port=params.port,
        dbname=params.dbname,
        user=params.user,
        password=None,
        sslmode=params.sslmode,
        sslrootcert=params.sslrootcert,
        jobs=1,
    )
