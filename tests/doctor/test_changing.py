"""What the doctor says of the login that changes schemas: real servers, real roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dbops.doctor.changing import check_changing
from dbops.doctor.finding import Finding, Verdict
from dbops.engines.postgresql.change import PostgresqlChangeEngine
from dbops.engines.sqlite.change import SqliteChangeEngine
from dbops.errors import DbopsError, Refused
from dbops.estate.values import Login, PostgresqlAddress, SqliteAddress, SslMode
from tests.engines.postgresql.repair_database import parameters_of
from tests.fix_postgresql import PgDatabase, PgServer

ROLE, OWNER = "dbops_changer", "dbops_owner"
THINGS = "tables, views, sequences and functions"
HOSPITAL = """
DROP OWNED BY dbops_changer, dbops_owner CASCADE;
DROP SCHEMA IF EXISTS his CASCADE; DROP SCHEMA IF EXISTS dbops CASCADE;
CREATE SCHEMA his;
CREATE TABLE his.ward(code text PRIMARY KEY);
CREATE VIEW his.wards AS SELECT code FROM his.ward;
CREATE FUNCTION his.one() RETURNS integer LANGUAGE sql AS 'SELECT 1';
"""


@pytest.fixture(scope="module")
def server(pg17: PgServer) -> Iterator[PgDatabase]:
    """A database with two roles that may log in."""
    pg17.create_database("admin_inspected")
    database = PgDatabase(pg17, "admin_inspected")
    with database.connect() as connection:
        for role in (ROLE, OWNER):
            connection.execute(f"CREATE ROLE {role} LOGIN")
    yield database
    pg17.drop_database("admin_inspected")
    with pg17.connect("postgres") as connection:
        for role in (ROLE, OWNER):
            connection.execute(f"DROP ROLE {role}")


@pytest.fixture
def lab(server: PgDatabase) -> PgDatabase:
    """The same, with a hospital's schema that the superuser owns."""
    run(server, f"ALTER ROLE {ROLE} NOSUPERUSER", f"REVOKE {OWNER} FROM {ROLE}", HOSPITAL)
    return server


