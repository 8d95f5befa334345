"""Ledgers for tests: real files, a clock that is set by hand, and a look at their lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from dbops.audit.append import Ledger, LedgerPlace
from dbops.audit.entry import Actor, Draft, Event, Phase, Result
from dbops.audit.scan import Scan, entries, scan
from dbops.audit.segments import Segments

START = datetime(2026, 11, 22, 14, 0, 30, tzinfo=UTC)
ORIGIN = "hospital/main/dbops/db-host-1"
ACTOR = Actor("root", 0, "zhang", 1001, "zhang", 4321, 987654)
BOOT = "0b7c7f0e-9a1c-4d9b-8a44-6f2b1a0c9a11"
ZONE = ZoneInfo("Asia/Shanghai")


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **distance: float) -> None:
        self.now += timedelta(**distance)


@dataclass
class Made:
    """A ledger's directory, and new processes that append to it."""

    directory: Path
    clock: Clock = field(default_factory=Clock)

    @property
    def segments(self) -> Segments:
        return Segments(self.directory)

    def ledger(self, origin: str = ORIGIN, **bounds: int) -> Ledger:
        """As a process that was just started has it."""
        place = LedgerPlace(self.directory, origin, "db-host-1", "dbops 0.2.0")
        return Ledger(place, self.clock, ACTOR, BOOT, ZONE, **bounds)

    def append(self, draft: Draft | None = None) -> int:
        """Append as a process of its own."""
        return self.ledger().append(draft or heartbeat()).sequence

    def fill(self, count: int) -> None:
        """Append so many, by one process."""
        ledger = self.ledger()
        for _ in range(count):
            ledger.append(heartbeat())

    def newest(self) -> Path:
        return self.segments.files()[-1]

    def text(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.segments.files())

    def scan(self) -> Scan:
        return scan(self.segments)

    def events(self) -> list[str]:
        """The events of all entries, in their order, as a reader finds them."""
        return [entry.draft.event.value for entry in entries(self.segments)]


def heartbeat() -> Draft:
    return Draft(event=Event.LEDGER_HEARTBEAT)


def intent(target: str = "lab") -> Draft:
    return Draft(event=Event.BACKUP_RUN, phase=Phase.INTENT, target=target)


def outcome(of: int, target: str = "lab") -> Draft:
    return Draft(
        event=Event.BACKUP_RUN, phase=Phase.OUTCOME, of=of, target=target, result=Result.DONE
    )
