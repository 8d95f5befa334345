"""What the times of the entries say: when each month began, and where nothing was written; pure.

A time is a claim of the host's clock, and the order is the sequence numbers'.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was written between two entries for longer than was asked for."""

    after: int
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Month:
    """The entries from `first` to `last` are those since the month (UTC, `2026-11`) began."""

    month: str
    first: int
    last: int


class Clock:
    """Watches the times of entries; a time between `_from` and `_until` brings nothing new."""

    def __init__(self, asked: Collection[int], silence: timedelta | None) -> None:
        self.times: dict[int, datetime] = {}
        self.silences: list[Silence] = []
        self._asked = sorted(set(asked))
        self._silence = silence
        self._begins: list[tuple[str, int]] = []  # of each month
        self._first: bytes | None = None
        self._last: bytes = b""
        self._from, self._until = b"~", b""

    def see(self, first: int, ats: Sequence[bytes]) -> None:
        """These are the times of the entries from `first` on."""
        self._first = self._first or ats[0]
        for number in self._asked:
            if first <= number < first + len(ats):
                self.times[number] = _instant(ats[number - first])
        if self._from <= min(ats) and max(ats) <= self._until:
            self._last = ats[-1]
            return
        for number, at in enumerate(ats, first):
            if not self._from <= at <= self._until:
                self._mark(number, at)
            self._last = at

    def _mark(self, number: int, at: bytes) -> None:
        """A time that may be the first after a silence, or of a month."""
        instant = _instant(at)
        before = _instant(self._last) if self._last else instant
        month = f"{instant:%Y-%m}"
        until = f"{month}-31T23:59:59"
        if self._silence is not None:
            if instant - before > self._silence:
                self.silences.append(Silence(number - 1, before, instant))
            until = min(until, f"{instant + self._silence:%Y-%m-%dT%H:%M:%S}")
        if not self._begins or month > self._begins[-1][0]:
            self._begins.append((month, number))
        self._from, self._until = at, until.encode()

    @property
    def first_at(self) -> datetime | None:
        """The first entry's time."""
        return _instant(self._first) if self._first else None

    @property
    def last_at(self) -> datetime | None:
        """The last entry's time."""
        return _instant(self._last) if self._last else None

    def months(self, size: int) -> tuple[Month, ...]:
        """Return where each month began and, with `size` entries, ended."""
        ends = [*(first for _month, first in self._begins[1:]), size]
        pairs = zip(self._begins, ends, strict=False)  # no month, and no end, without entries
        return tuple(Month(month, first, end - 1) for (month, first), end in pairs)


def _instant(at: bytes) -> datetime:
    try:
        return datetime.fromisoformat(at.decode("ascii")).replace(tzinfo=UTC)
    except ValueError:  # a 30th of February, which is nobody's but a forger's
        return datetime.min.replace(tzinfo=UTC)
