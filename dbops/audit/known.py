"""Hold a ledger to the checkpoints of it that somebody remembers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from dbops.audit.checkpoint import Checkpoint, open_checkpoint
from dbops.audit.findings import KnownCheckpoint, LedgerFinding, Verdict
from dbops.audit.scan import Scan
from dbops.audit.segments import Segments, is_entry, reading
from dbops.audit.tiles import Tiles
from dbops.audit.tree import leaf_hash, root_at
from dbops.crypto.trust import TrustRoot
from dbops.errors import DbopsError, Refused

_HERE: Final = "the checkpoint kept here"
KEPT_MOST: Final = 64  # checkpoints kept on the host that a verification looks at, the newest


@dataclass(frozen=True, slots=True)
class Opened:
    """A known checkpoint whose signature was verified."""

    known: KnownCheckpoint
    checkpoint: Checkpoint

    @property
    def title(self) -> str:
        """Where it was found."""
        return self.known.title


def open_known(
    known: Sequence[KnownCheckpoint], trust: TrustRoot, now: datetime
) -> tuple[list[Opened], list[LedgerFinding], list[str]]:
    """Return the checkpoints that count, findings about those that do not, and remarks.

    One whose key counts no longer is worth a remark where its place has another that does: the key
    was replaced since.
    """
    opened: list[Opened] = []
    bad: list[tuple[KnownCheckpoint, Refused]] = []
    for each in known:
        try:
            opened.append(Opened(each, open_checkpoint(each.note, trust, now)))
        except Refused as fault:
            bad.append((each, fault))
    findings, remarks = [], []
    for each, why in bad:
        where = f"{each.title} ({each.file})" if each.file else each.title
        message = f"{where} does not count: {why.message}"
        replaced = any(good.title == each.title for good in opened)
        if replaced and why.code.startswith("trust-"):
            remarks.append(message)
        else:
            finding = LedgerFinding(Verdict.STALE, "checkpoint-untrusted", None, message)
            findings.append(finding)
    return opened, findings, remarks


def kept_checkpoints(segments: Segments) -> tuple[KnownCheckpoint, ...]:
    """Return the checkpoints that are kept beside the ledger, the newest ones by their names."""
    directory = segments.directory
    with reading():
        notes = sorted((directory / "checkpoints").glob("*.note"))[-KEPT_MOST:]
    found = []
    for path in [*notes, directory / "checkpoint"]:
        try:
            note = path.read_text("utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):
            note = ""
        file = path.relative_to(directory).as_posix()
        found.append(KnownCheckpoint(_HERE, note, file=file))
    return tuple(found)


def check_known(
    segments: Segments,
    seen: Scan,
    size: int,
    opened: Sequence[Opened],
    tiles: Tiles | None,
    *,
    cached: int,
    sound: int | None,
) -> list[LedgerFinding]:
    """Return where the ledger is not what the checkpoints know, each contradiction once.

    `size` is the number of entries, `cached` of those that the cache had when the lines were read.
    The chain is broken behind the first `sound` entries (None: it holds). Roots say nothing of what
    is behind, and only the size is compared.
    """
    ours = [each for each in opened if each.checkpoint.origin == seen.origin]
    findings = [_other_origin(each, seen) for each in opened if each not in ours and seen.origin]
    longer = [each for each in opened if each.checkpoint.size > size]
    if longer:
        findings.append(_truncated(max(longer, key=lambda each: each.checkpoint.size), size))
    wrong = [
        each
        for each in ours
        if _contradicts(each, seen) and (sound is None or each.checkpoint.size <= sound)
    ]
    if wrong:
        first = min(wrong, key=lambda each: each.checkpoint.size)
        findings.append(_rewritten(segments, seen, size, first, ours, tiles))
    elif sound is None and not findings and tiles is not None:
        findings += _cache(segments, seen, size, tiles, cached)
    return findings


def _contradicts(each: Opened, seen: Scan) -> bool:
    root = seen.roots.get(each.checkpoint.size)
    return root is not None and root != each.checkpoint.root


def _other_origin(each: Opened, seen: Scan) -> LedgerFinding:
    message = (
        f"{each.title} is of ledger {each.checkpoint.origin}, and this is ledger {seen.origin}"
    )
    return LedgerFinding(Verdict.FORK, "origin-differs", 0, message)


def _truncated(each: Opened, size: int) -> LedgerFinding:
    message = f"{each.title} knows {each.checkpoint.size} entries, and the ledger has only {size}"
    return LedgerFinding(Verdict.ROLLBACK, "truncated", size, message)


def _rewritten(
    segments: Segments,
    seen: Scan,
    size: int,
    wrong: Opened,
    ours: Sequence[Opened],
    tiles: Tiles | None,
) -> LedgerFinding:
    """A chain that holds and is another one, or a last line that no later one vouches for."""
    until = wrong.checkpoint.size
    right = (each.checkpoint.size for each in ours if not _contradicts(each, seen))
    low = max((each for each in right if each < until), default=0)
    start = _first_difference(segments, wrong.checkpoint, tiles)
    if start is None and low == until - 1:
        start = low
    if start == until - 1 and until == size:
        message = f"entry {start} was changed: {wrong.title} knows another one"
        return LedgerFinding(Verdict.EDITED, "line-edited", start, message)
    known = f"{wrong.title} knows other entries"
    if start is not None:
        message = f"the ledger was rewritten from entry {start} on: {known}"
        return LedgerFinding(Verdict.FORK, "rewritten", start, message)
    message = f"the ledger was rewritten between entry {low} and entry {until - 1}: {known}"
    return LedgerFinding(Verdict.FORK, "rewritten", low, message)


def _first_difference(
    segments: Segments, checkpoint: Checkpoint, tiles: Tiles | None
) -> int | None:
    """The first entry that differs, where the cache still holds the hashes that were signed."""
    if tiles is None:
        return None
    try:
        if tiles.size < checkpoint.size or root_at(tiles, checkpoint.size) != checkpoint.root:
            return None
        return _compare(segments, tiles, checkpoint.size)
    except DbopsError:
        return None


def _compare(segments: Segments, tiles: Tiles, size: int) -> int | None:
    hashes = (leaf_hash(line.data) for line in segments.lines() if is_entry(line.data))
    for index, found in enumerate(islice(hashes, size)):
        if tiles.leaf(index) != found:
            return index
    return None


def _cache(
    segments: Segments, seen: Scan, size: int, tiles: Tiles, cached: int
) -> Iterator[LedgerFinding]:
    """What only the cache knows: no proof, but its writer saw the lines."""
    if cached > size:
        message = f"the cache of hashes knows {cached} entries, and the ledger has only {size}"
        yield LedgerFinding(Verdict.ROLLBACK, "truncated", size, message)
        return
    try:
        if not cached or root_at(tiles, cached) == seen.roots.get(cached):
            return
        index = _compare(segments, tiles, cached)
        lost = index is None or not any(tiles.leaf(index))
    except DbopsError:
        return  # it is only a cache, and can be made anew
    if not lost:
        message = f"entry {index} is not the line whose hash was cached when it was written"
        yield LedgerFinding(Verdict.EDITED, "cache-differs", index, message)
