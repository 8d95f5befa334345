"""How far a repair has come: state, alarms, and who must act, from values alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dbops.audit.entry import Effect
from dbops.repair.clocks import Deadline
from dbops.repair.manifest import Cause, Limits, Repair, UndoOf
from dbops.repair.progress import (
    Attempt,
    Progress,
    RepairState,
    SignOff,
    progress,
    without_given_up,
)
from dbops.review.work import Risk

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
REPAIR = Repair(
    id="2026-117-ward",
    title="38 visits",
    author="zhang.wei",
    ticket="T-117",
    risk=Risk.LOW,
    database="his",
    opened=date(2026, 11, 20),
    cause=Cause("the old map"),
    limits=Limits(rows=50),
)
NEW = SignOff(requested=False, rehearsed=False, complete=False, waits_for=("author zhang.wei",))
ASKED = SignOff(requested=True, rehearsed=False, complete=False, waits_for=("1 of it (li)",))
COMPLETE = SignOff(requested=True, rehearsed=True, complete=True)


def deadline(days: int) -> Deadline:
    at = NOW + timedelta(days=days)
    return Deadline("data-error", "数据错误", at, at, provisional=False, rule="5 working days")


def attempt(effect: Effect = Effect.COMMITTED, hour: int = 1, whole: bool = True) -> Attempt:
    return Attempt(effect, datetime(2026, 11, 25, hour, tzinfo=UTC), whole)


def of(
    sign_off: SignOff,
    runs: Sequence[Attempt] = (),
    undos: Sequence[Attempt] = (),
    due: Sequence[Deadline] = (),
    repair: Repair = REPAIR,
) -> Progress:
    return progress(repair, sign_off, runs, undos, due, NOW)


@pytest.mark.parametrize(
    ("sign_off", "state", "who"),
    [
        (NEW, RepairState.DRAFT, ("author zhang.wei: sign the request",)),
        (
            ASKED,
            RepairState.REQUESTED,
            ("the verifying host: rehearse", "1 of it (li): approve"),
        ),
        (replace(ASKED, rehearsed=True), RepairState.REHEARSED, ("1 of it (li): approve",)),
        (COMPLETE, RepairState.APPROVED, ("this host: run",)),
        (
            replace(ASKED, rejected=True, obstacles=("rejected",)),
            RepairState.REJECTED,
            ("author zhang.wei: see rejected",),
        ),
        (
            replace(ASKED, obstacles=("file-changed",)),
            RepairState.FORBIDDEN,
            ("author zhang.wei: see file-changed",),
        ),
    ],
)
def test_before_a_run_the_signatures_say_how_far_it_is(
    sign_off: SignOff, state: RepairState, who: tuple[str, ...]
) -> None:
    """And whose turn it is."""
    found = of(sign_off)
    assert (found.state, found.next) == (state, who)


@pytest.mark.parametrize(
    ("runs", "undos", "state", "who"),
    [
        ([attempt()], [], RepairState.RUN, ()),
        ([attempt(Effect.NONE), attempt(hour=2)], [], RepairState.RUN, ()),
        ([attempt(Effect.NONE)], [], RepairState.APPROVED, ("this host: run",)),
        ([attempt(Effect.UNKNOWN)], [], RepairState.UNKNOWN, ("this host: resume",)),
        ([attempt()], [attempt(Effect.UNKNOWN)], RepairState.UNKNOWN, ("this host: resume",)),
        ([attempt()], [attempt(hour=2)], RepairState.UNDONE, ()),
        ([attempt()], [attempt(Effect.NONE, 2)], RepairState.RUN, ()),
        ([attempt(whole=False)], [], RepairState.PARTLY, ("this host: run the rest",)),
        (
            [attempt()],
            [attempt(hour=2, whole=False)],
            RepairState.PARTLY,
            ("this host: undo the rest",),
        ),
        ([attempt(), attempt(hour=3)], [attempt(hour=2)], RepairState.RUN, ()),
    ],
)
def test_after_a_run_the_ledger_says_how_far_it_is(
    runs: list[Attempt], undos: list[Attempt], state: RepairState, who: tuple[str, ...]
) -> None:
    """What is in the database counts, whatever the folder says since."""
    found = of(COMPLETE, runs, undos)
    assert (found.state, found.next) == (state, who)


def test_a_repair_is_overdue_until_it_has_run_and_its_cause_is_named() -> None:
    """The contract asks for both in its five days."""
    due = [deadline(-1), deadline(1)]
    assert of(COMPLETE, due=due).overdue == (due[0],)
    assert of(COMPLETE, [attempt()], due=due).overdue == ()
    without = replace(REPAIR, cause=None)
    found = of(COMPLETE, [attempt()], due=due, repair=without)
    assert found.overdue == (due[0],)
    assert found.next == ("author zhang.wei: name the cause",)
    again = of(COMPLETE, [attempt()], [attempt(hour=2)], due)
    assert again.overdue == (due[0],)
    assert again.next == ("author zhang.wei: another repair of the same ticket",)


def test_it_says_since_when_the_data_are_right() -> None:
    """By the last run that committed, and not of one that was taken back."""
    assert of(COMPLETE, [attempt(), attempt(Effect.NONE, 2)]).repaired_at == attempt().at
    assert of(COMPLETE, [attempt()], [attempt(hour=2)]).repaired_at is None


def test_what_another_repair_took_the_place_of_raises_no_alarm() -> None:
    """Only of the same ticket and database, and only what nobody wants any more."""
    due = [deadline(-1)]
    done = of(COMPLETE, [attempt()], due=due)
    undone = of(COMPLETE, [attempt()], [attempt(hour=2)], due)
    rejected = of(replace(ASKED, rejected=True), due=due)
    elsewhere = of(replace(ASKED, rejected=True), due=due, repair=replace(REPAIR, database="lis"))
    wanted = of(ASKED, due=due)
    loose = of(replace(ASKED, rejected=True), due=due, repair=replace(REPAIR, ticket=None))
    found = without_given_up([done, undone, rejected, elsewhere, wanted, loose])
    assert [len(each.overdue) for each in found] == [0, 0, 0, 1, 1, 1]
    assert found[1].next == ()
    assert [len(each.overdue) for each in without_given_up([undone, rejected])] == [1, 1]


@pytest.mark.parametrize("cause", [None, REPAIR.cause])
def test_the_data_were_right_after_all(cause: Cause | None) -> None:
    """An undo that names the cause ends the alarm of what it took back; one without does not."""
    work = replace(REPAIR, id="2026-118-undo", cause=cause, undo_of=UndoOf(REPAIR.id, ("a" * 64,)))
    undo = of(COMPLETE, [attempt(hour=2)], repair=work)
    undone = of(COMPLETE, [attempt()], [attempt(hour=2)], [deadline(-1)])
    found = without_given_up([undone, undo])
    assert len(found[0].overdue) == (1 if cause is None else 0)


def test_an_undo_that_ran_has_run() -> None:
    """It needs no cause, and it is no repair that would settle another's ticket."""
    work = replace(REPAIR, id="2026-118-undo", cause=None, undo_of=UndoOf(REPAIR.id, ("a" * 64,)))
    undo = of(COMPLETE, [attempt(hour=2)], repair=work)
    assert (undo.state, undo.next, undo.takes_back) == (RepairState.RUN, (), REPAIR.id)
    undone = of(COMPLETE, [attempt()], [attempt(hour=2)], [deadline(-1)])
    assert undone.state is RepairState.UNDONE
    assert [each.overdue for each in without_given_up([undone, undo])] == [undone.overdue, ()]
    assert undone.overdue
