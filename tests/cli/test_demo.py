"""`dbops demo`, as a person on a new machine runs it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.measuring import Peak, watch
from dbops.cli.demo_office import open_office
from dbops.cli.demo_repair import Repaired, Run, Undone
from dbops.cli.demo_signoff import SignOff
from dbops.repair.difference import Cell, Operation, RowDifference
from dbops.review.grounds import Reason
from tests.fix_tools import require_tool
from tests.support.estate import found_test_estate

PROGRAM = Path(sys.executable).parent / "dbops"
LIMIT = 300_000_000
PROCESSOR_SECONDS = 40  # of all its processes: on a busy machine the clock runs on
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
    "repair",
    "change",
    "ledger",
    "total",
)


@dataclass(frozen=True, slots=True)
class Played:
    """A demo that was kept: its directory, what it printed, what it took.

    `processor` is the time of its processes on a processor, in seconds.
    """

    place: Path
    told: dict[str, object]
    err: str
    status: int
    peak: Peak
    processor: float


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One demo for all tests of this file."""
    base = tmp_path_factory.mktemp("demo")
    place = base / "kept"
    before = _processor_seconds()
    process = subprocess.Popen(
        [str(PROGRAM), "demo", "--json", "--keep", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(base)},
    )
    peak = watch(process, base)
    out, err = process.communicate()
    took = _processor_seconds() - before
    return Played(place, json.loads(out), err, process.returncode, peak, took)


