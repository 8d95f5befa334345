"""What PostgreSQL's errors become: codes and names, and never a value or the server's words."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from dbops.engines.postgresql.connect import connect
from dbops.engines.postgresql.faults import child_fault, connect_fault, server_fault
from dbops.errors import DbopsError, Failed, NotFound, Refused, TryAgain, Unreachable
from dbops.estate.values import SslMode
from tests.engines.postgresql.collecting import parameters
from tests.fix_postgresql import PgDatabase

_LOGIN_HINT = "check user and password in dbops.toml, and pg_hba.conf on the server"


def _told(failure: DbopsError) -> tuple[type[DbopsError], str, str, str]:
    return type(failure), failure.code, failure.message, failure.hint


@pytest.mark.parametrize("password", ["wrong-7q", None])
def test_a_wrong_password(pg_database: PgDatabase, password: str | None) -> None:
    """A wrong password, or none, is told by role and place; the password never is."""
    params = replace(parameters(pg_database), password=password)
    with pytest.raises(Unreachable) as caught:
        connect(params)
    assert _told(caught.value) == (
        Unreachable,
        "login-refused",
        f"database {params.dbname} at {params.where} as role postgres: "
        "the server refuses the login (28P01)",
        _LOGIN_HINT,
    )
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_unknown_role(pg_database: PgDatabase) -> None:
    """A role that does not exist is a login refused, with or without a password asked."""
    with pytest.raises(Unreachable) as caught:
        connect(parameters(pg_database, "nobody_here"))
    assert caught.value.code == "login-refused"
    assert caught.value.message.endswith("the server refuses the login (28000)")


def test_an_unknown_database(pg_database: PgDatabase) -> None:
    """A database that does not exist is not found."""
    params = replace(parameters(pg_database), dbname="no such db")
    with pytest.raises(NotFound) as caught:
        connect(params)
    assert _told(caught.value) == (
        NotFound,
        "database-missing",
        f"database no such db at {params.where} as role postgres: "
        "the database does not exist (3D000)",
        "check dbname in dbops.toml",
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "/nowhere", "no.such.host.invalid"])
def test_a_server_that_does_not_answer(pg_database: PgDatabase, host: str) -> None:
    """No server on the port, no socket, no such host: the place is named."""
    with pytest.raises(Unreachable) as caught:
        connect(replace(parameters(pg_database), host=host, port=1))
    assert _told(caught.value) == (
        Unreachable,
        "server-unreachable",
        f"no PostgreSQL server answers at {host}:1",
        "check host and port in dbops.toml, and that the server runs",
    )


def test_a_server_without_tls(pg_database: PgDatabase) -> None:
    """A connection that must be encrypted is not made in clear."""
    params = replace(parameters(pg_database), sslmode=SslMode.REQUIRE)
    with pytest.raises(Unreachable) as caught:
        connect(params)
    assert caught.value.code == "tls-failed"
    assert (
        caught.value.message == f"server {params.where}: no connection with the sslmode asked for"
    )


def test_a_server_that_is_full(pg_database: PgDatabase) -> None:
    """A database whose connection limit is reached says so."""
    with pg_database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS one_only")
        connection.execute("CREATE ROLE one_only LOGIN CONNECTION LIMIT 0")
    with pytest.raises(Unreachable) as caught:
        connect(parameters(pg_database, "one_only"))
    assert caught.value.code == "too-many-connections"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ('FATAL:  password authentication failed for user "x"', "login-refused"),
        ('致命错误:  用户 "x" Password 认证失败', "login-refused"),
        ('致命错误:  数据库 "x" 不存在', "database-missing"),
        ('致命错误:  角色 "x" 不存在', "login-refused"),
        ("FATAL:  the database system is starting up", "server-unavailable"),
        ("FATAL:  sorry, too many clients already", "too-many-connections"),
        ("server closed the connection unexpectedly", "server-unreachable"),
        ("FATAL:  something new", "login-refused"),
    ],
)
def test_words_choose_a_code_and_go_nowhere(words: str, code: str) -> None:
    """Whatever language the server speaks, its words are not in the error."""
    secret = "s3cret-value"
    failure = connect_fault(psycopg.OperationalError(f"{words} {secret}"), "h:1", "u", "d")
    assert failure.code == code
    assert secret not in failure.message + failure.hint


def test_no_value_of_a_row_is_ever_told(pg_database: PgDatabase) -> None:
    """Violations, casts and raised exceptions carry values; the error has none of them."""
    canary = "Zhang-San-4711"
    statements = {
        "check": f"INSERT INTO t (name) VALUES ('{canary}')",
        "cast": f"SELECT '{canary}'::integer",
        "raise": f"DO $$ BEGIN RAISE EXCEPTION '{canary}'; END $$",
        "unique": f"INSERT INTO u VALUES ('{canary}'), ('{canary}')",
        "syntax": f"SELEC '{canary}'",
        "column": f'SELECT "{canary}"',
    }
    with connect(parameters(pg_database)) as session:
        session.run("CREATE TABLE public.t (id integer, name text CONSTRAINT short CHECK (false))")
        session.run("CREATE TABLE public.u (name text PRIMARY KEY)")
        session.run("SET search_path = public")
        for statement in statements.values():
            with pytest.raises(DbopsError) as caught:
                session.run(statement, doing="test")
            assert canary not in caught.value.message + caught.value.hint
            assert caught.value.__suppress_context__
        with pytest.raises(Failed) as failed:
            session.run(statements["check"], doing="test")
    assert failed.value.message == ("test (public.t, short): the server reported an error (23514)")


@pytest.mark.parametrize(
    ("state", "kind", "code"),
    [
        ("57P01", Unreachable, "connection-lost"),
        ("57P03", Unreachable, "server-unavailable"),
        ("08006", Unreachable, "connection-lost"),
        ("53300", Unreachable, "too-many-connections"),
        ("53100", Failed, "server-out-of-space"),
        ("53200", Failed, "server-out-of-space"),
        ("42501", Refused, "permission-denied"),
        ("55P03", TryAgain, "lock-timeout"),
        ("57014", Failed, "statement-cancelled"),
        ("40P01", Failed, "transaction-conflict"),
        ("40001", Failed, "transaction-conflict"),
        ("XX001", Failed, "source-damaged"),
        ("22012", Failed, "server-error"),
        (None, Unreachable, "connection-lost"),
    ],
)
def test_states_have_their_class(state: str | None, kind: type[DbopsError], code: str) -> None:
    """Each SQLSTATE that a user can cause has a code, and the state itself is shown."""
    failure = server_fault(state, "reading his.patient")
    assert type(failure) is kind
    assert failure.code == code
    assert failure.message.startswith("reading his.patient: ")
    assert state is None or failure.message.endswith(f"({state})")


def test_a_child_tells_its_state_only() -> None:
    """Of what a client program prints nothing but the SQLSTATE is kept."""
    failure = child_fault("psql", 3, b"ERROR:  42501\n", "reading his.patient")
    assert failure.message == "reading his.patient: the role lacks a privilege (42501)"
    failure = child_fault("pg_dump", 1, b"pg_dump: error: Zhang San", "reading the schema")
    assert failure.message == "reading the schema: pg_dump ended with status 1"
    failure = child_fault("psql", -9, b"", "reading his.patient")
    assert failure.message == "reading his.patient: psql was ended by signal 9"
