"""One instant of a PostgreSQL database: locks before the snapshot, and held to the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dbops.engines.postgresql.connect import connect
from dbops.engines.postgresql.definitions import definitions, refuse_changed
from dbops.engines.postgresql.snapshot import PostgresqlSnapshot, take_snapshot
from dbops.engines.postgresql.streams import SCHEMA, SEQUENCES
from dbops.errors import Failed, NotFound, Unreachable
from tests.engines.postgresql.collecting import CollectingSink, parameters, read_all, row_streams
from tests.engines.postgresql.processes import until
from tests.fix_postgresql import Connection, PgDatabase, PgServer, on_one_server

_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessShareLock'"


@contextmanager
def opened(database: PgDatabase, *, lock_seconds: float = 60) -> Iterator[PostgresqlSnapshot]:
    """A snapshot of the database as the superuser."""
    with take_snapshot(
        parameters(database), [database.server.installation], lock_seconds=lock_seconds
    ) as snapshot:
        yield snapshot


def _rows(database: PgDatabase, stream: str) -> list[bytes]:
    with opened(database) as snapshot:
        return read_all(snapshot, stream).rows(stream)


def _is_waiting(connection: Connection) -> bool:
    row = connection.execute(_WAITING).fetchone()
    return row is not None and row[0] > 0


@pytest.mark.parametrize(
    "rewrite",
    [
        "TRUNCATE t; INSERT INTO t SELECT n FROM generate_series(101, 300) AS n",
        "DELETE FROM t; INSERT INTO t SELECT n FROM generate_series(101, 300) AS n;"
        " CLUSTER t USING t_n",
        "TRUNCATE t; INSERT INTO t SELECT n FROM generate_series(101, 300) AS n;"
        " ALTER TABLE t ALTER n TYPE bigint",
    ],
    ids=["truncate", "cluster", "alter"],
)
def test_the_snapshot_is_taken_after_the_locks(pg_database: PgDatabase, rewrite: str) -> None:
    """A rewrite that commits while the lock is waited for is seen whole."""
    with pg_database.connect() as writer, pg_database.connect() as watcher:
        writer.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 100) AS n")
        writer.execute("CREATE INDEX t_n ON t (n)")
        with ThreadPoolExecutor(1) as pool:
            with writer.transaction():
                writer.execute(rewrite)
                reading = pool.submit(_rows, pg_database, "public.t")
                assert until(lambda: _is_waiting(watcher))
            assert reading.result(60) == sorted(b"%d\n" % n for n in range(101, 301))


def test_lock_table_takes_no_snapshot(pg_database: PgDatabase) -> None:
    """A REPEATABLE READ transaction that began with LOCK TABLE sees what was committed since."""
    with pg_database.connect() as writer, connect(parameters(pg_database)) as session:
        writer.execute("CREATE TABLE t (n integer)")
        writer.execute("CREATE TABLE other (n integer)")
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.run("LOCK TABLE ONLY public.other IN ACCESS SHARE MODE")
        writer.execute("INSERT INTO t VALUES (1)")
        assert session.value("SELECT count(*) FROM public.t") == 1
        writer.execute("INSERT INTO t VALUES (2)")
        assert session.value("SELECT count(*) FROM public.t") == 1


def test_a_table_dropped_while_waited_for_starts_over(pg_database: PgDatabase) -> None:
    """The second attempt sees the tables as they are then."""
    with pg_database.connect() as writer, pg_database.connect() as watcher:
        writer.execute("CREATE TABLE a AS SELECT 1 AS n")
        writer.execute("CREATE TABLE b AS SELECT 1 AS n")
        with ThreadPoolExecutor(1) as pool:
            with writer.transaction():
                writer.execute("DROP TABLE b")
                writer.execute("CREATE TABLE c AS SELECT 1 AS n")
                names: Future[list[str]] = pool.submit(_names, pg_database)
                assert until(lambda: _is_waiting(watcher))
            assert names.result(60) == ["public.a", "public.c"]


def _names(database: PgDatabase) -> list[str]:
    with opened(database) as snapshot:
        return row_streams(snapshot)


def test_a_table_created_while_waited_for_starts_over(pg_database: PgDatabase) -> None:
    """A table that no lock is held on is not left out."""
    with pg_database.connect() as writer, pg_database.connect() as watcher:
        writer.execute("CREATE TABLE a AS SELECT 1 AS n")
        with ThreadPoolExecutor(1) as pool:
            with writer.transaction():
                writer.execute("ALTER TABLE a ADD COLUMN m integer")
                writer.execute("CREATE TABLE b AS SELECT 1 AS n")
                names = pool.submit(_names, pg_database)
                assert until(lambda: _is_waiting(watcher))
            assert names.result(60) == ["public.a", "public.b"]


def test_a_lock_that_is_not_granted_ends_the_attempt(pg_database: PgDatabase) -> None:
    """A table that somebody keeps locked is an error after the bound, not a hang."""
    with pg_database.connect() as writer:
        writer.execute("CREATE TABLE t AS SELECT 1 AS n")
        with writer.transaction():
            writer.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Unreachable) as caught, opened(pg_database, lock_seconds=0.2):
                pass
    assert caught.value.code == "lock-timeout"
    assert caught.value.message == "locking tables: a lock was not granted in time (55P03)"


def test_locks_are_held_to_the_end(pg_database: PgDatabase) -> None:
    """While the snapshot is open nobody can rewrite or drop a table."""
    with pg_database.connect() as writer:
        writer.execute("CREATE TABLE t AS SELECT 1 AS n")
        with opened(pg_database) as snapshot:
            read_all(snapshot)
            writer.execute("SET lock_timeout = '100ms'")
            for statement in ("TRUNCATE t", "DROP TABLE t", "ALTER TABLE t ADD m integer"):
                with pytest.raises(Exception, match="lock timeout"):
                    writer.execute(statement)
            snapshot.confirm()
        writer.execute("DROP TABLE t")


def _truncate(database: PgDatabase) -> None:
    with database.connect() as connection:
        connection.execute("TRUNCATE t")


def _truncate_waits(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    ).fetchone()
    return row is not None and row[0] > 0


def test_who_has_joined_is_not_held_up_by_who_waits(pg_database: PgDatabase) -> None:
    """A TRUNCATE that waits stops neither reading nor counting; one who joins later gives up."""
    with pg_database.connect() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
        with opened(pg_database) as snapshot:
            reader = snapshot.recipe.open()
            truncating = pool.submit(_truncate, pg_database)
            assert until(lambda: _truncate_waits(connection))
            sink = CollectingSink()
            for plan in snapshot.streams():
                for unit in plan.units:
                    reader.read(unit, sink)
            reader.close()
            assert snapshot.facts(witness=True)["count"]["public.t"] == "10"
            snapshot.confirm()
            with pytest.raises(Unreachable) as caught:
                replace(snapshot.recipe, join_seconds=0.2).open()
        truncating.result(60)
    assert len(sink.rows("public.t")) == 10
    assert caught.value.code == "lock-timeout"
    assert caught.value.message == ("joining the snapshot: a lock was not granted in time (55P03)")


def test_what_a_snapshot_says_of_itself(pg_database: PgDatabase) -> None:
    """Identity, server and time are the server's own."""
    before = datetime.now(UTC)
    with opened(pg_database) as snapshot, pg_database.connect() as connection:
        row = connection.execute(
            "SELECT system_identifier::text, current_setting('server_version'), d.oid::text"
            " FROM pg_control_system(), pg_database AS d WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        assert snapshot.identity == f"{row[0]}/{row[2]}"
        assert snapshot.server == "PostgreSQL " + row[1].split(" ")[0]
        assert before <= snapshot.taken_at <= datetime.now(UTC)
        assert snapshot.taken_at.tzinfo is UTC
        assert snapshot.tables(b"") == {}


def test_an_empty_database_can_be_read(pg_database: PgDatabase) -> None:
    """No table at all: the schema and empty streams are there."""
    with opened(pg_database) as snapshot:
        sink = read_all(snapshot)
        counts = snapshot.facts(witness=True)["count"]
        snapshot.confirm()
    assert sink.ranges[SCHEMA][0].startswith(b"PGDMP")
    assert set(counts.values()) == {"0"}


def test_confirm_fails_when_the_transaction_is_gone(pg_database: PgDatabase) -> None:
    """A control connection that was terminated is noticed, whatever was read since."""
    with pg_database.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
        with opened(pg_database) as snapshot:
            read_all(snapshot)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'dbops' AND datname = current_database()"
            )
            with pytest.raises(Failed) as caught:
                snapshot.confirm()
    assert caught.value.code == "snapshot-lost"
    assert caught.value.message.startswith("the snapshot did not hold to the end: ")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2'", "functions"),
        ("DROP VIEW v", "types, views, rules"),
        ("CREATE OR REPLACE VIEW v AS SELECT 2 AS n", "views, rules"),
        ("ALTER TYPE colour ADD VALUE 'green'", None),
        ("CREATE FUNCTION g() RETURNS integer LANGUAGE sql AS 'SELECT 2'", None),
        ("CREATE TEMPORARY TABLE x (n serial CHECK (n > 0))", None),
        ("ANALYZE; VACUUM", None),
    ],
)
def test_a_definition_that_changed_is_noticed(
    pg_database: PgDatabase, change: str, kind: str | None
) -> None:
    """What was changed or dropped counts; what is new, temporary or only maintained does not."""
    with pg_database.connect() as connection:
        connection.execute("CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        connection.execute("CREATE VIEW v AS SELECT 1 AS n")
        connection.execute("CREATE TYPE colour AS ENUM ('red')")
        with connect(parameters(pg_database)) as session:
            before = definitions(session)
            for statement in change.split(";"):
                connection.execute(statement.encode())
            if kind is None:
                refuse_changed(session.parameters, before)
                return
            with pytest.raises(Failed) as caught:
                refuse_changed(session.parameters, before)
    assert caught.value.code == "schema-changed"
    assert caught.value.message == f"{kind} were changed or dropped while the schema was read"


@on_one_server
def test_sequences_are_never_behind_the_rows(pg_database: PgDatabase) -> None:
    """While rows are inserted all the time, each sequence is at or past the largest number."""
    with pg_database.connect() as connection:
        connection.execute("CREATE TABLE t (id serial PRIMARY KEY)")
        stop = threading.Event()

        def insert() -> None:
            with pg_database.connect() as writer:
                while not stop.is_set():
                    writer.execute("INSERT INTO t DEFAULT VALUES")

        with ThreadPoolExecutor(1) as pool:
            inserting = pool.submit(insert)
            try:
                for _ in range(8):
                    with opened(pg_database) as snapshot:
                        sink = read_all(snapshot, SEQUENCES, "public.t")
                    largest = max((int(row) for row in sink.rows("public.t")), default=0)
                    (row,) = sink.rows(SEQUENCES)
                    assert int(row.split(b"\t")[2]) >= largest
            finally:
                stop.set()
            inserting.result(30)


def test_missing_clients_are_refused(pg_database: PgDatabase) -> None:
    """Where no client program is installed, the error names what to install."""
    with pytest.raises(NotFound) as caught:
        with take_snapshot(parameters(pg_database), []):
            pass
    assert caught.value.code == "client-missing"


def test_old_clients_are_refused(pg15: PgServer, pg17: PgServer) -> None:
    """pg_dump 15 does not know what it would leave out of a server 17."""
    database = PgDatabase(pg17, "postgres")
    with pytest.raises(Failed) as caught:
        with take_snapshot(parameters(database), [pg15.installation]):
            pass
    assert caught.value.message == "pg_dump 15 is older than the server (17)"
    assert caught.value.hint == "install postgresql-client-17 or newer"
