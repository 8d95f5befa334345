"""Keep the tile cache in step with the lines, and take from it only what the lines bear out.

The cache is written after the line is durable. So it may know less than the ledger, after a crash
or where it could not be written; that it knows more, or another last line, no crash can bring.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from dbops.audit.checkpoint import Checkpoint
from dbops.audit.links import Link, damaged, links
from dbops.audit.scan import scan
from dbops.audit.segments import HEAD, Segments
from dbops.audit.tiles import Tiles
from dbops.audit.tree import HASH_SIZE, frontier_at
from dbops.errors import DbopsError

# What a power failure makes of bytes that were written and not yet on the disk.
_LOST: Final = bytes(HASH_SIZE)


def keep_step(tiles: Tiles, segments: Segments, size: int, last: bytes | None) -> bool:
    """Return whether the cache now holds the leaf hashes of all `size` lines; for who has the lock.

    `last` is the hash of the last one. Raises Failed with `ledger-damaged` where the cache knows
    of other lines. False where it cannot be read or written: it is only a cache.
    """
    try:
        known = tiles.size
        if known > size:
            raise damaged(f"it once had {known} entries, and {size} are there")
        leaf = tiles.leaf(known - 1) if known else None
        if leaf == _LOST:
            tiles.rebuild(link.leaf for link in links(segments, extents=segments.extents()))
        elif known < size:
            tiles.extend(link.leaf for link in _behind(segments, known, leaf))
        elif leaf != last:
            raise damaged(f"entry {size - 1} is not the one that was written")
    except DbopsError as fault:
        if not fault.code.startswith("ledger-tiles"):
            raise
        return False
    return True


def sound_root(
    tiles: Tiles, segments: Segments, size: int, signed: Checkpoint | None, claimed: Checkpoint
) -> bytes:
    """Return the root over the `size` lines, fit to be signed; for who has the lock.

    `signed` is an earlier checkpoint whose signature was verified: then the tree is proven to
    begin with it, and only the lines behind it are read. None reads all lines. `claimed` is the
    earlier one in any case, which the tree must begin with; else raises `ledger-damaged`.
    """
    if signed is not None:
        root = _continued(tiles, segments, size, signed)
        if root is not None:
            return root
    extents = segments.extents()
    seen = scan(segments, roots=(claimed.size, size), extents=extents)
    if seen.faults or seen.size != size:
        raise damaged("its lines do not form a chain")
    if seen.roots[claimed.size] != claimed.root:
        raise damaged(f"its first {claimed.size} entries are not those of its checkpoint")
    if signed is not None:  # then it was the cache that did not fit
        with suppress(DbopsError):
            tiles.rebuild(link.leaf for link in links(segments, extents=extents))
    return seen.roots[size]


def _behind(segments: Segments, known: int, leaf: bytes | None) -> Iterator[Link]:
    """The entries that the cache lacks; the first must follow the last that it has."""
    found = links(segments, known, extents=segments.extents())
    first = next(found, None)
    head = HEAD.match(first.line) if first else None
    if first is None or head is None or first.sequence != known:
        raise damaged(f"entry {known} is missing")
    if leaf is not None and head[2] != leaf.hex().encode():
        raise damaged(f"entry {known - 1} is not the one that was written")
    yield first
    yield from found


def _continued(tiles: Tiles, segments: Segments, size: int, signed: Checkpoint) -> bytes | None:
    """The root, if the cache's tree of `signed` is the signed one; the rest is read from lines."""
    found = links(segments, signed.size, extents=segments.extents())
    fresh = [link.leaf for link in found if link.sequence < size]
    if len(fresh) != size - signed.size:
        raise damaged(f"an entry behind number {signed.size - 1} is missing")
    try:
        frontier = frontier_at(tiles, signed.size)
    except DbopsError:
        return None
    if frontier.root() != signed.root:
        return None
    frontier.extend(fresh)
    return frontier.root()
