"""Due dates as the Civil Code counts them, over holidays, year ends, and years not known yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Refused
from dbops.repair.clocks import (
    CalendarDays,
    Clock,
    Deadline,
    EndOfDay,
    Rule,
    Within,
    WithinBusinessHours,
    WorkingDays,
    deadlines,
    due,
    overdue,
)
from dbops.repair.working_days import WorkingCalendar

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = WorkingCalendar()
HALF_HOUR, HOUR = timedelta(minutes=30), timedelta(hours=1)


def clock(rule: Rule) -> Clock:
    return Clock("data-error", "数据错误", rule)


def wall(text: str) -> datetime:
    """A time on the hospital's wall."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def of(rule: Rule, opened: date | datetime, calendar: WorkingCalendar = CALENDAR) -> Deadline:
    return due(clock(rule), opened, calendar, ZONE)


def shown(moment: datetime) -> str:
    assert moment.tzinfo is UTC
    return f"{moment.astimezone(ZONE):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ("2026-11-20", "2026-11-27 18:00"),  # Friday; nothing but a weekend on the way
        ("2026-11-21", "2026-11-27 18:00"),  # Saturday
        ("2026-02-13", "2026-02-27 18:00"),  # Spring Festival, and 14 February is worked
        ("2026-02-24", "2026-03-02 18:00"),  # Saturday the 28th is worked
        ("2026-09-30", "2026-10-13 18:00"),  # National Day, and 10 October is worked
        ("2025-12-30", "2026-01-07 18:00"),  # over New Year; Sunday 4 January is worked
    ],
)
def test_five_working_days_are_counted_from_the_day_after(opened: str, expected: str) -> None:
    """The day of opening does not count (§201); the last one ends with business (§203)."""
    found = of(WorkingDays(5), date.fromisoformat(opened))
    assert (shown(found.at), found.earliest, found.provisional) == (expected, found.at, False)
    assert found.rule == "5 working days after the day of opening, until 18:00"


def test_the_hour_of_opening_does_not_matter_to_days() -> None:
    """The day that is not counted is the day at the hospital, not the day in Greenwich."""
    late = wall("2026-11-20T23:30").astimezone(UTC)
    early = wall("2026-11-20T00:30").astimezone(UTC)
    assert early.date() == date(2026, 11, 19)
    expected = of(WorkingDays(5), date(2026, 11, 20))
    assert of(WorkingDays(5), late) == of(WorkingDays(5), early) == expected


def test_a_deadline_in_a_year_without_a_notice_is_provisional() -> None:
    """It is counted by weekends, warned of at the earliest that it can be, and says why."""
    found = of(WorkingDays(5), date(2026, 12, 29))
    assert shown(found.at) == "2027-01-05 18:00"
    assert shown(found.earliest) == "2027-01-03 18:00"  # if both weekend days were worked
    assert found.provisional
    assert found.rule == (
        "5 working days after the day of opening, until 18:00"
        "; provisional: no official calendar of 2027 is known"
    )


def test_a_hospital_that_types_the_notice_makes_it_certain() -> None:
    """On a machine without a newer release the lists of dbops.toml are enough."""
    own = WorkingCalendar(
        days_off=frozenset({date(2027, 1, 1)}),
        working_days=frozenset({date(2027, 1, 3)}),
        complete=frozenset({2027}),
    )
    found = of(WorkingDays(5), date(2026, 12, 29), own)
    assert (shown(found.at), found.provisional) == ("2027-01-05 18:00", False)


@given(
    opened=st.dates(date(2026, 10, 1), date(2029, 1, 1)),
    count=st.integers(1, 40),
    worked=st.sets(st.dates(date(2027, 1, 1), date(2029, 12, 31)), max_size=60),
    free=st.sets(st.dates(date(2027, 1, 1), date(2029, 12, 31)), max_size=60),
)
def test_no_notice_can_bring_a_deadline_before_its_alarm(
    opened: date, count: int, worked: set[date], free: set[date]
) -> None:
    """Whatever the State Council decides later, the alarm was early enough."""
    decided = WorkingCalendar(
        days_off=frozenset(free - worked),
        working_days=frozenset(worked),
        complete=frozenset({2027, 2028, 2029}),
    )
    for rule in (WorkingDays(count), CalendarDays(count)):
        assert of(rule, opened).earliest <= of(rule, opened, decided).at


@pytest.mark.parametrize(
    ("opened", "rolls", "expected"),
    [
        (date(2026, 11, 20), True, "2026-11-27 24:00"),
        (date(2026, 11, 21), True, "2026-11-30 24:00"),  # ends on a Saturday
        (date(2026, 11, 21), False, "2026-11-28 24:00"),
        (date(2026, 9, 24), True, "2026-10-08 24:00"),  # ends on 1 October
        (date(2026, 2, 7), True, "2026-02-14 24:00"),  # a Saturday that is worked
    ],
)
def test_seven_days_end_on_a_working_day(opened: date, rolls: bool, expected: str) -> None:
    """A last day off moves to the day after the holiday (§203), unless the contract says no."""
    found = of(CalendarDays(7, EndOfDay.MIDNIGHT, rolls), opened)
    last = found.at.astimezone(ZONE) - timedelta(days=1)
    assert (f"{last:%Y-%m-%d} 24:00", found.provisional) == (expected, False)


