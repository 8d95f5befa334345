"""What somebody did by hand stays drift, whatever runs of changes come after it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dbops.change.step import Direction
from dbops.cli.change_run import run_reviewed_change
from dbops.cli.changing import read_change
from tests.cli import changes
from tests.cli.changes import WORK, agreed, alter, found_changes, record, request, revert, run
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, wiring_of

EVIL = "CREATE TRIGGER evil AFTER INSERT ON visit BEGIN UPDATE place SET name = 'x'; END;"
WORDS = "trigger `evil` on `visit` is new"
REMARK = "remark: example also differs from what was recorded before: dbops change drift example\n"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate whose schema is recorded; what came by hand since is in the rehearsed backup."""
    ops = found_changes(tmp_path_factory.mktemp("by-hand") / "estate")
    record(ops)
    alter(ops, EVIL)
    for words in (("backup", "run", "example"), ("backup", "verify", "example")):
        done(ops.run(*words))
    agreed(ops)
    return ops


@pytest.fixture
def ops(signed: Ops, tmp_path: Path) -> Ops:
    """A copy of the estate."""
    found = copy_ops(signed, tmp_path / "estate")
    request(found)
    changes.approve(found)
    return found


def drifted(ops: Ops) -> list[str]:
    """What drift says, of the change that recorded last."""
    found = ops.run("change", "drift", "example")
    assert found.exit_code == 4
    head, *lines = found.stdout.splitlines()
    assert head.startswith("example: 1 difference from what was recorded ")
    assert f" by {WORK} (" in head
    return [line.strip() for line in lines]


def killed(ops: Ops, monkeypatch: pytest.MonkeyPatch, direction: Direction) -> None:
    """Afterwards a run has committed, and its process died before the ledger had its end."""
    wiring = wiring_of(ops)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dbops.cli.baselines.keep_schema", die)
        with pytest.raises(KeyboardInterrupt):
            run_reviewed_change(wiring, read_change(wiring, WORK), "example", direction)


def test_a_rehearsal_on_a_drifted_backup_says_so(ops: Ops) -> None:
    """So does show until the change has run; a schema recorded since is said to be newer."""
    heard = changes.rehearse(ops)
    (backup,) = re.findall(r"rehearsed on (\S+)", done(heard).stdout)
    remark = (
        f"remark: {backup}, the rehearsed backup, has another schema than is recorded for example"
        " (1 difference): dbops change drift example\n"
    )
    assert heard.stderr.endswith(remark)
    assert done(ops.run("change", "show", WORK)).stderr == remark
    record(ops, "2026-125-evil")
    assert done(ops.run("change", "show", WORK)).stderr == ""
    alter(ops, "DROP TRIGGER evil;")
    record(ops, "2026-126-no-evil")
    assert done(ops.run("change", "show", WORK)).stderr == (
        f"remark: the schema of example was recorded anew since {backup} was taken, which has"
        " another one: take a new backup, verify it, then dbops change rehearse"
        f" {WORK}\n"
    )


def test_a_run_and_its_way_back_record_only_what_they_made(ops: Ops) -> None:
    """The trigger was in the backup on which the change was rehearsed; nobody signed it."""
    ran = done(run(ops))
    assert ran.stderr == REMARK
    assert done(ops.run("change", "show", WORK)).stderr == ""
    assert drifted(ops)[:1] == [WORDS]
    request(ops, takes_back=True)
    changes.approve(ops)
    back = done(revert(ops, WORK, "--json"))
    assert back.stderr == REMARK
    (told,) = json.loads(back.stdout)["runs"]
    assert told["drift"] == [{"verb": "create", "kind": "trigger", "name": "evil"}]
    assert drifted(ops)[:1] == [WORDS]
    alter(ops, "DROP TRIGGER evil;")
    assert done(ops.run("change", "drift", "example")).stdout.startswith("example: as recorded")


