"""A PostgreSQL server of a test's own, whose postmaster may be killed and started again."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from dbops.engines.postgresql.account import Account, spawn
from dbops.engines.postgresql.binaries import find_installations, server_of
from dbops.engines.postgresql.cluster import SUPERUSER, Cluster, running_cluster
from dbops.errors import NotFound
from tests.crash.processes import DEAR_LOOK_SECONDS, wait_until
from tests.fix_postgresql import PgServer, absent

BACK_SECONDS = 30.0
# What it wrote is in the kernel's hands and outlives it, so nothing waits for a disk.
SETTINGS = {"listen_addresses": "", "fsync": "off"}


@dataclass
class FragileServer:
    """The server as tests use it, and the processes that were its postmasters."""

    cluster: Cluster
    server: PgServer
    process: subprocess.Popen[bytes]
    command: list[str]

    def kill(self) -> None:
        """SIGKILL for the postmaster; its other processes notice, and end by themselves."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """It has recovered, and takes connections again."""
        assert wait_until(self._is_back, BACK_SECONDS, DEAR_LOOK_SECONDS), (
            "the server does not come back"
        )

    def _is_back(self) -> bool:
        """At first the memory of those who have not noticed yet may be in the way."""
        if self.process.poll() is not None:
            data = self.cluster.directory / "data"
            with (data.parent / "again.log").open("ab") as log:
                self.process = spawn(self.command, _owner_of(data), cwd=data, output=log)
        with suppress(psycopg.Error):
            self.server.connect("postgres", SUPERUSER).close()
            return True
        return False


def _owner_of(data: Path) -> Account | None:
    """As whom the server runs; None where that is this account."""
    entry = pwd.getpwuid(data.stat().st_uid)
    if entry.pw_uid == os.geteuid():
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


@contextmanager
def fragile_server() -> Iterator[FragileServer]:
    """A server with default settings; nothing of it is left afterwards."""
    try:
        installation = server_of(15, find_installations())
    except NotFound:
        absent("postgresql-15", "apt-get install postgresql-15")
    with running_cluster(installation, None, settings=SETTINGS) as cluster:
        pid = cluster.process.pid
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        server = PgServer(
            major=15,
            host=str(cluster.socket_directory),
            port=cluster.port,
            superuser=SUPERUSER,
            password="",
            socket_directory=cluster.socket_directory,
            installation=installation,
        )
        fragile = FragileServer(cluster, server, cluster.process, command)
        yield fragile
        cluster.stop()
        fragile.process.wait()
