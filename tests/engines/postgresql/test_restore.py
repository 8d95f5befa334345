"""Restoring: only where it fits, in full or by table, and visibly unfinished until it has ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from dbops.backup.contents import BackupContents
from dbops.backup.ports import RestoreOrder
from dbops.backup.prove import prove
from dbops.errors import DbopsError, Failed, NotFound, Refused
from tests.engines.postgresql.sealed import (
    address,
    back_up,
    engine_of,
    fresh_database,
    restore_until_told,
    scratch_directory,
)
from tests.fix_postgresql import PgDatabase, PgServer

BOUND_SECONDS = 30.0
WARD = """
    CREATE SCHEMA "Ward";
    CREATE TYPE "Ward".level AS ENUM ('low', 'high');
    CREATE TABLE "Ward".room (id serial PRIMARY KEY, level "Ward".level DEFAULT 'low');
    CREATE TABLE "Ward"."be.d" (id integer PRIMARY KEY, room integer REFERENCES "Ward".room);
    CREATE INDEX room_level ON "Ward".room (level);
    COMMENT ON TABLE "Ward".room IS 'rooms';
    CREATE TABLE public.visit (id integer, day date) PARTITION BY RANGE (day);
    CREATE TABLE public.visit_old PARTITION OF public.visit DEFAULT;
    INSERT INTO "Ward".room (level) VALUES ('low'), ('high'), ('low');
    INSERT INTO "Ward"."be.d" VALUES (1, 1), (2, 3);
    INSERT INTO public.visit VALUES (1, '2026-01-01')"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test opens, closed at its end."""
    with ExitStack() as opened:
        yield opened


def backup_of(stack: ExitStack, server: PgServer, statements: str, name: str) -> BackupContents:
    """The backup of a new database in which these statements were run."""
    database = stack.enter_context(fresh_database(server, name))
    with database.connect() as connection:
        connection.execute(statements.encode())
    directory = stack.enter_context(scratch_directory())
    return back_up(engine_of(server, name), directory).contents


def rows(database: PgDatabase, query: str) -> list[tuple[object, ...]]:
    """What the query gives."""
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def test_target_that_holds_anything_is_refused_by_name(pg15: PgServer, stack: ExitStack) -> None:
    """A restore writes into an empty database only, and says what is in the way."""
    contents = backup_of(stack, pg15, WARD, "restore_source")
    target = stack.enter_context(fresh_database(pg15, "restore_full"))
    with target.connect() as connection:
        connection.execute("CREATE TABLE kept (id integer)")
        connection.execute("CREATE VIEW seen AS SELECT 1")
    engine = engine_of(pg15, "restore_full")
    assert engine.obstacles() == ("1 table (public.kept)", "1 view (public.seen)")
    with pytest.raises(Refused) as refusal:
        engine.restore(contents, RestoreOrder())
    assert refusal.value.message == (
        f"database restore_full at 127.0.0.1:{pg15.port} is not empty: "
        "1 table (public.kept); 1 view (public.seen)"
    )
    assert rows(target, "SELECT count(*) FROM kept") == [(0,)]


def test_extensions_are_no_obstacle(pg15: PgServer, stack: ExitStack) -> None:
    """What an extension brought may be there: the backup's own would bring it too."""
    target = stack.enter_context(fresh_database(pg15, "restore_extended"))
    with target.connect() as connection:
        connection.execute("CREATE EXTENSION hstore")
    assert engine_of(pg15, "restore_extended").obstacles() == ()


def test_server_older_than_the_source_is_refused(
    pg15: PgServer, pg17: PgServer, stack: ExitStack
) -> None:
    """A newer server's definitions are not poured into an older one."""
    contents = backup_of(stack, pg17, WARD, "restore_source")
    stack.enter_context(fresh_database(pg15, "restore_old"))
    with pytest.raises(Refused) as refusal:
        engine_of(pg15, "restore_old").restore(contents, RestoreOrder())
    with pg15.connect("postgres") as connection:
        version = connection.info.parameter_status("server_version") or ""
    assert refusal.value.message == (
        f"database restore_old at 127.0.0.1:{pg15.port} is PostgreSQL {version.split(' ')[0]}, "
        f"the backup is of {contents.server}"
    )
    assert refusal.value.hint == "restore into PostgreSQL 17 or newer"


