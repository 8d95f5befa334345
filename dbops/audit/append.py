"""Append to the ledger: what is returned is on the disk, and what was there stays as it was.

An append is one write behind the last line and one fsync, under a lock that dies with its holder.
A writer that dies at any moment leaves the entries before whole and at most the beginning of a
line behind them; the next writer ends that with a newline and tells of it in an entry. A line
that only lacks its newline is an entry: it gets the newline.

Nobody but the holder of the lock writes, and nothing is ever cut off or written over, so that the
files can have the append-only attribute (`chattr +a`).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from dbops.audit.cache import keep_step, sound_root
from dbops.audit.checkpoint import Checkpoint, claimed_checkpoint, parse_checkpoint, sign_checkpoint
from dbops.audit.durable import append_durably, make_directory, replace_durably, sync_file
from dbops.audit.ending import End, decoded, end_of
from dbops.audit.entry import Actor, Draft, Entry, Event, Label, encode
from dbops.audit.links import damaged
from dbops.audit.segments import (
    FOLDER,
    LOCK,
    LOCK_SECONDS,
    SEGMENT_MOST,
    Extent,
    Segments,
    first_entry,
    is_entry,
    locked,
)
from dbops.audit.tiles import Tiles
from dbops.audit.torn import telling
from dbops.audit.tree import EMPTY_ROOT, leaf_hash
from dbops.crypto.note import NoteKey, NoteSigner, open_note
from dbops.errors import DbopsError, Failed, NotFound, Refused, Unreachable
from dbops.publish import sync_directory

CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints"

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Where a ledger is, its name for good, and what its entries call this host and this tool."""

    directory: Path
    origin: str
    host: str
    tool: str


