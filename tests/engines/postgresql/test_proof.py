"""Source, backup, restore, proof: every feature comes back equal, and no change goes unseen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import psycopg
import pytest

from dbops.backup.contents import BackupContents
from dbops.backup.ports import Contents, RestoreOrder
from dbops.backup.prove import prove
from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.cluster import scratch_cluster
from dbops.engines.postgresql.connect import Parameters, connect
from dbops.engines.postgresql.database import apply_properties, read_properties
from dbops.engines.postgresql.engine import PostgresqlEngine, parameters_of
from dbops.engines.postgresql.opening import schema_stream
from dbops.engines.postgresql.schema import Reference
from dbops.engines.postgresql.scratch import PostgresqlScratchPlace
from dbops.engines.postgresql.snapshot import PostgresqlSnapshot, take_snapshot
from dbops.engines.postgresql.streams import DATABASE
from dbops.estate.values import PostgresqlScratch
from tests.engines.postgresql.comparison import compare_databases
from tests.engines.postgresql.features import (
    LOST_BY_PG_DUMP,
    OddEncoding,
    build_configured_extension,
    build_encoding_database,
    build_features,
)
from tests.engines.postgresql.installation import with_own_extension
from tests.engines.postgresql.mutations import MUTATIONS, Mutation
from tests.engines.postgresql.sealed import back_up, engine_of, fresh_database, scratch_directory
from tests.fix_postgresql import PgServer, on_one_server

SOURCE = "proof_source"
COPY = "proof_copy"
_SEVERAL_RANGES = """
    CREATE TABLE public.wide AS
        SELECT n, repeat(md5(n::text), 30) AS pad FROM generate_series(1, 9000) AS n;
    DELETE FROM public.wide WHERE n % 3 = 0;
    UPDATE public.wide SET pad = 'moved' WHERE n % 100 = 1"""
_NOT_IN_SCRATCH = "user mapping "
_GAP = "rows of lab.unlogged differs"  # an unlogged table: listed as a gap of the backup


@dataclass(frozen=True, slots=True)
class Proven:
    """The backup of the feature database, and its restored copy on the same server."""

    server: PgServer
    contents: BackupContents
    copy: PostgresqlEngine


@pytest.fixture(scope="module")
def proven(pg_server: PgServer) -> Iterator[Proven]:
    """One feature database on each server, backed up once and restored once."""
    with (
        fresh_database(pg_server, SOURCE) as source,
        fresh_database(pg_server, COPY),
        scratch_directory() as directory,
    ):
        with source.connect() as connection:
            build_features(connection, major=pg_server.major)
        contents = back_up(engine_of(pg_server, SOURCE), directory, jobs=2).contents
        copy = replace(engine_of(pg_server, COPY), reference=_reference(pg_server))
        copy.restore(contents, RestoreOrder(jobs=2))
        yield Proven(pg_server, contents, copy)


def test_copy_in_scratch_is_proven_equal(proven: Proven) -> None:
    """A scratch copy of every feature passes its check, and nothing in it differs."""
    with scratch_directory() as parent:
        place = PostgresqlScratchPlace(
            parent, PostgresqlScratch(), lambda: None, (proven.server.installation,)
        )
        with place.open(proven.contents) as copy:
            copy.restore(proven.contents, RestoreOrder(jobs=2))
            assert copy.check() == ()
            assert prove(copy, proven.contents, lambda _: None) == ()
            assert isinstance(copy, PostgresqlEngine)
            there = parameters_of(copy.address, copy.password)
            with (
                proven.server.connect(SOURCE) as first,
                psycopg.connect(
                    host=there.host, port=there.port, user=there.user, dbname=there.dbname
                ) as second,
            ):
                found = _unexplained(compare_databases(first, second))
                assert [each for each in found if not each.startswith(_NOT_IN_SCRATCH)] == []


@dataclass(frozen=True)
class WholeTables(PostgresqlEngine):
    """The engine on a server that knows no ranges by TID, as those before 14."""

    def snapshot(self) -> AbstractContextManager[PostgresqlSnapshot]:
        params = parameters_of(self.address, self.password)
        return take_snapshot(params, self.installations or (), tid_ranges=False)


def test_backup_without_ranges_is_proven_equal(pg17: PgServer) -> None:
    """Each table read by one plain COPY comes back equal to what is read there in many ranges."""
    with fresh_database(pg17, "proof_whole") as source, scratch_directory() as parent:
        with source.connect() as connection:
            build_features(connection, major=pg17.major)
            connection.execute(_SEVERAL_RANGES.encode())
        ranged = engine_of(pg17, source.name)
        with ranged.snapshot() as snapshot:
            several = {plan.name for plan in snapshot.streams() if plan.ranges > 1}
        whole = WholeTables(ranged.address, ranged.password, ranged.installations)
        contents = back_up(whole, parent, jobs=2).contents
        ranges = {stream.name: len(stream.ranges) for stream in contents.streams}
        assert ranges["public.wide"] == 1
        assert "public.wide" in several
        place = PostgresqlScratchPlace(
            parent, PostgresqlScratch(), lambda: None, (pg17.installation,)
        )
        with place.open(contents) as copy:
            copy.restore(contents, RestoreOrder(jobs=2))
            assert prove(copy, contents, lambda _: None) == ()


def test_copy_on_a_target_is_proven_equal(proven: Proven) -> None:
    """A restored target holds all that the source holds, by dbops and by an independent look."""
    assert proven.copy.check() == ()
    assert prove(proven.copy, proven.contents, lambda _: None) == ()
    with proven.server.connect(SOURCE) as first, proven.server.connect(COPY) as second:
        assert _unexplained(compare_databases(first, second)) == []


def _named(change: Mutation) -> str:
    """Large objects have numbers for names, and are rows of one stream: that is named."""
    return "large-object" if change.finding.isdigit() else change.finding


def _rounds(mutations: Sequence[Mutation]) -> list[list[Mutation]]:
    """Few groups of changes in which no finding can be taken for another one's."""
    rounds: list[list[Mutation]] = []
    for mutation in mutations:
        name = _named(mutation)
        for group in rounds:
            if not any(name in other or other in name for other in map(_named, group)):
                group.append(mutation)
                break
        else:
            rounds.append([mutation])
    return rounds


