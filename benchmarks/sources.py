"""Estates to measure: one database of a given size, on SQLite or on a server of our own."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dbops.engines.postgresql.binaries import find_installations, server_of
from dbops.engines.postgresql.cluster import running_cluster
from dbops.founding import Founding, found_estate
from dbops.stores.local import LocalStore

NAME = "measured"
SETTINGS = {
    "max_wal_size": "4GB",
    "shared_buffers": "256MB",
    "synchronous_commit": "off",
    "fsync": "off",  # while it is filled; reading does not care
}
_SYSTEM = f"""
[databases.{NAME}]
system = "example"
repository = "main"
policy = "nightly"
"""


@dataclass(frozen=True, slots=True)
class Source:
    """An estate with one database, and the bytes of its largest row."""

    root: Path
    largest_row: int
    server: dict[str, str]


def found(root: Path, database: str) -> None:
    """Afterwards `root` is an estate whose one database has these settings."""
    founding = Founding(root, "示范医院", "Asia/Shanghai", "benchmark", secrets.token_hex(16))
    found_estate(founding, lambda path: LocalStore(path, "repository main"), datetime.now(UTC))
    config = root / "dbops.toml"
    head = config.read_text().partition("[databases.example]")[0]
    config.write_text(head + _SYSTEM + database)


_FILL_SQLITE = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA synchronous=OFF")
connection.execute("CREATE TABLE image(id INTEGER PRIMARY KEY, pixels BLOB)")
rows = ((n, os.urandom(4000)) for n in range(int(sys.argv[2]) * 250))
connection.executemany("INSERT INTO image VALUES (?, ?)", rows)
connection.commit()
"""


@contextmanager
def sqlite_source(root: Path, megabytes: int, _large_row: int) -> Iterator[Source]:
    """A file of that many megabytes that do not compress."""
    found(root, f'engine = "sqlite"\npath = "{NAME}.db"\n')
    file = root / f"{NAME}.db"
    subprocess.run([sys.executable, "-c", _FILL_SQLITE, file, str(megabytes)], check=True)
    yield Source(root, 4000, {})


_FILL_POSTGRESQL = """
CREATE TABLE result(id bigint PRIMARY KEY, patient bigint NOT NULL, note text);
INSERT INTO result SELECT n, n % 100000, md5(n::text) || md5((n + 1)::text) || md5((n + 2)::text)
    FROM generate_series(1, {rows}) AS n;
CREATE TABLE scan(id bigint PRIMARY KEY, picture text);
INSERT INTO scan SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, {pieces}) AS n;
CREATE INDEX ON result(patient);
VACUUM ANALYZE;
CHECKPOINT;
"""


@contextmanager
def postgresql_source(root: Path, megabytes: int, large_row: int) -> Iterator[Source]:
    """A database of that many megabytes of md5 text, and one row of `large_row` megabytes."""
    installation = server_of(15, find_installations())
    with running_cluster(installation, None, settings=SETTINGS) as cluster:
        server = cluster.conninfo("postgres")
        script = _FILL_POSTGRESQL.format(rows=megabytes * 9000, pieces=large_row * 31250)
        words = [f"--{name}={value}" for name, value in server.items() if name != "user"]
        psql = [str(installation.tool("psql")), f"--username={server['user']}", *words]
        subprocess.run([*psql, "--quiet"], input=script.encode(), check=True)
        text = "".join(
            f'{key} = "{server[name]}"\n' for key, name in (("host", "host"), ("user", "user"))
        )
        found(root, f'engine = "postgresql"\nport = {server["port"]}\ndbname = "postgres"\n{text}')
        yield Source(root, large_row * 1_000_000, server)


SOURCES = {"sqlite": sqlite_source, "postgresql": postgresql_source}
