"""A row of 100 MB is backed up, restored and proven, and few copies of it are ever in memory."""

from __future__ import annotations

import time
from pathlib import Path

from tests.crash.postgresql import NAME, found_postgresql_estate
from tests.crash.processes import Outcome, start
from tests.engines.postgresql.features import add_huge_row
from tests.engines.postgresql.processes import memory, program, tree
from tests.engines.postgresql.sealed import fresh_database
from tests.fix_postgresql import PgServer

ROW = 100_000_000
LIMIT = 300_000_000 + 4 * ROW


def _watched(root: Path, *words: str) -> tuple[Outcome, int]:
    """How a command ended, and the peak of its memory and its children's, without servers."""
    run = start(root, *words)
    peak = 0
    while not run.ended:
        own = [pid for pid in tree(run.process.pid) if program(pid) != "postgres"]
        peak = max(peak, sum(map(memory, own)))
        time.sleep(0.05)
    return run.finish(), peak


def test_a_row_of_100_megabytes_is_proven_in_little_memory(tmp_path: Path, pg17: PgServer) -> None:
    """Neither the backup nor the proof holds more than 300 MB and four times the row."""
    with fresh_database(pg17, "huge_row") as database:
        with database.connect() as connection:
            connection.execute("CREATE SCHEMA lab")
            add_huge_row(connection, ROW)
        root = found_postgresql_estate(tmp_path / "estate", database)
        taken, reading = _watched(root, "backup", "run", NAME, "--jobs", "1")
        assert taken.status == 0, taken
        assert taken.out.startswith(f"{NAME}@1  200.0 MB read, ")
        proven, proving = _watched(root, "backup", "verify", NAME, "--level", "proven")
        assert proven.status == 0, proven
        assert proven.out.startswith(f"{NAME}@1  proven, 3 rows in 1 table, ")
    assert ROW < reading < LIMIT
    assert ROW < proving < LIMIT
