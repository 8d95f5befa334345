"""What a person meets who uses `dbops review` for the first time: the words of its answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.ops import WORK, Ops, copy_ops, found_ops


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with persons and one backup."""
    return found_ops(tmp_path_factory.mktemp("words") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def restore(ops: Ops, *more: str) -> Result:
    return ops.run("restore", "run", "example@1", "--to", "copy", "--review", WORK, *more)


def state(ops: Ops) -> tuple[str, list[str]]:
    """State of the only piece of work, and whom it waits for."""
    (found,) = json.loads(ops.review("list", "--json").stdout)["work"]
    return found["state"], found["waits_for"]


@pytest.mark.parametrize("note", ["two\nlines", "", " ", "x" * 301, "a\x1b[31mb", "\u202eabc"])
@pytest.mark.parametrize(
    ("verb", "option"), [("request", "--note"), ("approve", "--note"), ("reject", "--reason")]
)
def test_a_note_is_one_line(ops: Ops, verb: str, option: str, note: str) -> None:
    """What cannot stand in a statement is a mistake of the command line, and is said as that."""
    ops.new()
    ops.sign("request", "wei")
    result = ops.sign(verb, "wei" if verb == "request" else "li", option, note)
    assert (result.exit_code, result.stderr) == (
        2,
        f"error: {option} is one line of at most 300 characters, none of them hidden\n"
        f'hint: for example: {option} "compared with the list of the ward"\n',
    )


def test_done_work_misses_nothing(ops: Ops) -> None:
    """Approvals that were used as they were meant are no reproach on the screen of done work."""
    ops.agreed()
    assert restore(ops).exit_code == 0
    shown = ops.review("show", WORK).stdout
    assert "missing    nothing: it was done; to do it again, have it requested again\n" in shown
    assert "does not count" not in shown
    assert shown.count("           was used for the run\n") == 2
    (found,) = json.loads(ops.review("list", "--json").stdout)["work"]
    assert (found["state"], found["due"]) == ("done", None)
    assert "request-missing" not in {each["code"] for each in found["missing"]}


def test_done_work_that_is_asked_for_again_waits(ops: Ops) -> None:
    """Reviewers see it in the list again, and a pipeline checks it again."""
    ops.agreed()
    assert restore(ops).exit_code == 0
    assert state(ops) == ("done", [])
    assert ops.sign("request", "wei").exit_code == 0
    assert state(ops) == ("waiting", ["1 of it-department (chen, hospital, li-na)"])
    assert ops.review("check", "--all").exit_code == 5


def test_a_review_after_break_glass_ends_with_the_next_command(ops: Ops) -> None:
    """What the run used up is no longer missing: the signer is told how the review is recorded."""
    ops.new()
    ops.sign("request", "wei")
    ops.sign("approve", "gu", "--break-glass", "--note", "the lab stands still")
    ops.commit()
    assert restore(ops).exit_code == 0
    result = ops.sign("approve", "li")
    assert result.exit_code == 0
    assert "missing: " not in result.stderr
    assert result.stderr.endswith(
        f"once it is committed, where it was run: dbops review confirm {WORK}\n"
    )
    shown = ops.review("show", WORK).stdout
    assert f"missing    a review after break-glass: dbops review confirm {WORK}\n" in shown


@pytest.mark.parametrize("title", ["", "two\nlines", "\x1b[2J"])
def test_a_title_is_one_line(ops: Ops, title: str) -> None:
    """No file is named that was never written."""
    said = ("--from", "example@1", "--to", "copy", "--author", "wei@contractor")
    result = ops.review("new", "restore", WORK, *said, "--title", title)
    assert (result.exit_code, result.stderr) == (
        2,
        "error: --title may not be that\n"
        "hint: allowed: text on one line, at most 200 characters, none of them hidden\n",
    )
    assert not ops.folder.exists()


def test_kinds_of_work_are_called_as_people_call_them(ops: Ops) -> None:
    """A hold is released; a list of recipients is one thing."""
    ops.run("backup", "hold", "example@1", "--reason", "inquiry")
    result = ops.run("backup", "release", "example@1", "--reason", "closed")
    assert "error: the policy asks that the release of a hold is approved first\n" in result.stderr


def test_a_work_tree_that_is_not_there(ops: Ops) -> None:
    """A first user has not cloned it yet."""
    nowhere = ops.root / "nowhere"
    for words in (("list",), ("show", WORK), ("check", "--all")):
        result = ops.review(*words, "--worktree", nowhere)
        assert (result.exit_code, result.stderr) == (
            10,
            f"error: there is no work tree of the ops repository: {nowhere} does not exist\n"
            f"hint: have it there: git clone URL {nowhere}\n",
        )