class Ledger:
    """This host's ledger, for one process.

    `clock` gives the time with its zone, `boot` is the kernel's id of this start of the machine,
    `zone` the local time's, `lock_seconds` how long another process may hold the lock, and
    `segment_most` how many bytes a segment has that gets no more lines.
    """

    def __init__(
        self,
        place: LedgerPlace,
        clock: Callable[[], datetime],
        actor: Actor,
        boot: str,
        zone: tzinfo,
        *,
        lock_seconds: float = LOCK_SECONDS,
        segment_most: int = SEGMENT_MOST,
    ) -> None:
        self._place = place
        self._clock = clock
        self._actor = actor
        self._boot = boot
        self._zone = zone
        self._lock_seconds = lock_seconds
        self._segment_most = segment_most
        self._segments = Segments(place.directory)
        self._tiles = Tiles(place.directory)
        self._durable: Path | None = None  # the segment whose name is known to be on the disk
        self._origin_checked = False
        self._cached = True  # whether the cache could be used until now

    @property
    def place(self) -> LedgerPlace:
        """Where it is."""
        return self._place

    @property
    def tiles(self) -> Tiles:
        """The cache of its tree."""
        return self._tiles

    @property
    def size(self) -> int:
        """The number of entries now."""
        line = self._segments.tail().entry
        return 0 if line is None else decoded(line).sequence + 1

    def append(self, draft: Draft) -> Entry:
        """Afterwards the entry is durable; return it.

        The first one ever is preceded by the ledger's opening, and one behind a torn tail by the
        entry that tells of it. Raises Unreachable with `ledger-unwritable` or `ledger-busy`, then
        the entry may be there or not; Failed with `ledger-damaged` where what is there is not what
        was written, and `ledger-entry-form`, `ledger-entry-long`: then it is not.
        """
        with self._holding():
            return self._write(self._settled(), draft)[0]

    def checkpoint(self, signer: NoteSigner) -> Checkpoint:
        """Afterwards size and root are signed, in `checkpoint` and in `checkpoints/`; return them.

        The root is never the cache's word: the tree is proven to begin with the checkpoint before,
        if `signer` signed that one, and else every line is read. Raises as `append`, NotFound with
        `ledger-missing` where there is no entry, and what the signer raises.
        """
        with self._holding():
            end = self._end()
            if end.sequence == 0:
                raise NotFound(
                    "ledger-missing",
                    "the ledger has no entry yet that could be signed",
                    hint="write the first: dbops audit heartbeat",
                )
            before = self._local_note()
            claimed = None if before is None else _claimed(before)
            root = sound_root(
                self._tiles,
                self._segments,
                end.sequence,
                None if before is None else self._signed(before, signer),
                claimed or Checkpoint(self._place.origin, 0, EMPTY_ROOT),
            )
            made = Checkpoint(self._place.origin, end.sequence, root)
            self._publish(made, sign_checkpoint(made, signer))
            return made

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Hold the ledger's lock; what the system refuses meanwhile is `ledger-unwritable`."""
        directory = self._place.directory
        flags = os.O_RDWR | os.O_CREAT
        try:
            make_directory(directory / FOLDER)
            with locked(directory / LOCK, fcntl.LOCK_EX, flags, self._lock_seconds):
                yield
        except OSError as fault:
            raise _unwritable(fault, directory) from None

    def _settled(self) -> End:
        """Afterwards the last line is a whole entry: an opening, or what tells of a torn tail."""
        end = self._end()
        if end.whole:
            self._put(end, b"\n")
            end = self._end()
        if end.sequence == 0:
            origin = Draft(event=Event.LEDGER_OPEN, names={Label.ORIGIN: self._place.origin})
            return self._write(end, origin)[1]
        if end.region is not None:
            return self._write(end, Draft(event=Event.LEDGER_TORN))[1]
        return end

    def _end(self) -> End:
        """Read where the ledger ends; raises `ledger-damaged` where that cannot be continued."""
        tail = self._segments.tail()
        end = end_of(tail)
        note = self._local_note()
        claimed = 0 if note is None else _claimed(note).size
        if claimed > end.sequence:
            raise damaged(f"its checkpoint has {claimed} entries, and {end.sequence} are there")
        last = None if tail.entry is None else leaf_hash(tail.entry)
        if self._cached:
            self._cached = keep_step(self._tiles, self._segments, end.sequence, last)
        if end.sequence and not self._origin_checked:
            self._check_origin()
        return end

    def _check_origin(self) -> None:
        first = self._segments.extents()[0]
        line = first_entry(first)
        origin = None if line is None else decoded(line).draft.names.get(Label.ORIGIN)
        if first.first != 0 or origin != self._place.origin:
            raise damaged(f"its first entry does not open {self._place.origin}")
        self._origin_checked = True

    def _write(self, end: End, draft: Draft) -> tuple[Entry, End]:
        """Write one entry behind the end; return it, and the end behind it."""
        told = draft if end.region is None else telling(draft, end.region)
        entry = self._entry(end, told)
        line = encode(entry)
        if not is_entry(line):
            raise Failed(
                "ledger-entry-form",
                "the name of the host, the account or the tool cannot stand in an entry",
                hint="give the host a plain name in dbops.toml: host.name",
            )
        segment = self._put(end, (b"\n" if end.open_line else b"") + line + b"\n")
        leaf = leaf_hash(line)
        self._remember(leaf)
        # What tells of a torn tail stands in the old segment and does not make it a new month's.
        at = end.at if end.region else entry.at
        return entry, End(entry.sequence + 1, leaf.hex(), at, segment)

    def _entry(self, end: End, draft: Draft) -> Entry:
        now = self._clock().replace(microsecond=0)
        offset = now.astimezone(self._zone).utcoffset() or timedelta()
        return Entry(
            sequence=end.sequence,
            previous=end.previous,
            at=now.astimezone(UTC),
            offset=offset // timedelta(minutes=1),
            host=self._place.host,
            boot=self._boot,
            actor=self._actor,
            tool=self._place.tool,
            draft=draft,
        )

    def _put(self, end: End, data: bytes) -> Extent:
        """Afterwards the bytes are durable at the end, in a new segment where one is due."""
        segment = end.segment
        if segment is None or self._is_full(end, segment):
            if segment is not None:
                sync_file(segment.path)  # a writer may have died before its fsync
            segment = Extent(self._segments.path_of(end.sequence), end.sequence, 0)
        append_durably(segment.path, data)
        if segment.path != self._durable:
            # Whoever made the file may have died before its name was on the disk.
            sync_directory(segment.path.parent)
            sync_directory(self._place.directory)
            with suppress(PermissionError):
                sync_directory(self._place.directory.parent)
            self._durable = segment.path
        return replace(segment, size=segment.size + len(data))

    def _is_full(self, end: End, segment: Extent) -> bool:
        """Whether the next line begins a segment; a torn tail is ended in its own."""
        if segment.size == 0 or end.whole or end.region is not None:
            return False
        now = self._clock().astimezone(UTC)
        new_month = end.at is not None and (now.year, now.month) > (end.at.year, end.at.month)
        return segment.size >= self._segment_most or new_month

    def _remember(self, leaf: bytes) -> None:
        """Tell the cache, which may fail: the line is durable, and that is what counts."""
        if self._cached:
            try:
                self._tiles.append(leaf)
            except DbopsError:
                self._cached = False

    def _local_note(self) -> str | None:
        try:
            return (self._place.directory / CHECKPOINT).read_text("utf-8")
        except FileNotFoundError:
            return None
        except ValueError:
            raise damaged("its checkpoint is no text") from None

    def _signed(self, note: str, signer: NoteSigner) -> Checkpoint | None:
        """The checkpoint, if this very signer signed it."""
        try:
            key = NoteKey(self._place.origin, signer.public_key)
            return parse_checkpoint(open_note(note, [key]).text)
        except Refused:
            return None

    def _publish(self, checkpoint: Checkpoint, note: str) -> None:
        directory = self._place.directory
        make_directory(directory / CHECKPOINTS)
        replace_durably(directory / CHECKPOINTS / f"{checkpoint.size:012d}.note", note.encode())
        replace_durably(directory / CHECKPOINT, note.encode())


def _claimed(note: str) -> Checkpoint:
    try:
        return claimed_checkpoint(note)
    except Refused:
        raise damaged("its checkpoint is not one") from None


def _unwritable(fault: OSError, directory: Path) -> Unreachable:
    full = fault.errno in _FULL
    reason = "no room" if full else errno.errorcode.get(fault.errno or 0, "unknown error")
    look = "make room there, then run it again: df -h" if full else "look at it: ls -la"
    return Unreachable(
        "ledger-unwritable", f"the ledger cannot be written ({reason})", hint=f"{look} {directory}"
    )
