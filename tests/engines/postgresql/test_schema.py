"""Comparing definitions: every difference is named by object, and no text of one is shown."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.engines.postgresql.database import (
    DatabaseProperties,
    Grant,
    Provider,
    property_differences,
)
from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.engine import parameters_of
from dbops.engines.postgresql.schema import differences, dump_entries
from dbops.engines.postgresql.toc import Entry, read_contents
from dbops.errors import Failed, Refused
from tests.engines.postgresql.sealed import engine_of, fresh_database
from tests.fix_postgresql import PgServer

UTF8 = Encoding("UTF8")
DDL = """
    CREATE TABLE t (id integer PRIMARY KEY, name text DEFAULT 'Maria Secret');
    CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''Secret''';
    CREATE INDEX i ON t (name)"""
PROPERTIES = DatabaseProperties(
    encoding="UTF8",
    collate="C",
    ctype="C",
    provider=Provider.LIBC,
    locale=None,
    rules=None,
    owner="his",
    limit=-1,
    comment="a",
    grants=(),
    settings=(("", "search_path=his"), ("reader", "work_mem=9MB")),
)


@pytest.fixture
def archive(pg_server: PgServer) -> Iterator[bytes]:
    """An archive of a small schema, as a backup holds it."""
    with fresh_database(pg_server, "schema_archive") as database:
        with database.connect() as connection:
            connection.execute(DDL.encode())
        yield dump(pg_server, database.name)


def dump(server: PgServer, name: str) -> bytes:
    """What pg_dump says of the database, in custom format."""
    command = [str(server.installation.tool("pg_dump")), "-Fc", "--schema-only", "-h"]
    command += [server.host, "-p", str(server.port), "-U", server.superuser, name]
    environment = {"PATH": "/usr/bin:/bin", "PGPASSWORD": server.password}
    return subprocess.run(command, capture_output=True, check=True, env=environment).stdout


def entries(server: PgServer, name: str) -> tuple[Entry, ...]:
    """The database's definitions as dbops reads them."""
    engine = engine_of(server, name)
    params = parameters_of(engine.address, engine.password)
    return dump_entries(params, (server.installation,), server.major, UTF8)


def test_contents_are_those_that_pg_restore_lists(
    pg_server: PgServer, archive: bytes, tmp_path: Path
) -> None:
    """Every entry that pg_restore lists is read, with its number and its kind."""
    path = tmp_path / "archive"
    path.write_bytes(archive)
    listed = subprocess.run(
        [str(pg_server.installation.tool("pg_restore")), "--list", str(path)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    found = {
        f"{entry.id}; {entry.kind} {entry.schema or '-'} {entry.name} {entry.owner}"
        for entry in read_contents(archive, UTF8).entries
    }
    wanted = set()
    for line in listed.splitlines():
        if line and not line.startswith(";"):
            number, rest = line.split("; ", 1)
            wanted.add(f"{number}; {rest.split(' ', 2)[2]}")
    assert wanted
    assert wanted <= found


def test_archive_cut_anywhere_is_refused(archive: bytes) -> None:
    """No part of a table of contents is taken for the whole."""
    whole = read_contents(archive, UTF8)
    end = archive.rindex(whole.entries[-1].definition.encode()) if whole.entries else 0
    for length in range(0, end, 37):
        with pytest.raises(Failed) as failure:
            read_contents(archive[:length], UTF8)
        assert failure.value.code == "archive-damaged"


def test_archive_of_a_later_format_is_refused(archive: bytes) -> None:
    """A layout that is not known is not guessed at."""
    newer = archive[:5] + bytes([1, 99]) + archive[7:]
    with pytest.raises(Refused) as refusal:
        read_contents(newer, UTF8)
    assert refusal.value.message == (
        "the schema's archive has format 1.99; this version of dbops reads 1.14 to 1.16"
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_an_archive_or_refused(noise: bytes) -> None:
    """Damage ends in an error of dbops, whatever the bytes are."""
    with pytest.raises((Failed, Refused)):
        read_contents(b"PGDMP" + noise, UTF8)


def test_same_definitions_do_not_differ(pg_server: PgServer) -> None:
    """Two databases made by the same statements are equal."""
    with fresh_database(pg_server, "schema_a") as a, fresh_database(pg_server, "schema_b") as b:
        for database in (a, b):
            with database.connect() as connection:
                connection.execute(DDL.encode())
        assert list(differences(entries(pg_server, a.name), entries(pg_server, b.name))) == []


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("DROP INDEX i", "index public.i: missing from the restored copy"),
        ("CREATE TABLE other (id integer)", "table public.other: not in the backup"),
        ("ALTER TABLE t ALTER name SET DEFAULT 'x'", "table public.t: definition differs"),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''x'''",
            "function public.f(): definition differs",
        ),
        ("GRANT SELECT ON t TO PUBLIC", "acl public.TABLE t: not in the backup"),
        ("ALTER TABLE t ALTER name SET STATISTICS 7", "table public.t: definition differs"),
    ],
)
def test_every_difference_is_named_and_no_text_shown(
    pg15: PgServer, statement: str, finding: str
) -> None:
    """A finding names kind, schema and object, and never what the definition says."""
    with fresh_database(pg15, "schema_a") as a, fresh_database(pg15, "schema_b") as b:
        for database in (a, b):
            with database.connect() as connection:
                connection.execute(DDL.encode())
        with b.connect() as connection:
            connection.execute(statement.encode())
        found = list(differences(entries(pg15, a.name), entries(pg15, b.name)))
    assert found == [finding]


@pytest.mark.parametrize(
    ("other", "finding"),
    [
        (replace(PROPERTIES, owner="x"), "database owner: differs"),
        (replace(PROPERTIES, comment=None), "database comment: differs"),
        (replace(PROPERTIES, limit=7), "database limit: differs"),
        (replace(PROPERTIES, ctype="POSIX"), "database ctype: differs"),
        (
            replace(PROPERTIES, grants=(Grant("his", "his", "CONNECT", grantable=False),)),
            "database grants: differ",
        ),
        (
            replace(PROPERTIES, settings=(("", "search_path=lab"), ("reader", "work_mem=9MB"))),
            "database setting search_path: differs",
        ),
        (
            replace(PROPERTIES, settings=(("", "search_path=his"),)),
            "database setting work_mem of role reader: differs",
        ),
    ],
)
def test_properties_of_the_database_are_compared(other: DatabaseProperties, finding: str) -> None:
    """Owner, comment, limit, locale, grants and each setting count."""
    assert list(property_differences(PROPERTIES, PROPERTIES)) == []
    assert list(property_differences(PROPERTIES, other)) == [finding]


def test_default_grants_are_the_same_written_out_or_not() -> None:
    """A database without a list of grants has the default ones."""
    grants = tuple(
        Grant("his", grantee, privilege, grantable=False)
        for grantee, privilege in (
            ("his", "CONNECT"),
            ("his", "CREATE"),
            ("his", "TEMPORARY"),
            ("", "CONNECT"),
            ("", "TEMPORARY"),
        )
    )
    default = replace(PROPERTIES, grants=None)
    assert list(property_differences(default, replace(PROPERTIES, grants=grants))) == []
