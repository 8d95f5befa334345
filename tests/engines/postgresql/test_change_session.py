"""PostgreSQL's own part of a change's session: settings, roles, errors, questions, copies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dbops.change.ports import LockTimeout
from dbops.engines.postgresql.change import PostgresqlChangeEngine, change_engine_of_copy
from dbops.engines.postgresql.change_opening import Clock
from dbops.engines.postgresql.change_session import PostgresqlChangeSession
from dbops.engines.postgresql.engine import PostgresqlEngine, address_of
from dbops.errors import DbopsError, Failed, Refused, Unreachable
from tests.engines.change_suite_site import (
    CANARY,
    add_phone,
    begun,
    entry,
    hospital,
    journal_of,
    order,
    reading,
    step,
)
from tests.engines.postgresql.change_database import PgChangeSite, change_site
from tests.engines.postgresql.repair_database import parameters_of
from tests.fix_postgresql import PgServer


@pytest.fixture
def site(pg_change_hospital: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    return pg_change_hospital


@contextmanager
def altered(site: PgChangeSite, setting: str) -> Iterator[None]:
    """The database brings a setting along for a while."""
    change = f"ALTER DATABASE {site.database.name}"
    with site.database.server.connect("postgres") as connection:
        connection.execute(f"{change} SET {setting}".encode())
        try:
            yield
        finally:
            connection.execute(f"{change} RESET {setting.partition(' ')[0]}".encode())


def test_settings_of_the_database_change_nothing(site: PgChangeSite) -> None:
    """What it brings along decides neither about names, nor waits, nor writing."""
    wait = "SELECT (SELECT setting::integer FROM pg_settings WHERE name = 'lock_timeout')"
    pinned = (
        " AND current_setting('search_path') = '' AND current_setting('statement_timeout') = '20s'"
        " AND current_setting('synchronous_commit') = 'on'"
        " AND current_setting('transaction_read_only') = 'on'"
    )
    shown, later = step(f"{wait} = 200{pinned}"), step(f"{wait} BETWEEN 100 AND 199{pinned}")
    with (
        altered(site, "search_path = his, public"),
        altered(site, "lock_timeout = 0"),
        altered(site, "synchronous_commit = off"),
        altered(site, "default_transaction_read_only = on"),
    ):
        with begun(site) as session:
            assert session.verify(shown)
            session.run(add_phone(site))
            hostile = "SELECT set_config('search_path', 'his', false), set_config('lock_timeout',"
            hostile += " '0', false), set_config('client_encoding', 'LATIN1', false)"
            session.run(step(hostile, 2))
            assert session.verify(later)
            session.commit()
            assert session.verify(shown)
            session.begin()
            assert session.verify(shown)


def test_names_without_schema_fail(site: PgChangeSite) -> None:
    """They would mean another thing on another server; the error says where they stand."""
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(step("CREATE VIEW his.v AS\n  SELECT code\n  FROM ward", 2, line=4))
    assert caught.value.message == (
        "step 2 at line 4, in line 6: an object that it names is not there (42P01)"
    )
    assert caught.value.hint == (
        "write names with their schema: steps run with an empty search path"
    )
    with begun(site) as session, pytest.raises(Failed):
        session.run(step("CREATE TABLE later (id integer)"))


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        (
            "CREATE TABLE lab.room (code text)",
            "a schema that it names is not there (3F000)",
            "correct its name, or create it first",
        ),
        (
            "ALTER TABLE his.ward DROP COLUMN gone",
            "a column that it names is not there (42703)",
            "correct the script, and rehearse again",
        ),
    ],
)
def test_what_is_not_there_is_called_what_it_is(
    site: PgChangeSite, sql: str, message: str, hint: str
) -> None:
    """A schema in front helps nobody where it is the schema, or a column, that is missing."""
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(step(sql))
    assert (caught.value.message, caught.value.hint) == (f"step 1 at line 1: {message}", hint)


def test_temporary_names_hide_nothing(site: PgChangeSite) -> None:
    """What dbops asks the catalogue goes past a script's temporary tables and their types."""
    with begun(site) as session:
        names = ("text", "pg_locks", "pg_class", "pg_index", "dbops_change")
        for number, name in enumerate(names, 1):
            session.run(step(f"CREATE TEMPORARY TABLE {name} (x integer)", number))
        effect = session.run(add_phone(site))
        assert [lock.object for lock in effect.locks] == ["his.ward"]
        session.note([entry(1)])
        assert len(session.journal()) == 1
        assert session.settle() == ()
        assert (
            session.sizes().keys()
            == session.counts().keys()
            == {
                site.table("ward"),
                site.table("visit"),
            }
        )
        assert site.column("ward", "phone") in session.schema().objects
        session.commit()
        assert len(session.journal()) == 1


