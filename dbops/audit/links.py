"""Reads entries one after another and stops at the first that does not fit to the one before it."""

from __future__ import annotations

import re
from binascii import hexlify
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from dbops.audit.entry import NOTHING_BEFORE, Entry, decode
from dbops.audit.segments import HEAD, Extent, Segments, blocks, is_entry, offset_near
from dbops.audit.torn import Region, tells_of
from dbops.audit.tree import leaf_hash
from dbops.errors import Failed, NotFound

_NOBODY: Final = NOTHING_BEFORE.encode()
_ABOUT_WORK: Final = b'"work":"'


class Link(NamedTuple):
    """One entry of an intact chain: its number, its line and the line's leaf hash."""

    sequence: int
    line: bytes
    leaf: bytes


def links(
    segments: Segments, start: int = 0, *, extents: Sequence[Extent] | None = None
) -> Iterator[Link]:
    """Yield the entries from number `start` on; `extents` as for `scan`.

    Raises Failed with `ledger-damaged` before the first that does not fit to the one before it.
    """
    taken = segments.measure() if extents is None else extents
    skipped = max((n for n, extent in enumerate(taken) if extent.first <= start), default=0)
    offset = offset_near(taken[skipped], start) if taken else 0
    expected = None if skipped or offset else (0, _NOBODY)
    for line, segment, region in _found(taken[skipped:], offset):
        head = _head(line)
        sequence, leaf = int(head[1]), leaf_hash(line)
        fits = expected in {None, (sequence, head[2])}
        if not fits or (region is not None and not tells_of(line, segment, region)):
            raise damaged(f"entry {sequence} does not fit to what stands before it")
        expected = (sequence + 1, hexlify(leaf))
        if sequence >= start:
            yield Link(sequence, line, leaf)


def entries(segments: Segments, start: int = 0) -> Iterator[Entry]:
    """Yield the entries from number `start` on; raises as `links`, before the first fault."""
    for link in links(segments, start):
        yield _decoded(link)


def entries_about_work(segments: Segments) -> Iterator[Entry]:
    """Yield the entries that name a piece of work; the whole chain is checked, as by `links`.

    A sign-off asks for these among all of three years' backups.
    """
    for link in links(segments):
        if _ABOUT_WORK in link.line:
            entry = _decoded(link)
            if entry.draft.work is not None:
                yield entry


def line_at(segments: Segments, sequence: int) -> bytes:
    """Return an entry's line; raises NotFound with `ledger-entry`, and as `links`.

    Some hundred lines are read for it, not the segment.
    """
    return _link_at(segments, sequence).line


def entry_at(segments: Segments, sequence: int) -> Entry:
    """Return an entry; raises as `line_at`."""
    return _decoded(_link_at(segments, sequence))


def damaged(what: str) -> Failed:
    """Return the error for a ledger that is not what dbops writes."""
    return Failed(
        "ledger-damaged",
        f"the ledger is damaged: {what}",
        hint="see all that is wrong with it: dbops audit verify",
    )


def _link_at(segments: Segments, sequence: int) -> Link:
    link = next(links(segments, sequence), None)
    if link is None or link.sequence != sequence:
        raise NotFound(
            "ledger-entry",
            f"the ledger has no entry {sequence}",
            hint="see which there are: dbops audit log --last 20",
        )
    return link


def _decoded(link: Link) -> Entry:
    try:
        return decode(link.line)
    except ValueError:
        raise damaged(f"entry {link.sequence} is not in the form that is written") from None


def _found(extents: Sequence[Extent], offset: int) -> Iterator[tuple[bytes, str, Region | None]]:
    """Each entry, the name of its segment, and what stands before it that is none."""
    strays: list[bytes] = []
    begin = ("", 0)
    for extent in extents:
        for block in blocks(extent, offset):
            at = block.offset
            for line in block.lines:
                if block.whole and is_entry(line):
                    region = Region(*begin, b"\n".join(strays)) if strays else None
                    yield line, extent.path.name, region
                    strays = []
                else:
                    begin = begin if strays else (extent.path.name, at)
                    strays.append(line)
                at += len(line) + 1
        offset = 0


def _head(line: bytes) -> re.Match[bytes]:
    found = HEAD.match(line)
    if found is None:
        raise ValueError("the line is not an entry")
    return found
