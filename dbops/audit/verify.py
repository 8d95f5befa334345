"""Say what happened to a ledger: its chain, its checkpoints, its silences, its open ends.

The chain shows what was changed between two lines, checkpoints what was changed with the chain
redone or cut off its end. What no checkpoint out of the host's reach covers yet, somebody who is
root there can rewrite without a trace: `LedgerReport.exposed_since` says since when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dbops.audit.diagnosis import diagnose
from dbops.audit.findings import (
    KnownCheckpoint,
    LedgerFinding,
    LedgerPolicy,
    LedgerReport,
    Verdict,
    number_of,
)
from dbops.audit.known import Opened, check_known, open_known
from dbops.audit.scan import FaultKind, OpenIntent, Scan, scan
from dbops.audit.segments import HEAD, Segments, first_entry, is_entry, sequence_of
from dbops.audit.tiles import Tiles
from dbops.audit.timeline import Silence
from dbops.audit.tree import EMPTY_ROOT, Frontier, leaf_hash
from dbops.crypto.trust import TrustRoot
from dbops.errors import DbopsError, NotFound

_CLOSING: Final = b"ledger.close"
_PUT_IN: Final = ("line-inserted", "line-repeated")
_AT_A_BEGINNING: Final = ("entries-missing", "line-edited")


def verify_ledger(
    segments: Segments,
    *,
    known: Sequence[KnownCheckpoint],
    trust: TrustRoot,
    policy: LedgerPolicy,
    now: datetime,
    running: Callable[[int, int], bool],
    boot: str,
    tiles: Tiles | None = None,
) -> LedgerReport:
    """Return what was found; nothing is changed.

    `known` are checkpoints to hold the ledger to, `running` tells whether a process (its id, its
    start in ticks after boot) runs, `boot` is the kernel's id of this start. `tiles` is the cache
    of hashes: not believed, but where a signed root vouches for it, it tells which line was
    changed. Raises NotFound with `ledger-missing` where there is neither a ledger nor a checkpoint
    of one, and Unreachable. Takes one pass, and another where something is wrong.
    """
    opened, findings, remarks = open_known(known, trust, now)
    cached = _cached(tiles)  # before the lines are read: what is cached has its line
    seen = _scan(segments, opened, cached, policy.heartbeat)
    damage, size = _damage(segments, seen)
    findings += damage
    findings += _origin(seen)
    findings += _tail(segments, seen, size)
    sound = min((each.sequence or 0 for each in damage), default=None)
    contradictions = check_known(segments, seen, size, opened, tiles, cached=cached, sound=sound)
    findings += contradictions
    anchored = _Anchored.of(opened, seen)
    if not contradictions:
        findings += anchored.stale(policy, now)
    silences = () if damage else seen.silences  # lines that are missing are no silence
    findings += _silences(segments, silences, remarks)
    findings += _silent_now(seen, policy.heartbeat, now)
    answered = _answered(segments) if damage else frozenset()
    intents = [each for each in seen.open_intents if each.sequence not in answered]
    findings += _intents(intents, running, boot, remarks)
    remarks += _torn_remarks(seen)
    remarks += anchored.remarks(policy)
    return LedgerReport(
        origin=seen.origin,
        size=size,
        root=seen.root,
        findings=tuple(findings),
        remarks=tuple(remarks),
        first_at=seen.first_at,
        last_at=seen.last_at,
        anchored_size=anchored.size if anchored.size is None else min(anchored.size, size),
        exposed_since=anchored.since,
    )


def _cached(tiles: Tiles | None) -> int:
    """The number of entries in the cache; 0 where it cannot be read."""
    try:
        return 0 if tiles is None else tiles.size
    except DbopsError:
        return 0


def _scan(segments: Segments, opened: Sequence[Opened], cached: int, silence: timedelta) -> Scan:
    sizes = {each.checkpoint.size for each in opened}
    asked = sizes | {cached}
    try:
        return scan(segments, roots=asked, times=sizes | {0}, silence=silence)
    except NotFound:
        if not opened:
            raise
    return Scan(  # a ledger that was deleted, and that somebody remembers
        size=0,
        frontier=Frontier(),
        origin=None,
        first_at=None,
        last_at=None,
        faults=(),
        torn=(),
        open_intents=(),
        silences=(),
        months=(),
        roots={0: EMPTY_ROOT},
        times={},
    )


def _damage(segments: Segments, seen: Scan) -> tuple[list[LedgerFinding], int]:
    """What is wrong with the chain, and the number of entries."""
    if not seen.faults:
        return [], seen.size
    found, size = diagnose(segments, seen.torn)
    renamed = list(_renamed(segments, found))
    findings = [each for each in found if not (renamed and each.code == "lines-reordered")]
    findings += renamed
    if not findings:  # never clean where the pass before was not
        findings += [
            LedgerFinding(
                Verdict.GAP if fault.kind is FaultKind.MISSING else Verdict.EDITED,
                fault.kind.value,
                fault.sequence,
                f"the chain does not hold at {_numbered(fault.sequence, fault.count)}",
            )
            for fault in seen.faults
        ]
    return findings, max(size, seen.size)


def _renamed(segments: Segments, found: Sequence[LedgerFinding]) -> Iterator[LedgerFinding]:
    """Segments that are not called by their first entry, though nothing was done to that one."""
    explained = {each.sequence for each in found if each.code in _AT_A_BEGINNING}
    strangers = {each.sequence or 0 for each in found if each.code in _PUT_IN}
    for extent in segments.extents():
        line = first_entry(extent)
        if line is None or extent.first in {*explained, sequence_of(line)}:
            continue
        name = extent.path.name
        number = min(_numbers(segments, name) - strangers, default=extent.first)
        if number != extent.first:
            message = f"segment {name} was renamed: it begins with entry {number}"
            yield LedgerFinding(Verdict.EDITED, "segment-renamed", number, message)


def _numbers(segments: Segments, name: str) -> frozenset[int]:
    lines = (line for line in segments.lines() if line.segment == name)
    return frozenset(sequence_of(line.data) for line in lines if is_entry(line.data))


def _numbered(sequence: int, count: int) -> str:
    return number_of(range(sequence, sequence + max(count, 1)))


def _origin(seen: Scan) -> Iterator[LedgerFinding]:
    if seen.size and seen.origin is None and not any(f.sequence == 0 for f in seen.faults):
        message = "entry 0 was changed: it does not say which ledger this is"
        yield LedgerFinding(Verdict.EDITED, "origin-missing", 0, message)


def _tail(segments: Segments, seen: Scan, size: int) -> Iterator[LedgerFinding]:
    """The bytes behind the last entry, if no entry tells of them yet."""
    tail = seen.tail_torn
    if tail is None:
        return
    where = f"{tail.length} bytes behind the last entry, in segment {tail.segment}"
    if _is_beginning(segments):
        message = f"{where}, are an entry that was not finished; the next one will tell of it"
        yield LedgerFinding(Verdict.TORN, "tail-torn", size, message)
    else:
        message = f"{where}, were put there: they are not the beginning of an entry"
        yield LedgerFinding(Verdict.EDITED, "bytes-appended", size, message)


def _is_beginning(segments: Segments) -> bool:
    """Whether a writer that died could have left the bytes: the beginning of the next entry.

    There may be several, each behind a newline; and a file system that lost power leaves zeros.
    """
    ends = segments.tail()
    head = b""
    if ends.entry is not None and (found := HEAD.match(ends.entry)) is not None:
        hashed = leaf_hash(ends.entry).hex()
        head = f'{{"v":1,"seq":{int(found[1]) + 1},"prev":"{hashed}","at":"'.encode()
    pieces = ends.rest.split(b"\n")
    return all(
        head.startswith(piece) or (head and piece.startswith(head)) or not piece.strip(b"\0")
        for piece in pieces
    )


@dataclass(frozen=True, slots=True)
class _Anchored:
    """The newest trusted checkpoint out of the host's reach, and the first entry behind it."""

    size: int | None
    since: datetime | None

    @classmethod
    def of(cls, opened: Sequence[Opened], seen: Scan) -> _Anchored:
        sizes = [
            each.checkpoint.size
            for each in opened
            if each.known.anchored and seen.origin in {None, each.checkpoint.origin}
        ]
        size = max(sizes, default=None)
        since = seen.first_at if size is None else seen.times.get(size)
        return cls(size, since)

    def stale(self, policy: LedgerPolicy, now: datetime) -> Iterator[LedgerFinding]:
        """Entries that should be anchored by now."""
        if not policy.anchors or self.since is None or now - self.since <= policy.anchor_within:
            return
        waited = f"since {_moment(self.since)}, longer than {_span(policy.anchor_within)}"
        if self.size is None:
            message = f"no checkpoint of this ledger is anchored, {waited}"
            yield LedgerFinding(Verdict.STALE, "checkpoint-missing", 0, message)
        else:
            message = f"entry {self.size} and what is behind it wait to be anchored {waited}"
            yield LedgerFinding(Verdict.STALE, "anchor-old", self.size, message)

    def remarks(self, policy: LedgerPolicy) -> Iterator[str]:
        """What protects the newest entries."""
        if not policy.anchors:
            yield "no anchor is configured: whoever is root on this host can rewrite the ledger"
        elif self.size is None and self.since is not None:
            yield "nothing is anchored yet: whoever is root on this host can rewrite the ledger"
        elif self.size and self.since is not None:
            last = self.size - 1
            yield f"whoever is root on this host can rewrite all that comes after entry {last}"