def test_missing_roles_are_all_named_before_anything_is_made(
    pg15: PgServer, pg17: PgServer, stack: ExitStack
) -> None:
    """Owners and grantees must exist; a target without them stays as it was."""
    statements = (
        "CREATE ROLE only_fifteen; CREATE ROLE also_fifteen; CREATE TABLE t (id integer);"
        "ALTER TABLE t OWNER TO only_fifteen; GRANT SELECT ON t TO also_fifteen"
    )
    contents = backup_of(stack, pg15, statements, "restore_roles")
    with pg15.connect("restore_roles") as connection:
        connection.execute("DROP OWNED BY only_fifteen, also_fifteen")
        connection.execute("DROP ROLE only_fifteen, also_fifteen")
    stack.enter_context(fresh_database(pg17, "restore_roles_target"))
    engine = engine_of(pg17, "restore_roles_target")
    with pytest.raises(Refused) as refusal:
        engine.restore(contents, RestoreOrder())
    assert refusal.value.message == ("the target server lacks 2 roles: also_fifteen, only_fifteen")
    assert engine.obstacles() == ()


def test_target_in_another_encoding_is_refused(pg15: PgServer, stack: ExitStack) -> None:
    """A conversion could fail or lose, so the encodings must be the same."""
    contents = backup_of(stack, pg15, WARD, "restore_source")
    pg15.create_database("restore_latin", encoding="LATIN1")
    stack.callback(pg15.drop_database, "restore_latin")
    with pytest.raises(Refused) as refusal:
        engine_of(pg15, "restore_latin").restore(contents, RestoreOrder())
    assert refusal.value.message == (
        f"database restore_latin at 127.0.0.1:{pg15.port} has encoding LATIN1, the backup UTF8"
    )
    assert refusal.value.hint == "createdb -T template0 -E UTF8 --locale=C restore_latin"


def test_role_without_the_right_is_refused(pg15: PgServer, stack: ExitStack) -> None:
    """Owners and grants want a superuser; without one the restore does not begin."""
    contents = backup_of(stack, pg15, WARD, "restore_source")
    stack.enter_context(fresh_database(pg15, "restore_plain"))
    with pg15.connect("postgres") as connection:
        connection.execute("CREATE ROLE plain_restorer LOGIN PASSWORD 'plain'")
    stack.callback(_drop_role, pg15, "plain_restorer")
    engine = replace(
        engine_of(pg15, "restore_plain"),
        address=address(pg15, "restore_plain", "plain_restorer"),
        password=lambda: "plain",
    )
    with pytest.raises(Refused) as refusal:
        engine.restore(contents, RestoreOrder())
    assert refusal.value.code == "target-needs-superuser"


def _drop_role(server: PgServer, name: str) -> None:
    with server.connect("postgres") as connection:
        connection.execute(f"DROP ROLE {name}".encode())


def test_named_tables_come_back_with_all_that_is_theirs(
    pg_server: PgServer, stack: ExitStack
) -> None:
    """Into an empty database tables bring types, sequences, indexes, comments; no others come."""
    contents = backup_of(stack, pg_server, WARD, "restore_source")
    target = stack.enter_context(fresh_database(pg_server, "restore_tables"))
    engine = engine_of(pg_server, "restore_tables")
    engine.restore(contents, RestoreOrder(tables=("Ward.room", "visit")))
    assert rows(target, 'SELECT id, level::text FROM "Ward".room ORDER BY id') == [
        (1, "low"),
        (2, "high"),
        (3, "low"),
    ]
    assert rows(target, 'INSERT INTO "Ward".room DEFAULT VALUES RETURNING id, level::text') == [
        (4, "low")
    ]
    assert rows(target, "SELECT tableoid::regclass::text, id FROM visit") == [("visit_old", 1)]
    assert rows(target, "SELECT obj_description('\"Ward\".room'::regclass)") == [("rooms",)]
    assert rows(target, 'SELECT to_regclass(\'"Ward"."be.d"\')') == [(None,)]
    assert rows(target, "SELECT count(*) FROM pg_indexes WHERE indexname = 'room_level'") == [(1,)]


def test_lost_table_comes_back_into_its_database(pg15: PgServer, stack: ExitStack) -> None:
    """A dropped table is restored beside the others; its foreign keys are named as left out."""
    contents = backup_of(stack, pg15, WARD, "restore_source")
    source = PgDatabase(pg15, "restore_source")
    with source.connect() as connection:
        connection.execute('DROP TABLE "Ward"."be.d"')
        connection.execute("ALTER DATABASE restore_source CONNECTION LIMIT 9")
    engine = engine_of(pg15, "restore_source")
    order = RestoreOrder(tables=('"Ward"."be.d"',))
    assert engine.left_out(contents, order) == ("fk constraint Ward.be.d be.d_room_fkey",)
    engine.restore(contents, order)
    assert rows(source, 'SELECT * FROM "Ward"."be.d" ORDER BY 1') == [(1, 1), (2, 3)]
    assert rows(
        source, "SELECT datconnlimit FROM pg_database WHERE datname = current_database()"
    ) == [(9,)]
    assert not any("unfinished" in each for each in engine.obstacles())


