"""What people are told of a change while a run of it has not come to an end."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dbops.change.stage import Moment, Stage
from dbops.change.step import Direction
from dbops.cli.review_open import open_lines
from dbops.cli.reviewing import open_desk
from tests.cli.changes import WORK, approve, folder, request
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said, wiring_of
from tests.cli.settling import TOUCHES, broken_off, run_watched, signed

__all__ = ["signed"]
REQUEST = "approvals/wei@contractor.txt"
RESUME = f"dbops change resume {WORK}"
REMARK = f"\nremark: a run of {WORK} on example has not come to an end: {RESUME}\n"
IS_HALF = f"it is half done on example: {RESUME}, or take it back: {RESUME} --revert"
IS_UNKNOWN = f"a run of it on example has not come to an end: {RESUME}"


@pytest.fixture(scope="module")
def half(signed: Ops, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """A change whose run somebody stopped behind its first part; for those who alter nothing."""
    ops = copy_ops(signed, tmp_path_factory.mktemp("half") / "estate")
    request(ops)
    approve(ops)
    with pytest.raises(KeyboardInterrupt):
        run_watched(ops, _stop)
    return ops


def _stop(moment: Moment) -> None:
    if moment.stage is Stage.COMMITTED:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def unknown(signed: Ops, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """A change whose run was killed there; for those who alter nothing."""
    return broken_off(signed, tmp_path_factory.mktemp("unknown") / "estate", Stage.COMMITTED)


@pytest.fixture(params=[("half", "half done", IS_HALF), ("unknown", "unknown", IS_UNKNOWN)])
def left(request: pytest.FixtureRequest) -> tuple[Ops, str, str]:
    """Each of them, with the state and what is next."""
    name, state, line = request.param
    return request.getfixturevalue(name), state, line


def test_show_says_how_it_goes_on(left: tuple[Ops, str, str]) -> None:
    """It is not called done; what its run used up is not said to be missing."""
    ops, state, line = left
    shown = done(ops.review("show", WORK)).stdout
    assert f"\nstate      {state}\n" in shown
    assert shown.endswith(f"           was used for the run\n\nnext       {line}\n")
    document = json.loads(done(ops.review("show", WORK, "--json")).stdout)
    assert (document["state"], document["next"]) == (state, [line])


def test_the_list_says_how_it_goes_on(left: tuple[Ops, str, str]) -> None:
    """Below the table, as a whole line."""
    ops, state, line = left
    table, _, below = done(ops.review("list")).stdout.partition("\nnext:\n")
    (row,) = (each for each in table.splitlines() if each.startswith(WORK))
    assert [each.strip() for each in row.split("  ") if each][-4:-2] == ["example", state]
    assert below == f"  {WORK}: {line}\n"


def test_a_check_says_the_same(left: tuple[Ops, str, str]) -> None:
    """Of the one, and among all that is not done."""
    ops, _, line = left
    for words in ((WORK,), ("--all",)):
        checked = ops.review("check", *words)
        assert (checked.exit_code, checked.stdout) == (5, f"{WORK}: {line}\n")


def test_what_is_half_taken_back_is_taken_back(half: Ops) -> None:
    """Forth it goes no more."""
    desk = open_desk(wiring_of(half))
    found = desk.look(folder(half))
    runs = tuple(replace(each, direction=Direction.DOWN) for each in found.open_runs)
    told = f"it is half taken back on example: {RESUME} --revert"
    assert open_lines(replace(found, open_runs=runs)) == (told,)


def test_who_signs_is_told(left: tuple[Ops, str, str], tmp_path: Path) -> None:
    """Author and approver, before the question; then the list says whom the request waits for."""
    ops = copy_ops(left[0], tmp_path / "estate")
    for verb, person in (("request", "wei"), ("approve", "li")):
        told = done(ops.review(verb, WORK, "--key", ops.key(person), "--yes")).stderr
        assert told.index("\nfiles:\n") < told.index(REMARK) < told.index("\nsigned as ")
        if verb == "request":
            found = json.loads(done(ops.review("list", "--json")).stdout)["work"]
            (one,) = (each for each in found if each["id"] == WORK)
            assert (one["state"], one["next"]) == (left[1], [left[2]])
            assert one["waits_for"] == ["1 of it-department (chen, hospital, li-na)"]
    ops.commit()
    assert ops.review("check", WORK).exit_code == 5  # approved anew, and open all the same


def test_a_change_that_is_gone_is_listed(half: Ops, tmp_path: Path) -> None:
    """With its state, and how it is settled; also by its ticket."""
    ops = copy_ops(half, tmp_path / "estate")
    before = json.loads(done(ops.run("change", "list", "--json")).stdout)["changes"]
    (entry,) = (each["databases"][0]["entry"] for each in before if each["id"] == WORK)
    shutil.rmtree(folder(ops))
    onward = f"check out the commit that ran (dbops audit show {entry}), then: {RESUME}"
    for words in ((), ("--ticket", "T-121")):
        listed = ops.run("change", "list", *words)
        assert listed.exit_code == 4
        row = next(each for each in listed.stdout.splitlines() if each.startswith(WORK))
        assert row.split()[:4] == [WORK, "T-121", "example", "half"]
        assert listed.stdout.endswith(f"\nnext:\n  {WORK}: {onward}\n")
        assert listed.stderr == (
            f"error: {WORK}: a run of it on example has not come to an end, and its folder is"
            " gone\n"
        )
    told = json.loads(ops.run("change", "list", "--json").stdout)["changes"]
    (gone,) = (each for each in told if each["id"] == WORK)
    assert (gone["title"], gone["author"], gone["next"]) == (None, None, [onward])
    assert ops.run("change", "list", "--ticket", "T-1").stderr == "no change of ticket T-1\n"
    assert said(ops.run("change", "resume", WORK))[0] == 10


def test_what_somebody_closed_is_no_finding(unknown: Ops, tmp_path: Path) -> None:
    """Where the folder is gone for good, its run is explained in the ledger."""
    ops = copy_ops(unknown, tmp_path / "estate")
    shutil.rmtree(folder(ops))
    (run,) = open_desk(wiring_of(ops)).open_runs
    listed = ops.run("change", "list")
    assert (listed.exit_code, listed.stderr.count("error: ")) == (4, 1)
    done(ops.run("audit", "close", run.sequence, "--reason", "the folder is lost, T-121"))
    assert WORK not in done(ops.run("change", "list")).stdout


def test_a_change_that_cannot_be_read_by_now_is_listed(half: Ops, tmp_path: Path) -> None:
    """It is one finding, and it has its row."""
    ops = copy_ops(half, tmp_path / "estate")
    manifest = folder(ops) / "change.yml"
    manifest.write_text(manifest.read_text("utf-8") + "nonsense: 1\n", "utf-8")
    listed = ops.run("change", "list")
    assert (listed.exit_code, listed.stderr.count("error: ")) == (4, 1)
    assert f"\n{WORK}  T-121" in listed.stdout
    assert listed.stdout.endswith(f", then: {RESUME}\n")


NO_TOUCH = (
    f"error: changes/{WORK}/change.yml line 8: touches[1] is not filled in\n"
    'hint: fill in the blank: a verb, a kind and a name such as "create index his.visit_ix"; alter'
    ' also says what differs, in the order of the alphabet: "alter column his.visit.ward_code'
    ' (default, type)"\n'
)
NO_SUCH = (
    f"error: changes/{WORK}/change.yml line 2: requires: there is no change 2026-100-gone\n"
    'hint: did you mean "2026-120-baseline"? there are: 2026-120-baseline\n'
)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("touches:\n" + "".join(f"  - {each}\n" for each in TOUCHES), 'touches: ["?"]\n', NO_TOUCH),
        ("dbops: change/v1\n", "dbops: change/v1\nrequires: [2026-100-gone]\n", NO_SUCH),
    ],
    ids=["blank", "requires"],
)
def test_nobody_asks_for_what_cannot_be_run(
    signed: Ops, tmp_path: Path, before: str, after: str, message: str
) -> None:
    """It is said as a run would say it, before anything is signed."""
    ops = copy_ops(signed, tmp_path / "estate")
    manifest, statement = (folder(ops) / name for name in ("change.yml", REQUEST))
    text, request_before = manifest.read_text("utf-8"), statement.read_bytes()
    assert before in text
    manifest.write_text(text.replace(before, after), "utf-8")
    words = ("request", WORK, "--key", ops.key("wei"), "--yes")
    assert said(ops.review(*words)) == (5, message)
    assert statement.read_bytes() == request_before
    if message == NO_SUCH:  # what is taken back needs no other change
        done(ops.review(*words, "--revert"))
