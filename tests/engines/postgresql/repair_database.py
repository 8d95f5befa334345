"""A PostgreSQL database as the compliance suite of repair engines wants it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from psycopg import sql

from dbops.engines.postgresql.connect import Parameters
from dbops.engines.postgresql.repair import PostgresqlRepairEngine
from dbops.estate.values import SslMode
from dbops.repair.table import TableName
from tests.fix_postgresql import PgDatabase, PgServer


@dataclass(frozen=True, slots=True)
class PgSite:
    """Implements `repair_site.Site`; the repair role has a name of its own for each database."""

    database: PgDatabase
    engine: PostgresqlRepairEngine

    def run(self, *statements: str) -> None:
        """As the superuser, committed."""
        with self.database.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """As the superuser."""
        with self.database.connect() as connection:
            return list(connection.execute(query.encode()).fetchall())

    def table(self, name: str) -> TableName:
        """Tables without a schema lie in public."""
        return TableName("public", name)

    def trigger(self, name: str, table: str, event: str, body: str) -> None:
        """A row trigger and its function."""
        self.run(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {body}; RETURN NULL; END $$",
            f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION"
            f" {name}()",
        )

    def reset(self) -> None:
        """The database is empty again, and its repair role is there without any right."""
        role = self.engine.repair_role
        self.run(
            "DO $$ DECLARE s record; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE"
            " nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP"
            " EXECUTE format('DROP SCHEMA %I CASCADE', s.nspname); END LOOP; END $$",
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
            f"DROP OWNED BY {role}",
            "CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC",
        )

    def prepare(self, *tables: str) -> None:
        """With the engine's own text."""
        named = [TableName.parse(t) if "." in t else self.table(t) for t in tables]
        self.engine.install(self.engine.prepare_sql(named))


def parameters_of(server: PgServer, dbname: str, user: str) -> Parameters:
    """A login through the socket, where everybody is trusted."""
    return Parameters(
        host=str(server.socket_directory),
        port=server.port,
        dbname=dbname,
        user=user,
        password=None,
        sslmode=SslMode.DISABLE,
        sslrootcert=None,
    )


@contextmanager
def pg_site(server: PgServer, *, encoding: str = "UTF8") -> Iterator[PgSite]:
    """An empty database, gone afterwards together with its repair role."""
    name = f"repair_{secrets.token_hex(6)}"
    server.create_database(name, encoding=encoding)
    database = PgDatabase(server, name)
    engine = PostgresqlRepairEngine(
        parameters=lambda: parameters_of(server, name, f"role_{name}"),
        admin=lambda: parameters_of(server, name, server.superuser),
        repair_role=f"role_{name}",
    )
    site = PgSite(database, engine)
    site.reset()
    try:
        yield site
    finally:
        server.drop_database(name)
        with server.connect("postgres") as connection:
            role = sql.Identifier(f"role_{name}")
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


@pytest.fixture(scope="package")
def pg_repair_site(pg15: PgServer) -> Iterator[PgSite]:
    """A database for all tests of a room: making one takes longer than most of them."""
    with pg_site(pg15) as found:
        yield found
