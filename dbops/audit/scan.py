"""One pass over the ledger with every link of the chain looked at.

What is in order costs little: a whole block of lines is compared at once, and only a block that
does not fit is looked at line by line. A fault does not end the pass; what stands behind it is
judged on its own, so that one edited line is one fault.
"""

from __future__ import annotations

import re
from binascii import hexlify
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import count
from typing import Final

from dbops.audit.entry import NOTHING_BEFORE, Event, Label, decode
from dbops.audit.links import entries, entry_at, line_at, links
from dbops.audit.segments import (
    HEAD,
    REST,
    Block,
    Extent,
    Segments,
    blocks,
    end_alike,
    ends_as_entry,
    link_of,
)
from dbops.audit.timeline import Clock, Month, Silence
from dbops.audit.torn import Region, tells_of
from dbops.audit.tree import Frontier

__all__ = [
    "ChainFault",
    "FaultKind",
    "Month",
    "OpenIntent",
    "Scan",
    "Silence",
    "TornTail",
    "entries",
    "entry_at",
    "line_at",
    "links",
    "scan",
]

_LEAF: Final = b"\0"
_NOBODY: Final = NOTHING_BEFORE.encode()
_INTENT: Final = b"intent"


class FaultKind(StrEnum):
    """What is wrong with the chain at one place."""

    EDITED = "line-edited"
    REORDERED = "lines-reordered"
    MISSING = "entries-missing"
    MISNAMED = "segment-misnamed"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """`count` entries from `sequence` on are not what they were; where that was noticed."""

    kind: FaultKind
    sequence: int
    count: int
    segment: str
    offset: int


@dataclass(frozen=True, slots=True)
class TornTail:
    """Bytes that are no entry, left by a writer that died.

    `sequence` is the entry behind them that says so, None where nothing stands behind them yet.
    """

    segment: str
    offset: int
    length: int
    sequence: int | None


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An intent that has neither an outcome nor a closing; `boot`, `pid`, `started` its process."""

    sequence: int
    event: Event
    target: str | None
    work: str | None
    at: datetime
    boot: str
    pid: int
    started: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one pass saw. `size` is one more than the highest sequence number.

    `frontier` holds the leaves before the first fault, and `roots` the sizes asked for as far as
    it reaches: all of them up to `size` where there is no fault. `times` are those of the entries
    asked for. `origin` is what entry 0 says, None where it opens no ledger.
    """

    size: int
    frontier: Frontier
    origin: str | None
    first_at: datetime | None
    last_at: datetime | None
    faults: tuple[ChainFault, ...]
    torn: tuple[TornTail, ...]
    open_intents: tuple[OpenIntent, ...]
    silences: tuple[Silence, ...]
    months: tuple[Month, ...]
    roots: Mapping[int, bytes]
    times: Mapping[int, datetime]

    @property
    def root(self) -> bytes:
        """The root over the entries before the first fault."""
        return self.frontier.root()

    @property
    def tail_torn(self) -> TornTail | None:
        """The torn tail that nothing stands behind yet; the next entry will tell of it."""
        return self.torn[-1] if self.torn and self.torn[-1].sequence is None else None


def scan(
    segments: Segments,
    *,
    roots: Collection[int] = (),
    times: Collection[int] = (),
    silence: timedelta | None = None,
    extents: Sequence[Extent] | None = None,
) -> Scan:
    """Return what the ledger holds and what is wrong with its chain.

    `roots` are sizes of the tree, `times` sequence numbers, `silence` the longest time between two
    entries that is not told. `extents` is what to read, by default what is there now; who holds
    the lock must give them. Raises NotFound with `ledger-missing`, Unreachable.
    """
    watch = _Pass(frozenset(roots), frozenset(times), silence)
    for extent in segments.measure() if extents is None else extents:
        watch.begin(extent)
        for block in blocks(extent):
            watch.take(block)
    return watch.result()


