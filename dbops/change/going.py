"""One direction of a change under way on a session, and how it waits for locks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

from dbops.change.ports import (
    ChangeEngine,
    ChangeSession,
    JournalEntry,
    LockTimeout,
    Progress,
    Remains,
)
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema, refuse_unknown
from dbops.change.stage import Moment, Stage
from dbops.change.standing import refuse_altered
from dbops.change.step import Direction, Step
from dbops.durations import duration_text
from dbops.errors import Unreachable

Observe = Callable[[Moment], None]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Clock:
    """How time is told and passed, in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Going:
    """One direction of a change, on a session that holds the work.

    `committed` says whether anything of it is done for good. `instead` is the direction whose
    whole end stands while nothing of this one is; None where the change is half done. `seen` is the
    schema as it was looked at last, where what others alter since would be lost with what the next
    part drops.
    """

    order: ChangeRun
    engine: ChangeEngine
    session: ChangeSession
    direction: Direction
    observe: Observe
    clock: Clock
    began: float
    instead: Direction | None = None
    committed: bool = False
    journal: tuple[JournalEntry, ...] = field(default=(), repr=False)
    seen: Schema | None = field(default=None, repr=False)

    def tell(self, stage: Stage, step: Step | None = None) -> None:
        """The observer knows."""
        if stage is Stage.COMMITTED:
            self.committed = True
        self.observe(Moment(stage, self.direction, step))

    def turned(self, direction: Direction, *, instead: Direction | None, committed: bool) -> Going:
        """The same session on its way in this direction."""
        return replace(self, direction=direction, instead=instead, committed=committed)


@contextmanager
def holding(
    order: ChangeRun, engine: ChangeEngine, observe: Observe, clock: Clock
) -> Iterator[Going]:
    """A session on the approved database on which nobody else runs a change, its journal read.

    Raises Refused `change-database`, `change-journal`; Unreachable `change-running`.
    """
    began = clock.monotonic()
    with ExitStack() as kept:

        def opened() -> ChangeSession:
            return kept.enter_context(engine.session(order.session()))

        def wait() -> None:
            observe(Moment(Stage.WAITING, Direction.UP))

        session, _ = _attempts(order, clock, wait, opened)
        session.hold_work()
        journal, _ = _attempts(order, clock, wait, session.journal)
        refuse_altered(journal, order.plan, order.scripts)
        yield Going(
            order,
            engine,
            session,
            Direction.UP,
            observe,
            clock,
            began,
            instead=Direction.DOWN,
            journal=journal,
        )


def look(going: Going) -> Schema:
    """Return the schema as it is, all of one instant.

    Raises Refused `schema-unknown`, and as `patiently`.
    """

    found, _ = patiently(going, going.session.schema)
    refuse_unknown(found, going.order.database)
    return found


def patiently(going: Going, attempt: Callable[[], _Result]) -> tuple[_Result, int]:
    """Return what the attempt returns and how many it took; a lock may be missing in all but one.

    Between two of them there is a pause, twice as long each time. Raises Unreachable
    `change-locked` at the end.
    """
    return _attempts(going.order, going.clock, lambda: going.tell(Stage.WAITING), attempt)


def note(going: Going, step: Step, progress: Progress) -> None:
    """Afterwards the journal says so for good; no transaction is open."""
    note_entry(going, going.order.author.entry(going.direction, step, progress))


def note_entry(going: Going, entry: JournalEntry) -> None:
    """Afterwards the entry is in the journal for good; no transaction is open."""
    patiently(going, lambda: going.session.note((entry,)))


def clean_up(going: Going, step: Step) -> None:
    """Afterwards nothing is left half done of a step that stands outside of a transaction."""

    def clean() -> None:
        if going.session.remains(step) is Remains.HALF:
            going.session.clean_up(step)

    patiently(going, clean)


def _attempts(
    order: ChangeRun, clock: Clock, wait: Callable[[], None], attempt: Callable[[], _Result]
) -> tuple[_Result, int]:
    limits = order.change.limits
    for number in range(1, limits.attempts):
        try:
            return attempt(), number
        except LockTimeout:
            wait()
            clock.sleep((limits.pause * 2 ** (number - 1)).total_seconds())
    try:
        return attempt(), limits.attempts
    except LockTimeout as failure:
        raise _locked(order, failure) from None


def _locked(order: ChangeRun, failure: LockTimeout) -> Unreachable:
    limits = order.change.limits
    pauses = limits.pause * (2 ** (limits.attempts - 1) - 1)
    tries = "once" if limits.attempts == 1 else f"{limits.attempts} times"
    paused = f", with {_seconds(pauses)} of pauses" if pauses else ""
    return Unreachable(
        "change-locked",
        f"{order.work} waited {tries} for a lock, {_seconds(limits.lock_wait)} each{paused}, and"
        f" did not get it: {failure.message}",
        hint=f"run the same command again once it is free; {failure.hint}",
    )


def _seconds(duration: timedelta) -> str:
    """`3s`, or `0.2s` where it is no whole number of seconds."""
    whole = not duration % timedelta(seconds=1)
    return duration_text(duration) if whole else f"{duration.total_seconds():g}s"
