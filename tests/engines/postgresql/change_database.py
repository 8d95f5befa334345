"""A PostgreSQL database as the compliance suite of change engines wants it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dbops.change.schema import ObjectKind, ObjectName
from dbops.engines.postgresql.change import PostgresqlChangeEngine
from tests.engines.postgresql.repair_database import parameters_of
from tests.fix_postgresql import Connection, PgDatabase, PgServer


@dataclass(frozen=True, slots=True)
class PgChangeSite:
    """Implements `change_suite_site.ChangeSite`; its tables lie in `his`."""

    database: PgDatabase
    engine: PostgresqlChangeEngine

    def connect(self) -> Connection:
        """As the superuser, through the socket: a password costs more than most statements."""
        return self.database.connect(self.database.server.superuser)

    def run(self, *statements: str) -> None:
        """As the superuser, each committed by itself."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """As the superuser."""
        with self.connect() as connection:
            return list(connection.execute(query.encode()).fetchall())

    def full(self, table: str) -> str:
        """With its schema."""
        return f"his.{table}"

    def table(self, table: str) -> ObjectName:
        """A table of `his`."""
        return ObjectName(ObjectKind.TABLE, ("his", table))

    def column(self, table: str, name: str) -> ObjectName:
        """A column of a table of `his`."""
        return ObjectName(ObjectKind.COLUMN, ("his", table, name))

    def spoil_journal(self) -> None:
        """A table by hand."""
        self.run("CREATE SCHEMA dbops", "CREATE TABLE dbops.dbops_change (step integer)")

    @contextmanager
    def holding(self, table: str) -> Iterator[None]:
        """A long reader."""
        with self.connect() as connection, connection.transaction():
            connection.execute(f"SELECT count(*) FROM {self.full(table)}".encode())
            yield

    def reset(self) -> None:
        """The database is empty but for an empty schema `his`."""
        self.run(
            "DO $$ DECLARE s record; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE"
            " nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP"
            " EXECUTE format('DROP SCHEMA %I CASCADE', s.nspname); END LOOP; END $$",
            "CREATE SCHEMA his",
        )


@contextmanager
def change_site(server: PgServer, *, encoding: str = "UTF8") -> Iterator[PgChangeSite]:
    """An empty database, gone afterwards."""
    name = f"change_{secrets.token_hex(6)}"
    server.create_database(name, encoding=encoding)
    engine = PostgresqlChangeEngine(lambda: parameters_of(server, name, server.superuser))
    site = PgChangeSite(PgDatabase(server, name), engine)
    try:
        yield site
    finally:
        server.drop_database(name)