def test_table_that_exists_is_not_touched(pg15: PgServer, stack: ExitStack) -> None:
    """A table in the target is never written over."""
    contents = backup_of(stack, pg15, WARD, "restore_source")
    with pytest.raises(Refused) as refusal:
        engine_of(pg15, "restore_source").restore(contents, RestoreOrder(tables=("Ward.room",)))
    assert refusal.value.message == '1 of the tables exist in the target: "Ward"."room"'


def test_table_that_the_backup_lacks_is_not_found(pg15: PgServer, stack: ExitStack) -> None:
    """A wrong name fails before anything is made."""
    contents = backup_of(stack, pg15, WARD, "restore_source")
    stack.enter_context(fresh_database(pg15, "restore_lacking"))
    engine = engine_of(pg15, "restore_lacking")
    with pytest.raises(NotFound) as failure:
        engine.restore(contents, RestoreOrder(tables=("ward.room",)))
    assert failure.value.message == "the backup has no table ward.room"
    assert engine.obstacles() == ()


def test_rows_that_break_a_key_fail_without_a_value(pg15: PgServer, stack: ExitStack) -> None:
    """The error names the constraint, and no value of the rows; the mark stays."""
    statements = """
        CREATE TABLE parent (name text PRIMARY KEY);
        CREATE TABLE child (name text REFERENCES parent);
        ALTER TABLE child DISABLE TRIGGER ALL;
        INSERT INTO child VALUES ('Maria Secret')"""
    contents = backup_of(stack, pg15, statements, "restore_broken")
    stack.enter_context(fresh_database(pg15, "restore_canary"))
    engine = engine_of(pg15, "restore_canary")
    for jobs in (1, 2):
        with pytest.raises(Failed) as failure:
            engine.restore(contents, RestoreOrder(jobs=jobs))
        assert failure.value.message == (
            "restoring post-data: fk constraint public.child child_name_fkey was refused by the "
            "server: its rows do not allow it"
        )
        assert engine.obstacles()[0] == "an unfinished restore of his@1"
        engine.clear()
        assert engine.obstacles() == ()


def test_check_that_reads_another_table_is_loaded_after_it(
    pg15: PgServer, stack: ExitStack
) -> None:
    """Tables whose checks look at other tables are tried again until those are in."""
    statements = """
        CREATE FUNCTION listed(text) RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN RETURN EXISTS (SELECT FROM public.zone WHERE name = $1); END';
        CREATE TABLE zone (name text);
        INSERT INTO zone SELECT 'z' || n FROM generate_series(1, 9) AS n;
        CREATE TABLE a_bed (zone text CHECK (public.listed(zone)));
        INSERT INTO a_bed VALUES ('z1'), ('z9')"""
    contents = backup_of(stack, pg15, statements, "restore_checks")
    target = stack.enter_context(fresh_database(pg15, "restore_checked"))
    engine_of(pg15, "restore_checked").restore(contents, RestoreOrder())
    assert rows(target, "SELECT count(*) FROM a_bed") == [(2,)]


def test_check_that_no_order_satisfies_fails_by_name(pg15: PgServer, stack: ExitStack) -> None:
    """Rows that the table's own check refuses fail in the end, without a value."""
    statements = """
        CREATE FUNCTION allowed(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
        CREATE TABLE bed (name text CONSTRAINT fits CHECK (allowed(name)));
        INSERT INTO bed VALUES ('Maria Secret');
        CREATE OR REPLACE FUNCTION allowed(text) RETURNS boolean LANGUAGE sql AS 'SELECT false'"""
    contents = backup_of(stack, pg15, statements, "restore_unfit")
    stack.enter_context(fresh_database(pg15, "restore_refusing"))
    with pytest.raises(DbopsError) as failure:
        engine_of(pg15, "restore_refusing").restore(contents, RestoreOrder(jobs=2))
    assert "public.bed" in failure.value.message
    assert "fits" in failure.value.message
    assert "23514" in failure.value.message
    assert "Secret" not in failure.value.message + failure.value.hint


def test_view_that_cannot_be_filled_is_named_at_the_end(pg15: PgServer, stack: ExitStack) -> None:
    """All else is restored and open for use; the view is left empty, and the restore failed."""
    statements = """
        CREATE FUNCTION shown() RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE MATERIALIZED VIEW board AS SELECT shown() AS n;
        CREATE TABLE bed (id integer);
        CREATE OR REPLACE FUNCTION shown() RETURNS integer LANGUAGE sql AS 'SELECT 1 / 0'"""
    contents = backup_of(stack, pg15, statements, "restore_views")
    target = stack.enter_context(fresh_database(pg15, "restore_filled"))
    engine = engine_of(pg15, "restore_filled")
    with pytest.raises(Failed) as failure:
        engine.restore(contents, RestoreOrder())
    assert failure.value.message == (
        '1 materialized view could not be filled: "public"."board"; everything else is restored'
    )
    assert not any("unfinished" in each for each in engine.obstacles())
    assert rows(target, "SELECT count(*) FROM bed") == [(0,)]


