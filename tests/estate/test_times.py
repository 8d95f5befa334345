"""Moments and durations mean what people write, or are refused with what to write instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.durations import duration_text, parse_duration
from dbops.errors import UsageFault
from dbops.estate.times import format_moment, parse_moment

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
# 07:30 on Tuesday in Shanghai is still Monday in UTC.
NOW = datetime(2025, 11, 3, 23, 30, tzinfo=UTC)

zones = st.sampled_from(
    ["Asia/Shanghai", "America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "UTC"]
).map(ZoneInfo)
moments = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 -- hypothesis wants the bounds without a zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("2025-11-03", "2025-11-03T00:00"),
        ("2025-11-03T02:00", "2025-11-03T02:00"),
        ("2025-11-03 02:00:30", "2025-11-03T02:00:30"),
        ("2025-11-03T02:00:30.5", "2025-11-03T02:00:30.5"),
        ("2025-11-02T18:00Z", "2025-11-03T02:00"),
        ("2025-11-02T18:00:00z", "2025-11-03T02:00"),
        ("2025-11-02T13:00-05:00", "2025-11-03T02:00"),
        ("2025-11-02 13:00 -0500", "2025-11-03T02:00"),
        ("now", "2025-11-04T07:30"),
        ("today", "2025-11-04T00:00"),
        ("today 06:15", "2025-11-04T06:15"),
        ("yesterday", "2025-11-03T00:00"),
        ("Yesterday  03:00", "2025-11-03T03:00"),
        ("yesterday 03:00:59", "2025-11-03T03:00:59"),
        ("3d ago", "2025-11-01T07:30"),
        ("90m ago", "2025-11-04T06:00"),
        ("2 hours ago", "2025-11-04T05:30"),
        ("1 hour ago", "2025-11-04T06:30"),
        ("2 weeks ago", "2025-10-21T07:30"),
        ("30 s ago", "2025-11-04T07:29:30"),
    ],
)
def test_what_a_time_means(text: str, wall: str) -> None:
    """Each form means this wall time in Shanghai, and is returned in UTC."""
    moment = parse_moment(text, NOW, SHANGHAI)
    assert moment == datetime.fromisoformat(wall).replace(tzinfo=SHANGHAI)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "yestrday 03:00",
        "yesterday 3pm",
        "yesterday 24:00",
        "2025-02-29",
        "2025-11-03x02:00",
        "2025-11-03T02",
        "20251103",
        "2025-11-03T02:00+99:00",
        "2025-11-03T02:00:00.1234567",
        "２０２５-11-03",
        "-3d ago",
        "3 months ago",
        "999999999 weeks ago",
        "0001-01-01",
        "3d",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """Anything else is refused, and the hint shows every form."""
    with pytest.raises(UsageFault) as caught:
        parse_moment(text, NOW, SHANGHAI)
    assert caught.value.code == "bad-time"
    assert caught.value.message == f'not a time: "{text}"'
    assert caught.value.hint == (
        'write 2025-11-03T02:00, 2025-11-03, "yesterday 03:00", "26h ago" or now'
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "2025-11-02T01:30",
            "2025-11-02T01:30:00 came twice in America/New_York",
            "write the offset: 2025-11-02T01:30:00-04:00 or 2025-11-02T01:30:00-05:00",
        ),
        (
            "2025-03-09 02:30",
            "2025-03-09T02:30:00 never came in America/New_York",
            "write the offset: 2025-03-09T02:30:00-05:00 or 2025-03-09T02:30:00-04:00",
        ),
        (
            "yesterday 01:00",
            "2025-11-02T01:00:00 came twice in America/New_York",
            "write the offset: 2025-11-02T01:00:00-04:00 or 2025-11-02T01:00:00-05:00",
        ),
    ],
)
def test_wall_time_that_came_twice_or_never(text: str, message: str, hint: str) -> None:
    """Where the clock was changed nothing is guessed; the hint's own times are accepted."""
    with pytest.raises(UsageFault) as caught:
        parse_moment(text, NOW, NEW_YORK)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "ambiguous-time",
        message,
        hint,
    )
    first, second = hint.removeprefix("write the offset: ").split(" or ")
    apart = parse_moment(second, NOW, NEW_YORK) - parse_moment(first, NOW, NEW_YORK)
    assert abs(apart) == timedelta(hours=1)