class _Pass:
    """The state of a pass over all lines."""

    def __init__(
        self, roots: Collection[int], times: Collection[int], silence: timedelta | None
    ) -> None:
        self._tree = _Tree(roots)
        self._clock = Clock(times, silence)
        self._next = 0
        self._previous = _NOBODY
        self._segment = ""
        self._named: int | None = None  # the number in the segment's name, until it is checked
        self._strays: list[bytes] = []
        self._strays_at = ("", 0)
        self._torn: list[TornTail] = []
        self._first: bytes | None = None  # the line of entry 0
        self._open: dict[int, bytes] = {}
        self._late: set[int] = set()  # entries that stand behind later ones
        self._faults: list[ChainFault] = []

    def begin(self, extent: Extent) -> None:
        """What comes now stands in this segment."""
        self._segment = extent.path.name
        self._named = extent.first

    def take(self, block: Block) -> None:
        """Look at the lines: all at once where they are in order, else one by one."""
        leaves = [sha256(_LEAF + line).digest() for line in block.lines]
        if block.whole and self._take_in_order(block.lines, leaves):
            return
        at = block.offset
        for line, leaf in zip(block.lines, leaves, strict=True):
            head = HEAD.match(line) if block.whole and ends_as_entry(line) else None
            if head is not None:
                self._take_entry(line, leaf, head, at)
            else:
                self._strays_at = self._strays_at if self._strays else (self._segment, at)
                self._strays.append(line)
            at += len(line) + 1

    def _take_in_order(self, lines: list[bytes], leaves: list[bytes]) -> bool:
        """Whether all lines were entries that follow one another; if not, nothing was taken."""
        if self._strays or self._named not in {None, self._next} or not end_alike(lines):
            return False
        previous = [self._previous, *map(hexlify, leaves)]
        begins = list(map(link_of, count(self._next), previous[:-1]))
        if not all(map(bytes.startswith, lines, begins)):
            return False
        rests = [found.groups() for found in map(REST.match, lines, map(len, begins)) if found]
        if len(rests) != len(lines):
            return False
        ats, _events, phases, answered = zip(*rests, strict=True)
        after = self._next + len(lines)
        for number, phase, of in zip(range(self._next, after), phases, answered, strict=True):
            if of is not None:
                self._open.pop(int(of), None)
            elif phase == _INTENT:
                self._open[number] = lines[number - self._next]
        self._tree.grow(leaves)
        self._clock.see(self._next, ats)
        self._first = self._first or lines[0]
        self._next, self._previous, self._named = after, previous[-1], None
        return True

    def _take_entry(self, line: bytes, leaf: bytes, head: re.Match[bytes], at: int) -> None:
        """Judge one entry by what stands before it, and go on from it."""
        number, before = int(head[1]), head[2]
        explained = self._end_strays(line, number, at)
        if number < self._next and before != self._previous:
            self._fault(FaultKind.REORDERED, number, 1, at)
            self._late.add(number)
            self._remember(number, line, head)
            return
        if before == self._previous and number != self._next:
            self._fault(FaultKind.EDITED, self._next, 1, at)
            number = self._next
        elif number > self._next + explained:
            self._fault(
                FaultKind.MISSING, self._next + explained, number - self._next - explained, at
            )
        elif before != self._previous and not explained:
            self._fault(FaultKind.EDITED, max(0, number - 1), 1, at)
        if self._named not in {None, number}:
            self._fault(FaultKind.MISNAMED, number, 1, at)
        self._remember(number, line, head)
        if not self._faults:
            self._tree.grow([leaf])
        self._clock.see(number, [head[3]])
        self._first = self._first or line
        self._next, self._previous, self._named = number + 1, hexlify(leaf), None

    def _remember(self, number: int, line: bytes, head: re.Match[bytes]) -> None:
        if head[6] is not None:
            self._open.pop(int(head[6]), None)
        elif head[5] == _INTENT:
            self._open[number] = line

    def _end_strays(self, line: bytes, number: int, at: int) -> int:
        """Judge what stood before the entry and was none; return how many entries it was once."""
        if not self._strays:
            return 0
        region = Region(*self._strays_at, b"\n".join(self._strays))
        count, self._strays = len(self._strays), []
        if tells_of(line, self._segment, region):
            self._torn.append(_tail_of(region, number))
            return 0
        explained = min(count, max(0, number - self._next))
        self._fault(FaultKind.EDITED, self._next, max(1, explained), at)
        return explained

    def _fault(self, kind: FaultKind, sequence: int, count: int, at: int) -> None:
        last = self._faults[-1] if self._faults else None
        after = last.sequence + last.count if last and last.kind is kind else -1
        if last and after == sequence + count:
            return  # a line that was edited is noticed again at the one behind it
        if last and after == sequence:
            self._faults[-1] = replace(last, count=last.count + count)
        else:
            self._faults.append(ChainFault(kind, sequence, count, self._segment, at))

    def result(self) -> Scan:
        """Return what was seen."""
        if self._strays:
            region = Region(*self._strays_at, b"\n".join(self._strays))
            self._torn.append(_tail_of(region, None))
        intents = [_open_intent(line) for _number, line in sorted(self._open.items())]
        return Scan(
            size=self._next,
            frontier=self._tree.frontier,
            origin=_origin(self._first),
            first_at=self._clock.first_at,
            last_at=self._clock.last_at,
            faults=tuple(_without(self._faults, self._late)),
            torn=tuple(self._torn),
            open_intents=tuple(intent for intent in intents if intent),
            silences=tuple(self._clock.silences),
            months=self._clock.months(self._next),
            roots=self._tree.roots,
            times=self._clock.times,
        )