def run(database: PgDatabase, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def engine_of(lab: PgDatabase) -> PostgresqlChangeEngine:
    return PostgresqlChangeEngine(lambda: parameters_of(lab.server, lab.name, ROLE))


def inspect(lab: PgDatabase) -> dict[str, Finding]:
    return {each.code: each for each in engine_of(lab).inspect()}


def address(lab: PgDatabase, *, admin: Login | None) -> PostgresqlAddress:
    return PostgresqlAddress(
        name="lab",
        host="127.0.0.1",
        port=lab.server.port,
        dbname=lab.name,
        user="reader",
        password=None,
        sslmode=SslMode.DISABLE,
        sslrootcert=None,
        jobs=1,
        admin=admin,
    )


def test_a_superuser_may_all(lab: PgDatabase) -> None:
    """It gets in, can make the journal, and alters everything."""
    run(lab, f"ALTER ROLE {ROLE} SUPERUSER")
    assert list(inspect(lab).values()) == [
        Finding("admin-connects", Verdict.OK, f"{ROLE} is let into {lab.name} to change schemas"),
        Finding(
            "admin-journal",
            Verdict.OK,
            f"role {ROLE} can make the journal of changes, dbops.dbops_change",
        ),
        Finding("admin-role", Verdict.OK, f"role {ROLE} is a superuser: it alters everything"),
    ]


def test_a_role_without_rights_is_a_problem(lab: PgDatabase) -> None:
    """Each lack is said with the statement that ends it."""
    found = inspect(lab)
    assert found["admin-journal"] == Finding(
        "admin-journal",
        Verdict.PROBLEM,
        f"role {ROLE} cannot make the journal of changes, dbops.dbops_change",
        f"GRANT CREATE ON DATABASE {lab.name} TO {ROLE}",
    )
    superuser = lab.server.superuser
    assert found["admin-not-owner"] == Finding(
        "admin-not-owner",
        Verdict.PROBLEM,
        f"role {ROLE} cannot alter 3 of 3 {THINGS}: his.one, his.ward, his.wards",
        f"GRANT {superuser} TO {ROLE}, or name their owner under admin in dbops.toml",
    )
    assert found["admin-schema"] == Finding(
        "admin-schema",
        Verdict.WARNING,
        f"role {ROLE} can make nothing in schema his",
        f"GRANT CREATE ON SCHEMA his TO {ROLE}",
    )


def test_who_follows_the_advice_is_well(lab: PgDatabase) -> None:
    """A member of the owner alters what that one owns; what is left is a warning."""
    run(
        lab,
        f"GRANT CREATE ON DATABASE {lab.name} TO {ROLE}",
        f"GRANT USAGE, CREATE ON SCHEMA his TO {OWNER}",
        f"ALTER TABLE his.ward OWNER TO {OWNER}",
        f"ALTER VIEW his.wards OWNER TO {OWNER}",
        f"GRANT {OWNER} TO {ROLE}",
    )
    found = inspect(lab)
    assert found["admin-journal"].verdict is Verdict.OK
    assert "admin-schema" not in found
    assert found["admin-not-owner"].verdict is Verdict.WARNING
    assert found["admin-not-owner"].text == f"role {ROLE} cannot alter 1 of 3 {THINGS}: his.one"
    run(lab, f"ALTER FUNCTION his.one() OWNER TO {OWNER}")
    assert inspect(lab)["admin-role"] == Finding(
        "admin-role", Verdict.OK, f"role {ROLE} alters all of 3 {THINGS}"
    )


def test_a_journal_of_somebody_else(lab: PgDatabase) -> None:
    """One that the role may not write to, and one that dbops did not make, are problems."""
    run(lab, "CREATE SCHEMA dbops", "CREATE TABLE dbops.dbops_change (step integer)")
    found = inspect(lab)["admin-journal"]
    assert (found.verdict, found.text, found.advice) == (
        Verdict.PROBLEM,
        f"role {ROLE} cannot write the journal of changes, dbops.dbops_change",
        f"GRANT USAGE ON SCHEMA dbops TO {ROLE};"
        f" GRANT SELECT, INSERT ON dbops.dbops_change TO {ROLE}",
    )
    run(lab, *found.advice.split(";"))
    assert inspect(lab)["change-journal"].verdict is Verdict.PROBLEM


def test_a_login_that_is_not_let_in(lab: PgDatabase) -> None:
    """It is an error like that of the run itself."""
    gone = PostgresqlChangeEngine(lambda: parameters_of(lab.server, lab.name, "nobody_here"))
    with pytest.raises(DbopsError) as caught:
        gone.inspect()
    assert "nobody_here" in caught.value.message


def refuse() -> None:
    raise Refused("rehearse-configured", "not here", hint="elsewhere")


def test_without_an_admin_login_nothing_is_wrong(lab: PgDatabase) -> None:
    """Who only takes backups needs none; nobody is asked to log in."""
    (found,) = check_changing(address(lab, admin=None), engine_of(lab), refuse)
    assert (found.code, found.verdict) == ("no-admin", Verdict.OK)
    assert found.text == (
        "no admin login is named: reader, who reads for backups, would change schemas"
    )


def test_where_nothing_can_be_rehearsed(lab: PgDatabase) -> None:
    """It is a warning, and the login is looked at all the same."""
    named = address(lab, admin=Login(user=ROLE, password=None))
    first, second, *_ = check_changing(named, engine_of(lab), refuse)
    assert first == Finding("rehearse-configured", Verdict.WARNING, "not here", "elsewhere")
    assert second.code == "admin-connects"


def test_a_file_needs_no_login(tmp_path: Path) -> None:
    """Of SQLite nothing is said here."""
    place = SqliteAddress(name="lab", path=tmp_path / "lab.db")
    assert list(check_changing(place, SqliteChangeEngine(place), refuse)) == []
