"""Who settles a change asks only what was named, alone, and records only what it made."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.change.stage import Stage
from dbops.cli.change_unsettled import Unsettled, left_by_others
from dbops.review.authorize import only_run
from tests.cli.changes import WORK, alter
from tests.cli.ops import Ops
from tests.cli.repairs import done, said, wiring_of
from tests.cli.settling import at, broken_off, forget, killed, resume_watched, resumes, signed

__all__ = ["signed"]
BY_HAND = "ALTER TABLE room ADD COLUMN hand TEXT"


@pytest.fixture(scope="module")
def half(signed: Ops, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """The same for those who change nothing."""
    return broken_off(signed, tmp_path_factory.mktemp("half") / "estate", Stage.COMMITTED)


@pytest.fixture
def ops(signed: Ops, tmp_path: Path) -> Ops:
    """A run was killed behind the first part."""
    return broken_off(signed, tmp_path / "estate", Stage.COMMITTED)


def test_only_the_database_that_was_named_is_asked(half: Ops) -> None:
    """What another host left on others is not brought to an end with it."""
    wiring = wiring_of(half)
    assert left_by_others(wiring, WORK, "elsewhere") == ()
    assert left_by_others(wiring, WORK, "example") == (Unsettled(WORK, "example"),)


def test_nobody_settles_what_another_process_is_at(half: Ops) -> None:
    """Who is at it holds the lock of the work: nothing is announced, and nothing is done."""
    with only_run(wiring_of(half).state.locks, WORK):
        assert said(half.run("change", "resume", WORK)) == (
            11,
            f"error: {WORK} is being run already\nhint: dbops audit log --last 5\n",
        )
    assert resumes(half) == []


def test_what_others_altered_since_is_not_recorded(ops: Ops) -> None:
    """What the change made is, where a schema was recorded before: drift tells the rest."""
    killed(lambda: resume_watched(ops, at(Stage.COMMITTED, 2)))
    alter(ops, BY_HAND)
    done(ops.run("change", "resume", WORK))
    told = ops.run("change", "drift", "example").stdout.splitlines()
    assert told[0].startswith("example: 1 difference from what was recorded ")
    assert told[1] == "  column `hand` of `room` is new: TEXT"


def test_what_others_altered_since_is_no_first_record(ops: Ops) -> None:
    """Where none was recorded before, nobody can say how the schema is to be: none is."""
    done(ops.run("change", "resume", WORK))
    forget(ops)
    alter(ops, BY_HAND)
    done(ops.run("change", "resume", WORK))
    message = said(ops.run("change", "drift", "example"))[1].splitlines()[0]
    assert message == "error: no schema of example was ever recorded"