def _silences(
    segments: Segments, silences: Sequence[Silence], remarks: list[str]
) -> Iterator[LedgerFinding]:
    """Times without an entry, but for those that a person has explained by closing them."""
    explained = _answered(segments, _CLOSING) if silences else frozenset()
    for silence in silences:
        span = _span(silence.end - silence.begin)
        message = f"nothing was written for {span} after entry {silence.after}"
        if silence.after in explained:
            remarks.append(f"{message}; a person has said why")
        else:
            message += f" (from {_moment(silence.begin)} to {_moment(silence.end)})"
            yield LedgerFinding(Verdict.GAP, "silence", silence.after, message)


def _silent_now(seen: Scan, longest: timedelta, now: datetime) -> Iterator[LedgerFinding]:
    if seen.last_at is not None and now - seen.last_at > longest:
        silent = f"nothing has been written since {_moment(seen.last_at)}"
        message = f"{silent}, for {_span(now - seen.last_at)}"
        yield LedgerFinding(Verdict.GAP, "silence", seen.size - 1, message)


def _answered(segments: Segments, event: bytes | None = None) -> frozenset[int]:
    """The entries that others answer (all, or those of one event), wherever these stand."""
    heads = (HEAD.match(line.data) for line in segments.lines())
    return frozenset(
        int(head[6]) for head in heads if head and head[6] and event in {None, head[4]}
    )


def _intents(
    intents: Sequence[OpenIntent],
    running: Callable[[int, int], bool],
    boot: str,
    remarks: list[str],
) -> Iterator[LedgerFinding]:
    for intent in intents:
        what = intent.event.value + (f" of {intent.target}" if intent.target else "")
        name = f"entry {intent.sequence}, {what} at {_moment(intent.at)}"
        if intent.boot == boot and running(intent.pid, intent.started):
            remarks.append(f"{name}, is still running")
        else:
            message = f"{name}, was begun and never ended"
            yield LedgerFinding(Verdict.DANGLING, "intent-open", intent.sequence, message)


def _torn_remarks(seen: Scan) -> Iterator[str]:
    told = [tail for tail in seen.torn if tail.sequence is not None]
    if told:
        first = told[0].sequence
        times = "once" if len(told) == 1 else f"{len(told)} times"
        yield f"a writer died {times} while it wrote; entry {first} is the first to tell of it"


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
