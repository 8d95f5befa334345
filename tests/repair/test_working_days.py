"""Working days of China: the notices of the State Council, a hospital's own days, and no guess."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from dbops.repair.working_days import Day, WorkingCalendar

OFFICIAL = WorkingCalendar()
MADE_UP = ("01-04", "02-14", "02-28", "05-09", "09-20", "10-10")
HOLIDAYS = (
    *("01-01", "01-02", "02-16", "02-17", "02-18", "02-19", "02-20", "02-23", "04-06", "05-01"),
    *("05-04", "05-05", "06-19", "09-25", "10-01", "10-02", "10-05", "10-06", "10-07"),
)


def test_the_year_2026_is_as_the_notice_has_it() -> None:
    """Weekdays are worked but the holidays, weekends are not but the days worked in exchange."""
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    unusual = {f"{day:%m-%d}" for day in days if OFFICIAL.day(day).working != (day.weekday() < 5)}
    assert unusual == {*MADE_UP, *HOLIDAYS}
    assert all(OFFICIAL.day(day).certain for day in days)


@pytest.mark.parametrize("day", [date(2003, 12, 31), date(2027, 1, 1), date(2031, 6, 4)])
def test_a_year_without_a_notice_is_weekends_only_and_says_so(day: date) -> None:
    """New Year's Day 2027 is surely a holiday, but what it is exchanged for nobody knows."""
    assert OFFICIAL.day(day) == Day(day.weekday() < 5, certain=False)


def test_the_hospital_comes_before_the_notice() -> None:
    """Its corrections hold in a year that is known, and in one that is not."""
    own = WorkingCalendar(
        days_off=frozenset({date(2026, 3, 2), date(2027, 1, 1)}),
        working_days=frozenset({date(2026, 10, 1), date(2027, 1, 9)}),
    )
    assert own.day(date(2026, 3, 2)) == Day(working=False, certain=True)
    assert own.day(date(2026, 10, 1)) == Day(working=True, certain=True)
    assert own.day(date(2027, 1, 1)) == Day(working=False, certain=True)
    assert own.day(date(2027, 1, 9)) == Day(working=True, certain=True)
    assert own.day(date(2027, 1, 4)) == Day(working=True, certain=False)


def test_a_year_that_the_hospital_knows_whole_is_certain() -> None:
    """Its lists with weekends then say everything, whatever the data installed say."""
    own = WorkingCalendar(days_off=frozenset({date(2027, 1, 1)}), complete=frozenset({2026, 2027}))
    assert own.day(date(2027, 1, 1)) == Day(working=False, certain=True)
    assert own.day(date(2027, 1, 4)) == Day(working=True, certain=True)
    assert own.day(date(2026, 10, 1)) == Day(working=True, certain=True)


def test_a_calendar_that_contradicts_itself_is_none() -> None:
    """A day is either off or worked, and business ends after it begins."""
    both = frozenset({date(2026, 3, 2)})
    with pytest.raises(ValueError, match="a day off and a working day"):
        WorkingCalendar(days_off=both, working_days=both)
    with pytest.raises(ValueError, match="end before they begin"):
        WorkingCalendar(opens=time(18), closes=time(8))
