"""Scratch places: never on the source, without what reaches other servers, and gone afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dbops.backup.contents import BackupContents
from dbops.backup.ports import RestoreOrder
from dbops.backup.prove import prove
from dbops.engines.postgresql.connect import Session, connect
from dbops.engines.postgresql.engine import PostgresqlEngine, parameters_of
from dbops.engines.postgresql.scratch import PREFIX, PostgresqlScratchPlace
from dbops.errors import Failed, NotFound, Refused
from dbops.estate.values import PostgresqlScratch
from dbops.repository.manifest import Catalogue
from tests.engines.postgresql.sealed import (
    address,
    back_up,
    engine_of,
    fresh_database,
    scratch_directory,
)
from tests.fix_postgresql import PgServer

CONNECTED = """
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'elsewhere');
    CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'u', password 'secret');
    CREATE FOREIGN TABLE remote (id integer) SERVER elsewhere;
    CREATE TABLE here (id integer);
    INSERT INTO here VALUES (1), (2);
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM here;
    CREATE MATERIALIZED VIEW far AS SELECT * FROM remote WITH NO DATA;
    CREATE SUBSCRIPTION sub CONNECTION 'host=elsewhere password=secret' PUBLICATION p
        WITH (connect = false)"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test opens, closed at its end."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def parent(stack: ExitStack) -> Path:
    """Where ephemeral servers are made."""
    return stack.enter_context(scratch_directory())


def backup_of(stack: ExitStack, server: PgServer, statements: str) -> BackupContents:
    """The backup of a new database in which these statements were run one by one."""
    database = stack.enter_context(fresh_database(server, "scratch_source"))
    with database.connect() as connection:
        for statement in statements.split(";\n"):
            connection.execute(statement.encode())
    directory = stack.enter_context(scratch_directory())
    contents = back_up(engine_of(server, database.name), directory).contents
    with database.connect() as connection:
        if connection.execute("SELECT count(*) FROM pg_subscription").fetchone() == (1,):
            connection.execute("ALTER SUBSCRIPTION sub SET (slot_name = NONE)")
            connection.execute("DROP SUBSCRIPTION sub")
    return contents


def ephemeral(parent: Path, *servers: PgServer) -> PostgresqlScratchPlace:
    """A place that starts servers of these versions."""
    programs = tuple(server.installation for server in servers)
    return PostgresqlScratchPlace(parent, PostgresqlScratch(), lambda: None, programs)


def configured(parent: Path, server: PgServer) -> PostgresqlScratchPlace:
    """A place on that running server."""
    chosen = PostgresqlScratch(server=address(server, "postgres"))
    return PostgresqlScratchPlace(parent, chosen, lambda: server.password, (server.installation,))


def session_of(engine: object) -> Session:
    """A session in the copy."""
    assert isinstance(engine, PostgresqlEngine)
    return connect(parameters_of(engine.address, engine.password))


def test_ephemeral_server_is_gone_afterwards(
    pg_server: PgServer, stack: ExitStack, parent: Path
) -> None:
    """The copy is proven on a server of the source's version, of which nothing is left."""
    contents = backup_of(stack, pg_server, "CREATE TABLE t (id integer)")
    place = ephemeral(parent, pg_server)
    with place.open(contents) as copy:
        assert place.title == f"ephemeral scratch server, {contents.server}"
        copy.restore(contents, RestoreOrder())
        assert copy.check() == ()
        assert prove(copy, contents, lambda _: None) == ()
        assert len(list(parent.iterdir())) == 1
    assert list(parent.iterdir()) == []


def test_nothing_that_reaches_other_servers_is_restored(
    pg_server: PgServer, stack: ExitStack, parent: Path
) -> None:
    """User mappings and subscriptions stay away; views over foreign tables stay empty."""
    contents = backup_of(stack, pg_server, CONNECTED)
    with ephemeral(parent, pg_server).open(contents) as copy:
        copy.restore(contents, RestoreOrder())
        with session_of(copy) as session:
            assert session.value("SELECT count(*) FROM pg_user_mapping") == 0
            assert session.value("SELECT count(*) FROM pg_subscription") == 0
            assert session.value("SELECT count(*) FROM pg_foreign_server") == 1
            assert session.rows("SELECT * FROM public.counted") == [(2,)]
        assert copy.compare_schema(contents) == ()


def test_newer_server_proves_nothing(
    pg15: PgServer, pg17: PgServer, stack: ExitStack, parent: Path
) -> None:
    """Where only a newer version is at hand the copy is restored, and said to be no proof."""
    contents = backup_of(stack, pg15, "CREATE TABLE t (id integer)")
    with ephemeral(parent, pg17).open(contents) as copy:
        copy.restore(contents, RestoreOrder())
        assert copy.check() == ()
        assert (
            "the copy is on PostgreSQL 17, the source on 15: "
            "equality is proven on the same major version only"
        ) in copy.compare_schema(contents)


def test_older_server_is_none(
    pg15: PgServer, pg17: PgServer, stack: ExitStack, parent: Path
) -> None:
    """Without a server that is new enough there is no scratch, and a hint how to get one."""
    contents = backup_of(stack, pg17, "CREATE TABLE t (id integer)")
    with pytest.raises(NotFound) as failure, ephemeral(parent, pg15).open(contents):
        pass
    assert failure.value.message == "no PostgreSQL 17 server is installed here (found 15)"
    assert failure.value.hint == "apt-get install postgresql-17"


