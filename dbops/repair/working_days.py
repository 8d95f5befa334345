"""Which days are working days in China, and for which of them nobody can say yet; pure.

Each autumn the State Council says which weekdays of the next year are holidays and which weekend
days are worked in exchange. `chinesecalendar` carries those notices up to a year and refuses
others. A hospital's own corrections come before it: a notice that is newer than the installed data,
or a day that this house keeps otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import Final

import chinese_calendar  # type: ignore[import-untyped]  # it comes without types

_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Day:
    """Whether people work that day; not `certain` where only the day of the week speaks for it."""

    working: bool
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """The hospital's calendar: its own corrections, and its hours of business on a working day.

    For the years `complete` the corrections, with weekends, say everything; in other years the
    official data do. `opens` and `closes` are times on the hospital's wall.
    """

    days_off: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()
    complete: frozenset[int] = frozenset()
    opens: time = time(8)
    closes: time = time(18)

    def __post_init__(self) -> None:
        """Raise ValueError for a day that is both, and for hours that end before they begin."""
        if self.days_off & self.working_days:
            raise ValueError("a day is a day off and a working day")
        if self.opens >= self.closes:
            raise ValueError("the hours of business end before they begin")

    def day(self, day: date) -> Day:
        """Return what is known of the day."""
        if day in self.working_days or day in self.days_off:
            return Day(day in self.working_days, certain=True)
        weekday = day.weekday() < _SATURDAY
        if day.year in self.complete:
            return Day(weekday, certain=True)
        official = _official(day)
        return Day(weekday, certain=False) if official is None else Day(official, certain=True)


def _official(day: date) -> bool | None:
    """What the State Council's notices say of the day; None where there is none in the data."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return None
