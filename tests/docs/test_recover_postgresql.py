"""The PostgreSQL part of docs/recovery.md: every feature comes back without dbops, on a new server.

Copied are the commands of the page, run against a server that has no role but its superuser.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dbops.engines.postgresql.cluster import SUPERUSER, Cluster, running_cluster
from tests.docs.shell_blocks import DOCS, run_sections
from tests.engines.postgresql.comparison import compare_databases
from tests.engines.postgresql.features import (
    LOST_BY_PG_DUMP,
    OddEncoding,
    build_encoding_database,
    build_features,
)
from tests.engines.postgresql.sealed import NAME, Sealed, back_up, engine_of
from tests.fix_postgresql import Connection, PgServer, on_one_server
from tests.fix_tools import require_tool

RECOVER = DOCS / "recover.py"
PAGE = DOCS / "recovery.md"
SECTIONS = ("What is there", "A PostgreSQL database")
BACKUP = f"{NAME}@1"
KNOWN_LOST = {*LOST_BY_PG_DUMP, "rows of lab.unlogged differs"}  # a gap of every backup


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    for name, package in (("age", "age"), ("zstd", "zstd"), ("ssh-keygen", "openssh-client")):
        require_tool(name, package)


@dataclass(frozen=True, slots=True)
class NewServer:
    """A server that has nothing yet."""

    cluster: Cluster

    def connect(self, database: str) -> Connection:
        """As its superuser, autocommit."""
        return psycopg.connect(make_conninfo(**self.cluster.conninfo(database)), autocommit=True)

    def settings(self, sealed: Sealed, work: Path, target: str) -> dict[str, str]:
        """What a reader of the page would fill in."""
        work.mkdir()
        signer = (sealed.directory / "host.pub").read_text("ascii")
        (work / "allowed_signers").write_text(
            f'host@hospital namespaces="dbops-manifest@v1" {signer}', "ascii"
        )
        return {
            "REPOSITORY": str(sealed.directory / "repository"),
            "IDENTITY": str(identity_file(sealed, work)),
            "TRUST": str(work),
            "RECOVER": str(RECOVER),
            "WORK": str(work),
            "BACKUP": BACKUP,
            "PGHOST": str(self.cluster.socket_directory),
            "PGPORT": str(self.cluster.port),
            "PGUSER": SUPERUSER,
            "TARGET": target,
        }

    def run_page(self, sealed: Sealed, work: Path, target: str) -> subprocess.CompletedProcess[str]:
        """Follow the page with the programs of the server's own version."""
        path = f"{self.cluster.installation.bindir}:{os.environ['PATH']}"
        return run_sections(PAGE, SECTIONS, self.settings(sealed, work, target), path)


def identity_file(sealed: Sealed, directory: Path) -> Path:
    """The recovery identity as the hospital keeps it."""
    path = directory / "recovery"
    path.write_text("\n".join(item.secret for item in sealed.contents.identities) + "\n", "ascii")
    return path


@pytest.fixture(scope="module")
def new_server(pg_server: PgServer) -> Iterator[NewServer]:
    """A fresh cluster of the same major version."""
    settings = {"listen_addresses": "", "fsync": "off"}
    with running_cluster(pg_server.installation, None, settings=settings) as cluster:
        yield NewServer(cluster)


@pytest.fixture(scope="module")
def old_server(pg_server: PgServer) -> Iterator[PgServer]:
    """A source of its own: role names of other tests are not text in every encoding."""
    settings = {"listen_addresses": "", "fsync": "off"}
    with running_cluster(pg_server.installation, None, settings=settings) as cluster:
        yield PgServer(
            major=pg_server.major,
            host=str(cluster.socket_directory),
            port=cluster.port,
            superuser=SUPERUSER,
            password="unused",
            socket_directory=cluster.socket_directory,
            installation=pg_server.installation,
        )


@contextmanager
def source(
    server: PgServer, name: str, build: Callable[[Connection], None], encoding: str = "UTF8"
) -> Iterator[Connection]:
    """A built database on the server, dropped afterwards."""
    server.drop_database(name)
    server.create_database(name, encoding=encoding)
    try:
        with server.connect(name) as connection:
            build(connection)
        with server.connect(name) as connection:
            yield connection
    finally:
        server.drop_database(name)


