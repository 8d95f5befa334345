"""`dbops backup run` on a SQLite database, killed at every stage of its work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.crash.processes import (
    Span,
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
from tests.support.estate import DATABASE, found_test_estate

MEGABYTE_ROWS = 500  # of 2 kB each
KILLS = [pytest.param(4, id="4"), pytest.param(50, id="50", marks=pytest.mark.sweep)]


def _estate(root: Path, megabytes: int = 6) -> Path:
    rows = megabytes * MEGABYTE_ROWS
    found_test_estate(
        root,
        "CREATE TABLE image(id INTEGER PRIMARY KEY, pixels BLOB, note TEXT);"
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
        " INSERT INTO image SELECT i, randomblob(2000), '影像' || i FROM n;",
    )
    return root


def _copies(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob(f"{DATABASE}.db.dbops-copy-*"))


def _spools(root: Path) -> list[Path]:
    return sorted((root / "backups" / "tmp").glob("*"))


def _works(root: Path) -> bool:
    return is_locked(root / "state" / "lock" / DATABASE)


def _assert_next_run_works(root: Path, witness: Witness) -> Span:
    """The next run takes one more backup, and removes the copies that the killed one left."""
    before = witness.look()
    span = measure(partial(start, root, "backup", "run", DATABASE), partial(_works, root))
    assert witness.look() == before | {max(before, default=0) + 1}
    assert _copies(root) == []
    return span


@pytest.mark.parametrize("kills", KILLS)
def test_backup_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    """No kill leaves a backup that is not whole, loses one, or stops the next run."""
    root = _estate(tmp_path / "estate")
    witness = Witness(root, DATABASE)
    dbops(root, "backup", "run", DATABASE)
    span = _assert_next_run_works(root, witness)
    killed = 0
    for moment in spread_moments(fresh_random(), kills):
        run = start(root, "backup", "run", DATABASE)
        died = kill_at(run, partial(_works, root), span, moment)
        killed += died
        left = f"{len(_copies(root))} files of copies, {len(_spools(root))} spools"
        note(f"at {moment:.2f}: killed {died}, {left}")
        span = _assert_next_run_works(root, witness)
    assert killed >= kills // 2, "most runs had ended before they were killed"
    witness.prove_newest()
    assert dbops(root, "backup", "expire", DATABASE, "--yes").status == 0
    assert _spools(root) == []
    witness.prove_newest()


def _after_copy(root: Path) -> bool:
    return any(not name.endswith(".lock") for name in _copies(root))


def _after_spool(root: Path) -> bool:
    try:
        return any(path.stat().st_size > 1 << 20 for path in _spools(root))
    except FileNotFoundError:
        return False  # it was put while we looked


def _after_pack(root: Path) -> bool:
    return any((root / "backups" / "db" / DATABASE / "pack").glob("*/*"))


@pytest.mark.parametrize("stage", [_after_copy, _after_spool, _after_pack])
def test_backup_killed_at_a_stage(tmp_path: Path, stage: Callable[[Path], bool]) -> None:
    """A first backup killed while copying, sealing or proving does not exist, and leaves room."""
    root = _estate(tmp_path / "estate")
    run = start(root, "backup", "run", DATABASE)
    assert wait_until(lambda: stage(root) or run.ended)
    assert run.kill(), "the run had ended before it was killed"
    witness = Witness(root, DATABASE)
    assert witness.look() == set()
    assert _copies(root) != []
    _assert_next_run_works(root, witness)
    witness.prove_newest()
