"""What a change says of itself: `change.yml` as a value; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from dbops.change.touch import Touch
from dbops.review.work import Risk

LOCK_WAIT: Final = timedelta(seconds=3)
STATEMENT: Final = timedelta(minutes=15)
ATTEMPTS: Final = 5
PAUSE: Final = timedelta(seconds=10)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class DataLoss(StrEnum):
    """What the change destroys that `down.sql` cannot bring back."""

    NONE = "none"
    RECOVERABLE = "recoverable"  # a backup has it
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Ring:
    """Databases that change together, after those of the ring before.

    `soak` is how long ago the ring before must have been done.
    """

    name: str
    databases: tuple[str, ...]
    soak: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Window:
    """When a run may begin: from `begin` to `end` in `zone`, on the days of `days` (0 is Monday).

    A window over midnight belongs to the day on which it begins, as does one of 24 hours, whose
    `begin` is its `end`.
    """

    days: frozenset[int]
    begin: time
    end: time
    zone: ZoneInfo

    def is_open(self, now: datetime) -> bool:
        """Whether a run may begin at `now`, which has a zone."""
        local = now.astimezone(self.zone)
        at = local.time().replace(tzinfo=None)
        if self.begin < self.end:
            return local.weekday() in self.days and self.begin <= at < self.end
        if at >= self.begin:
            return local.weekday() in self.days
        return (local.weekday() - 1) % 7 in self.days and at < self.end

    @property
    def words(self) -> str:
        """The window for people: `sat 22:00-02:00 Asia/Shanghai`."""
        days = ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {self.begin:%H:%M}-{self.closes} {self.zone.key}"

    @property
    def closes(self) -> str:
        """The end of the window as people write it: midnight is `24:00`."""
        return "24:00" if self.end == time() else f"{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a step may wait for a lock and take, and how often all of it is tried again.

    Between two attempts dbops waits `pause`, twice as long each time.
    """

    lock_wait: timedelta = LOCK_WAIT
    statement: timedelta = STATEMENT
    attempts: int = ATTEMPTS
    pause: timedelta = PAUSE


@dataclass(frozen=True, slots=True)
class Accepted:
    """A lint finding that the author lets stand, and why; `at` is one place, None for every one."""

    rule: str
    why: str
    at: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The whole manifest. `rings` hold every database of the work, each once, in their order.

    `requires` are ids of changes that must have run before on the same database. `personal` says of
    new columns, by their written name, what sort of personal data they hold (`none` included).
    `prepares` marks the change that makes a database ready for repairs; `records` the database
    whose schema is to become its baseline: neither is rehearsed or run by `change run`.
    """

    id: str
    title: str
    author: str
    risk: Risk
    rings: tuple[Ring, ...]
    why: str | None = None
    ticket: str | None = None
    requires: tuple[str, ...] = ()
    window: Window | None = None
    touches: tuple[Touch, ...] = ()
    data_loss: DataLoss = DataLoss.NONE
    limits: Limits = Limits()
    personal: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[Accepted, ...] = ()
    prepares: str | None = None
    records: str | None = None

    @property
    def databases(self) -> tuple[str, ...]:
        """Every database, in the order in which they change."""
        return tuple(name for ring in self.rings for name in ring.databases)

    def ring_of(self, database: str) -> Ring | None:
        """Return the ring of a database; None for one that the change is not of."""
        return next((ring for ring in self.rings if database in ring.databases), None)
