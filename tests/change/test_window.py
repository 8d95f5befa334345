"""A window is open at the hours that its zone's clocks show."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.manifest import Window

SHANGHAI, ISTANBUL, BERLIN = map(ZoneInfo, ("Asia/Shanghai", "Europe/Istanbul", "Europe/Berlin"))
NIGHT = Window(frozenset({5}), time(22), time(2), SHANGHAI)

_times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
_windows = st.builds(
    Window, st.frozensets(st.integers(0, 6)), _times, _times, st.sampled_from([SHANGHAI, BERLIN])
)
_moments = st.integers(1_767_225_600, 1_830_297_600).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def at(text: str, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> datetime:
    """A time of a zone's clocks."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-21 21:59:59", False),
        ("2026-11-21 22:00:00", True),
        ("2026-11-22 00:00:00", True),
        ("2026-11-22 01:59:59", True),
        ("2026-11-22 02:00:00", False),
        ("2026-11-22 22:00:00", False),
        ("2026-11-21 01:00:00", False),
    ],
)
def test_a_night_belongs_to_the_day_before(moment: str, is_open: bool) -> None:
    """From Saturday evening to Sunday morning, whoever asks from which zone."""
    assert NIGHT.is_open(at(moment)) is is_open
    assert NIGHT.is_open(at(moment).astimezone(UTC)) is is_open
    assert NIGHT.is_open(at(moment).astimezone(BERLIN)) is is_open


def test_monday_morning_follows_sunday_night() -> None:
    """The week has no edge."""
    sunday = Window(frozenset({6}), time(22), time(2), SHANGHAI)
    assert sunday.is_open(at("2026-11-23 01:00"))
    assert not sunday.is_open(at("2026-11-22 01:00"))


def test_a_window_within_a_day() -> None:
    """The end is outside of it."""
    noon = Window(frozenset({0}), time(12), time(12, 30), SHANGHAI)
    assert [noon.is_open(at(f"2026-11-23 {hour}")) for hour in ("11:59", "12:00", "12:30")] == [
        False,
        True,
        False,
    ]


def test_until_midnight_and_all_day() -> None:
    """`24:00` is the end of a day; from 00:00 it is all of it."""
    evening = Window(frozenset({5}), time(20), time(), SHANGHAI)
    assert evening.is_open(at("2026-11-21 23:59:59"))
    assert not evening.is_open(at("2026-11-22 00:00"))
    day = Window(frozenset({5}), time(), time(), SHANGHAI)
    assert day.is_open(at("2026-11-21 00:00"))
    assert day.is_open(at("2026-11-21 23:59:59"))
    assert not day.is_open(at("2026-11-22 00:00"))
    assert not day.is_open(at("2026-11-20 23:59:59"))


def test_an_hour_that_is_there_twice_is_open_twice() -> None:
    """On 25 October 2026 the clocks of Berlin show 02:30 two times."""
    early = Window(frozenset({6}), time(2), time(3), BERLIN)
    assert early.is_open(at("2026-10-25 02:30", BERLIN))
    assert early.is_open(at("2026-10-25 02:30", BERLIN, fold=1))
    assert not early.is_open(at("2026-10-25 03:00", BERLIN))


def test_an_hour_that_is_missing_is_not_open() -> None:
    """On 29 March 2026 no clock of Berlin shows 02:30: 01:59 is followed by 03:00."""
    early = Window(frozenset({6}), time(2), time(3), BERLIN)
    start = datetime(2026, 3, 29, tzinfo=UTC)
    assert not any(early.is_open(start + timedelta(minutes=each)) for each in range(240))
    night = Window(frozenset({5}), time(22), time(3), BERLIN)
    assert night.is_open(datetime(2026, 3, 29, 0, 59, tzinfo=UTC))
    assert not night.is_open(datetime(2026, 3, 29, 1, 0, tzinfo=UTC))


@given(_windows, _moments)
def test_a_window_and_its_rest_are_the_whole_week(window: Window, now: datetime) -> None:
    """Every moment is in the window of all days that begins and ends so, or in the rest of it."""
    every = Window(frozenset(range(7)), window.begin, window.end, window.zone)
    rest = Window(frozenset(range(7)), window.end, window.begin, window.zone)
    assert every.is_open(now) or rest.is_open(now)
    assert window.begin == window.end or every.is_open(now) is not rest.is_open(now)
    others = Window(every.days - window.days, window.begin, window.end, window.zone)
    assert every.is_open(now) is (window.is_open(now) or others.is_open(now))
    assert not (window.is_open(now) and others.is_open(now))


def test_windows_in_words() -> None:
    """As a refusal says them."""
    two = Window(frozenset({6, 5}), time(20), time(), ISTANBUL)
    assert two.words == "sat, sun 20:00-24:00 Europe/Istanbul"
    assert NIGHT.words == "sat 22:00-02:00 Asia/Shanghai"
