"""The ledger's lines on disk: segments named by their first sequence number, only ever appended to.

A line is an entry where it has an entry's head and end. Nothing that is only the beginning of an
entry has both, so a line that was torn when its writer died is never taken for one, even when a
newline has come behind it since. See `FORMAT.md`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from dbops.errors import NotFound, Unreachable

FOLDER: Final = "seg"
LOCK: Final = "lock"
LOCK_SECONDS: Final = 60.0
SEGMENT_MOST: Final = 64 << 20  # bytes; a segment that has as many gets no more lines

_REST: Final = (
    rb'"at":"([0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9])Z",'
    rb'"event":"([a-z.]+)","phase":"([a-z]+)"(?:,"of":([0-9]{1,19}))?,'
)
REST: Final = re.compile(_REST)  # a head's part behind the link
HEAD: Final = re.compile(rb'\{"v":1,"seq":(0|[1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",' + _REST)
_TOOL: Final = b',"tool":"'
_END: Final = re.compile(rb',"tool":"[^"\\\x00-\x1f]*"\}')
_NAME: Final = re.compile(r"([0-9]{12})\.jsonl")

_BLOCK: Final = 1 << 18  # bytes read at once
_LOOK: Final = 0.001  # seconds between two looks at a lock
_NEAR: Final = 1 << 16  # bytes: what is searched line by line


@dataclass(frozen=True, slots=True)
class Extent:
    """A segment as it was when it was measured: what came behind `size` bytes since is not in it.

    `first` is the sequence number in its name.
    """

    path: Path
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its newline, `offset` bytes into its segment; `whole` where it had one."""

    data: bytes
    segment: str
    offset: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stand one behind the other, the first `offset` bytes into the segment.

    `whole` is False for a last line without a newline, which is a block of its own.
    """

    offset: int
    lines: list[bytes]
    whole: bool


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the ledger ends: `entry` is its last entry's line, None where it has none.

    `segment` is the newest segment, None where there is none. Its last entry and the newline end
    after `end` bytes, and `rest` is what stands behind them: nothing, unless a writer died.
    """

    entry: bytes | None
    segment: Extent | None
    end: int
    rest: bytes


def is_entry(line: bytes) -> bool:
    """Whether the line has the form of an entry; the beginning of an entry never has."""
    return HEAD.match(line) is not None and ends_as_entry(line)


def link_of(sequence: int, previous: bytes) -> bytes:
    """Return how an entry's line begins: its number, and in hex the leaf hash of the one before."""
    return b'{"v":1,"seq":%d,"prev":"%b",' % (sequence, previous)


def ends_as_entry(line: bytes) -> bool:
    """Whether the line ends as an entry does; the whole beginning of an entry never does."""
    at = line.rfind(_TOOL)
    return at >= 0 and _END.fullmatch(line, at) is not None and b"\0" not in line


def end_alike(lines: list[bytes]) -> bool:
    """Whether all lines end as the same entry does: a quick yes, or a no that may be a yes."""
    end = lines[0][max(0, lines[0].rfind(_TOOL)) :]
    return (
        ends_as_entry(lines[0])
        and all(line.endswith(end) for line in lines)
        and b"\0" not in b"".join(lines)
    )


def sequence_of(line: bytes) -> int:
    """Return the sequence number of a line that has an entry's form."""
    found = HEAD.match(line)
    if found is None:
        raise ValueError("the line is not an entry")
    return int(found[1])


@dataclass(frozen=True, slots=True)
class Segments:
    """Reads the segments of the ledger in `directory`; a ledger that is not there has none.

    What cannot be read raises Unreachable with `ledger-unreadable`.
    """

    directory: Path

    @property
    def exist(self) -> bool:
        """Whether there is a directory of a ledger; an empty one counts."""
        with reading():
            return self.directory.is_dir()

    def path_of(self, first: int) -> Path:
        """Return the path of the segment whose first entry has the number."""
        return self.directory / FOLDER / f"{first:012d}.jsonl"

    def files(self) -> tuple[Path, ...]:
        """Return the segments, oldest first; other files beside them do not count."""
        with reading():
            try:
                found = [*(self.directory / FOLDER).iterdir()]
            except FileNotFoundError:
                return ()
            return tuple(sorted(path for path in found if _NAME.fullmatch(path.name)))

    def measure(self) -> tuple[Extent, ...]:
        """Return the segments and their sizes at a moment when nobody writes.

        Waits for a writer that is at work. Raises NotFound with `ledger-missing` where there is no
        ledger at all.
        """
        lock = self.directory / LOCK
        with reading():
            if not self.exist:
                raise NotFound(
                    "ledger-missing",
                    "there is no ledger here",
                    hint="the first entry begins it: dbops audit heartbeat",
                )
            if not lock.exists():
                return self.extents()  # a copy, which nobody writes
            with locked(lock, fcntl.LOCK_SH, os.O_RDONLY):
                return self.extents()

    def extents(self) -> tuple[Extent, ...]:
        """Return the segments and their sizes as they are, for who holds the lock."""
        with reading():
            return tuple(
                Extent(path, int(path.stem), path.lstat().st_size) for path in self.files()
            )

    def lines(self) -> Iterator[Line]:
        """Yield every line, entries and torn ones, up to where the ledger ended at the call."""
        for extent in self.measure():
            for block in blocks(extent):
                offset = block.offset
                for data in block.lines:
                    yield Line(data, extent.path.name, offset, block.whole)
                    offset += len(data) + 1

    def tail(self) -> Tail:
        """Return where the ledger ends; a line that is being written is `rest`."""
        extents = self.extents()
        if not extents:
            return Tail(None, None, 0, b"")
        newest = extents[-1]
        entry, end, rest = _last_entry(newest)
        if entry is None and len(extents) > 1:
            entry = _last_entry(extents[-2])[0]
        return Tail(entry, newest, end, rest)


