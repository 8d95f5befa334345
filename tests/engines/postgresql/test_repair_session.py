"""PostgreSQL's own part of a repair's transaction: roles, settings, conflicts, lost connections."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from dbops.errors import DbopsError, Failed, Refused, TryAgain, Unreachable
from dbops.repair.parameter import Argument, ParameterType
from dbops.repair.ports import Binding, CommitUnknown, RepairSession
from tests.engines.postgresql.processes import until
from tests.engines.postgresql.repair_database import PgSite
from tests.engines.repair_site import (
    ALL,
    CANARY,
    NOTHING,
    begun,
    bound,
    marker,
    order,
    read,
    rows_of,
    sql,
)

pytestmark = pytest.mark.usefixtures("hospital_tables")


@contextmanager
def altered(site: PgSite, change: str, back: str) -> Iterator[None]:
    """The role or database is another for a while."""
    role, name = site.engine.repair_role, site.database.name
    site.run(change.format(role=role, database=name))
    try:
        yield
    finally:
        site.run(back.format(role=role, database=name))


@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        ("ALTER ROLE {role} SUPERUSER", "ALTER ROLE {role} NOSUPERUSER", "is a superuser"),
        ("ALTER ROLE {role} BYPASSRLS", "ALTER ROLE {role} NOBYPASSRLS", "passes row security by"),
        ("ALTER ROLE {role} REPLICATION", "ALTER ROLE {role} NOREPLICATION", "may replicate"),
        ("ALTER ROLE {role} CREATEROLE", "ALTER ROLE {role} NOCREATEROLE", "makes roles"),
        (
            "GRANT pg_write_all_data TO {role}",
            "REVOKE pg_write_all_data FROM {role}",
            "pg_write_all_data",
        ),
        (
            "GRANT SET ON PARAMETER track_counts TO {role}",
            "REVOKE SET ON PARAMETER track_counts FROM {role}",
            "may set track_counts",
        ),
    ],
)
def test_strong_roles_are_refused(site: PgSite, change: str, back: str, said: str) -> None:
    """A role that could pass the counters by does not repair."""
    with altered(site, change, back), pytest.raises(Refused) as caught, begun(site):
        pass
    assert caught.value.code == "role-too-strong"
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("change", "code"),
    [("track_counts = off", "counters-off"), ("session_replication_role = replica", "session")],
)
def test_settings_that_would_blind_are_refused(site: PgSite, change: str, code: str) -> None:
    """Counters that do not count and triggers that do not fire stop the repair."""
    name = change.split(" ", maxsplit=1)[0]
    back = f"ALTER DATABASE {{database}} RESET {name}"
    with (
        altered(site, f"ALTER DATABASE {{database}} SET {change}", back),
        pytest.raises(Refused) as caught,
        begun(site),
    ):
        pass
    assert caught.value.code.startswith(code)


def test_hostile_settings_change_nothing(site: PgSite) -> None:
    """What role or database bring along, and what a script sets, changes no image and no wait."""
    site.run(
        "CREATE TABLE t (id integer PRIMARY KEY, at timestamptz, d interval, f float8)",
        "INSERT INTO t VALUES (1, '2026-11-20 08:00+08', '1 day 2 hours', 0.1)",
    )
    site.prepare("t")
    wanted = [(b"1", b"2026-11-20 00:00:00+00", b"1 day 02:00:00", b"0.1")]
    hostile = "SELECT set_config('timezone', 'Asia/Tokyo', false), set_config('lock_timeout', '0',"
    hostile += " true), set_config('extra_float_digits', '-9', true), set_config('intervalstyle',"
    hostile += " 'iso_8601', true), set_config('synchronous_commit', 'off', true),"
    hostile += " set_config('search_path', '', false)"
    show = sql("SELECT current_setting('lock_timeout') || current_setting('synchronous_commit')")
    with altered(
        site,
        "ALTER ROLE {role} SET datestyle = 'German';"
        " ALTER ROLE {role} SET synchronous_commit = off",
        "ALTER ROLE {role} RESET ALL",
    ):
        with begun(site) as session:
            shape = session.shape(site.table("t"))
            assert rows_of(read(session, shape)) == wanted
            session.run(sql(hostile), NOTHING)
            session.run(sql("UPDATE visit SET note = 'x' WHERE id = 1"), NOTHING)
            session.settle()
            assert rows_of(read(session, shape)) == wanted
            assert session.check(show, NOTHING) == b"200mson"


@pytest.mark.parametrize(
    ("name", "value"), [("client_encoding", "LATIN1"), ("standard_conforming_strings", "off")]
)
def test_statements_are_read_as_they_were_reviewed(site: PgSite, name: str, value: str) -> None:
    """A script that changes how the server reads its next statement goes no further."""
    with begun(site) as session, pytest.raises(Refused) as caught:
        session.run(sql(f"SELECT set_config('{name}', '{value}', true)"), NOTHING)
    assert caught.value.code == "session-changed"


def test_another_role_is_noticed(site: PgSite) -> None:
    """A script that leaves another role behind is refused when the session settles."""
    site.run("DROP ROLE IF EXISTS repair_other", "CREATE ROLE repair_other")
    site.run(f"GRANT repair_other TO {site.engine.repair_role}")
    try:
        with begun(site) as session:
            session.run(sql("DO $$ BEGIN SET ROLE repair_other; END $$"), NOTHING)
            with pytest.raises(Refused) as caught:
                session.settle()
    finally:
        site.run("DROP ROLE repair_other")
    assert caught.value.code == "session-changed"


@pytest.mark.parametrize(
    "text", ["CALL ends()", "DO $$ BEGIN COMMIT; END $$", "DO $$ BEGIN ROLLBACK; END $$"]
)
def test_procedures_cannot_end_the_transaction(site: PgSite, text: str) -> None:
    """COMMIT inside a procedure or block is refused by the server, and said so."""
    site.run("CREATE PROCEDURE ends() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$")
    with begun(site) as session:
        session.run(sql("DELETE FROM bill"), NOTHING)
        with pytest.raises(Refused) as caught:
            session.run(sql(text), NOTHING)
    assert caught.value.code == "transaction-control"
    assert site.rows("SELECT count(*) FROM bill") == [(3,)]


@pytest.mark.parametrize("text", ["DELETE FROM bill; COMMIT", "SELECT 1; SELECT 2"])
def test_one_statement_at_a_time(site: PgSite, text: str) -> None:
    """The server takes no second statement behind a first."""
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(sql(text), NOTHING)
    assert caught.value.code == "statement-invalid"
    assert site.rows("SELECT count(*) FROM bill") == [(3,)]


@pytest.mark.parametrize("text", ["COPY bill TO STDOUT", "SET ROLE x", "LISTEN x", "", "CREATE"])
def test_other_statements_are_refused(site: PgSite, text: str) -> None:
    """Only statements on data run."""
    with begun(site) as session, pytest.raises(Refused) as caught:
        session.run(sql(text), NOTHING)
    assert caught.value.code in ("statement-kind", "transaction-control")


def test_a_session_after_its_end(site: PgSite) -> None:
    """Once it is rolled back or committed, nothing runs unnoticed outside of the transaction."""
    for end in ("rollback", "commit"):
        with begun(site) as session:
            getattr(session, end)()
            with pytest.raises(Refused) as caught:
                session.run(sql("DELETE FROM bill"), NOTHING)
            assert caught.value.code == "transaction-lost"


def test_a_later_change_is_a_conflict(site: PgSite) -> None:
    """A row that somebody changed since the transaction saw it is not written: try again."""
    with begun(site) as session:
        read(session, session.shape(site.table("visit")))
        site.run("UPDATE visit SET note = 'theirs' WHERE id = 1")
        with pytest.raises(TryAgain) as caught:
            session.run(sql("UPDATE visit SET note = 'ours' WHERE id = 1"), NOTHING)
    assert caught.value.code == "serialization"


def test_a_long_statement_is_stopped(site: PgSite) -> None:
    """Each statement has its bound."""
    with begun(site, statement=timedelta(milliseconds=100)) as session:
        with pytest.raises(Failed) as caught:
            session.run(sql("SELECT pg_sleep(20)"), NOTHING)
    assert caught.value.code == "statement-timeout"


def test_a_connection_lost_before_commit(site: PgSite) -> None:
    """It is Unreachable, nothing happened, and the run has not committed."""
    with begun(site) as session:
        session.run(sql("DELETE FROM bill"), NOTHING)
        session.mark(marker("r1"))
        site.run(f"SELECT pg_terminate_backend({_backend(site)})")
        with pytest.raises(Unreachable) as caught:
            session.commit()
    assert not isinstance(caught.value, CommitUnknown)
    assert _asked(site) is False
    assert site.rows("SELECT count(*) FROM bill") == [(3,)]


def test_a_connection_lost_within_commit(site: PgSite) -> None:
    """Nobody knows, until the server is asked: here the transaction had not been committed."""
    with begun(site, lock_wait=timedelta(seconds=20)) as session:
        session.run(sql("DELETE FROM bill"), NOTHING)
        session.run(sql("SELECT pg_notify('late', '')"), NOTHING)
        session.mark(marker("r1"))
        with ThreadPoolExecutor(1) as pool, _nobody_acknowledges(site):
            # Who notifies has the queue until his COMMIT is done, and the next one waits in his.
            other = pool.submit(site.run, "UPDATE ward SET name = name; NOTIFY late")
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            assert until(lambda: site.rows(waits) == [(1,)])
            _commit_and_cut(site, session, "object")
        other.result()
    assert _asked(site) is False
    assert site.rows("SELECT count(*) FROM bill") == [(3,)]


def test_a_connection_lost_behind_commit(site: PgSite) -> None:
    """Nobody knows, until the server is asked: here the transaction had been committed."""
    with begun(site) as session:
        session.run(sql("DELETE FROM bill"), NOTHING)
        session.mark(marker("r1"))
        with _nobody_acknowledges(site):
            _commit_and_cut(site, session, "SyncRep")
    assert _asked(site) is True
    assert site.rows("SELECT count(*) FROM bill") == [(0,)]


@contextmanager
def _nobody_acknowledges(site: PgSite) -> Iterator[None]:
    """The server waits at the end of each COMMIT for a standby that is not there."""
    site.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
    try:
        assert until(lambda: site.rows("SHOW synchronous_standby_names") == [("nobody",)])
        yield
    finally:
        site.run("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


def _commit_and_cut(site: PgSite, session: RepairSession, waits: str) -> None:
    """The connection is cut once the server waits there within COMMIT."""
    waiting = (
        f"SELECT 1 FROM pg_stat_activity WHERE pid = {_backend(site)} AND wait_event = '{waits}'"
    )
    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(session.commit)
        assert until(lambda: site.rows(waiting) == [(1,)])
        site.run(f"SELECT pg_terminate_backend({_backend(site)})")
        with pytest.raises(CommitUnknown) as caught:
            committing.result(30)
    assert caught.value.code == "commit-unknown"


def _backend(site: PgSite) -> object:
    ((pid,),) = site.rows(
        f"SELECT pid FROM pg_stat_activity WHERE usename = '{site.engine.repair_role}'"
        " AND backend_type = 'client backend'"
    )
    return pid


def _asked(site: PgSite) -> bool:
    """What the engine says of the run, once the server has noticed the connection's end."""
    answers: list[bool] = []

    def asked() -> bool:
        with suppress(Unreachable):
            answers.append(site.engine.committed("r1", "w-1"))
        return bool(answers)

    assert until(asked)
    return answers[0]


