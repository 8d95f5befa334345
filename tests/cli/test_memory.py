"""A backup streams: its memory does not grow with the database. benchmarks/memory.py shows 1 GB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Peak, watch
from tests.crash.postgresql import NAME, fill, found_postgresql_estate
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.estate import DATABASE, found_test_estate

MEGABYTES = 150
PLACE = "test_memory"
LIMIT = 300_000_000


def _peak_of_a_backup(root: Path, name: str) -> Peak:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "dbops",
            "--estate",
            str(root),
            "backup",
            "run",
            name,
            "--jobs",
            "2",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peak = watch(process)
    out, _ = process.communicate()
    assert process.returncode == 0, out
    assert peak.looks > 10
    return peak


def test_sqlite_backup_streams(tmp_path: Path) -> None:
    """Of a database of 150 MB, all processes together hold less than half in memory."""
    root = tmp_path / "estate"
    found_test_estate(
        root,
        "CREATE TABLE image(id INTEGER PRIMARY KEY, pixels BLOB);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
        f" i < {MEGABYTES * 250}) INSERT INTO image SELECT i, randomblob(4000) FROM n;",
    )
    assert (root / f"{DATABASE}.db").stat().st_size > MEGABYTES * 1_000_000
    assert _peak_of_a_backup(root, DATABASE).memory < MEGABYTES * 1_000_000 / 2


def test_postgresql_backup_with_two_workers_stays_small(tmp_path: Path, pg15: PgServer) -> None:
    """Master, two workers and their client programs stay below 300 MB together."""
    pg15.create_database(PLACE)
    fill(PgDatabase(pg15, PLACE), "result", MEGABYTES * 6000)
    root = found_postgresql_estate(tmp_path / "estate", PgDatabase(pg15, PLACE))
    assert _peak_of_a_backup(root, NAME).memory < LIMIT
    pg15.drop_database(PLACE)