def test_a_terminal_cannot_be_driven_by_a_bad_time() -> None:
    """Control and direction characters in a refused time are shown as escapes."""
    with pytest.raises(UsageFault) as caught:
        parse_moment('\x1b[2J"\u202e', NOW, SHANGHAI)
    assert caught.value.message == 'not a time: "\\u001b[2J\\"\\u202e"'


def test_now_without_a_zone_is_a_bug() -> None:
    """A caller that passes a naive time is told so, not served with the machine's zone."""
    with pytest.raises(ValueError, match="now must be aware"):
        parse_moment("now", NOW.replace(tzinfo=None), SHANGHAI)


@given(moments, zones)
def test_formatted_moment_reads_back(moment: datetime, zone: ZoneInfo) -> None:
    """Every moment, written in any zone, reads back as the same instant, overlaps included."""
    assert parse_moment(format_moment(moment, zone), NOW, SHANGHAI) == moment


@given(moments, zones)
def test_wall_time_is_exact_or_refused(moment: datetime, zone: ZoneInfo) -> None:
    """A wall time without offset gives the one instant that shows it, or is refused."""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    seen = {
        instant
        for hours in range(-3, 4)
        for minutes in (0, 30)
        for instant in [moment + timedelta(hours=hours, minutes=minutes)]
        if instant.astimezone(zone).replace(tzinfo=None) == wall
    }
    expected = moment if seen == {moment} else "ambiguous-time"
    assert outcome(wall.isoformat(), zone) == expected


def outcome(text: str, zone: ZoneInfo) -> datetime | str:
    """Return the moment that is meant, or the code of the refusal."""
    try:
        return parse_moment(text, NOW, zone)
    except UsageFault as fault:
        return fault.code


@given(st.integers(0, 10_000), st.sampled_from(["seconds", "minutes", "hours", "days", "weeks"]))
def test_ago_is_elapsed_time(count: int, unit: str) -> None:
    """`N ago` is N units before now, whatever the clocks did; long and short units agree."""
    moment = parse_moment(f"{count} {unit} ago", NOW, NEW_YORK)
    assert NOW - moment == timedelta(**{unit: count})
    assert parse_moment(f"{count}{unit[0]} ago", NOW, NEW_YORK) == moment


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """No text makes it fail in any way but a usage fault."""
    found = outcome(text, SHANGHAI)
    assert found == "bad-time" or (isinstance(found, datetime) and found.tzinfo is UTC)


@given(st.integers(1, 36_500 * 86_400).map(lambda seconds: timedelta(seconds=seconds)))
def test_duration_reads_back(duration: timedelta) -> None:
    """Every duration of whole seconds reads back from its text."""
    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90m", timedelta(minutes=90)),
        ("26h", timedelta(hours=26)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("0h", None),
        ("", None),
        ("h", None),
        ("1.5h", None),
        ("-1h", None),
        ("1h30m", None),
        ("26 h", None),
        ("26H", None),
        ("26h\n", None),
        ("２h", None),
        ("36500d", timedelta(days=36_500)),
        ("36501d", None),
        ("999999999w", None),
    ],
)
def test_durations(text: str, duration: timedelta | None) -> None:
    """Durations are one whole number and one unit; nothing, and centuries, are none."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=26), "26h"),
        (timedelta(hours=48), "2d"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=61), "61s"),
        (timedelta(0), "0s"),
    ],
)
def test_duration_text(duration: timedelta, text: str) -> None:
    """A duration is written in its largest whole unit."""
    assert duration_text(duration) == text


def test_moment_with_another_offset_is_formatted_in_the_zone() -> None:
    """What people read is in the estate's zone, with its offset."""
    moment = datetime(2025, 11, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    assert format_moment(moment, SHANGHAI) == "2025-11-03T11:05:00+08:00"