@on_one_server
@pytest.mark.parametrize("changes", _rounds(MUTATIONS), ids=lambda group: group[0].name)
def test_every_change_of_the_copy_is_found_and_named(
    proven: Proven, changes: list[Mutation]
) -> None:
    """Whatever is changed in a restored copy, a finding names it."""
    with _mutated(proven, changes) as mutated:
        findings = prove(mutated, proven.contents, lambda _: None)
    missed = [
        change.name
        for change in changes
        if not any(_named(change) in finding for finding in findings)
    ]
    assert missed == [], "\n".join(findings)


@on_one_server
@pytest.mark.parametrize("encoding", OddEncoding)
def test_database_in_another_encoding_is_proven_equal(
    pg_server: PgServer, encoding: OddEncoding
) -> None:
    """Names and rows in EUC_CN, and bytes in no encoding at all, come back byte for byte."""
    name = f"proof_{encoding.value.lower()}"
    pg_server.create_database(name, encoding=encoding.value)
    try:
        with pg_server.connect(name) as connection:
            build_encoding_database(connection, encoding=encoding)
        with scratch_directory() as parent:
            contents = back_up(engine_of(pg_server, name), parent).contents
            place = PostgresqlScratchPlace(
                parent, PostgresqlScratch(), lambda: None, (pg_server.installation,)
            )
            with place.open(contents) as copy:
                copy.restore(contents, RestoreOrder(jobs=2))
                assert prove(copy, contents, lambda _: None) == ()
    finally:
        pg_server.drop_database(name)


@on_one_server
def test_site_rows_of_an_extension_come_back(pg_server: PgServer) -> None:
    """Rows that the site added to an extension's tables are restored beside the shipped ones."""
    with scratch_directory() as programs, scratch_directory() as parent:
        with pg_server.connect("postgres") as connection:
            bindir = with_own_extension(connection, programs)
        origin = pg_server.installation
        own = Installation(bindir, origin.major, origin.version)
        with scratch_cluster(own, parent) as cluster:
            server = PgServer(
                major=own.major,
                host=str(cluster.socket_directory),
                port=cluster.port,
                superuser="postgres",
                password="unused",
                socket_directory=cluster.socket_directory,
                installation=own,
            )
            with fresh_database(server, "codes") as source:
                with source.connect() as connection:
                    build_configured_extension(connection)
                contents = back_up(engine_of(server, source.name), parent).contents
        place = PostgresqlScratchPlace(parent, PostgresqlScratch(), lambda: None, (own,))
        with place.open(contents) as copy:
            copy.restore(contents, RestoreOrder())
            assert prove(copy, contents, lambda _: None) == ()
            assert isinstance(copy, PostgresqlEngine)
            with connect(parameters_of(copy.address, copy.password)) as session:
                assert session.value("SELECT count(*) FROM codes.code") == 5


def _unexplained(sentences: Sequence[str]) -> list[str]:
    """What differs between source and copy for a reason that neither pg_dump nor a gap gives."""
    return [each for each in sentences if each not in LOST_BY_PG_DUMP and each != _GAP]


@contextmanager
def _mutated(proven: Proven, changes: Sequence[Mutation]) -> Iterator[PostgresqlEngine]:
    """A copy of the copy in which these changes were made."""
    name = "proof_mutated"
    proven.server.create_database(name, template=COPY)
    try:
        engine = replace(proven.copy, address=replace(proven.copy.address, dbname=name))
        with connect(parameters_of(engine.address, engine.password)) as session:
            detail = schema_stream(proven.contents).detail
            apply_properties(session, read_properties(detail[DATABASE]))
        with proven.server.connect(name) as connection:
            for change in changes:
                connection.execute(change.sql.encode())
        yield engine
    finally:
        proven.server.drop_database(name)


def _reference(server: PgServer) -> Reference:
    """Empty databases on the same server."""

    @contextmanager
    def empty(_: Contents) -> Iterator[Parameters]:
        with fresh_database(server, "proof_reference") as database:
            yield parameters_of(engine_of(server, database.name).address, lambda: server.password)

    return empty