def test_pages_of_large_objects_come_back_as_they_were(
    pg_server: PgServer, stack: ExitStack
) -> None:
    """Holes, cut pages and pages without bytes are the same after a restore."""
    statements = """
        SELECT lo_from_bytea(7001, decode(repeat('ab', 4096), 'hex'));
        SELECT lo_truncate(lo_open(7001, 393216), 2048);
        SELECT lo_from_bytea(7002, decode(repeat('cd', 6000), 'hex'));
        SELECT lo_truncate(lo_open(7002, 393216), 2048);
        SELECT lo_put(7002, 9000, 'x');
        SELECT lo_create(7003);
        SELECT lo_put(7004, 0, 'abc') FROM lo_create(7004);
        SELECT lo_put(7004, 5000, 'def')"""
    contents = backup_of(stack, pg_server, statements, "restore_objects")
    target = stack.enter_context(fresh_database(pg_server, "restore_pages"))
    engine_of(pg_server, "restore_pages").restore(contents, RestoreOrder())
    query = "SELECT loid, pageno, data FROM pg_largeobject ORDER BY 1, 2"
    pages = rows(target, query)
    assert pages == rows(PgDatabase(pg_server, "restore_objects"), query)
    assert (7001, 1, b"") in pages
    assert rows(target, "SELECT oid FROM pg_largeobject_metadata ORDER BY 1") == [
        (7001,),
        (7002,),
        (7003,),
        (7004,),
    ]


def test_clearing_keeps_what_the_database_is(pg15: PgServer, stack: ExitStack) -> None:
    """A cleared database is empty and has its encoding, locale and owner."""
    pg15.create_database("restore_clear", encoding="EUC_CN")
    stack.callback(pg15.drop_database, "restore_clear")
    with pg15.connect("restore_clear") as connection:
        connection.execute("CREATE TABLE t (id integer)")
        connection.execute("SELECT lo_create(0)")
    engine = engine_of(pg15, "restore_clear")
    engine.clear()
    assert engine.obstacles() == ()
    assert rows(
        PgDatabase(pg15, "restore_clear"),
        "SELECT pg_encoding_to_char(encoding)::text, datcollate::text FROM pg_database"
        " WHERE datname = current_database()",
    ) == [("EUC_CN", "C")]


def test_clearing_throws_nobody_out(pg15: PgServer, stack: ExitStack) -> None:
    """Where a session is connected the database is not cleared: it may be in use."""
    database = stack.enter_context(fresh_database(pg15, "restore_used"))
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (id integer)")
        with pytest.raises(DbopsError) as failure:
            engine_of(pg15, "restore_used").clear()
        assert failure.value.code == "object-in-use"
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_killed_restore_leaves_a_target_that_says_so(
    pg_server: PgServer, stack: ExitStack, tmp_path: Path
) -> None:
    """After SIGKILL half-way no application can log in, and the obstacles name the backup."""
    contents = backup_of(stack, pg_server, WARD, "restore_source")
    stack.enter_context(fresh_database(pg_server, "restore_killed"))
    said = tmp_path / "said"
    process = multiprocessing.get_context("spawn").Process(
        target=restore_until_told, args=(pg_server, "restore_killed", contents, said)
    )
    process.start()
    end = time.monotonic() + BOUND_SECONDS
    while not said.exists() and time.monotonic() < end and process.is_alive():
        time.sleep(0.01)
    assert said.exists()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    engine = engine_of(pg_server, "restore_killed")
    assert engine.obstacles()[0] == "an unfinished restore of his@1"
    with pg_server.connect("postgres") as connection:
        connection.execute("CREATE ROLE restore_app LOGIN")
    stack.callback(_drop_role, pg_server, "restore_app")
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        pg_server.connect("restore_killed", user="restore_app")
    _wait_until_unused(pg_server, "restore_killed")
    engine.clear()
    engine.restore(contents, RestoreOrder())
    assert prove(replace(engine, reference=None), contents, lambda _: None) == (
        "the schema was not compared: no scratch server to load the source's into",
    )
    pg_server.connect("restore_killed", user="restore_app").close()


def _wait_until_unused(server: PgServer, name: str) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    end = time.monotonic() + BOUND_SECONDS
    with server.connect("postgres") as connection:
        while connection.execute(query, [name]).fetchone() != (0,):
            assert time.monotonic() < end
            time.sleep(0.01)
