"""Which backups of a database are kept, and why; pure.

* Rules count the calendar days, ISO weeks, months and years *that have a backup*, in the estate's
  time zone: a week without backups costs none of the older ones. Each period keeps its newest.
* What a verification found damaged keeps its place, and does not displace a sound one: the rules
  are asked again as though it were not there.
* The newest backup, the last proven one, and what is on hold are kept whatever the rules say.
* Newest is by sequence number, which no wrong clock changes.

The time of asking plays no part. So nothing expires because a clock is wrong or because no backup
came, and asking again about what was kept drops nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from dbops.estate.values import Policy
from dbops.repository.chain import Backup
from dbops.repository.manifest import BackupId
from dbops.repository.records import ProofLevel

NEWEST = "the newest backup"
LAST_PROVEN = "the last proven backup"
NO_RULE = "no rule keeps it"


@dataclass(frozen=True, slots=True)
class Keep:
    """How many backups each rule keeps; 0 switches a rule off."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    @classmethod
    def of(cls, policy: Policy) -> Keep:
        """The rules that a policy of the estate sets."""
        return cls(
            last=policy.keep_last,
            daily=policy.keep_daily,
            weekly=policy.keep_weekly,
            monthly=policy.keep_monthly,
            yearly=policy.keep_yearly,
        )

    def __str__(self) -> str:
        """Name the rules that are on, as people read them."""
        rules = {
            "last": self.last,
            "daily": self.daily,
            "weekly": self.weekly,
            "monthly": self.monthly,
            "yearly": self.yearly,
        }
        return ", ".join(f"{name} {count}" for name, count in rules.items() if count > 0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the rules look at. `at` is aware; `hold` is the reason of the hold, None without one."""

    id: BackupId
    at: datetime
    level: ProofLevel = ProofLevel.UNKNOWN
    hold: str | None = None
    damaged: bool = False

    @classmethod
    def of(cls, backup: Backup) -> Candidate:
        """The candidate that a backup is: its time is that of the data, not of the run."""
        return cls(
            id=backup.id,
            at=backup.envelope.snapshot,
            level=backup.level,
            hold=backup.hold_reason if backup.held else None,
            damaged=bool(backup.findings),
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a backup is kept, with every reason in words; an expired one has one reason."""

    id: BackupId
    kept: bool
    reasons: tuple[str, ...]


def decide(candidates: Iterable[Candidate], keep: Keep, zone: ZoneInfo) -> tuple[Decision, ...]:
    """A decision about each backup of one database, oldest first, whatever order they come in."""
    newest_first = sorted(candidates, key=lambda item: (item.id.sequence, item.at), reverse=True)
    sound = [item for item in newest_first if not item.damaged]
    reasons: dict[BackupId, list[str]] = {item.id: [] for item in newest_first}
    for identifier, reason in _fixed(newest_first):
        reasons[identifier].append(reason)
    for identifier, reason in _by_rules(newest_first, keep, zone):
        reasons[identifier].append(reason)
    for identifier, reason in _by_rules(sound, keep, zone):
        if reason not in reasons[identifier]:
            reasons[identifier].append(f"{reason}, in place of a damaged one")
    return tuple(
        Decision(item.id, bool(reasons[item.id]), tuple(reasons[item.id]) or (NO_RULE,))
        for item in reversed(newest_first)
    )


def last_proven(candidates: Iterable[Candidate]) -> BackupId | None:
    """The newest backup whose restored copy was shown equal to its source."""
    proven = (item.id for item in candidates if item.level is ProofLevel.PROVEN)
    return max(proven, key=lambda identifier: identifier.sequence, default=None)


def _fixed(newest_first: Sequence[Candidate]) -> Iterator[tuple[BackupId, str]]:
    proven = last_proven(newest_first)
    if proven is not None:
        yield proven, LAST_PROVEN
    for item in newest_first:
        if item.hold is not None:
            yield item.id, on_hold(item.hold)


def on_hold(reason: str) -> str:
    """The words for a backup that is on hold."""
    return f"on hold: {reason}"


def _by_rules(
    newest_first: Sequence[Candidate], keep: Keep, zone: ZoneInfo
) -> Iterator[tuple[BackupId, str]]:
    for item in newest_first[:1]:
        yield item.id, NEWEST
    for item in newest_first[: max(keep.last, 0)]:
        yield item.id, f"last {keep.last}"
    days = [(item.id, item.at.astimezone(zone).date()) for item in newest_first]
    yield from _periods("daily", keep.daily, days, date.isoformat)
    yield from _periods("weekly", keep.weekly, days, _week)
    yield from _periods("monthly", keep.monthly, days, lambda day: day.isoformat()[:7])
    yield from _periods("yearly", keep.yearly, days, lambda day: day.isoformat()[:4])


def _periods(
    rule: str, count: int, days: Iterable[tuple[BackupId, date]], name: Callable[[date], str]
) -> Iterator[tuple[BackupId, str]]:
    """The newest backup of each of the `count` newest periods that have one."""
    seen: set[str] = set()
    for identifier, day in days:
        period = name(day)
        if period not in seen and len(seen) < count:
            seen.add(period)
            yield identifier, f"{rule} {period}"


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"
