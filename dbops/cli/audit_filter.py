"""Which lines of a ledger a person wants to see, told from their bytes; pure.

The keys of a line stand in one fixed order and no text in it holds a quotation mark, so what to
look for in the bytes is exact for every line that is an entry, and a million of them take a
second. Whether a line is an entry is for the caller to ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dbops.audit.entry import Event, Result
from dbops.errors import UsageFault

_BEGIN: Final = b'{"v":1,"seq":'
_AT: Final = b'","at":"'
_AT_LENGTH: Final = len("2026-03-01T02:00:00Z")
_HEAD_MOST: Final = 160  # bytes before the end of the time


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: of each group one of its texts; times are those of a line."""

    groups: tuple[tuple[bytes, ...], ...]
    since: bytes
    until: bytes

    def __call__(self, line: bytes) -> bool:
        """Whether the line, if it is an entry, is one of those."""
        if not line.startswith(_BEGIN):
            return False
        found = line.find(_AT, 0, _HEAD_MOST) + len(_AT)
        at = line[found : found + _AT_LENGTH]
        return self.since <= at < self.until and all(
            any(text in line for text in group) for group in self.groups
        )


def wanted_lines(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    events: Iterable[Event] = (),
    database: str | None = None,
    work: str | None = None,
    actor: str | None = None,
    result: Result | None = None,
) -> Wanted:
    """The lines from `since` on and before `until` for which all of what is given holds.

    `actor` is a login, an account, or who called sudo; `events` are alternatives.
    """
    groups = [
        tuple(_text("event", event) for event in events),
        () if database is None else (_text("target", database),),
        () if work is None else (_text("work", work),),
        () if actor is None else tuple(_text(key, actor) for key in ("account", "login", "sudo")),
        () if result is None else (_text("result", result),),
    ]
    return Wanted(
        tuple(group for group in groups if group),
        b"" if since is None else _whole_second(since),
        b"~" if until is None else _whole_second(until),
    )


def parse_events(words: Iterable[str]) -> tuple[Event, ...]:
    """The events that the words name, each an event or a group of them; raises UsageFault."""
    found: list[Event] = []
    for word in words:
        meant = [event for event in Event if word in (event, event.partition(".")[0])]
        if not meant:
            groups = sorted({event.partition(".")[0] for event in Event})
            raise UsageFault(
                "audit-event",
                f'there is no event "{word}"',
                hint=f"name one, such as {Event.BACKUP_RUN}, or a group: {', '.join(groups)}",
            )
        found += meant
    return tuple(found)


def _text(key: str, value: str) -> bytes:
    return f'"{key}":"{value}"'.encode()


def _whole_second(when: datetime) -> bytes:
    """Lines hold whole seconds: what is not before 02:00:00.5 is not before 02:00:01."""
    rounded = when.astimezone(UTC) + timedelta(seconds=1 if when.microsecond else 0)
    return rounded.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
