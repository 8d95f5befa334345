"""What the next entry stands behind, judged by what a crash can leave there; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dbops.audit.entry import NOTHING_BEFORE, Entry, decode
from dbops.audit.links import damaged
from dbops.audit.segments import Extent, Tail, is_entry
from dbops.audit.torn import Region, tells_of
from dbops.audit.tree import leaf_hash


@dataclass(frozen=True, slots=True)
class End:
    """What the next entry stands behind.

    `region` is a torn tail that it must tell of, `open_line` whether a newline must come first,
    and `whole` an entry's line that lacks nothing but the newline.
    """

    sequence: int
    previous: str
    at: datetime | None
    segment: Extent | None
    region: Region | None = None
    open_line: bool = False
    whole: bool = False


def end_of(tail: Tail) -> End:
    """What stands at the end; raises `ledger-damaged` where no crash can have brought it about."""
    last = None if tail.entry is None else decoded(tail.entry)
    sequence = 0 if last is None else last.sequence + 1
    previous = NOTHING_BEFORE if tail.entry is None else leaf_hash(tail.entry).hex()
    segment = tail.segment
    if segment is not None and (
        segment.first > sequence or (tail.end == 0) != (segment.first == sequence)
    ):
        raise damaged(f"entries before number {segment.first} are missing")
    end = End(sequence, previous, None if last is None else last.at, segment)
    if segment is None or not tail.rest:
        return end
    before, newline, piece = tail.rest.rpartition(b"\n")
    told = Region(segment.path.name, tail.end, before) if newline else None
    if not piece:
        return replace(end, region=told)
    if is_entry(piece):
        return replace(end, whole=_continues(piece, end, told))
    return replace(end, region=Region(segment.path.name, tail.end, tail.rest), open_line=True)


def _continues(piece: bytes, end: End, told: Region | None) -> bool:
    """True for an entry that fits behind the end; raises `ledger-damaged` for any other."""
    entry = decoded(piece)
    fits = (entry.sequence, entry.previous) == (end.sequence, end.previous)
    if not fits or (told is not None and not tells_of(piece, told.segment, told)):
        raise damaged(f"entry {entry.sequence} does not fit to what stands before it")
    return True


def decoded(line: bytes) -> Entry:
    try:
        return decode(line)
    except ValueError:
        raise damaged("its last line is not in the form that is written") from None
