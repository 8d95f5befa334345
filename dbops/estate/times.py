"""Moments as people write them: ISO 8601, `yesterday 03:00`, `26h ago`; pure.

What is written without an offset is a time on the wall of the hospital, so it is read in the
estate's time zone. Where a clock was put back the same wall time came twice, and where it was put
forward some never came: such a time is refused, not guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dbops.errors import UsageFault
from dbops.wording import quoted

_DATE = r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_TIME = r"(?P<time>[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)"
_OFFSET = r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2}(:?[0-9]{2})?)"
_ISO = re.compile(f"{_DATE}([T ]{_TIME} ?{_OFFSET}?)?", re.I)
_DAY = re.compile(f"(?P<day>today|yesterday)( {_TIME})?", re.I)
_AGO = re.compile(r"(?P<count>[0-9]{1,9}) ?(?P<unit>[a-z]+) ago", re.I)
_UNITS = {
    word: length
    for words, length in (
        ("s sec second seconds", timedelta(seconds=1)),
        ("m min minute minutes", timedelta(minutes=1)),
        ("h hour hours", timedelta(hours=1)),
        ("d day days", timedelta(days=1)),
        ("w week weeks", timedelta(weeks=1)),
    )
    for word in words.split()
}
_EXAMPLES = 'write 2025-11-03T02:00, 2025-11-03, "yesterday 03:00", "26h ago" or now'


def parse_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC that `text` means at `now`, an aware time, in the estate's `zone`.

    A date, `today` and `yesterday` alone mean their midnight. `ago` counts elapsed time: a day is
    24 hours. Raises UsageFault `bad-time`, and `ambiguous-time` for a wall time that came twice
    or never, with the offsets to choose from.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    words = " ".join(text.split())
    try:
        moment = _elapsed(words, now) or _written(words, now, zone)
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise UsageFault("bad-time", f"not a time: {quoted(text)}", hint=_EXAMPLES)
    return moment


def format_moment(moment: datetime, zone: ZoneInfo) -> str:
    """Return an aware moment in ISO 8601 in `zone` with its offset; `parse_moment` reads it."""
    return moment.astimezone(zone).isoformat()


def _elapsed(words: str, now: datetime) -> datetime | None:
    if words.lower() == "now":
        return now.astimezone(UTC)
    match = _AGO.fullmatch(words)
    unit = _UNITS.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        return None
    return now.astimezone(UTC) - int(match["count"]) * unit


def _written(words: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    if match := _DAY.fullmatch(words):
        today = now.astimezone(zone).date()
        day = today if match["day"].lower() == "today" else today - timedelta(days=1)
        return _on_the_wall(_at(day, match["time"]), zone)
    if match := _ISO.fullmatch(words):
        wall = _at(date.fromisoformat(match["date"]), match["time"])
        if match["offset"]:
            return datetime.fromisoformat(wall.isoformat() + match["offset"].upper()).astimezone(
                UTC
            )
        return _on_the_wall(wall, zone)
    return None


def _at(day: date, clock: str | None) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock) if clock else time.min)


def _on_the_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    # PEP 495: in a gap the two readings differ as well, but neither comes back from UTC.
    exists = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
    raise UsageFault(
        "ambiguous-time",
        f"{wall.isoformat()} {'came twice' if exists else 'never came'} in {zone.key}",
        hint=f"write the offset: {first.isoformat()} or {second.isoformat()}",
    )