def test_bodies_of_functions(site: PgChangeSite) -> None:
    """A body without schemas is refused, unless the script says that bodies are not to be read."""
    body = "CREATE FUNCTION his.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM ward'"
    with begun(site) as session, pytest.raises(Failed):
        session.run(step(body))
    with begun(site) as session:
        session.run(step("SET LOCAL check_function_bodies = off"))
        session.run(step(body, 2))


def test_a_name_that_was_put_together_is_not_told(site: PgChangeSite) -> None:
    """A block can name what it makes after a row: an error then says no name at all."""
    site.run(f"INSERT INTO his.ward VALUES ('NEW', '{CANARY}')")
    block = (
        "DO $$ BEGIN EXECUTE format('ALTER TABLE his.ward ADD CONSTRAINT %I CHECK (code = name)',"
        " (SELECT name FROM his.ward WHERE code = 'NEW')); END $$"
    )
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(step(block))
    assert caught.value.message == "step 1 at line 1: a constraint refuses a row (23514)"
    written = "DO $$ BEGIN INSERT INTO his.ward VALUES ('NEW', 'x'); END $$"
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(step(written))
    assert caught.value.message == (
        "step 1 at line 1 (his.ward, ward_pkey): a constraint refuses a row (23505)"
    )


def test_triggers_fire(site: PgChangeSite) -> None:
    """Where the database keeps them from firing no change runs, and no step switches them off."""
    with altered(site, "session_replication_role = replica"):
        with pytest.raises(Refused) as caught, begun(site):
            pass
    assert caught.value.code == "session-changed"
    for off in ("SET LOCAL session_replication_role = replica", "SET LOCAL ROLE pg_monitor"):
        with begun(site) as session, pytest.raises(Refused) as caught:
            session.run(step(off))
        assert caught.value.message == (
            "step 1 at line 1: it left another role, or other rules for triggers, behind"
        )


def test_the_lock_stays(site: PgChangeSite) -> None:
    """A step that lets go of the lock for the work is refused, and what it did is undone."""
    with site.engine.session(order()) as session:
        session.hold_work()
        session.begin()
        with pytest.raises(Refused) as caught:
            session.run(step("SELECT pg_advisory_unlock_all()"))
    assert caught.value.message == (
        "step 1 at line 1: it let go of the lock that keeps other changes out"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "DO $$ BEGIN COMMIT; END $$",
        "DO $$ BEGIN ROLLBACK; END $$",
        "CALL his.ends()",
        "CALL his.nests()",
    ],
)
def test_code_cannot_end_the_transaction(site: PgChangeSite, sql: str) -> None:
    """What a block or a procedure does to the transaction is refused by the server."""
    site.run(
        "CREATE PROCEDURE his.ends() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
        "CREATE PROCEDURE his.nests() LANGUAGE plpgsql AS $$ BEGIN CALL his.ends(); END $$",
    )
    with begun(site) as session:
        session.run(add_phone(site))
        with pytest.raises(Refused) as caught:
            session.run(step(sql, 2))
    assert caught.value.code == "transaction-control"
    assert caught.value.message.endswith("(2D000)")
    with reading(site) as session:
        assert site.column("ward", "phone") not in session.schema().objects


def said(site: PgChangeSite, sql: str) -> str:
    """What is said of a step that fails."""
    with begun(site) as session, pytest.raises(DbopsError) as caught:
        session.run(step(sql))
    assert CANARY not in f"{caught.value!r} {caught.value.hint} {caught.value.__cause__}"
    assert caught.value.__suppress_context__
    return caught.value.message