def test_a_last_day_of_which_nobody_knows_may_move() -> None:
    """Saturday 9 January 2027 may be worked: the alarm is on that day, the date on Monday."""
    found = of(CalendarDays(7), date(2027, 1, 2))
    assert (shown(found.at), shown(found.earliest)) == ("2027-01-11 18:00", "2027-01-09 18:00")
    assert found.provisional
    assert not of(CalendarDays(7, rolls=False), date(2027, 1, 2)).provisional


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ("2026-11-23T09:10", "2026-11-23 09:40"),
        ("2026-11-23T17:59", "2026-11-23 18:29"),
        ("2026-11-23T18:00", "2026-11-23 19:00"),  # business is over
        ("2026-11-22T10:00", "2026-11-22 11:00"),  # Sunday
        ("2026-10-10T10:00", "2026-10-10 10:30"),  # a Saturday that is worked
        ("2026-10-01T23:50", "2026-10-02 00:50"),
    ],
)
def test_a_response_is_due_sooner_in_the_hours_of_business(opened: str, expected: str) -> None:
    """Half an hour from 8:00 to 18:00 of a working day, an hour else; it runs at night too."""
    found = of(Within(HALF_HOUR, outside=HOUR), wall(opened))
    assert (shown(found.at), found.provisional) == (expected, False)
    assert found.rule == "within 30 min, 1 h outside of business"


@pytest.mark.parametrize(
    ("opened", "hours", "expected"),
    [
        ("2026-11-23T09:00", 2, "2026-11-23 11:00"),
        ("2026-11-23T16:00", 2, "2026-11-23 18:00"),
        ("2026-11-20T17:00", 2, "2026-11-23 09:00"),  # over the weekend
        ("2026-09-30T17:00", 12, "2026-10-09 09:00"),  # over National Day
        ("2026-11-22T03:00", 20, "2026-11-24 18:00"),
    ],
)
def test_hours_of_business_stand_still_at_night(opened: str, hours: int, expected: str) -> None:
    """Only the time that people are there is counted."""
    found = of(WithinBusinessHours(timedelta(hours=hours)), wall(opened))
    assert shown(found.at) == expected
    assert found.rule == f"within {hours} h of business"


def test_hours_from_a_day_alone_are_provisional() -> None:
    """The alarm runs from midnight, the earliest moment of the day, by the shorter time."""
    found = of(Within(2 * HOUR, outside=HOUR), date(2026, 11, 23))
    assert (shown(found.at), shown(found.earliest)) == ("2026-11-23 10:00", "2026-11-23 01:00")
    assert found.provisional
    assert found.rule.endswith("; provisional: the hour of opening is not given")


def test_a_day_that_may_be_off_counts_by_the_shorter_time() -> None:
    """Whether 4 January 2027 is worked nobody knows, so the alarm takes the stricter promise."""
    found = of(Within(2 * HOUR, outside=HOUR), wall("2027-01-04T10:00"))
    assert (shown(found.at), shown(found.earliest)) == ("2027-01-04 12:00", "2027-01-04 11:00")
    assert found.provisional


def test_a_ticket_has_several_clocks() -> None:
    """They come in the order in which they run out."""
    clocks = (
        Clock("data-error", "数据错误", WorkingDays(5)),
        Clock("response", "响应", Within(HALF_HOUR, outside=HOUR)),
        Clock("change", "修改调整", CalendarDays(7)),
    )
    found = deadlines(clocks, wall("2026-09-30T09:00"), CALENDAR, ZONE)
    assert [each.clock for each in found] == ["response", "change", "data-error"]


def test_overdue_begins_after_the_last_moment() -> None:
    """What is done at 18:00 sharp is done in time; a provisional one is judged by its alarm."""
    known = of(WorkingDays(5), date(2026, 11, 20))
    assert not overdue(known, wall("2026-11-27T18:00"))
    assert overdue(known, wall("2026-11-27T18:00:01"))
    unsure = of(WorkingDays(5), date(2026, 12, 29))
    assert overdue(unsure, wall("2027-01-03T18:01"))
    assert not overdue(unsure, wall("2027-01-03T17:59"))


def test_business_closes_by_the_wall_where_clocks_change() -> None:
    """In a zone with summer time the hour in UTC moves, the hour on the wall does not."""
    berlin = ZoneInfo("Europe/Berlin")
    calendar = WorkingCalendar(closes=time(17, 30), complete=frozenset({2026}))
    ends = [
        due(clock(WorkingDays(1)), opened, calendar, berlin).at
        for opened in (date(2026, 3, 26), date(2026, 3, 29))
    ]
    assert [f"{each:%m-%d %H:%M}" for each in ends] == ["03-27 16:30", "03-30 15:30"]


@pytest.mark.parametrize(
    "rule",
    [
        WorkingDays(0),
        CalendarDays(-1),
        CalendarDays(40_000),
        Within(timedelta()),
        Within(HOUR, outside=timedelta()),
        WithinBusinessHours(timedelta(days=40_000)),
    ],
)
def test_a_clock_of_no_length_is_none(rule: Rule) -> None:
    """A promise of nothing, or of more than a hundred years, is a mistake."""
    with pytest.raises(ValueError, match="has no length, or too much of it"):
        clock(rule)


def test_a_day_without_end_is_refused() -> None:
    """The calendar of the machine ends with the year 9999."""
    with pytest.raises(Refused) as caught:
        of(WorkingDays(5), date(9999, 12, 30))
    assert caught.value.code == "clock-range"
    assert caught.value.message == "the clock data-error runs beyond the year 9999"


def test_a_moment_without_a_zone_is_no_moment() -> None:
    """Nobody knows when it was."""
    with pytest.raises(ValueError, match="aware"):
        of(WorkingDays(5), datetime(2026, 11, 20, 9))  # noqa: DTZ001
