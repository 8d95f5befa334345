"""One transaction of dbops on a database: sealed before it commits, and known to have happened.

A transaction that surely did not happen leaves nothing, its bundle included. One whose end nobody
knows leaves the bundle: it may be the only way back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final, Generic, Protocol, TypeVar

from dbops.errors import DbopsError, Refused, TryAgain, Unreachable
from dbops.repair.ports import (
    CommitUnknown,
    Marker,
    RepairEngine,
    RepairSession,
    SessionOrder,
    Writes,
)
from dbops.repair.table import TableName

ATTEMPTS: Final = 3
PATIENCE: Final = 30.0  # seconds
PAUSE: Final = 0.5  # seconds
T_co = TypeVar("T_co", covariant=True)


class Stage(StrEnum):
    """What is done. An observer is told before the next thing is begun."""

    BEGUN = "begun"  # the transaction is open
    BEFORE = "before"  # the rows are read and locked
    SCRIPT = "script"  # it has run, constraints are checked
    AFTER = "after"  # the rows are read again, and judged
    SEALED = "sealed"  # the bundle is durable
    COMMITTING = "committing"  # the marker is written; what follows is COMMIT
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"  # after COMMITTING: it did not happen, for sure


def took_place(so_far: bool | None, stage: Stage) -> bool | None:  # noqa: FBT001
    """Return whether something took place for good, None where nobody knows, given the last word.

    Begin with False. What one transaction of several committed stays.
    """
    if so_far or stage is Stage.COMMITTED:
        return True
    if stage is Stage.COMMITTING:
        return None
    return False if stage in {Stage.BEGUN, Stage.ROLLED_BACK} else so_far


class DurableBundle(Protocol):
    """A sealed file that a power cut leaves as it is."""

    def remove(self) -> None:
        """Afterwards the file is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Ready(Generic[T_co]):
    """Everything but the marker and COMMIT is done and judged. `writes` were counted last."""

    report: T_co
    bundle: DurableBundle
    markers: tuple[Marker, ...]
    declared: Collection[TableName]
    writes: Writes


@dataclass(frozen=True, slots=True)
class Waiting:
    """How the end of a COMMIT that nobody answered is waited for; `patience` is in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    patience: float = PATIENCE


class _Phase(Enum):
    OPEN = auto()
    SENT = auto()
    DONE = auto()


@dataclass(slots=True)
class _Attempt(Generic[T_co]):
    phase: _Phase = _Phase.OPEN
    ready: Ready[T_co] | None = None


def transact(
    engine: RepairEngine,
    order: SessionOrder,
    body: Callable[[RepairSession], Ready[T_co]],
    observe: Callable[[Stage], None],
    waiting: Waiting,
) -> tuple[T_co, int]:
    """Return the body's report and the number of attempts; its transaction is committed.

    Each attempt has a session of its own, and the body writes a bundle of its own. `TryAgain` is
    raised after three. Whatever is raised, the transaction did not happen and its bundle is gone,
    but for Unreachable `commit-unknown` and what interrupts a COMMIT: then the bundle stays.
    """
    for number in range(1, ATTEMPTS):
        with suppress(TryAgain):
            return _attempt(engine, order, body, observe, waiting), number
    return _attempt(engine, order, body, observe, waiting), ATTEMPTS


def _attempt(
    engine: RepairEngine,
    order: SessionOrder,
    body: Callable[[RepairSession], Ready[T_co]],
    observe: Callable[[Stage], None],
    waiting: Waiting,
) -> T_co:
    attempt = _Attempt[T_co]()
    try:
        return _through(engine, order, body, observe, attempt)
    except CommitUnknown:
        ready = attempt.ready
        if ready is None:  # an engine's fault: nothing was sent to be committed
            raise
        if _committed(engine, ready.markers[0].run, order, waiting):
            observe(Stage.COMMITTED)
            return ready.report
        _did_not_happen(attempt, observe)
        raise Unreachable(
            "commit-lost",
            f"the connection was lost at COMMIT, and {order.work} did not take place",
            hint="nothing was changed; the same command may be run again",
        ) from None
    except BaseException as failure:
        if attempt.phase is _Phase.OPEN or (
            attempt.phase is _Phase.SENT and isinstance(failure, DbopsError)
        ):
            _did_not_happen(attempt, observe)
        raise


def _through(
    engine: RepairEngine,
    order: SessionOrder,
    body: Callable[[RepairSession], Ready[T_co]],
    observe: Callable[[Stage], None],
    attempt: _Attempt[T_co],
) -> T_co:
    with engine.session(order) as session:
        session.begin()
        observe(Stage.BEGUN)
        ready = attempt.ready = body(session)
        observe(Stage.SEALED)
        _mark(session, ready)
        observe(Stage.COMMITTING)
        attempt.phase = _Phase.SENT
        session.commit()
        attempt.phase = _Phase.DONE
        observe(Stage.COMMITTED)
        return ready.report


def _mark(session: RepairSession, ready: Ready[T_co]) -> None:
    """The markers are there, and nothing else was written since the writes were judged.

    A trigger that ran when constraints were checked may have put others off again: what still waits
    for COMMIT runs here, and what it writes is counted. Where it writes nothing, nothing waits.
    """
    for marker in ready.markers:
        session.mark(marker)
    session.settle()
    _refuse_unmarked(session, ready.markers)
    now = session.writes(ready.declared)
    if (dict(now.tables), now.objections) != (dict(ready.writes.tables), ready.writes.objections):
        raise Refused(
            "undeclared-write",
            "something more was written after the rows were judged, with dbops' own marker",
            hint="look for a trigger on the marker table, or for one that fires late",
        )


def _refuse_unmarked(session: RepairSession, markers: Collection[Marker]) -> None:
    """Without its marker the run would never be known to have happened."""
    (work,) = {marker.work for marker in markers}
    if not set(markers) <= set(session.markers(work)):
        raise Refused(
            "undeclared-write",
            "dbops' own marker is not there as it was written",
            hint="look for a trigger on the marker table",
        )


def _did_not_happen(attempt: _Attempt[T_co], observe: Callable[[Stage], None]) -> None:
    if attempt.ready is not None:
        with suppress(DbopsError):  # why it failed matters more; resume finds the file
            attempt.ready.bundle.remove()
    if attempt.phase is _Phase.SENT:
        observe(Stage.ROLLED_BACK)


def _committed(engine: RepairEngine, run: str, order: SessionOrder, waiting: Waiting) -> bool:
    """Ask on new connections until somebody knows; Unreachable `commit-unknown` at the end.

    Another database that answers to the name by then knows nothing.
    """
    end = waiting.monotonic() + waiting.patience
    while True:
        with suppress(Unreachable):
            if order.identity in {None, engine.identity()}:
                return engine.committed(run, order.work)
        if waiting.monotonic() >= end:
            raise Unreachable(
                "commit-unknown",
                f"the connection was lost at COMMIT; nobody knows whether {order.work} took place",
                hint=f"when the database can be reached again: dbops repair resume {order.work}",
            )
        waiting.sleep(PAUSE)
