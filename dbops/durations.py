"""Durations as the estate writes them: `90m`, `26h`, `7d`, `2w`; pure."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"([0-9]{1,10})([smhdw])")
_LONGEST = timedelta(days=36_500)

DURATION_RULE = 'a duration such as "90m", "26h", "7d" or "2w", more than nothing'


def parse_duration(text: str) -> timedelta | None:
    """Return the duration, from one second to a hundred years, or None if `text` is none."""
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) > _LONGEST // _UNITS[match[2]]:
        return None
    return int(match[1]) * _UNITS[match[2]] or None


def duration_text(duration: timedelta) -> str:
    """Return a whole number of seconds in the largest unit that keeps it whole, days at most.

    Weeks are not used: who wrote `7d` does not want to read `1w`.
    """
    unit = next(
        (unit for unit in ("d", "h", "m") if duration and not duration % _UNITS[unit]),
        "s",
    )
    return f"{duration // _UNITS[unit]}{unit}"