@on_one_server
def test_the_page_brings_every_feature_back(
    pg_server: PgServer, new_server: NewServer, tmp_path: Path
) -> None:
    """Objects, rows, owners, grants, sequences, large objects and settings: all but the known."""
    with source(
        pg_server, "feature", lambda session: build_features(session, major=pg_server.major)
    ) as first:
        sealed = back_up(engine_of(pg_server, "feature"), tmp_path, jobs=2, pack_bytes=1 << 16)
        assert len(sealed.contents.envelope.packs) > 2
        done = new_server.run_page(sealed, tmp_path / "work", "new home 新")
        assert done.returncode == 0, done.stderr[-2000:]
        with new_server.connect("new home 新") as second:
            found = compare_databases(first, second)
    assert found == sorted(KNOWN_LOST)


@pytest.mark.parametrize("encoding", OddEncoding)
def test_other_encodings_come_back(
    old_server: PgServer, new_server: NewServer, tmp_path: Path, encoding: OddEncoding
) -> None:
    """Chinese names, and rows that are text in no encoding, are the same bytes again."""
    with source(
        old_server,
        "odd_source",
        lambda session: build_encoding_database(session, encoding=encoding),
        encoding,
    ) as first:
        sealed = back_up(engine_of(old_server, "odd_source"), tmp_path)
        done = new_server.run_page(sealed, tmp_path / "work", f"odd {encoding}")
        assert done.returncode == 0, done.stderr[-2000:]
        with new_server.connect(f"odd {encoding}") as second:
            assert compare_databases(first, second) == []


def small(session: Connection) -> None:
    """Two tables with some rows each."""
    session.execute(
        "CREATE TABLE first AS SELECT g, 'row ' || g AS t FROM generate_series(1, 500) g"
    )
    session.execute("CREATE TABLE second AS SELECT g, md5(g::text) FROM generate_series(1, 500) g")


@pytest.fixture
def sealed(pg_server: PgServer, tmp_path: Path) -> Iterator[Sealed]:
    """A backup of them, every stream in a pack of its own."""
    with source(pg_server, "small_source", small):
        yield back_up(engine_of(pg_server, "small_source"), tmp_path, pack_bytes=1)


def extract(sealed: Sealed, output: Path) -> subprocess.CompletedProcess[str]:
    """Run the script on the backup."""
    key = identity_file(sealed, sealed.directory)
    repository = str(sealed.directory / "repository")
    command = [sys.executable, str(RECOVER), "extract", repository, BACKUP]
    return subprocess.run(
        [*command, "-i", str(key), "-o", str(output)], check=False, capture_output=True, text=True
    )


def test_one_damaged_table_leaves_the_others(sealed: Sealed, tmp_path: Path) -> None:
    """What is damaged is named and not there; the rest is, but nothing that would load a part."""
    streams = {stream.name: stream for stream in sealed.contents.streams}
    pack = streams["public.first"].ranges[0].pack
    path = sealed.directory / "repository" / "db" / NAME / "pack" / pack[:2] / f"{pack}.age"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1])
    done = extract(sealed, tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: range 0 of public.first in pack {pack[:16]}: ")
    left = {found.name for found in (tmp_path / "out").rglob("*.*")}
    assert not {name for name in left if "first" in name or name.endswith(".part")}
    assert {name for name in left if "second" in name} != set()
    assert "schema.dump" in left
    assert "load.sql" not in left


def test_a_short_file_loads_nothing(sealed: Sealed, new_server: NewServer, tmp_path: Path) -> None:
    """A table's file that lost its last row after it was checked stops the load, and all of it."""
    done = new_server.run_page(sealed, tmp_path / "work", "whole")
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "work" / "postgresql" / "tables").glob("*second.copy")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    with new_server.connect("whole") as session:
        session.execute("TRUNCATE first, second")
        place = new_server.cluster.conninfo("whole")
        environment = {"PATH": os.environ["PATH"], "PGHOST": place["host"], "PGPORT": place["port"]}
        psql = [str(new_server.cluster.installation.tool("psql")), "-X", "-q", "-U", SUPERUSER]
        loaded = subprocess.run(
            [*psql, "-d", "whole", "-f", "load.sql"],
            check=False,
            capture_output=True,
            text=True,
            cwd=file.parent.parent,
            env=environment,
        )
        counts = session.execute(
            "SELECT (SELECT count(*) FROM first), (SELECT count(*) FROM second)"
        )
        assert counts.fetchone() == (0, 0)
    assert loaded.returncode == 3
    assert re.fullmatch(r"psql:load.sql:\d+: ERROR:  division by zero\n", loaded.stderr)