class _Tree:
    """Grows a frontier and takes its root at the sizes asked for."""

    def __init__(self, sizes: Collection[int]) -> None:
        self.frontier = Frontier()
        self.roots = {0: self.frontier.root()} if 0 in sizes else {}
        self._asked = deque(sorted(size for size in set(sizes) if size > 0))

    def grow(self, leaves: list[bytes]) -> None:
        """Add the leaves."""
        begin, base = 0, self.frontier.size
        while self._asked and self._asked[0] <= base + len(leaves):
            size = self._asked.popleft()
            self.frontier.extend(leaves[begin : size - base])
            begin = size - base
            self.roots[size] = self.frontier.root()
        self.frontier.extend(leaves[begin:] if begin else leaves)


def _tail_of(region: Region, sequence: int | None) -> TornTail:
    return TornTail(region.segment, region.offset, len(region.data), sequence)


def _origin(line: bytes | None) -> str | None:
    """The origin that an opening entry names."""
    try:
        entry = decode(line or b"")
    except ValueError:
        return None
    opens = entry.sequence == 0 and entry.draft.event is Event.LEDGER_OPEN
    return entry.draft.names.get(Label.ORIGIN) if opens else None


def _open_intent(line: bytes) -> OpenIntent | None:
    try:
        entry = decode(line)
    except ValueError:
        return None
    draft, actor = entry.draft, entry.actor
    return OpenIntent(
        entry.sequence,
        draft.event,
        draft.target,
        draft.work,
        entry.at,
        entry.boot,
        actor.pid,
        actor.started,
    )


def _without(faults: list[ChainFault], late: set[int]) -> Iterator[ChainFault]:
    """The faults, and of the missing entries only those that do not stand further behind."""
    for fault in faults:
        numbers = range(fault.sequence, fault.sequence + fault.count)
        if fault.kind is not FaultKind.MISSING or late.isdisjoint(numbers):
            yield fault
            continue
        missing = [number for number in numbers if number not in late]
        if missing:
            yield replace(fault, sequence=missing[0], count=len(missing))