def test_integers_are_digits_and_texts_are_quoted_literals(site: PgSite) -> None:
    """Parameters behave as the literals do that people write, each at its own place."""
    date = Argument(ParameterType.DATE, "2026-11-20")
    binding = Binding(
        {
            "n": Argument(ParameterType.INTEGER, "7"),
            "big": Argument(ParameterType.INTEGER, "3000000000"),
            "huge": Argument(ParameterType.INTEGER, "1" + "0" * 30),
            "t": Argument(ParameterType.TEXT, "7"),
            "d": date,
            "f": Argument(ParameterType.NUMERIC, "1.50"),
            "b": Argument(ParameterType.BOOLEAN, "true"),
            "i": Argument(ParameterType.INSTANT, "2026-11-20T08:00:00+08:00"),
            "none": Argument(ParameterType.DATE, None),
        }
    )
    said = {
        ("SELECT 1 + ", bound("n"), " / 2"): b"4",
        ("SELECT pg_typeof(", bound("big"), ")"): b"bigint",
        ("SELECT ", bound("huge"), " + 1"): b"1" + b"0" * 29 + b"1",
        ("SELECT ", bound("t"), " || ", bound("t"), "::text"): b"77",
        ("SELECT id FROM visit WHERE id = ", bound("t"), "::integer - 6"): b"1",
        ("SELECT count(*) FROM visit WHERE id < ", bound("t"), " AND ward <> ", bound("t")): b"3",
        ("SELECT ", bound("d"), " + ", bound("n")): b"2026-11-27",
        ("SELECT ", bound("f"), " * 2"): b"3.00",
        ("SELECT NOT ", bound("b")): b"f",
        ("SELECT ", bound("i")): b"2026-11-20 00:00:00+00",
        ("SELECT ", bound("none"), " IS NULL"): b"t",
    }
    with begun(site) as session:
        found = {pieces: session.check(sql(*pieces), binding) for pieces in said}
    assert found == said


