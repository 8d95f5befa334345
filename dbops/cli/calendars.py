"""The clocks and the calendar of dbops.toml, as deadlines are counted by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.errors import UsageFault
from dbops.estate.values import Counted
from dbops.repair.clocks import (
    CalendarDays,
    Clock,
    EndOfDay,
    Within,
    WithinBusinessHours,
    WorkingDays,
)
from dbops.repair.working_days import WorkingCalendar

if TYPE_CHECKING:
    from dbops.estate import values
    from dbops.repair.clocks import Rule


def clock_of(given: values.Clock) -> Clock:
    """The clock, ready to count; raises UsageFault `clock-length` for one without a length."""
    try:
        return Clock(given.name, given.title, _rule(given))
    except ValueError:
        raise UsageFault(
            "clock-length",
            f"the clock {given.name} has no length, or too much of it",
            hint="give one of working_days, days and within in dbops.toml",
        ) from None


def calendar_of(given: values.Calendar) -> WorkingCalendar:
    """The hospital's calendar; raises UsageFault `calendar-days` where it contradicts itself."""
    try:
        return WorkingCalendar(
            days_off=given.days_off,
            working_days=given.working_days,
            complete=given.complete,
            opens=given.opens,
            closes=given.closes,
        )
    except ValueError as fault:
        raise UsageFault(
            "calendar-days", f"[calendar] says that {fault}", hint="correct it in dbops.toml"
        ) from None


def _rule(given: values.Clock) -> Rule:
    until = EndOfDay(given.until.value)
    if given.working_days is not None:
        return WorkingDays(given.working_days, until)
    if given.days is not None:
        return CalendarDays(given.days, until, given.rolls)
    if given.within is not None and given.counted is Counted.WORKING_HOURS:
        return WithinBusinessHours(given.within)
    if given.within is not None:
        return Within(given.within, given.outside)
    raise ValueError("no length")
