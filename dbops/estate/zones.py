"""IANA time zones by name, and the name that was probably meant."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dbops.errors import UsageFault
from dbops.wording import nearest, quoted

# The whole of China keeps one time, named after Shanghai; spelling alone would never find it.
_CHINA = frozenset(
    {"beijing", "peking", "guangzhou", "shenzhen", "chengdu", "wuhan", "tianjin", "nanjing"}
    | {"hangzhou", "xian", "china", "北京", "上海", "中国", "cst", "gmt+8", "utc+8"}
)
_OTHER_TREES = ("right/", "posix/")
_OF_THIS_HOST = ("localtime", "posixrules")


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of that IANA name.

    Only the names of the database itself are known: `right/…` counts leap seconds and would put
    every time wrong, and `localtime` means something else on the next host.

    Raises UsageFault `unknown-time-zone` with the name that was probably meant, and
    `no-time-zones` where the machine has no time zone database at all.
    """
    try:
        if not name.startswith(_OTHER_TREES) and name not in _OF_THIS_HOST:
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass  # only now the list of all names, which costs a walk through the database
    known = available_timezones()
    if not known:
        raise UsageFault(
            "no-time-zones",
            "this machine has no time zone database",
            hint="apt-get install tzdata",
        )
    raise UsageFault(
        "unknown-time-zone",
        f"unknown time zone {quoted(name)}",
        hint=_near_zone(name, known),
    )


def _near_zone(name: str, known: set[str]) -> str:
    if name.rpartition("/")[2].casefold() in _CHINA:
        return 'did you mean "Asia/Shanghai"?'
    near = _same_city(name, known) or nearest(name, sorted(known))
    if near is None:
        return 'write an IANA name such as "Asia/Shanghai"'
    return f"did you mean {quoted(near)}?"


def _same_city(name: str, known: set[str]) -> str | None:
    city = "/" + name.rpartition("/")[2].casefold()
    return next((zone for zone in sorted(known) if zone.casefold().endswith(city)), None)
