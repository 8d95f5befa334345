"""`dbops backup verify` on PostgreSQL killed while its scratch server runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.crash.postgresql import NAME, found_postgresql_estate
from tests.crash.processes import DEAR_LOOK_SECONDS, Run, dbops, start, wait_until
from tests.crash.wholeness import Witness
from tests.fix_postgresql import PgDatabase

END_SECONDS = 30.0


def _estate(root: Path, database: PgDatabase, scratch: Path) -> Path:
    """An estate with one backup, whose scratch servers lie below `scratch`."""
    found_postgresql_estate(root, database)
    with (root / "dbops.toml").open("a") as config:
        config.write(f'\n[scratch.postgresql]\ndirectory = "{scratch}"\n')
    assert dbops(root, "backup", "run", NAME).status == 0
    return root


def _commands(place: Path) -> dict[int, str]:
    """Every process that has the directory in its command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
            if str(place) in words:
                found[int(entry.name)] = words
    return found


def _start_until_server_runs(root: Path, scratch: Path) -> Run:
    """A verification whose scratch server takes connections."""
    run = start(root, "backup", "verify", NAME)
    assert wait_until(lambda: any(scratch.glob("*/socket/.s.PGSQL.*")) or run.ended)
    return run


def test_server_of_a_killed_verify_is_gone(
    tmp_path: Path, filled_database: PgDatabase, scratch_parent: Path
) -> None:
    """Its watchdog ends the server and removes what was restored; nobody has to do anything."""
    root = _estate(tmp_path / "estate", filled_database, scratch_parent)
    run = _start_until_server_runs(root, scratch_parent)
    assert run.kill(), "the run had ended before it was killed"
    gone = wait_until(lambda: not list(scratch_parent.iterdir()), END_SECONDS)
    assert gone, list(scratch_parent.iterdir())
    assert wait_until(lambda: not _commands(scratch_parent), END_SECONDS, DEAR_LOOK_SECONDS)
    assert wait_until(lambda: not run.relatives(), END_SECONDS, DEAR_LOOK_SECONDS), run.relatives()


def test_next_command_removes_the_server_where_the_watchdog_was_killed_too(
    tmp_path: Path, filled_database: PgDatabase, scratch_parent: Path
) -> None:
    """`backup list` is enough; then the same backup is proven."""
    root = _estate(tmp_path / "estate", filled_database, scratch_parent)
    run = _start_until_server_runs(root, scratch_parent)
    guards = [pid for pid, words in _commands(scratch_parent).items() if "watchdog" in words]
    for pid in guards:
        os.kill(pid, signal.SIGKILL)
    assert run.kill(), "the run had ended before it was killed"
    assert len(guards) == 1
    assert list(scratch_parent.iterdir()) != []
    assert dbops(root, "backup", "list").status == 0
    assert list(scratch_parent.iterdir()) == []
    assert wait_until(lambda: not _commands(scratch_parent), END_SECONDS, DEAR_LOOK_SECONDS)
    witness = Witness(root, NAME)
    assert witness.look() == {1}
    witness.prove_newest()
