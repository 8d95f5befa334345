"""What a reviewed repair costs: `python -m benchmarks.repair ENGINE [REPAIRED] [ROWS] [ROUNDS]`.

ENGINE is postgresql or sqlite. Repairs 100,000 of 1,000,000 rows with one UPDATE, on a fresh copy
of the table each time, in turn with the same UPDATE alone, and prints one line of Markdown for
benchmarks/README.md: medians of both, and of their ratio in each round. Every row that is repaired
stops matching the watch set's predicate, so that all of them are looked up by their keys. Fails
where the median ratio is over 4 on PostgreSQL, or a repair's memory grows by more than 64 MB.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.repair_child import SUPERUSER, MeasuredPostgresql, MeasuredSqlite
from dbops.engines.postgresql.binaries import find_installations, server_of
from dbops.engines.postgresql.cluster import Cluster, running_cluster
from dbops.repair.table import TableName

# SQLite writes a row within the process in 4 microseconds, a server does not.
RATIO_MOST = {"postgresql": 4.0, "sqlite": 30.0}
ROUNDS_LEAST = 3  # one round says nothing of time: other work may come in between
GROWTH_MOST = 64_000_000
SETTINGS = {"max_wal_size": "4GB", "shared_buffers": "256MB", "autovacuum": "off"}

_POSTGRESQL = """
CREATE TABLE original AS SELECT n::bigint AS id, n % 50000 AS patient,
    CASE WHEN n %% {every} = 0 THEN 'OLD' ELSE 'ORT' END AS ward,
    timestamptz '2026-01-01 08:00+08' + n * interval '7 seconds' AS admitted,
    md5(n::text) || '患者' AS note
    FROM generate_series(1, {rows}) AS n;
"""
_COPY = (
    "SET client_min_messages = warning; DROP TABLE IF EXISTS visit",
    "CREATE TABLE visit (id bigint PRIMARY KEY, patient bigint NOT NULL, ward text NOT NULL,"
    " admitted timestamptz NOT NULL, note text)",
    "INSERT INTO visit SELECT * FROM original",
    "CREATE INDEX ON visit (patient)",
    "VACUUM ANALYZE visit",
    "CHECKPOINT",
)
_SQLITE = """
import sqlite3, sys
rows, every = int(sys.argv[2]), int(sys.argv[3])
connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, patient INTEGER NOT NULL,"
    " ward TEXT NOT NULL, admitted TEXT NOT NULL, note TEXT)")
connection.executemany("INSERT INTO visit VALUES (?, ?, ?, ?, ?)", (
    (n, n % 50000, "ORT" if n % every else "OLD", f"2026-01-{n % 28 + 1:02} 08:00:00",
     f"{n * 2654435761 % 2**64:032x}患者") for n in range(1, rows + 1)))
connection.execute("CREATE INDEX visit_patient ON visit (patient)")
connection.commit()
"""


@dataclass(frozen=True, slots=True)
class Took:
    """What one process took: seconds and bytes, `before` its work and at its peak."""

    seconds: float
    before: int
    memory: int


class Ground(Protocol):
    """Where a fresh copy of the table can be had any number of times."""

    def renew(self) -> dict[str, object]:
        """Afterwards the table is as it was first; returns how a child finds it."""
        ...


class PostgresqlGround:
    """A server of our own."""

    def __init__(self, cluster: Cluster, rows: int, every: int) -> None:
        self._cluster = cluster
        self._measured = MeasuredPostgresql(str(cluster.socket_directory), cluster.port)
        self._run(_POSTGRESQL.format(rows=rows, every=every).replace("%%", "%"))

    def renew(self) -> dict[str, object]:
        for statement in _COPY:
            self._run(statement)
        engine = self._measured.engine
        engine.install(engine.prepare_sql([TableName("public", "visit")]))
        return {"socket": str(self._cluster.socket_directory), "port": self._cluster.port}

    def _run(self, statement: str) -> None:
        psql = str(self._cluster.installation.tool("psql"))
        words = ["-h", str(self._cluster.socket_directory), "-p", str(self._cluster.port)]
        command = [psql, "-qX", *words, "-U", SUPERUSER, "-v", "ON_ERROR_STOP=1", "postgres"]
        subprocess.run(command, input=statement.encode(), check=True)


class SqliteGround:
    """A file beside an original."""

    def __init__(self, directory: Path, rows: int, every: int) -> None:
        self._original = directory / "original.db"
        self._copy = directory / "copy.db"
        words = [str(self._original), str(rows), str(every)]
        subprocess.run([sys.executable, "-c", _SQLITE, *words], check=True)

    def renew(self) -> dict[str, object]:
        shutil.copyfile(self._original, self._copy)
        engine = MeasuredSqlite(str(self._copy)).engine
        engine.install(engine.prepare_sql([]))
        with self._copy.open("rb") as file:
            os.fsync(file.fileno())
        return {"path": str(self._copy)}


@contextmanager
def ground_of(engine: str, directory: Path, rows: int, every: int) -> Iterator[Ground]:
    """The ground of this engine with so many rows, of which every so many-th is to be repaired."""
    if engine == "sqlite":
        yield SqliteGround(directory, rows, every)
        return
    installation = server_of(15, find_installations())
    with running_cluster(installation, None, settings=SETTINGS) as cluster:
        yield PostgresqlGround(cluster, rows, every)


def measure(ground: Ground, how: str, rows: int, directory: Path) -> Took:
    """One process on a fresh copy."""
    return ordered({**ground.renew(), "how": how, "rows": rows, "directory": str(directory)})


def ordered(orders: dict[str, object]) -> Took:
    """What a process of its own took for `repair_child`'s orders."""
    command = [sys.executable, "-m", "benchmarks.repair_child"]
    done = subprocess.run(
        command, input=json.dumps(orders), stdout=subprocess.PIPE, text=True, check=True
    )
    return Took(**json.loads(done.stdout))


def main() -> None:
    """Measure one engine."""
    engine = sys.argv[1] if len(sys.argv) > 1 else "postgresql"
    repaired, rows, rounds = (
        int(sys.argv[place]) if len(sys.argv) > place else default
        for place, default in ((2, 100_000), (3, 1_000_000), (4, 5))
    )
    with tempfile.TemporaryDirectory(prefix="dbops-benchmark-") as place:
        bundles = Path(place) / "bundles"
        bundles.mkdir(mode=0o700)
        with ground_of(engine, Path(place), rows, rows // repaired) as ground:
            pairs = [
                [measure(ground, how, repaired, bundles) for how in ("bare", "repair")]
                for _ in range(rounds)
            ]
    bare, whole = (
        statistics.median(one.seconds for one in way) for way in zip(*pairs, strict=True)
    )
    ratio = statistics.median(done.seconds / alone.seconds for alone, done in pairs)
    memory = max(done.memory for _, done in pairs)
    start = max(done.before for _, done in pairs)
    sys.stdout.write(
        f"| {engine} | {repaired:,} of {rows:,} | {rounds} | {bare:.2f} s | {whole:.2f} s |"
        f" {ratio:.2f} | {start / 1e6:.0f} MB | {memory / 1e6:.0f} MB |\n"
    )
    assert memory - start <= GROWTH_MOST, f"{memory - start} bytes more than at its start"
    assert rounds < ROUNDS_LEAST or ratio <= RATIO_MOST[engine], (
        f"{ratio:.2f} times the UPDATE alone"
    )


if __name__ == "__main__":
    main()
