"""The schema in a backup: what the source's server printed, whatever became of copies since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from dbops.change.schema import Schema
from dbops.change.schema_text import parse_schema
from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.change_schema_backup import read_objects, source_schema
from dbops.engines.postgresql.connect import connect
from dbops.engines.postgresql.snapshot import take_snapshot
from dbops.engines.postgresql.streams import OBJECTS
from dbops.errors import Failed, Refused
from dbops.repository.manifest import Gap
from tests.engines.postgresql.collecting import parameters, read_all
from tests.engines.postgresql.features import OddEncoding, build_encoding_database
from tests.engines.postgresql.sealed import (
    Sealed,
    back_up,
    engine_of,
    fresh_database,
    scratch_directory,
)
from tests.fix_postgresql import PgDatabase, PgServer

READER = "objects_reader"
SCHEMA = """
CREATE TABLE ward (code varchar(2) CHECK (code IN ('a', 'b')), "标题" text DEFAULT '张三');
CREATE VIEW wards AS SELECT * FROM ward WHERE code IN ('a', 'b');
CREATE TYPE shell;
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A database, its schema as it is now, and a backup of it."""

    schema: Schema
    sealed: Sealed


@pytest.fixture(scope="module")
def source(pg_server: PgServer) -> Iterator[Source]:
    """One backup on each server."""
    with fresh_database(pg_server, "objects") as database, scratch_directory() as directory:
        with database.connect() as connection:
            connection.execute(SCHEMA.encode())
        yield Source(_live(database), back_up(engine_of(pg_server, "objects"), directory))


def _live(database: PgDatabase) -> Schema:
    with connect(parameters(database)) as session:
        return read_schema(session)


def test_backup_holds_the_schema(source: Source) -> None:
    """What is read from the backup is what the source said, unknown kinds included."""
    found = source_schema(source.sealed.contents)
    assert found == source.schema
    assert found.unknown == ("type public.shell",)
    assert source.sealed.contents.catalogue.gaps == ()


def test_backup_without_it_is_refused(source: Source) -> None:
    """Backups of before, which have no such stream, say what to do."""
    contents = source.sealed.contents
    streams = tuple(each for each in contents.catalogue.streams if each.name != OBJECTS)
    older = replace(contents, catalogue=replace(contents.catalogue, streams=streams))
    with pytest.raises(Refused) as refusal:
        source_schema(older)
    assert refusal.value.code == "change-source"
    assert refusal.value.message == ("backup his@1 does not hold the schema as a list of objects")
    assert refusal.value.hint == "take one more backup, prove it, and rehearse on that"


@pytest.mark.parametrize("encoding", OddEncoding)
def test_text_is_utf8_in_every_encoding(pg15: PgServer, encoding: OddEncoding) -> None:
    """Names and texts of other encodings, and bytes in none, come back as the same schema."""
    pg15.create_database("objects_odd", encoding=encoding)
    try:
        database = PgDatabase(pg15, "objects_odd")
        with database.connect() as connection:
            build_encoding_database(connection, encoding=encoding)
        with take_snapshot(parameters(database), [pg15.installation]) as snapshot:
            data = b"".join(read_all(snapshot, OBJECTS).ranges[OBJECTS].values())
        assert parse_schema(data, "here") == _live(database)
    finally:
        pg15.drop_database("objects_odd")


def test_backup_goes_on_without_it(pg15: PgServer) -> None:
    """Where the schema cannot be read, rows are backed up all the same, and a gap says so."""
    with fresh_database(pg15, "objects_closed") as database:
        with database.connect() as connection:
            connection.execute(f"CREATE ROLE {READER} LOGIN".encode())
            connection.execute(b"CREATE TABLE t (a integer)")
            connection.execute(f"GRANT SELECT ON t TO {READER}".encode())
            connection.execute(b"REVOKE EXECUTE ON FUNCTION oidvectortypes FROM PUBLIC")
        with take_snapshot(parameters(database, READER), [pg15.installation]) as snapshot:
            names = [plan.name for plan in snapshot.streams()]
            gaps = snapshot.gaps
            snapshot.confirm()
        with database.connect() as connection:
            connection.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}".encode())
    assert OBJECTS not in names
    assert "public.t" in names
    assert gaps == (
        Gap(
            "the schema as a list of objects",
            "could not be read (permission-denied); changes cannot be rehearsed on this backup",
        ),
    )


def test_somebody_who_holds_a_view(pg15: PgServer) -> None:
    """A view that is being changed is not waited for; the transaction itself goes on."""
    with fresh_database(pg15, "objects_held") as database, database.connect() as other:
        other.execute(b"CREATE VIEW v AS SELECT 1")
        other.execute(b"BEGIN; LOCK TABLE v IN ACCESS EXCLUSIVE MODE")
        with connect(parameters(database)) as session:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            with pytest.raises(Failed) as failure:
                read_objects(session, 0.05)
            assert session.value("SELECT current_setting('lock_timeout')") == "0"
    assert failure.value.code == "lock-behind"
    assert failure.value.message == "somebody waits for a view"
