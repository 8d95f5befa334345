"""A ledger that cannot be written: a night goes on and says so, everything else stops."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Event
from dbops.cli.ledger import ledger_of
from tests.crash.processes import Outcome
from tests.fix_tools import absent
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    copy_estate,
    found_test_estate,
    take_backup,
)
from tests.support.warm import run_warm

ON_A_FULL_DISK = """
mount -t tmpfs -o size=64k tmpfs "$1"
dd if=/dev/zero of="$1/ballast" bs=4k 2>/dev/null || true
shift
exec "$@"
"""
WHERE = "the ledger cannot be written (no room)"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with five backups, four of which no rule keeps, and a second place for more."""
    estate = found_test_estate(tmp_path_factory.mktemp("full") / "estate")
    for _ in range(5):
        take_backup(estate)
        estate.clock.skip(timedelta(minutes=1))
    config = estate.root / "dbops.toml"
    text = config.read_text().replace("keep_last = 3", "keep_last = 1")
    text = text.replace("keep_daily = 7", "keep_daily = 0")
    config.write_text(text + '\n[repositories.second]\npath = "second"\n')
    (estate.root / "audit").mkdir()
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    return copy_estate(made, tmp_path / "estate")


def dbops(estate: BuiltEstate, *words: object) -> Outcome:
    done = run_warm([*map(str, words)], cwd=estate.root, environ=_environ(estate))
    return Outcome(done.returncode, done.stdout, done.stderr)


def _environ(estate: BuiltEstate) -> dict[str, str]:
    return {**os.environ, "DBOPS_ESTATE": str(estate.root / "dbops.toml")}


def _run(words: list[str], estate: BuiltEstate) -> Outcome:
    done = subprocess.run(
        words,
        cwd=estate.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=_environ(estate),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def full(estate: BuiltEstate, *words: object) -> Outcome:
    """What `dbops` answers where the ledger lies on a disk that is full."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    shell = ["unshare", "--mount", *user, "sh", "-euc"]
    if _run([*shell, "mount -t tmpfs tmpfs /mnt"], estate).status != 0:
        absent("mount", "this machine lets nobody mount a tmpfs: run as root, outside a container")
    program = [sys.executable, "-m", "dbops", *map(str, words)]
    return _run([*shell, ON_A_FULL_DISK, "sh", str(estate.root / "audit"), *program], estate)


def documents(estate: BuiltEstate) -> set[str]:
    """The names of everything in the repository."""
    files = (path for path in estate.objects.rglob("*") if path.is_file())
    return {str(path.relative_to(estate.objects)) for path in files}


def test_a_backup_happens_all_the_same(estate: BuiltEstate) -> None:
    """It is there and whole, the command ends with 3, and both outputs say what is missing."""
    outcome = full(estate, "backup", "run", DATABASE, "--quiet")
    assert (outcome.status, outcome.out) == (3, "")
    error, hint = outcome.err.splitlines()
    assert error == f"error: the ledger could not record 1 backup: {WHERE}"
    assert hint.startswith("hint: ")
    assert estate.newest().sequence == 6
    outcome = full(estate, "backup", "run", DATABASE, "--json")
    assert outcome.status == 3
    told = json.loads(outcome.out)
    assert told["databases"][0]["backup"] == f"{DATABASE}@7"
    assert told["ledger"]["unrecorded"] == 1
    assert told["ledger"]["error"]["code"] == "ledger-unwritable"
    assert dbops(estate, "backup", "verify", DATABASE).status == 0


def test_a_failed_backup_keeps_its_own_status(estate: BuiltEstate) -> None:
    """The worse of two things decides; both are said."""
    estate.database.unlink()
    outcome = full(estate, "backup", "run", DATABASE)
    assert outcome.status == 10
    assert f"error: {DATABASE}: {estate.database} cannot be opened\n" in outcome.err
    assert "error: the ledger could not record 1 backup: " in outcome.err


STOPPED = (
    ("backup", "hold", f"{DATABASE}@1", "--reason", "inquiry"),
    ("backup", "expire", DATABASE, "--yes"),
    ("backup", "verify", DATABASE, "--level", "stored"),
    ("backup", "show", f"{DATABASE}@1"),
    ("restore", "run", DATABASE, "--to", "./again.db"),
    ("restore", "run", DATABASE, "--to", DATABASE, "--overwrite", DATABASE),
    ("repository", "create", "second"),
    ("keys", "recipients", "sign", "--remove", "verifier", "--key", "hospital/signing", "--yes"),
)


@pytest.mark.parametrize("words", STOPPED, ids=lambda words: "-".join(words[:3]))
def test_everything_else_stops_before_it_begins(made: BuiltEstate, words: tuple[str, ...]) -> None:
    """It ends with 11, shows nothing sealed, and neither repository nor database has changed."""
    before = (documents(made), made.database.read_bytes(), _trusted(made))
    outcome = full(made, *words)
    assert outcome.status == 11
    assert f"error: {WHERE}\n" in outcome.err
    assert "ward" not in outcome.out
    assert before == (documents(made), made.database.read_bytes(), _trusted(made))
    assert not (made.root / "again.db").exists()
    assert not (made.root / "second").exists()


def _trusted(estate: BuiltEstate) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (estate.root / "trust").iterdir()}


def test_an_outcome_that_does_not_fit_is_said(estate: BuiltEstate) -> None:
    """The work was done and its intent recorded: that is 3, and the open intent is found later."""
    for _ in range(60):
        ledger_of(estate.wiring).append(Draft(event=Event.LEDGER_HEARTBEAT))
    (segment,) = (estate.root / "audit" / "seg").iterdir()
    room = segment.stat().st_size + 700  # bytes: an intent, and not its outcome
    words = [sys.executable, "-m", "dbops", "backup", "hold", f"{DATABASE}@1", "--reason", "audit"]
    before = segment.read_bytes().count(b"\n")
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        env=_environ(estate),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert done.returncode == 3
    assert done.stderr.startswith(
        "error: backup.hold was done, but the ledger could not record how it ended ("
    )
    assert done.stdout == ""
    assert estate.history().backups[0].held
    # What was written of the outcome is a torn tail, and no entry.
    assert segment.read_bytes().count(b"\n") == before + 1
