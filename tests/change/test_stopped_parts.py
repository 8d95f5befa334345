"""Steps outside of a transaction that are stopped, or whose journal cannot be written, are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce

import pytest

from dbops.change.fate import Fate
from dbops.change.ports import (
    ChangeSession,
    CommitUnknown,
    JournalEntry,
    Progress,
    StepEffect,
)
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.stage import SoFar, Stage
from dbops.change.standing import State
from dbops.change.step import Direction, Step
from dbops.errors import DbopsError, Failed, Partly, Unreachable
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, Bench, up_and_down
from tests.change.wrapped import PassedOn, Wrapped

UP, DOWN = Direction.UP, Direction.DOWN
INDEX = "CREATE INDEX CONCURRENTLY visit_note ON {visit} (note);"
UNIQUE = INDEX.replace("CREATE", "CREATE UNIQUE")

Alone = Callable[[ChangeSession, Step], None]
Note = Callable[[ChangeSession, Sequence[JournalEntry]], None]


@dataclass
class Spoilt(Wrapped):
    """An engine whose sessions do something else outside of a transaction."""

    alone: Alone | None = None
    note: Note | None = None

    def wrap(self, session: ChangeSession) -> object:
        return _SpoiltSession(session, self)


class _SpoiltSession(PassedOn):
    def __init__(self, session: ChangeSession, spoilt: Spoilt) -> None:
        super().__init__(session)
        self._spoilt = spoilt

    def run_alone(self, step: Step) -> StepEffect:
        if self._spoilt.alone is None:
            return self._session.run_alone(step)
        self._spoilt.alone(self._session, step)
        return StepEffect(0.0)

    def note(self, entries: Sequence[JournalEntry]) -> None:
        if self._spoilt.note is None:
            self._session.note(entries)
        else:
            self._spoilt.note(self._session, entries)


def stop_before(_session: ChangeSession, _step: Step) -> None:
    raise KeyboardInterrupt


def stop_behind(session: ChangeSession, step: Step) -> None:
    with suppress(Failed):
        session.run_alone(step)
    raise KeyboardInterrupt


@pytest.fixture
def bench(postgresql_bench: Bench) -> Bench:
    """SQLite runs nothing outside of a transaction."""
    return postgresql_bench


def so_far(bench: Bench) -> SoFar:
    """What was told."""
    return reduce(SoFar.after, bench.moments, SoFar())


def order(bench: Bench, index: str = INDEX) -> ChangeRun:
    down = "DROP INDEX CONCURRENTLY IF EXISTS {visit_note};"
    return bench.order(index, down, "SELECT true;", ["create index {visit_note}"])


def stopped(bench: Bench, order: ChangeRun, alone: Alone) -> SoFar:
    """How far it has come that is stopped so."""
    with pytest.raises(KeyboardInterrupt):
        run_change(order, Spoilt(bench.site.engine, alone), bench.observe, bench.slept.append)
    return so_far(bench)


@pytest.mark.parametrize(("index", "alone"), [(INDEX, stop_before), (UNIQUE, stop_behind)])
def test_what_is_not_done_is_taken_away(bench: Bench, index: str, alone: Alone) -> None:
    """Where nothing is there, or an index that is not valid: then nothing took place at all."""
    before, change = bench.schema(), order(bench, index)
    found = stopped(bench, change, alone)
    assert (found.effect, found.doubtful) == (False, False)
    assert bench.schema() == before
    assert up_and_down(bench.journal()) == [(UP, 1), (DOWN, 0)]
    assert what_became(change, bench.site.engine).fate is Fate.NOTHING


def test_what_is_done_all_the_same_stays(bench: Bench) -> None:
    """The journal says so, and resume has only to judge it."""
    change = order(bench)
    found = stopped(bench, change, stop_behind)
    assert (found.effect, found.doubtful, found.steps) == (True, False, 1)
    assert [entry.progress for entry in bench.journal()] == [Progress.BEGAN, Progress.DONE]
    resume_change(change, bench.site.engine, Onward.FINISH, bench.observe, bench.slept.append)
    assert bench.state() is State.WHOLE


def test_behind_a_part_that_stays(bench: Bench) -> None:
    """The part is counted, and the step is gone."""
    change = bench.order(APART_UP, APART_DOWN, "SELECT true;", APART_TOUCHES)
    found = stopped(bench, change, stop_before)
    assert (found.effect, found.doubtful, found.steps) == (True, False, 1)
    assert what_became(change, bench.site.engine).fate is Fate.HALF


def failing(bench: Bench, change: ChangeRun, spoilt: Spoilt) -> DbopsError:
    """What is said of a run on this engine."""
    with pytest.raises(DbopsError) as caught:
        run_change(change, spoilt, bench.observe, bench.slept.append)
    return caught.value


def test_the_journal_may_have_its_beginning(bench: Bench) -> None:
    """Where the answer is lost nobody knows: else the ledger would say that nothing is there."""

    def lost(session: ChangeSession, entries: Sequence[JournalEntry]) -> None:
        session.note(entries)
        raise CommitUnknown("commit-unknown", "no answer", hint="ask")

    change = order(bench)
    fault = failing(bench, change, Spoilt(bench.site.engine, note=lost))
    assert (fault.code, fault.hint.rpartition(": ")[2]) == (
        "commit-unknown",
        "dbops change resume c-1",
    )
    assert so_far(bench).effect is None
    resume_change(change, bench.site.engine, Onward.FINISH, bench.observe, bench.slept.append)
    assert bench.state() is State.NOTHING


def test_the_journal_cannot_say_that_nothing_is_left(bench: Bench) -> None:
    """Then what the journal says still is said, and resume is asked for."""

    def unheard(session: ChangeSession, entries: Sequence[JournalEntry]) -> None:
        if entries[0].direction is DOWN:
            raise Unreachable("connection-lost", "nobody answers", hint="wait")
        session.note(entries)

    fault = failing(bench, order(bench, UNIQUE), Spoilt(bench.site.engine, note=unheard))
    assert isinstance(fault, Partly)
    assert fault.code == "change-left"
    assert fault.message.endswith(
        "; nothing of step 1 of c-1 is left, and the journal says still that it began:"
        " nobody answers"
    )
    assert fault.hint == "let it look again: dbops change resume c-1"
    assert so_far(bench).effect is None


def test_the_journal_cannot_say_that_it_is_done(bench: Bench) -> None:
    """It is done, that is said, and resume finds it so."""

    def unheard(session: ChangeSession, entries: Sequence[JournalEntry]) -> None:
        if entries[0].progress is Progress.DONE:
            raise Unreachable("connection-lost", "nobody answers", hint="wait")
        session.note(entries)

    change = order(bench)
    fault = failing(bench, change, Spoilt(bench.site.engine, note=unheard))
    assert (fault.code, fault.message) == (
        "change-left",
        "step 1 is done on lab, and the journal of c-1 does not say so yet: nobody answers",
    )
    assert so_far(bench).effect is None
    assert Stage.COMMITTED not in bench.stages
    became, _ = resume_change(
        change, bench.site.engine, Onward.FINISH, bench.observe, bench.slept.append
    )
    assert became.fate is Fate.HALF
    assert bench.state() is State.WHOLE
