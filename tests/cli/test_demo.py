"""`dbops demo`, as a person on a new machine runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.measuring import Peak, watch
from dbops.cli.demo_signoff import sign_off
from tests.fix_tools import require_tool
from tests.support.estate import found_test_estate

PROGRAM = Path(sys.executable).parent / "dbops"
LIMIT = 300_000_000
SECONDS = 60
STEPS = (
    "build",
    "keys",
    "first_night",
    "day",
    "second_night",
    "verify",
    "disaster",
    "find_corruption",
    "restore",
    "sign_off",
    "ledger",
    "total",
)


@dataclass(frozen=True, slots=True)
class Played:
    """A demo that was kept: its directory, what it printed, what it took."""

    place: Path
    told: dict[str, object]
    err: str
    status: int
    peak: Peak


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One demo for all tests of this file."""
    base = tmp_path_factory.mktemp("demo")
    place = base / "kept"
    process = subprocess.Popen(
        [str(PROGRAM), "demo", "--json", "--keep", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(base)},
    )
    peak = watch(process, base)
    out, err = process.communicate()
    return Played(place, json.loads(out), err, process.returncode, peak)


def test_demo_proves_fifty_systems(played: Played) -> None:
    """Fifty databases proven, one corruption found, three restored, and nothing to complain of."""
    assert (played.status, played.err) == (0, "")
    told = played.told
    assert (told["systems"], told["proven"], told["corruption_found"]) == (50, 50, 1)
    assert (told["backups"], told["restored"]) == (100, 3)


def test_demo_shows_an_approval_that_no_longer_counts(played: Played) -> None:
    """A repair was approved; with one other byte in its script it is refused for that."""
    require_tool("git", "git")
    assert played.told["sign_off"] == {
        "work": "2026-117-lab",
        "approved": True,
        "refused": {
            "code": "file-changed",
            "message": "repairs/2026-117-lab/approvals/zhang.wei@vendor.txt:"
            " repair.sql was changed after it was signed",
        },
    }


def test_demo_shows_that_an_edited_ledger_is_noticed(played: Played) -> None:
    """Everything that was done is recorded and whole; in the copy the right line is named."""
    told = played.told["ledger"]
    assert isinstance(told, dict)
    edited = told["edited"]
    # 100 backups, 50 proofs, 50 searches and 3 restores, each an intent and an outcome.
    assert told["entries"] == 2 * 203 + 1
    assert told["whole"] is True
    assert told["found"] == {
        "verdict": "edited",
        "code": "line-edited",
        "sequence": edited,
        "message": f"entry {edited} was changed: entry {edited + 1} names another line before it",
    }


def test_demo_tells_how_long_each_step_took(played: Played) -> None:
    """Every step has its seconds, the total is their sum, and it is less than a minute."""
    seconds = played.told["seconds"]
    assert isinstance(seconds, dict)
    assert tuple(seconds) == STEPS
    assert all(value >= 0 for value in seconds.values())
    assert seconds["total"] == pytest.approx(sum(seconds[step] for step in STEPS[:-1]), abs=0.1)
    assert seconds["total"] < SECONDS


def test_demo_stays_small(played: Played) -> None:
    """Memory of all its processes and disk space stay below 300 MB each."""
    assert played.peak.looks > 20
    assert 10_000_000 < played.peak.memory < LIMIT
    assert 50_000_000 < played.peak.disk < LIMIT


def test_the_commands_work(played: Played) -> None:
    """Each of the commands that the demo prints does what it is printed for."""
    require_tool("age", "age")
    require_tool("zstd", "zstd")
    require_tool("git", "git")
    commands = played.told["try"]
    assert isinstance(commands, list)
    done = [_shell(command, played.place) for command in commands]
    listed, shown, searched, restored, checked, audited, opened = done
    assert [item.returncode for item in done] == [0, 0, 4, 0, 5, 0, 0]
    assert "lab@2" in listed.stdout
    assert "sealed to  recovery hospital, drill verifier" in shown.stdout
    assert "error: oa@2 did not reach stored: 1 finding\n" in searched.stderr
    assert restored.stdout.endswith(", and it is equal\n")
    assert "repair.sql was changed after it was signed\n" in checked.stdout
    assert audited.stdout.startswith("the ledger is whole: ")
    assert opened.stdout == "SQLite format 3\0"


def _shell(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=False,
    )


def test_demo_does_not_touch_a_directory_that_holds_something(tmp_path: Path) -> None:
    """It is refused before anything is written."""
    (tmp_path / "notes.txt").touch()
    done = subprocess.run(
        [str(PROGRAM), "demo", "--keep", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == (
        f"error: {tmp_path} holds notes.txt already; nothing was changed\n"
        "hint: name an empty directory: dbops demo --keep DIR\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_demo_without_git_leaves_the_sign_off_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed lies in a git repository: where there is no git, that part is not shown."""
    estate = found_test_estate(tmp_path / "estate")
    monkeypatch.setenv("PATH", "/nowhere")
    assert sign_off(estate.wiring, estate.root) is None
    assert list((estate.root / "ops").iterdir()) == []


@pytest.mark.sweep
def test_demo_leaves_nothing_and_prints_a_table(tmp_path: Path) -> None:
    """Without --keep its temporary directory is gone, and a person got a table of all systems."""
    done = subprocess.run(
        [str(PROGRAM), "demo"],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert sum(line.endswith("  proven") for line in done.stdout.splitlines()) == 50
    assert "proven      50 of 50: " in done.stdout
    assert "disaster    3 databases destroyed, restored and compared: " in done.stdout
    assert "sign-off    2026-117-lab approved; one byte later refused: " in done.stdout
    assert "ledger      407 entries whole; with entry 2 edited: EDITED: " in done.stdout
