"""The feature database itself: it can be built, a plain dump carries it, and mutations show."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.cluster import running_cluster
from dbops.engines.postgresql.connect import connect
from tests.engines.postgresql.comparison import (
    Connection,
    Inventory,
    compare_databases,
    differences,
    inventory,
)
from tests.engines.postgresql.features import (
    LOST_BY_PG_DUMP,
    ONLY_WITH_CREATE,
    OddEncoding,
    build_configured_extension,
    build_encoding_database,
    build_features,
)
from tests.engines.postgresql.installation import with_own_extension
from tests.engines.postgresql.mutations import DATABASE, MUTATIONS, Mutation
from tests.engines.postgresql.repair_database import parameters_of
from tests.fix_postgresql import PgServer, on_one_server

_BUILD_SECONDS = 20.0  # it takes half a second; the rest is for machines with other work


@dataclass(frozen=True, slots=True)
class Copied:
    """Sessions in the feature database and in its copy by pg_dump, and both inventories."""

    source: Connection
    copy: Connection
    of_source: Inventory
    of_copy: Inventory


@pytest.fixture(scope="module")
def copied(pg_server: PgServer) -> Iterator[Copied]:
    """One feature database per server, and one copy, for all tests that leave them as they were."""
    with _database(pg_server, "own_features") as source, _database(pg_server, "own_copy") as copy:
        with pg_server.connect(source) as connection:
            build_features(connection, major=pg_server.major)
        _copy(pg_server, source, copy)
        with pg_server.connect(source) as first, pg_server.connect(copy) as second:
            yield Copied(first, second, inventory(first), inventory(second))


@contextmanager
def _database(server: PgServer, name: str, encoding: str = "UTF8") -> Iterator[str]:
    server.drop_database(name)
    server.create_database(name, encoding=encoding)
    yield name
    server.drop_database(name)


def _copy(server: PgServer, source: str, target: str, encoding: str = "UTF8") -> None:
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": server.password}
    place = ["-h", server.host, "-p", str(server.port), "-U", server.superuser]
    with tempfile.TemporaryDirectory() as directory:
        archive = f"{directory}/archive"
        dump = [
            str(server.installation.tool("pg_dump")),
            *place,
            "-Fc",
            "-E",
            encoding,
            "-f",
            archive,
        ]
        subprocess.run([*dump, source], env=environment, check=True)
        restore = [str(server.installation.tool("pg_restore")), *place, "--exit-on-error"]
        subprocess.run([*restore, "-d", target, archive], env=environment, check=True)


def test_is_built_quickly(pg_server: PgServer) -> None:
    """A developer can build it for each test without waiting."""
    with _database(pg_server, "timed") as name, pg_server.connect(name) as connection:
        started = time.monotonic()
        build_features(connection, major=pg_server.major)
        assert time.monotonic() - started < _BUILD_SECONDS


@on_one_server
def test_two_builds_are_equal(pg_server: PgServer, copied: Copied) -> None:
    """Nothing in it depends on the clock, on chance or on what the roles were before."""
    with _database(pg_server, "again") as name, pg_server.connect(name) as connection:
        build_features(connection, major=pg_server.major)
        assert differences(copied.of_source, inventory(connection)) == []


def test_plain_dump_carries_it(copied: Copied) -> None:
    """A copy by pg_dump and pg_restore differs in nothing but what is known to get lost."""
    found = [
        sentence
        for sentence in differences(copied.of_source, copied.of_copy)
        if not sentence.startswith(ONLY_WITH_CREATE)
    ]
    assert found == sorted(LOST_BY_PG_DUMP)


def test_kinds_print_the_same_after_a_restore(pg_server: PgServer, copied: Copied) -> None:
    """Operators, text search, collations, casts and conversions of a copy read as the source's."""
    kinds = {
        ObjectKind.COLLATION,
        ObjectKind.CONVERSION,
        ObjectKind.CAST,
        ObjectKind.OPERATOR,
        ObjectKind.OPERATOR_CLASS,
        ObjectKind.OPERATOR_FAMILY,
        ObjectKind.ACCESS_METHOD,
        ObjectKind.SEARCH_CONFIGURATION,
        ObjectKind.SEARCH_DICTIONARY,
        ObjectKind.SEARCH_PARSER,
        ObjectKind.SEARCH_TEMPLATE,
    }
    found = []
    for connection in (copied.source, copied.copy):
        place = parameters_of(pg_server, connection.info.dbname, pg_server.superuser)
        with connect(place) as session:
            objects = read_schema(session).objects
        found.append({name: each for name, each in objects.items() if name.kind in kinds})
    of_source, of_copy = found
    assert {name.kind for name in of_source} == kinds
    assert of_copy == of_source


