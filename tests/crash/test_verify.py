"""`dbops backup verify` killed while the restored copy, which is plaintext, lies on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.processes import dbops, fresh_random, note, start, wait_until
from tests.crash.wholeness import Witness
from tests.support.estate import DATABASE, found_test_estate

KILLS = [pytest.param(3, id="3"), pytest.param(20, id="20", marks=pytest.mark.sweep)]


def _restored(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "state" / "scratch").glob("sqlite-*"))


def _kill_verify(root: Path, files: int) -> None:
    """Kill one when so many files are there: the lock alone, or with it the directory."""
    run = start(root, "backup", "verify", DATABASE)
    assert wait_until(lambda: len(_restored(root)) >= files or run.ended)
    assert run.kill(), "the run had ended before it was killed"


@pytest.mark.parametrize("kills", KILLS)
def test_scratch_of_a_killed_verify_is_gone_after_the_next_command(
    tmp_path: Path, kills: int
) -> None:
    """Whatever command comes next removes it, and the backup can be proven as before."""
    root = tmp_path / "estate"
    found_test_estate(root)
    assert dbops(root, "backup", "run", DATABASE).status == 0
    witness = Witness(root, DATABASE)
    random_source = fresh_random()
    for _ in range(kills):
        _kill_verify(root, random_source.choice((1, 2)))
        note(f"left: {_restored(root)}")
        assert _restored(root) != []
        assert dbops(root, "backup", "list").status == 0
        assert _restored(root) == []
        assert witness.look() == {1}
    witness.prove_newest()


def test_scratch_of_a_running_verify_is_left_alone(tmp_path: Path) -> None:
    """A command that runs at the same time takes nothing away from a verification."""
    root = tmp_path / "estate"
    found_test_estate(root)
    assert dbops(root, "backup", "run", DATABASE).status == 0
    run = start(root, "backup", "verify", DATABASE)
    while not run.ended:
        assert dbops(root, "systems", "list").status == 0
    outcome = run.finish()
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{DATABASE}@1  proven, ")
