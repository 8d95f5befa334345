"""How far a change has come on each of its databases, and what comes next; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dbops.audit.entry import Effect
from dbops.change.attempts import RecordedChange, standing_on
from dbops.change.manifest import Change
from dbops.change.step import Direction


class ChangeState(StrEnum):
    """How a change stands on one database, as the ledger of this host knows it."""

    PENDING = "pending"  # never run there, or without effect
    RUN = "run"
    REVERTED = "reverted"
    HALF = "half"  # part of it is done, and its end was not judged
    UNKNOWN = "unknown"  # nobody recorded its end


@dataclass(frozen=True, slots=True)
class Place:
    """One database of a change. `at` is when its last run began, in UTC."""

    ring: str
    database: str
    state: ChangeState
    at: datetime | None = None
    entry: int | None = None


def places_of(change: Change, changes: Sequence[RecordedChange]) -> tuple[Place, ...]:
    """Return each database of the change with its state, in the order in which they change."""
    return tuple(
        _place(ring.name, database, standing_on(changes, change.id, database))
        for ring in change.rings
        for database in ring.databases
    )


def open_places(work: str, changes: Sequence[RecordedChange]) -> tuple[Place, ...]:
    """Return each database on which a run of the work is open, whatever files it has by now."""
    names = dict.fromkeys(run.database for run in changes if run.work == work and run.is_open)
    return tuple(_place("", name, standing_on(changes, work, name)) for name in names)


def _place(ring: str, database: str, last: RecordedChange | None) -> Place:
    if last is None:
        return Place(ring, database, ChangeState.PENDING)
    return Place(ring, database, _state(last), last.at, last.sequence)


def _state(last: RecordedChange) -> ChangeState:
    if last.effect is Effect.UNKNOWN:
        return ChangeState.UNKNOWN
    if last.is_half:
        return ChangeState.HALF
    return ChangeState.RUN if last.direction is Direction.UP else ChangeState.REVERTED
