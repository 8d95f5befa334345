"""What a reviewer reads of a schema that is to be recorded: what differs, in words."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli import changes
from tests.cli.changes import alter, approve, found_changes, request
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done

FIRST, SECOND = "2026-119-baseline", "2026-120-baseline"
OBJECTS = "1 database, 4 tables, 11 columns, 2 constraints, 1 index, 1 view, 1 trigger"
BY_HAND = """
ALTER TABLE place ADD COLUMN floor INTEGER;
DROP VIEW visit_now;
CREATE VIEW visit_now AS SELECT id, ward FROM visit WHERE note IS NOT NULL AND note <> '' AND id;
"""


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with one baseline, drawn up and signed by its author."""
    ops = found_changes(tmp_path_factory.mktemp("schema") / "estate")
    draw_up(ops, FIRST)
    request(ops, FIRST)
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def draw_up(ops: Ops, work: str) -> None:
    done(ops.run("change", "record", "example", "--id", work, "--author", "wei@contractor"))
    ops.commit()


def told(ops: Ops, work: str, command: str = "review") -> list[str]:
    """What the reviewer reads below the file's name, without the line that says where it lies."""
    shown = done(ops.run(command, "show", work)).stdout
    if command == "review":
        shown = re.findall(r"--- source\.schema\n(.*?)(?=\n\n)", shown, re.DOTALL)[0]
    lines = [line.strip() for line in shown.splitlines()]
    path = changes.folder(ops, work) / "source.schema"
    assert f"the whole text, a line an object: less {path}" in lines
    return lines


def test_the_first_baseline_is_counted(ops: Ops) -> None:
    """There is nothing to compare it with: that is said, with how many objects of which kinds."""
    summary, compared, _ = told(ops, FIRST)
    assert summary == f"the schema that is to be recorded: {OBJECTS}"
    assert compared == (
        "compared with nothing: no schema of example is known to be recorded, here or in the ops"
        " repository"
    )
    assert '{"object"' not in done(ops.review("show", FIRST)).stdout


@pytest.mark.parametrize("command", ["review", "change"])
def test_what_differs_from_what_was_recorded_is_said(ops: Ops, command: str) -> None:
    """In words, and long texts line by line, by both commands that a reviewer has."""
    request(ops, FIRST)
    approve(ops, FIRST)
    done(ops.run("change", "record", "example", "--review", FIRST, "--yes"))
    alter(ops, BY_HAND)
    draw_up(ops, SECOND)
    lines = told(ops, SECOND, command)
    (compared,) = (line for line in lines if line.startswith("compared with "))
    assert re.fullmatch(
        rf"compared with what was recorded .* by {FIRST} \(ledger entry \d+\): 2 differences",
        compared,
    )
    assert "column `floor` of `place` is new: INTEGER" in lines
    assert "view `visit_now`: definition differs" in lines
    assert any(
        line.startswith("+CREATE VIEW visit_now AS SELECT id, ward FROM visit WHERE note")
        for line in lines
    )
    found = json.loads(done(ops.run(command, "show", SECOND, "--json")).stdout)["baseline"]
    assert found["objects"]["column"] == 12
    assert found["compared_with"] in compared
    assert found["words"][0] == "column `floor` of `place` is new: INTEGER"


def test_without_a_ledger_the_ops_repository_tells(ops: Ops) -> None:
    """On a reviewer's laptop: the newest baseline that its author signed, and what is doubtful."""
    alter(ops, BY_HAND)
    draw_up(ops, SECOND)
    shutil.rmtree(ops.root / "audit")
    lines = told(ops, SECOND)
    assert re.fullmatch(
        rf"compared with changes/{FIRST}, signed by its author .*: 2 differences", lines[2]
    )
    assert lines[1] == (
        "remark: whether that one was recorded, and what ran since, is not known to this host's"
        " ledger"
    )
    assert lines[3] == "column `floor` of `place` is new: INTEGER"
    approvals = changes.folder(ops, FIRST) / "approvals"
    (approvals / "wei@contractor.txt.sig").unlink()
    assert told(ops, SECOND)[1].startswith("compared with nothing: ")


def test_a_schema_that_dbops_did_not_write_is_said_to_be_none(ops: Ops) -> None:
    """Nothing of it is shown as if it were one."""
    path = changes.folder(ops, FIRST) / "source.schema"
    path.write_text("{}\n", "utf-8")
    assert told(ops, FIRST)[0] == (
        f"cannot be told in words: changes/{FIRST}/source.schema line 1: this is no schema as"
        " dbops writes it"
    )
    found = json.loads(done(ops.run("review", "show", FIRST, "--json")).stdout)["baseline"]
    assert (found["objects"], found["words"]) == (None, [])


def test_what_a_rehearsal_left_is_told_in_words(ops: Ops) -> None:
    """The reviewer of a change reads what it came to, not how that is stored."""
    changes.write(ops)
    request(ops, changes.WORK)
    done(changes.rehearse(ops))
    shown = done(ops.review("show", changes.WORK)).stdout
    assert (
        "--- rehearsed-example.diff\n    what the change came to when it was rehearsed:\n" in shown
    )
    assert "      column `referred_by` of `visit` is new: TEXT\n" in shown
    before = "    the schema before the change, as the backup has it: "
    assert f"--- rehearsed-example.schema\n{before}" in shown
    assert '{"object"' not in shown
