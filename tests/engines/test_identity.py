"""The engine's own identity, read now: what an approval names, and no alias can fake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dbops.backup.ports import Engine
from dbops.engines.postgresql.engine import PostgresqlEngine, address_of
from dbops.errors import Refused, Unreachable
from tests.engines.postgresql.collecting import parameters
from tests.engines.sqlite.files import engine, give_up, held, unprivileged
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.estate import run_sql


def postgresql(database: PgDatabase) -> PostgresqlEngine:
    """The database as a source, and as whoever names it calls it."""
    address = address_of(parameters(database), "lab")
    return PostgresqlEngine(address, lambda: database.server.password)


def sqlite(path: Path, script: str = "CREATE TABLE t(v)") -> Engine:
    """A database in that file."""
    run_sql(path, script)
    return engine(path)


def snapshot_identity(source: Engine) -> str:
    with source.snapshot() as snapshot:
        return snapshot.identity


def test_postgresql_says_what_its_snapshots_say(pg_database: PgDatabase) -> None:
    """System identifier and OID, by whatever name the database is called."""
    source = postgresql(pg_database)
    assert source.identity() == snapshot_identity(source)
    cluster, _, number = source.identity().partition("/")
    assert cluster.isdigit()
    assert number.isdigit()
    assert replace(source, address=replace(source.address, name="x")).identity() == (
        source.identity()
    )


def test_another_postgresql_database_has_another_identity(pg_database: PgDatabase) -> None:
    """A database that was dropped and made again under its name is another one."""
    before = postgresql(pg_database).identity()
    pg_database.server.drop_database(pg_database.name)
    pg_database.server.create_database(pg_database.name)
    after = postgresql(pg_database).identity()
    assert before != after
    assert before.partition("/")[0] == after.partition("/")[0]


def test_a_server_that_is_down_has_none(pg15: PgServer) -> None:
    """Nobody answers: that is said, and no identity is made up."""
    source = postgresql(PgDatabase(pg15, "postgres"))
    silent = replace(source, address=replace(source.address, port=1))
    with pytest.raises(Unreachable):
        silent.identity()


def test_sqlite_says_where_it_really_is(tmp_path: Path) -> None:
    """The real path, whatever links lead there, and what its snapshots say."""
    path = tmp_path / "一号.db"
    source = sqlite(path, "CREATE TABLE t(v); PRAGMA application_id = 77")
    assert source.identity() == f"sqlite:{path}#77:lab"
    assert snapshot_identity(source) == "sqlite:77:lab"
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "alias.db").symlink_to(path)
    assert engine(tmp_path / "folder" / "alias.db").identity() == source.identity()
    assert engine(tmp_path / "other.db").identity() != source.identity()


@pytest.mark.parametrize("content", [None, b"", bytes(8192), b"no database at all" * 99])
def test_sqlite_that_is_no_database_has_its_place_alone(
    tmp_path: Path, content: bytes | None
) -> None:
    """What does not exist yet, or was destroyed, is known by its place; the file is untouched."""
    path = tmp_path / "lab.db"
    if content is not None:
        path.write_bytes(content)
    place = f"sqlite:{path}"
    # An empty file is an empty database.
    assert engine(path).identity() == (f"{place}#0:lab" if content == b"" else place)
    assert (path.read_bytes() if path.exists() else None) == content


def test_sqlite_identity_waits_for_nobody_but_a_writer(tmp_path: Path) -> None:
    """A reader and a writer in WAL mode go on working while it is read."""
    path = tmp_path / "lab.db"
    source = sqlite(path, "PRAGMA journal_mode=WAL; CREATE TABLE t(v)")
    with held(path, "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"):
        assert source.identity() == f"sqlite:{path}#0:lab"


def test_sqlite_that_may_not_be_read_is_refused() -> None:
    """A closed file is not taken for one that does not exist."""
    with unprivileged() as place:
        path = place / "lab.db"
        run_sql(path, "CREATE TABLE t(v)")
        path.chmod(0o600)
        give_up()
        with pytest.raises(Refused) as caught:
            engine(path).identity()
    assert caught.value.code == "database-not-readable"