def test_names_without_schema_follow_the_search_path(site: PgSite) -> None:
    """Script, conditions and predicates look them up; an image prints them in full."""
    site.run(
        "CREATE SCHEMA his",
        "CREATE TABLE his.kind (id integer PRIMARY KEY, of regclass)",
        "CREATE TABLE his.wanted (id integer PRIMARY KEY)",
        "INSERT INTO his.wanted VALUES (1)",
        "INSERT INTO his.kind VALUES (1, 'his.wanted'), (2, 'public.ward')",
    )
    site.prepare("his.kind", "his.wanted")
    with begun(site, search_path=("his", "public")) as session:
        shape = session.shape(site.table("kind").parse("kind"))
        assert (shape.table.schema, shape.table.name) == ("his", "kind")
        found = read(session, shape, sql("kind.id IN (SELECT id FROM wanted) -- all"), lock=True)
        assert rows_of(found) == [(b"1", b"his.wanted")]
        assert session.run(sql("UPDATE kind SET of = 'wanted' WHERE id = 2"), NOTHING) == 1
        assert rows_of(read(session, shape))[1] == (b"2", b"his.wanted")
        assert session.check(sql("SELECT count(*) FROM wanted, ward"), NOTHING) == b"2"
    with begun(site) as session, pytest.raises(DbopsError):
        session.run(sql("UPDATE kind SET of = NULL"), NOTHING)