def _processor_seconds() -> float:
    """What the children of this process took that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
        "work": "2026-117-visit-ward",
        "approved": True,
        "refused": {
            "code": "file-changed",
            "message": "2026-117-visit-ward may not run:"
            " repairs/2026-117-visit-ward/approvals/zhang.wei@vendor.txt:"
            " repair.sql was changed after it was signed (and 4 more)",
        },
    }


def test_demo_repairs_the_wrong_rows(played: Played) -> None:
    """What was approved ran: three rows, the ward in clear before and after, keys as digests."""
    require_tool("git", "git")
    told = played.told["repair"]
    assert isinstance(told, dict)
    rows = told.pop("rows")
    assert told == {
        "work": "2026-117-visit-ward",
        "database": "obstetric-emr",
        "rehearsed": "obstetric-emr@2",
        "updated": 3,
    }
    ward = {"department_code": {"before": "D013", "after": "D014", "masked": False}}
    assert [(row["table"], row["operation"], row["columns"]) for row in rows] == 3 * [
        ("visit", "update", ward)
    ]
    assert len({row["key"]["id"] for row in rows}) == 3
    assert all(row["key"]["id"].startswith("#") for row in rows)


def test_demo_undoes_only_what_nobody_touched(played: Played) -> None:
    """One edited row and the undo is refused; with it put back, the same undo restores all."""
    require_tool("git", "git")
    assert played.told["undo"] == {
        "work": "2026-118-visit-ward-undo",
        "refused": {
            "code": "undo-conflict",
            "message": "2026-117-visit-ward cannot be undone, nothing was changed:"
            " visit: 1 row changed since (in bed)",
        },
        "restored": 3,
        "equal": True,
    }


def test_demo_changes_a_schema_and_finds_an_alter_by_hand(played: Played) -> None:
    """A rule stops the hasty version; what was signed is run; what nobody signed is found."""
    require_tool("git", "git")
    assert played.told["change"] == {
        "work": "2026-121-visit-referrer",
        "database": "obstetric-emr",
        "stopped": ["DDL-NN"],
        "rehearsed": "obstetric-emr@2",
        "steps": 2,
        "words": [
            "column `referred_by` of `visit` is new: TEXT",
            "index `visit_referred_by` on `visit` is new",
        ],
        "drift": ["column `remark_by_hand` of `visit` is new: TEXT"],
    }


def test_demo_shows_that_an_edited_ledger_is_noticed(played: Played) -> None:
    """Everything that was done is recorded and whole; in the copy the right line is named."""
    told = played.told["ledger"]
    assert isinstance(told, dict)
    edited = told["edited"]
    # 100 backups, 50 proofs, 50 searches and 3 restores, each an intent and an outcome. Of four
    # pieces of work: 10 signatures, 8 of them seen; two rehearsals, a preparation, three runs, a
    # refused undo and a look at rows; and a repair that never began, and a look for drift.
    assert told["entries"] == 1 + 2 * 203 + 2 * 10 + 8 + 2 * 8 + 1 + 1
    assert told["whole"] is True
    assert told["found"] == {
        "verdict": "edited",
        "code": "line-edited",
        "sequence": edited,
        "message": f"entry {edited} was changed: entry {edited + 1} names another line before it",
    }


def test_demo_tells_how_long_each_step_took(played: Played) -> None:
    """Every step has its seconds, the total is their sum, and little of it is work."""
    seconds = played.told["seconds"]
    assert isinstance(seconds, dict)
    assert tuple(seconds) == STEPS
    assert all(value >= 0 for value in seconds.values())
    assert seconds["total"] == pytest.approx(sum(seconds[step] for step in STEPS[:-1]), abs=0.1)
    assert 1 < played.processor < PROCESSOR_SECONDS


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
    assert [item.returncode for item in done] == [0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]
    listed, shown, searched, restored, audited = done[:5]
    repairs, rows, logged, drawn, checked, opened = done[5:]
    assert "lab@2" in listed.stdout
    assert "sealed to  recovery hospital, drill verifier" in shown.stdout
    assert "error: oa@2 did not reach stored: 1 finding\n" in searched.stderr
    assert restored.stdout.endswith(", and it is equal\n")
    assert "2026-117-visit-ward       T-2026-117  obstetric-emr  undone " in repairs.stdout
    assert rows.stdout.count("  department_code  D013      D014\n") == 3
    assert "repair.run       refused  obstetric-emr " in logged.stdout
    assert drawn.stdout.endswith("/ops/repairs/2026-119-visit-ward/repair.yml\n")
    assert "2026-119-visit-ward: nothing stops it\n" in checked.stdout
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


ROW = RowDifference("visit", Operation.UPDATE, (), (Cell("ward", "D013", "D014", masked=False),))
REFUSED = Reason("file-changed", "repair.sql was changed after it was signed")
CONFLICT = Reason("undo-conflict", "1 row changed since")


@pytest.mark.parametrize(
    ("refused", "blocked", "updated", "conflict", "equal", "good"),
    [
        (REFUSED, 0, 3, CONFLICT, True, True),
        (None, 0, 3, CONFLICT, True, False),
        (REFUSED, 1, 3, CONFLICT, True, False),
        (REFUSED, 0, 4, CONFLICT, True, False),
        (REFUSED, 0, 3, None, True, False),
        (REFUSED, 0, 3, REFUSED, True, False),
        (REFUSED, 0, 3, CONFLICT, False, False),
    ],
)
def test_demo_fails_where_a_repair_goes_another_way(
    refused: Reason | None,
    blocked: int,
    updated: int,
    conflict: Reason | None,
    *,
    equal: bool,
    good: bool,
) -> None:
    """What was not refused though it had to be, or changed other rows, is no success."""
    signed = SignOff("work", approved=True, refused=refused)
    run = Run("work", "database", "database@2", blocked, updated, (ROW, ROW, ROW))
    assert Repaired(signed, run, Undone("undo", conflict, 3, equal=equal)).good is good


def test_demo_without_git_leaves_repairs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed lies in a git repository: where there is no git, that part is not shown."""
    estate = found_test_estate(tmp_path / "estate")
    monkeypatch.setenv("PATH", "/nowhere")
    assert open_office(estate.wiring, estate.root) is None
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
    assert done.stdout.count("  department_code  D013      D014\n") == 3
    assert "sign-off    2026-117-visit-ward approved; one byte later refused: " in done.stdout
    assert "repair      2026-117-visit-ward rehearsed on obstetric-emr@2, run: 3 " in done.stdout
    assert "undo        refused once a row was edited: 2026-117-visit-ward " in done.stdout
    assert "the row put back, the same undo ran: 3 rows, equal to before\n" in done.stdout
    assert "change      2026-121-visit-referrer stopped by DDL-NN; mended, " in done.stdout
    assert "drift       after an ALTER by hand: column `remark_by_hand` of " in done.stdout
    assert "ledger      453 entries whole; with entry 2 edited: EDITED: " in done.stdout
