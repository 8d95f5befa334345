"""What the PostgreSQL engine finds about a database before its backup: real servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.doctor.finding import Finding, Verdict
from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.connect import Parameters
from dbops.engines.postgresql.inspect import inspect_database
from dbops.errors import Unreachable
from dbops.estate.values import SslMode
from tests.fix_postgresql import PgDatabase

ROLE = "dbops_inspected"


def parameters(database: PgDatabase, user: str | None = None) -> Parameters:
    """As the superuser by password, or as another role through the socket."""
    server = database.server
    return Parameters(
        host=str(server.socket_directory) if user else server.host,
        port=server.port,
        dbname=database.name,
        user=user or server.superuser,
        password=None if user else server.password,
        sslmode=SslMode.PREFER,
        sslrootcert=None,
    )


def inspect(database: PgDatabase, user: str | None = None) -> dict[str, Finding]:
    found = inspect_database(parameters(database, user), [database.server.installation])
    return {item.code: item for item in found}


@pytest.fixture
def role(pg_database: PgDatabase) -> str:
    """A role that may log in and nothing else; gone with the database's grants."""
    with pg_database.connect() as connection:
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
        connection.execute(f"CREATE ROLE {ROLE} LOGIN")
    return ROLE


def run(database: PgDatabase, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_a_superuser_with_tools_has_nothing_wrong(pg_database: PgDatabase) -> None:
    """Server, role, tables and programs are named; nothing of the rows is."""
    run(pg_database, "CREATE TABLE t (a text)", "INSERT INTO t VALUES ('canary-row')")
    found = inspect(pg_database)
    server = pg_database.server
    assert {item.verdict for item in found.values()} == {Verdict.OK}
    assert found["postgresql-connects"].text == (
        f"PostgreSQL {server.installation.version} at 127.0.0.1:{server.port}"
        f" lets {server.superuser} into {pg_database.name}"
    )
    assert found["postgresql-role"].text == (
        f"role {server.superuser} is a superuser: it reads everything"
    )
    assert found["postgresql-tables"].text == "all of 1 tables can be read"
    assert not any("canary" in item.text for item in found.values())


def test_a_table_that_the_role_cannot_read_is_a_problem(pg_database: PgDatabase, role: str) -> None:
    """The backup would refuse; the doctor says the same, with the same hint."""
    run(pg_database, "CREATE TABLE public.t (a text)")
    found = inspect(pg_database, role)
    assert found["tables-unreadable"] == Finding(
        "tables-unreadable",
        Verdict.PROBLEM,
        f"role {role} cannot read 1 tables or sequences: public.t",
        f"GRANT pg_read_all_data TO {role}",
    )
    assert found["postgresql-role"].text == (
        f"role {role} reads what it was granted, not past row security; no role's password"
    )


def test_many_unreadable_tables_are_cut_short(pg_database: PgDatabase, role: str) -> None:
    """The count is whole, the list ends after a few lines at a whole name."""
    run(pg_database, *(f"CREATE TABLE public.t{n:03} (a text)" for n in range(60)))
    finding = inspect(pg_database, role)["tables-unreadable"]
    assert finding.text.startswith(f"role {role} cannot read 60 tables or sequences: public.t000,")
    assert finding.text.endswith(", …")
    assert len(finding.text) < 310


def test_a_role_with_the_right_rights_is_ok(pg_database: PgDatabase, role: str) -> None:
    """pg_read_all_data and BYPASSRLS read everything that is needed."""
    run(
        pg_database,
        "CREATE TABLE public.t (a text)",
        "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY",
        f"GRANT pg_read_all_data TO {role}",
    )
    assert inspect(pg_database, role)["row-security"].verdict is Verdict.PROBLEM
    run(pg_database, f"ALTER ROLE {role} BYPASSRLS")
    found = inspect(pg_database, role)
    assert found["postgresql-role"].text == (
        f"role {role} reads every table, past row security; no role's password"
    )
    assert found["postgresql-tables"].verdict is Verdict.OK


def test_what_stays_out_of_backups_is_a_warning(pg_database: PgDatabase) -> None:
    """Unlogged rows are lost to a backup; a materialized view's are made again and not told."""
    run(
        pg_database,
        "CREATE UNLOGGED TABLE public.cache (a text)",
        "CREATE MATERIALIZED VIEW public.sums AS SELECT 1 AS a",
    )
    finding = inspect(pg_database)["postgresql-gaps"]
    assert finding.verdict is Verdict.WARNING
    assert finding.text.startswith("1 things stay out of every backup: public.cache: an unlogged")


def test_missing_programs_are_said(pg_database: PgDatabase) -> None:
    """No client is a problem: no backup. No server of this version is a warning: no proof."""
    params, major = parameters(pg_database), pg_database.server.major
    found = {item.code: item for item in inspect_database(params, [])}
    assert found["client-missing"] == Finding(
        "client-missing",
        Verdict.PROBLEM,
        "no pg_dump, psql and pg_restore found",
        f"install postgresql-client-{major} or newer",
    )
    assert found["postgresql-scratch"] == Finding(
        "postgresql-scratch",
        Verdict.WARNING,
        f"no PostgreSQL {major} server is installed here (found none):"
        " nothing is proven without a configured scratch server",
        f"apt-get install postgresql-{major}; or set host in [scratch.postgresql] of dbops.toml",
    )


def test_an_old_client_is_a_problem(pg_database: PgDatabase) -> None:
    """A pg_dump older than the server does not know what it leaves out."""
    server = pg_database.server
    old = Installation(server.installation.bindir, server.major - 1, f"{server.major - 1}.1")
    found = {item.code: item for item in inspect_database(parameters(pg_database), [old])}
    assert found["client-too-old"].text == (
        f"pg_dump {server.major - 1} is older than the server ({server.major})"
    )


def test_a_wrong_password_ends_the_look(pg_database: PgDatabase) -> None:
    """The error is the one that a backup would end with; the password is not in it."""
    params = replace(parameters(pg_database), password="canary-password")
    with pytest.raises(Unreachable) as caught:
        list(inspect_database(params, []))
    assert caught.value.code == "login-refused"
    assert "canary" not in caught.value.message + caught.value.hint