def test_a_reading_and_a_look_up_take_turns(site: PgSite) -> None:
    """While rows of one reading still come, others can be looked up and read."""
    site.run(
        "CREATE TABLE t (id integer PRIMARY KEY)", "INSERT INTO t SELECT generate_series(1, 50)"
    )
    site.prepare("t")
    with begun(site) as session:
        shape, visit = session.shape(site.table("t")), session.shape(site.table("visit"))
        seen = []
        for one in session.read(shape, ALL, NOTHING, lock=True):
            seen += [found.row for found in session.fetch(shape, [one.order], lock=False)]
            assert len(read(session, visit)) == 4
    assert sorted(seen, key=lambda row: int(row[0] or 0)) == [(b"%d" % n,) for n in range(1, 51)]


def test_functions_that_raise_say_nothing(site: PgSite) -> None:
    """What a trigger raises is in the server's log, not here, whatever fields it fills."""
    site.run(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        f" '{CANARY} %', NEW.note USING TABLE = '{CANARY}', COLUMN = '{CANARY}'; END $$",
        "CREATE TRIGGER no BEFORE UPDATE ON visit FOR EACH ROW EXECUTE FUNCTION no()",
    )
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(sql("UPDATE visit SET note = 'x'"), NOTHING)
    assert caught.value.code == "refused-by-database"
    assert caught.value.message == (
        "the statement at line 1: a trigger or function of the database raised an error;"
        " nothing was changed (P0001)"
    )


def test_a_broken_constraint_is_named(site: PgSite) -> None:
    """Table and constraint are said, the values are not."""
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(sql(f"INSERT INTO visit VALUES (9, '{CANARY}')"), NOTHING)
    assert caught.value.message == (
        "the statement at line 1 (public.visit, visit_ward_fkey):"
        " a constraint refuses a row; nothing was changed (23503)"
    )


def test_missing_grants_are_said(site: PgSite) -> None:
    """A table that was not prepared cannot be read, nor one whose rows are hidden."""
    site.run("CREATE TABLE other (id integer PRIMARY KEY)")
    site.run("ALTER TABLE bill ENABLE ROW LEVEL SECURITY")
    for name in ("other", "bill"):
        with begun(site) as session, pytest.raises(Refused) as caught:
            read(session, session.shape(site.table(name)))
        assert caught.value.code == "permission-denied"
        assert caught.value.hint == "dbops repair prepare grants what repairs of these tables need"


def test_the_transaction_begins_now(site: PgSite) -> None:
    """The server's clock says when, in UTC, and a session says which server that is."""
    with begun(site) as session:
        assert abs(datetime.now(UTC) - session.began) < timedelta(minutes=1)
        assert session.server.startswith("PostgreSQL 15.")
        assert session.encoding == "utf-8"


def test_works_of_other_names_run_side_by_side(site: PgSite) -> None:
    """The lock is the work's, not the database's; a preview takes none."""
    with begun(site, "w-1"), begun(site, "w-2"), begun(site, "w-1", read_only=True):
        pass
    with site.engine.session(order("w-1")) as session, pytest.raises(Refused) as caught:
        session.run(sql("DELETE FROM bill"), NOTHING)
    assert caught.value.code == "transaction-lost"


def test_columns_that_take_different_texts_for_equal(site: PgSite) -> None:
    """By their collation, as padded characters or as citext, below a domain too; no others."""
    site.run(
        "CREATE EXTENSION citext SCHEMA public",
        "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2',"
        " deterministic = false)",
        "CREATE DOMAIN padded AS char(5)",
        "CREATE DOMAIN again AS padded",
        "CREATE TABLE t (id integer PRIMARY KEY, a text, b text COLLATE folded, c char(3),"
        ' d "char", e again, f citext, g varchar(9) COLLATE "C", h text COLLATE folded, i integer)',
        "ALTER TABLE t DROP COLUMN h",
    )
    with begun(site) as session:
        assert session.loose(session.shape(site.table("t"))) == set("bcef")
        assert session.loose(session.shape(site.table("visit"))) == set()