def test_settings_need_create(copied: Copied) -> None:
    """Without --create the settings and the grants of the database itself are not in the copy."""
    found = differences(copied.of_source, copied.of_copy)
    assert "database itself differs" in found
    assert "database setting DateStyle is only in the first" in found


def test_has_more_than_one_range_and_holes(copied: Copied) -> None:
    """One table lies over more than 256 blocks, another has a whole range without a row."""
    blocks = "SELECT pg_relation_size('lab.result') / 8192"
    assert _number(copied.source, blocks) > 3 * 256
    assert _number(copied.source, "SELECT max((ctid::text::point)[0])::int FROM lab.hollow") > 512
    inside = "SELECT count(*) FROM lab.hollow WHERE ctid >= '(256,0)' AND ctid < '(512,0)'"
    assert _number(copied.source, inside) == 0


def test_huge_row(pg_server: PgServer) -> None:
    """A row of the size that is asked for is in the database, byte for byte."""
    with _database(pg_server, "huge") as name, pg_server.connect(name) as connection:
        build_features(connection, major=pg_server.major, huge_row_bytes=5_000_003)
        query = "SELECT octet_length(picture) FROM lab.huge WHERE id = 2"
        assert _number(connection, query) == 5_000_003


@on_one_server
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_mutation_shows(copied: Copied, mutation: Mutation) -> None:
    """Each change to the copy is found, and the finding names what was changed."""
    target, before = copied.copy, copied.of_copy
    if mutation in DATABASE:  # the copy lacks those settings: change them where they are
        target, before = copied.source, copied.of_source
    with target.transaction(force_rollback=True):
        target.execute(mutation.sql.encode("ascii"))
        found = differences(before, inventory(target))
    assert any(re.search(rf"(?<!\w){mutation.finding}(?!\w)", sentence) for sentence in found)


def test_inventory_reads_only(copied: Copied) -> None:
    """After all inventories, both databases are as they were."""
    assert inventory(copied.source) == copied.of_source
    known = differences(copied.of_source, copied.of_copy)
    assert compare_databases(copied.source, copied.copy) == known


@pytest.mark.parametrize("encoding", OddEncoding)
def test_odd_encodings_survive_a_dump(pg_server: PgServer, encoding: OddEncoding) -> None:
    """EUC_CN and SQL_ASCII databases compare equal after a dump in their own encoding."""
    with (
        _database(pg_server, "odd", encoding) as source,
        _database(pg_server, "odd_copy", encoding) as copy,
        pg_server.connect(source) as first,
        pg_server.connect(copy) as second,
    ):
        build_encoding_database(first, encoding=encoding)
        assert compare_databases(first, second) != []
        _copy(pg_server, source, copy, encoding)
        assert compare_databases(first, second) == []


def test_one_raw_byte_shows(pg_server: PgServer) -> None:
    """A byte that is text in no encoding counts in the comparison like any other."""
    with _database(pg_server, "odd", OddEncoding.SQL_ASCII) as name, pg_server.connect(name) as raw:
        build_encoding_database(raw, encoding=OddEncoding.SQL_ASCII)
        before = inventory(raw)
        raw.execute(b"UPDATE raw.text SET body = replace(body, '\xc0', '\xc1') WHERE id = 104")
        assert differences(before, inventory(raw)) == ["rows of raw.text differs"]


@pytest.fixture
def readable_directory() -> Iterator[Path]:
    """An empty directory that the server's account can read, whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="dbops-test-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_extension_with_configuration(pg_server: PgServer, readable_directory: Path) -> None:
    """The site's rows in an extension's configuration tables survive a dump, others do not."""
    with pg_server.connect("postgres") as connection:
        bindir = with_own_extension(connection, readable_directory)
    origin = pg_server.installation
    own = Installation(bindir, origin.major, origin.version)
    with running_cluster(own, None, settings={"listen_addresses": "", "fsync": "off"}) as cluster:
        server = PgServer(
            major=own.major,
            host=str(cluster.socket_directory),
            port=cluster.port,
            superuser="postgres",
            password="unused",
            socket_directory=cluster.socket_directory,
            installation=own,
        )
        with _database(server, "codes") as source, _database(server, "codes_copy") as copy:
            with server.connect(source) as first, server.connect(copy) as second:
                build_configured_extension(first)
                _copy(server, source, copy)
                assert compare_databases(first, second) == ["rows of codes.fixed differs"]


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode("ascii")).fetchone()
    assert row is not None
    return int(row[0])