def test_newer_client_restores_into_an_older_server(
    pg15: PgServer, pg17: PgServer, stack: ExitStack, parent: Path
) -> None:
    """A dump by pg_dump 17 of a server 15 comes back into a server 15, and is proven."""
    database = stack.enter_context(fresh_database(pg15, "scratch_clients"))
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (id integer PRIMARY KEY)")
        connection.execute("CREATE INDEX i ON t (id)")
        connection.execute("INSERT INTO t VALUES (1)")
    engine = engine_of(pg15, database.name)
    newer = PostgresqlEngine(engine.address, engine.password, (pg17.installation,))
    contents = back_up(newer, stack.enter_context(scratch_directory())).contents
    with ephemeral(parent, pg15, pg17).open(contents) as copy:
        copy.restore(contents, RestoreOrder(jobs=2))
        assert prove(copy, contents, lambda _: None) == ()


def test_configured_server_is_left_as_it_was(
    pg15: PgServer, stack: ExitStack, parent: Path
) -> None:
    """The database and the roles that were made there are gone; roles that existed stay."""
    with pg15.connect("postgres") as connection:
        connection.execute("CREATE ROLE scratch_gone")
        connection.execute("CREATE ROLE scratch_stays")
    stack.callback(_drop_role, pg15, "scratch_stays")
    contents = backup_of(
        stack,
        pg15,
        "CREATE TABLE a (id integer);\nCREATE TABLE b (id integer);\n"
        "ALTER TABLE a OWNER TO scratch_gone;\nALTER TABLE b OWNER TO scratch_stays",
    )
    with pg15.connect("scratch_source") as connection:
        connection.execute("DROP OWNED BY scratch_gone")
        connection.execute("DROP ROLE scratch_gone")
    place = configured(parent, pg15)
    with place.open(contents) as copy:
        assert place.title == f"configured scratch server, {contents.server}"
        copy.restore(contents, RestoreOrder())
        assert prove(copy, contents, lambda _: None) == ()
        assert len(_scratch_databases(pg15)) == 1
    assert _scratch_databases(pg15) == []
    with pg15.connect("postgres") as connection:
        roles = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'scratch%'"
        assert connection.execute(roles).fetchall() == [("scratch_stays",)]


def test_database_of_a_killed_process_is_dropped_by_the_next(
    pg15: PgServer, stack: ExitStack, parent: Path
) -> None:
    """A scratch database that nobody has used for a minute goes; a fresh one stays."""
    contents = backup_of(stack, pg15, "CREATE TABLE t (id integer)")
    for name in (f"{PREFIX}old", f"{PREFIX}new"):
        pg15.create_database(name)
        stack.callback(pg15.drop_database, name)
    with pg15.connect("postgres") as connection:
        found = connection.execute(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database"
            " WHERE datname = 'dbops_scratch_old'"
        ).fetchone()
    assert found is not None
    os.utime(Path(found[0]) / "PG_VERSION", (0, 0))
    with configured(parent, pg15).open(contents):
        pass
    assert _scratch_databases(pg15) == [f"{PREFIX}new"]


def test_configured_server_that_is_too_old_is_refused(
    pg15: PgServer, pg17: PgServer, stack: ExitStack, parent: Path
) -> None:
    """A configured server older than the source is named and refused."""
    contents = backup_of(stack, pg17, "CREATE TABLE t (id integer)")
    with pytest.raises(Refused) as refusal, configured(parent, pg15).open(contents):
        pass
    assert refusal.value.code == "scratch-too-old"
    assert refusal.value.hint == "name a scratch server of version 17 in dbops.toml"


def test_missing_locale_is_refused(pg15: PgServer, stack: ExitStack, parent: Path) -> None:
    """With another locale text sorts otherwise, so a copy without the source's is none."""
    contents = _with_locale(backup_of(stack, pg15, "CREATE TABLE t (id integer)"), "xx_XX.UTF-8")
    with pytest.raises(Failed) as failure, ephemeral(parent, pg15).open(contents):
        pass
    assert failure.value.code == "locale-missing"
    assert failure.value.message.endswith(
        "cannot make a database with encoding UTF8 and locale xx_XX.UTF-8"
    )


def _with_locale(contents: BackupContents, locale: str) -> BackupContents:
    """The same backup, as if the source had that locale."""
    catalogue = contents.catalogue
    streams = []
    for stream in catalogue.streams:
        detail = {
            key: text.replace('"collate": "C"', f'"collate": "{locale}"')
            for key, text in stream.detail.items()
        }
        streams.append(type(stream)(stream.name, stream.payload, detail, stream.ranges))
    changed = Catalogue(
        catalogue.head, tuple(streams), catalogue.tables, catalogue.facts, catalogue.gaps
    )
    return BackupContents(contents.store, contents.envelope, changed, contents.identities)


def _scratch_databases(server: PgServer) -> list[str]:
    with server.connect("postgres") as connection:
        found = connection.execute(
            "SELECT datname::text FROM pg_database WHERE starts_with(datname, 'dbops_scratch_')"
        )
        return [name for (name,) in found.fetchall()]


def _drop_role(server: PgServer, name: str) -> None:
    with server.connect("postgres") as connection:
        connection.execute(f"DROP ROLE {name}".encode())
