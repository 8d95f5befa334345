"""A change as it is approved, run on an engine's own objects, and how it stops before others'."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.diff_text import diff_text, parse_diff
from dbops.change.drift import told
from dbops.change.manifest import Change, DataLoss, Limits, Ring
from dbops.change.ports import ChangeEngine
from dbops.change.report import ChangeReport
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun, Rehearsed
from dbops.change.script import parse_steps
from dbops.change.stage import Moment
from dbops.change.touch import Touch
from dbops.errors import ExitStatus, Refused
from dbops.review.work import Risk

LIMITS = Limits(
    lock_wait=timedelta(seconds=5),
    statement=timedelta(seconds=60),
    attempts=2,
    pause=timedelta(seconds=1),
)


def observe(_moment: Moment) -> None:
    """Nobody looks on."""


def order_of(
    engine: ChangeEngine,
    up: Sequence[str],
    down: Sequence[str],
    touches: Sequence[Touch],
    work: str = "c-1",
) -> ChangeRun:
    """A change that nobody has rehearsed yet."""
    change = Change(
        id=work,
        title="a change",
        author="zhang.wei@contractor",
        risk=Risk.LOW,
        rings=(Ring("all", ("lab",)),),
        touches=tuple(touches),
        data_loss=DataLoss.NONE,
        limits=LIMITS,
    )
    scripts = ("".join(f"{text};\n" for text in texts).encode() for texts in (up, down))
    up_steps, down_steps = (parse_steps(script, "a script") for script in scripts)
    return ChangeRun(
        change=change,
        up=up_steps,
        down=down_steps,
        verify=parse_steps(b"SELECT 1 = 1;\n", "verify.sql"),
        plan=secrets.token_hex(32),
        run=secrets.token_hex(16),
        database="lab",
        identity=engine.identity(),
        rehearsed=None,
    )


def assert_drift(engine: ChangeEngine, ran: ChangeReport) -> None:
    """What the change made stops any other that was rehearsed before it, and is said."""
    other = order_of(engine, ["SELECT 1"], ["SELECT 1"], (), "c-apart")
    rehearsed = replace(other, rehearsed=Rehearsed(ran.before, ()))
    with pytest.raises(Refused) as caught:
        run_change(rehearsed, engine, observe)
    assert (caught.value.code, caught.value.status) == ("change-drift", ExitStatus.REFUSED)
    told_so = f"lab is not as c-apart was rehearsed on: {told(ran.differences)}"
    assert caught.value.message == told_so


def taken_back(engine: ChangeEngine, order: ChangeRun, ran: ChangeReport) -> ChangeReport:
    """The change is taken back, by a run of its own that knows the rehearsal's file.

    It is approved anew, for the database as the change left it.
    """
    seen = parse_diff(diff_text(ran.differences), "rehearsed.diff")
    anew = replace(
        order,
        rehearsed=Rehearsed(ran.before, seen),
        run=secrets.token_hex(16),
        identity=engine.identity(),
    )
    return revert_change(anew, engine, observe)