def test_errors_are_codes_and_names(site: PgChangeSite) -> None:
    """What the server says of rows, keys and values, and what code raises, is not repeated."""
    site.run(f"INSERT INTO his.ward VALUES ('{CANARY}', 'x'), ('{CANARY}2', 'x')")
    site.run("CREATE VIEW his.v AS SELECT name FROM his.ward")
    raised = f"RAISE EXCEPTION '{CANARY}' USING TABLE = '{CANARY}', DETAIL = '{CANARY}'"
    where = "step 1 at line 1"
    assert {
        "unique": said(site, "ALTER TABLE his.ward ADD CONSTRAINT one UNIQUE (name)"),
        "check": said(site, f"ALTER TABLE his.ward ADD CONSTRAINT c CHECK (code <> '{CANARY}')"),
        "null": said(site, f"INSERT INTO his.ward VALUES (NULL, '{CANARY}')"),
        "cast": said(site, "UPDATE his.ward SET name = code::integer"),
        "literal": said(site, f"SELECT '{CANARY}'::date"),
        "raised": said(site, f"DO $$ BEGIN {raised}; END $$"),
        "depends": said(site, "ALTER TABLE his.ward DROP COLUMN name"),
        "syntax": said(site, f"ALTER TABLE his.ward '{CANARY}'"),
        "there": said(site, "CREATE TABLE his.ward ()"),
    } == {
        "unique": f"{where} (his.ward, one): a constraint refuses a row (23505)",
        "check": f"{where} (his.ward, c): a constraint refuses a row (23514)",
        "null": f"{where} (his.ward, code): a constraint refuses a row (23502)",
        "cast": f"{where}: a value does not fit (22P02)",
        "literal": f"{where}: a value does not fit (22007)",
        "raised": f"{where}: a function or block raised an error (P0001)",
        "depends": f"{where}: other objects depend on what it drops (2BP01)",
        "syntax": f"{where}: the server cannot read the statement (42601)",
        "there": f"{where}: the server does not take the statement (42P07)",
    }


def test_a_constraint_that_fails_at_commit(site: PgChangeSite) -> None:
    """It is the server's answer: nothing was committed, and that is known."""
    with begun(site) as session:
        session.run(add_phone(site))
        session.run(step(f"INSERT INTO his.visit VALUES (9, '{CANARY}')", 2))
        with pytest.raises(Failed) as caught:
            session.commit()
    assert caught.value.message == (
        "committing c-1 (his.visit, visit_ward_fkey): a constraint refuses a row (23503)"
    )
    with reading(site) as session:
        assert site.column("ward", "phone") not in session.schema().objects


@pytest.mark.parametrize(
    "query",
    [
        "SELECT his.writes()",
        "WITH gone AS (DELETE FROM his.visit RETURNING 1) SELECT count(*) > 0 FROM gone",
        "SELECT nextval('his.numbers') > 0",
        "SELECT set_config('transaction_read_only', 'off', true) = 'off'",
    ],
)
def test_questions_cannot_write(site: PgChangeSite, query: str) -> None:
    """Nor through a function, nor a sequence, nor by taking the bound away first."""
    site.run(
        "CREATE SEQUENCE his.numbers",
        "CREATE FUNCTION his.writes() RETURNS boolean LANGUAGE sql AS"
        " 'DELETE FROM his.visit; SELECT true'",
    )
    with begun(site) as session:
        session.run(add_phone(site))
        with pytest.raises(Failed) as caught:
            session.verify(step(query, line=5))
        assert caught.value.message.startswith("the question at line 5")
        session.run(step("UPDATE his.ward SET phone = 'x'", 2))
        session.commit()
    assert site.rows("SELECT count(*) FROM his.visit") == [(3,)]
    assert site.rows("SELECT is_called FROM his.numbers") == [(False,)]


def test_indexes_that_were_invalid_before(site: PgChangeSite) -> None:
    """They are not this change's doing."""
    site.run("CREATE INDEX old ON his.visit (ward)")
    site.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'his.old'::regclass")
    with begun(site) as session:
        session.run(step("CREATE INDEX new ON his.visit (ward)"))
        assert session.settle() == ()
        session.run(
            step("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'his.new'::regclass")
        )
        (said,) = session.settle()
    assert said.startswith("index his.new is not valid")


