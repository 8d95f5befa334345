"""Until when something is due: rules as data, counted as the law counts; pure.

Civil Code of the PRC §201: the day on which a period begins is not counted. §203: a period ends
at 24:00 of its last day, or when business ends where there are hours of business; where the last
day is a statutory day off, on the day after it. §204: a contract may say otherwise, which is why
a rule is data. The reading of a rule is kept in the deadline's own words.

Where nobody can say yet which days are worked, a deadline is provisional. It then has two times:
when it will probably be, and the earliest that it can be, which is the one to be warned by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from dbops.errors import Refused
from dbops.repair.working_days import Day, WorkingCalendar

_DAY: Final = timedelta(days=1)
_LONGEST: Final = 36_500  # days; a count beyond is a mistake


class EndOfDay(StrEnum):
    """When the last day of a period ends."""

    CLOSE = "close"  # with the hours of business
    MIDNIGHT = "midnight"  # at 24:00


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """So many working days after the day of opening."""

    count: int
    until: EndOfDay = EndOfDay.CLOSE


@dataclass(frozen=True, slots=True)
class CalendarDays:
    """So many days after the day of opening; a last day off `rolls` to the next working day."""

    count: int
    until: EndOfDay = EndOfDay.CLOSE
    rolls: bool = True


@dataclass(frozen=True, slots=True)
class Within:
    """A time that runs day and night; another one if opened outside of the hours of business."""

    length: timedelta
    outside: timedelta | None = None

    @property
    def shortest(self) -> timedelta:
        """The shorter of both times."""
        return min(self.length, self.outside or self.length)


@dataclass(frozen=True, slots=True)
class WithinBusinessHours:
    """A time that runs in the hours of business only."""

    length: timedelta


Rule = WorkingDays | CalendarDays | Within | WithinBusinessHours


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise of the contract; `title` is for people. Raises ValueError for no time at all."""

    name: str
    title: str
    rule: Rule

    def __post_init__(self) -> None:
        """Raise ValueError for a count or a time that is nothing, or beyond a hundred years."""
        if isinstance(self.rule, WorkingDays | CalendarDays):
            sound = 1 <= self.rule.count <= _LONGEST
        else:
            lengths = [self.rule.length]
            if isinstance(self.rule, Within) and self.rule.outside is not None:
                lengths.append(self.rule.outside)
            sound = all(timedelta() < each <= _LONGEST * _DAY for each in lengths)
        if not sound:
            raise ValueError(f"the clock {self.name} has no length, or too much of it")


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the clock runs out, in UTC; `rule` says how it was counted.

    `earliest` equals `at` unless the deadline is `provisional`; it is what alarms go by.
    """

    clock: str
    title: str
    at: datetime
    earliest: datetime
    provisional: bool
    rule: str


def due(
    clock: Clock, opened: date | datetime, calendar: WorkingCalendar, zone: ZoneInfo
) -> Deadline:
    """Return the deadline of what was opened then: a local day, or an aware moment.

    A clock of hours needs the moment. Given only the day, it runs from the opening of business,
    provisionally, and at the earliest from midnight. Raises Refused `clock-range` for a time
    beyond the year 9999.
    """
    if isinstance(opened, datetime) and opened.tzinfo is None:
        raise ValueError("a moment must be aware")
    try:
        return _due(clock, opened, calendar, zone)
    except OverflowError:
        raise Refused(
            "clock-range",
            f"the clock {clock.name} runs beyond the year 9999",
            hint="correct the day of opening, or the clock's length in dbops.toml",
        ) from None


def _due(
    clock: Clock, opened: date | datetime, calendar: WorkingCalendar, zone: ZoneInfo
) -> Deadline:
    likely = _Reading(calendar, zone, lambda day: day.working)
    # Any day of which nobody knows may turn out to be a working day, and bring the end nearer.
    eager = _Reading(calendar, zone, lambda day: day.working or not day.certain)
    at = likely.end(clock.rule, _moment(opened, calendar.opens, zone))
    first = _moment(opened, time.min, zone)
    earliest = eager.end(clock.rule, first)
    notes = _doubts(clock.rule, opened, likely.uncertain | eager.uncertain)
    if notes and isinstance(clock.rule, Within):
        earliest = first + clock.rule.shortest
    return Deadline(
        clock=clock.name,
        title=clock.title,
        at=at,
        earliest=min(earliest, at) if notes else at,
        provisional=bool(notes),
        rule=_words(clock.rule, calendar) + "".join(f"; provisional: {note}" for note in notes),
    )


def deadlines(
    clocks: Iterable[Clock], opened: date | datetime, calendar: WorkingCalendar, zone: ZoneInfo
) -> tuple[Deadline, ...]:
    """Return the deadline of each clock of a ticket, the one to be warned of first at first."""
    found = [due(clock, opened, calendar, zone) for clock in clocks]
    return tuple(sorted(found, key=lambda each: (each.earliest, each.at, each.clock)))


def overdue(deadline: Deadline, now: datetime) -> bool:
    """Return whether it is over at `now`; a provisional one is over when it may be."""
    return now > deadline.earliest


def _doubts(rule: Rule, opened: date | datetime, years: set[int]) -> list[str]:
    notes = []
    if years:
        notes.append(f"no official calendar of {', '.join(map(str, sorted(years)))} is known")
    if isinstance(rule, Within | WithinBusinessHours) and not isinstance(opened, datetime):
        notes.append("the hour of opening is not given")
    return notes


def _moment(opened: date | datetime, at: time, zone: ZoneInfo) -> datetime:
    """The moment in UTC; a day alone means that time of it."""
    if isinstance(opened, datetime):
        return opened.astimezone(UTC)
    return datetime.combine(opened, at, zone).astimezone(UTC)


class _Reading:
    """One way to read the calendar; remembers the years of which it knows the weekends only."""

    def __init__(
        self, calendar: WorkingCalendar, zone: ZoneInfo, takes: Callable[[Day], bool]
    ) -> None:
        self.uncertain: set[int] = set()
        self._calendar = calendar
        self._zone = zone
        self._takes = takes

    def end(self, rule: Rule, opened: datetime) -> datetime:
        """When the rule's time is over, in UTC."""
        today = opened.astimezone(self._zone).date()
        match rule:
            case WorkingDays():
                return self._end_of(self._after(today, rule.count), rule.until)
            case CalendarDays():
                last = today + rule.count * _DAY
                if rule.rolls and not self._works(last):
                    last = self._after(last, 1)
                return self._end_of(last, rule.until)
            case Within():
                if rule.outside is None or self._open_at(opened):
                    return opened + rule.length
                return opened + rule.outside
            case WithinBusinessHours():
                return self._business(opened, rule.length)

    def _works(self, day: date) -> bool:
        found = self._calendar.day(day)
        if not found.certain:
            self.uncertain.add(day.year)
        return self._takes(found)

    def _after(self, day: date, count: int) -> date:
        """The working day that is so many after that day."""
        while count:
            day += _DAY
            count -= self._works(day)
        return day

    def _hours(self, day: date) -> tuple[datetime, datetime]:
        first, last = (
            datetime.combine(day, at, self._zone).astimezone(UTC)
            for at in (self._calendar.opens, self._calendar.closes)
        )
        return first, last

    def _end_of(self, day: date, until: EndOfDay) -> datetime:
        if until is EndOfDay.CLOSE:
            return self._hours(day)[1]
        return datetime.combine(day + _DAY, time.min, self._zone).astimezone(UTC)

    def _open_at(self, moment: datetime) -> bool:
        day = moment.astimezone(self._zone).date()
        first, last = self._hours(day)
        return first <= moment < last and self._works(day)

    def _business(self, opened: datetime, length: timedelta) -> datetime:
        """When so much of the hours of business has passed."""
        day = opened.astimezone(self._zone).date()
        while True:
            first, last = self._hours(day)
            begin = max(first, opened)
            if begin < last and self._works(day):
                if length <= last - begin:
                    return begin + length
                length -= last - begin
            day += _DAY


def _words(rule: Rule, calendar: WorkingCalendar) -> str:
    match rule:
        case WorkingDays():
            return f"{_count(rule.count, 'working day')} after the day of opening, until " + (
                _clock_time(rule.until, calendar)
            )
        case CalendarDays():
            words = f"{_count(rule.count, 'day')} after the day of opening, until "
            words += _clock_time(rule.until, calendar)
            return words + (", never on a day off" if rule.rolls else "")
        case Within():
            other = "" if rule.outside is None else f", {_length(rule.outside)} outside of business"
            return f"within {_length(rule.length)}{other}"
        case WithinBusinessHours():
            return f"within {_length(rule.length)} of business"


def _clock_time(until: EndOfDay, calendar: WorkingCalendar) -> str:
    return "24:00" if until is EndOfDay.MIDNIGHT else f"{calendar.closes:%H:%M}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _length(length: timedelta) -> str:
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    parts = (
        (minutes // 60, "h"),
        (minutes % 60, "min"),
        (seconds, "s"),
    )
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