def test_a_way_back_does_not_record_what_came_since(ops: Ops) -> None:
    """By hand, between the run and the revert; a column beside those of the change."""
    alter(ops, "DROP TRIGGER evil;")
    alter(ops, EVIL)
    done(run(ops))
    alter(ops, "DROP TRIGGER evil; ALTER TABLE visit ADD COLUMN bed TEXT;")
    request(ops, takes_back=True)
    changes.approve(ops)
    assert done(revert(ops)).stderr == REMARK
    assert drifted(ops) == ["column `bed` of `visit` is new: TEXT"]
    alter(ops, "ALTER TABLE visit DROP COLUMN bed;")
    assert done(ops.run("change", "drift", "example")).stdout.startswith("example: as recorded")


def test_a_resume_records_only_what_the_run_made(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run that was whole, with what came by hand before it and since."""
    killed(ops, monkeypatch, Direction.UP)
    alter(ops, "DROP TRIGGER evil; ALTER TABLE place ADD COLUMN floor INTEGER;")
    settled = done(ops.run("change", "resume", WORK, "--json"))
    assert settled.stderr == REMARK
    (told,) = json.loads(settled.stdout)
    assert told["drift"] == [{"verb": "create", "kind": "column", "name": "place.floor"}]
    assert drifted(ops) == ["column `floor` of `place` is new: INTEGER"]


def test_a_resume_of_a_way_back_records_it(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the change made is no longer recorded, and no drift; what came by hand is."""
    done(run(ops))
    request(ops, takes_back=True)
    changes.approve(ops)
    killed(ops, monkeypatch, Direction.DOWN)
    assert done(ops.run("change", "resume", WORK)).stderr == REMARK
    assert drifted(ops)[:1] == [WORDS]


def test_what_is_half_done_is_recorded_whole(signed: Ops, tmp_path: Path) -> None:
    """Both ways, each finished by a resume: all that the change made, and nothing by hand."""
    ops = copy_ops(signed, tmp_path / "estate")
    first, second = changes.UP.split("-- step: find visits by it\n")
    unique = second.replace("CREATE INDEX", "CREATE UNIQUE INDEX").replace(
        "(referred_by)", "(note)"
    )
    down = changes.DOWN.replace("\nALTER", "\n-- part: the column\nALTER")
    lint = "accepted:\n  - {rule: DDL-UNIQ, why: notes are looked through}"
    agreed(
        ops,
        up=f"{first}-- part: find visits by it\n{unique}",
        down=down,
        verify="SELECT 1 = 1;\n",
        more=f"{changes.PERSONAL}\n{lint}",
    )
    alter(ops, "INSERT INTO visit VALUES (4, 'ICU', 'x')")
    assert run(ops).exit_code == 3
    alter(ops, "UPDATE visit SET note = 'y' WHERE id = 4")
    assert done(ops.run("change", "resume", WORK)).stderr == REMARK
    assert drifted(ops)[:1] == [WORDS]
    request(ops, takes_back=True)
    changes.approve(ops)
    alter(ops, "CREATE VIEW referred AS SELECT referred_by FROM visit;")
    assert revert(ops).exit_code == 3
    alter(ops, "DROP VIEW referred;")
    assert done(ops.run("change", "resume", WORK)).stderr == REMARK
    assert drifted(ops)[:1] == [WORDS]


def test_what_cannot_be_read_any_more_is_not_made_up(ops: Ops) -> None:
    """Where the text of what was recorded is gone, a run does not record what came by hand."""
    (kept,) = (ops.root / "state").rglob("*.schema")
    kept.unlink()
    told = done(run(ops)).stderr
    assert told.startswith("remark: the schema of example that ledger entry ")
    assert told.endswith(
        " recorded does not lie on this host as it was: what example is to have has to be recorded"
        " anew\n"
    )
    lost = ops.run("change", "drift", "example")
    assert lost.exit_code == 1
    assert lost.stderr.startswith("error: the schema of example that ledger entry ")