def test_an_administrator_without_superpowers(site: PgChangeSite) -> None:
    """Whoever owns the schema and may create in the database changes it, journal included."""
    name, server = f"owner_{site.database.name}", site.database.server
    site.run(
        f"CREATE ROLE {name} LOGIN",
        f"GRANT CREATE ON DATABASE {site.database.name} TO {name}",
        f"ALTER SCHEMA his OWNER TO {name}",
        f"ALTER TABLE his.ward OWNER TO {name}",
        f"ALTER TABLE his.visit OWNER TO {name}",
    )
    engine = PostgresqlChangeEngine(lambda: parameters_of(server, site.database.name, name))
    try:
        with engine.session(order(identity=engine.identity())) as session:
            session.hold_work()
            session.begin()
            session.run(add_phone(site))
            session.note([entry(1)])
            assert session.settle() == ()
            session.commit()
            assert session.counts()[site.table("ward")] == 2
            with pytest.raises(Failed) as caught:
                session.run_alone(step("REINDEX SYSTEM CONCURRENTLY " + site.database.name))
        assert caught.value.code == "change-step"
    finally:
        site.run(f"REASSIGN OWNED BY {name} TO {server.superuser}", f"DROP OWNED BY {name}")
        site.run(f"DROP ROLE {name}")
    assert [one.step for one in journal_of(site)] == [1]


def test_a_copy_is_changed_by_the_role_that_changes_its_source(site: PgChangeSite) -> None:
    """The engine of a restored copy is the engine of that database."""
    parameters = site.engine.admin()
    copy = PostgresqlEngine(address_of(parameters, parameters.dbname), lambda: None)
    engine = change_engine_of_copy(copy, parameters.user)
    assert engine.identity() == site.engine.identity() == copy.identity()
    with engine.session(order()) as session:
        session.begin()
        session.run(add_phone(site))
        session.commit()
    with reading(site) as session:
        assert site.column("ward", "phone") in session.schema().objects


def test_reading_the_schema_waits_no_longer(site: PgChangeSite) -> None:
    """Somebody's lock that the reading needs is one that was not to be had in time."""
    site.run("CREATE VIEW his.v AS SELECT name FROM his.ward")
    with reading(site) as session:
        with site.connect() as other, other.transaction():
            other.execute("LOCK TABLE his.v, his.ward IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(LockTimeout) as caught:
                session.schema()
        assert caught.value.code == "lock-timeout"
        assert site.table("ward") in session.schema().objects


def test_a_database_of_another_encoding(pg15: PgServer) -> None:
    """Steps and journal are in the server's own characters; others are refused before the step."""
    with change_site(pg15, encoding="EUC_CN") as site:
        site.reset()
        hospital(site)
        named = entry(1, name="病房")
        with begun(site) as session:
            session.run(step("COMMENT ON TABLE his.ward IS '病房'"))
            session.note([named])
            with pytest.raises(Refused) as caught:
                session.run(step("COMMENT ON TABLE his.ward IS '😀'", 2))
            assert caught.value.message == (
                "step 2 at line 1: a text has characters that EUC_CN does not have"
            )
            assert session.verify(step("SELECT obj_description('his.ward'::regclass) = '病房'"))
            session.commit()
        assert [one.name for one in journal_of(site)] == ["病房"]


def test_a_connection_that_is_lost_around_a_step(site: PgChangeSite) -> None:
    """Whenever the clock is asked, before and behind it: no script has ended its transaction."""
    moments = 0
    while _lost_at(site, moments):
        moments += 1
    assert moments > 1, "the clock is not asked on both sides of a step"


def _lost_at(site: PgChangeSite, moment: int) -> bool:
    """Whether the connection was lost there, as libpq notices it, and that was said."""
    left: list[int] = []
    found: list[PostgresqlChangeSession] = []

    def cut() -> float:
        if found and not left:
            found[0]._session.connection.pgconn.finish()
        del left[:1]
        return 0.0

    engine = replace(site.engine, clock=Clock(monotonic=cut))
    with engine.session(order()) as session:
        session.begin()
        left += [0] * moment
        found.append(session)
        try:
            session.run(add_phone(site))
        except Unreachable:
            pass
        else:
            return False
        for attempt in (session.begin, session.hold_work):
            with pytest.raises(Unreachable):
                attempt()
    return True
