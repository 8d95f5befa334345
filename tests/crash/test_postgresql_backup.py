"""`dbops backup run` on PostgreSQL with two workers, killed at every stage of its work."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.crash.postgresql import NAME, fill, found_postgresql_estate
from tests.crash.processes import (
    DEAR_LOOK_SECONDS,
    Run,
    dbops,
    fresh_random,
    is_locked,
    kill_at,
    measure,
    note,
    spread_moments,
    start,
    wait_until,
)
from tests.crash.wholeness import Witness
from tests.fix_postgresql import Connection, PgDatabase

KILLS = [pytest.param(4, id="4"), pytest.param(50, id="50", marks=pytest.mark.sweep)]
MORE_ROWS = 200_000
END_SECONDS = 15.0
RUN = ("backup", "run", NAME, "--jobs", "2")


def _works(root: Path) -> bool:
    return is_locked(root / "state" / "lock" / NAME)


def _sessions(database: PgDatabase) -> int:
    """Who is connected to the database, but for the one who asks."""
    with database.server.connect("postgres") as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        (count,) = connection.execute(query, (database.name,)).fetchone() or (0,)
    return int(count)


def _assert_ended(run: Run, database: PgDatabase) -> None:
    """Workers and client programs of the killed run end by themselves, and so do its sessions."""
    wait = partial(wait_until, seconds=END_SECONDS, look=DEAR_LOOK_SECONDS)
    assert wait(lambda: not run.relatives()), run.relatives()
    assert wait(lambda: _sessions(database) == 0), "sessions are left"


@pytest.mark.parametrize("kills", KILLS)
def test_backup_killed_at_random_moments(
    tmp_path: Path, filled_database: PgDatabase, kills: int
) -> None:
    """No kill leaves a false backup, loses one, leaves a process, or stops the next run."""
    root = found_postgresql_estate(tmp_path / "estate", filled_database)
    witness = Witness(root, NAME)
    assert dbops(root, *RUN).status == 0
    span = measure(partial(start, root, *RUN), partial(_works, root))
    killed = 0
    for moment in spread_moments(fresh_random(), kills):
        before = witness.look()
        run = start(root, *RUN)
        died = kill_at(run, partial(_works, root), span, moment)
        killed += died
        note(f"at {moment:.2f}: killed {died}, left: {sorted(run.relatives().values())}")
        after = witness.look()
        assert after <= before | {max(before) + 1}
        _assert_ended(run, filled_database)
        span = measure(partial(start, root, *RUN), partial(_works, root))
        assert witness.look() == after | {max(after) + 1}
    assert killed >= kills // 2, "most runs had ended before they were killed"
    assert dbops(root, "backup", "expire", NAME, "--yes").status == 0
    assert list((root / "backups" / "tmp").iterdir()) == []
    witness.listed = {backup.sequence for backup in witness.history().backups}
    witness.prove_newest()


def test_workers_of_a_killed_run_end_while_they_read(
    tmp_path: Path, filled_database: PgDatabase
) -> None:
    """Workers in the middle of a table notice that their master is gone, and so do their psql."""
    fill(filled_database, "more", MORE_ROWS)
    root = found_postgresql_estate(tmp_path / "estate", filled_database)
    with filled_database.server.connect("postgres") as connection:
        run = start(root, *RUN)
        assert wait_until(lambda: _copying(connection, filled_database) or run.ended)
        assert run.kill(), "the run had ended before it was killed"
        left = run.relatives()
    # The one that reads is there; the other one may not be spawned yet.
    assert any("spawn_main" in command for command in left.values()), left
    _assert_ended(run, filled_database)
    assert dbops(root, *RUN).status == 0


def _copying(connection: Connection, database: PgDatabase) -> bool:
    """Whether rows are being read just now."""
    query = "SELECT FROM pg_stat_activity WHERE datname = %s AND query LIKE 'COPY%%more%%'"
    return connection.execute(query, (database.name,)).fetchone() is not None