def first_entry(extent: Extent) -> bytes | None:
    """Return the segment's first line that is an entry."""
    for block in blocks(extent):
        for line in block.lines:
            if block.whole and is_entry(line):
                return line
    return None


def blocks(extent: Extent, offset: int = 0) -> Iterator[Block]:
    """Yield the segment's lines in blocks, from the line that begins at `offset`."""
    pending = b""
    with reading(), _opened(extent.path) as descriptor:
        at = offset
        while at < extent.size:
            data = os.pread(descriptor, min(_BLOCK, extent.size - at), at)
            if not data:
                break  # somebody made it shorter: what is missing is noticed in the chain
            at += len(data)
            lines = (pending + data).split(b"\n")
            pending = lines.pop()
            if lines:
                yield Block(offset, lines, whole=True)
                offset = at - len(pending)
    if pending:
        yield Block(offset, [pending], whole=False)


def offset_near(extent: Extent, sequence: int) -> int:
    """Return where to begin to look for an entry: at most some 64 KiB of lines before it.

    By halving: entries stand in order. In a segment where they do not it may be any line.
    """
    low, high = 0, extent.size
    with reading(), _opened(extent.path) as descriptor:
        while high - low > _NEAR:
            middle = (low + high) // 2
            data = os.pread(descriptor, min(_NEAR, high - middle), middle)
            found = _first_entry(data)
            if found is None or found[1] > sequence:
                high = middle
            else:
                low = middle + found[0]
    return low


def _first_entry(data: bytes) -> tuple[int, int] | None:
    """Offset and sequence of the first whole entry behind the first newline."""
    begin = data.find(b"\n") + 1
    while begin > 0:
        end = data.find(b"\n", begin)
        if end < 0:
            return None
        if is_entry(data[begin:end]):
            return begin, sequence_of(data[begin:end])
        begin = end + 1
    return None


def _last_entry(extent: Extent) -> tuple[bytes | None, int, bytes]:
    """The last line that is an entry, where it and its newline end, and what stands behind."""
    window = _NEAR
    with reading(), _opened(extent.path) as descriptor:
        while True:
            start = max(0, extent.size - window)
            data = os.pread(descriptor, extent.size - start, start)
            begin = 0 if start == 0 else data.find(b"\n") + 1
            end = data.rfind(b"\n")
            while end >= begin:
                line_start = data.rfind(b"\n", begin, end) + 1 or begin
                if is_entry(data[line_start:end]):
                    return data[line_start:end], start + end + 1, data[end + 1 :]
                end = line_start - 1
            if start == 0:
                return None, 0, data
            window *= 4


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, operation: int, flags: int, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file, opened with the flags, by `operation` of flock(2).

    Raises OSError, and Unreachable with `ledger-busy` where others hold it all the while: a writer
    that was stopped must not stop everybody for good.
    """
    end = time.monotonic() + seconds
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while not _try(descriptor, operation):
            if time.monotonic() > end:
                raise Unreachable(
                    "ledger-busy",
                    f"another process has held the ledger's lock for {seconds:g} seconds",
                    hint=f"see which one, and whether it still moves: fuser -v {path}",
                )
            time.sleep(_LOOK)
        if os.fstat(descriptor).st_nlink == 0:
            raise Unreachable(
                "ledger-busy",
                "somebody removed the ledger's lock file while it was waited for",
                hint="run it again, and leave that file alone",
            )
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def reading() -> Iterator[None]:
    """What the file system refuses meanwhile is told as Unreachable `ledger-unreadable`."""
    try:
        yield
    except OSError as fault:
        _unreadable(fault)


def _unreadable(fault: OSError) -> NoReturn:
    name = errno.errorcode.get(fault.errno or 0, "unknown error")
    raise Unreachable(
        "ledger-unreadable",
        f"the ledger cannot be read ({name})",
        hint="read it with the account that writes it, on the disk where it is",
    ) from None
