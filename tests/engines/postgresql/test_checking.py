"""The server's own check: faults are named by table and index, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.postgresql.sealed import engine_of, fresh_database
from tests.fix_postgresql import PgDatabase, PgServer

DDL = """
    CREATE FUNCTION g(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE TABLE t (id integer PRIMARY KEY, name text);
    CREATE INDEX by_g ON t (g(id));
    INSERT INTO t SELECT n, 'Maria Secret' FROM generate_series(1, 500) AS n;
    CREATE TABLE heir () INHERITS (t)"""


@pytest.fixture
def database(pg_server: PgServer) -> Iterator[PgDatabase]:
    """A database with a table and two indexes."""
    with fresh_database(pg_server, "checked") as fresh:
        with fresh.connect() as connection:
            connection.execute(DDL.encode())
        yield fresh


def test_sound_database_has_no_finding_and_stays_as_it_is(database: PgDatabase) -> None:
    """The check needs an extension, and it is gone afterwards with everything of it."""
    engine = engine_of(database.server, database.name)
    before = engine.obstacles()
    assert engine.check() == ()
    assert engine.obstacles() == before
    with database.connect() as connection:
        found = connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'")
        assert found.fetchone() == (0,)


def test_index_that_misses_rows_is_named(database: PgDatabase) -> None:
    """An index whose entries are not those of its table is a fault."""
    with database.connect() as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION g(integer) RETURNS integer LANGUAGE sql IMMUTABLE"
            " AS 'SELECT $1 + 1000'"
        )
    assert engine_of(database.server, database.name).check() == (
        "index public.by_g: amcheck finds a fault (XX001)",
    )


def test_invalid_index_is_named(database: PgDatabase) -> None:
    """An index that the server does not use is a fault."""
    with database.connect() as connection:
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_g'::regclass"
        )
    assert engine_of(database.server, database.name).check() == ("index public.by_g is not valid",)


def test_table_with_a_broken_row_is_named(database: PgDatabase) -> None:
    """A row that contradicts the server's own books is a fault of its table."""
    with database.connect() as connection:
        connection.execute(
            "UPDATE pg_class SET relfrozenxid = (relfrozenxid::text::bigint + 5000)"
            "::text::xid WHERE relname = 't'"
        )
    found = engine_of(database.server, database.name).check()
    assert len(found) == 1
    assert found[0].startswith("table public.t: amcheck ")
    assert "Secret" not in found[0]
