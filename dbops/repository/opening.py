"""Sealed packs in, ranges out.

A pack is read forward only: skipping ahead costs little, going back starts the pack again. Readers
that take ranges in the order of `pack_order` open every pack once. Memory: a few buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, cast

import zstandard

from dbops.crypto.age import Identity, OpeningReader
from dbops.errors import DbopsError, Failed
from dbops.repository.frames import PREFIX_BYTES, Payload, description_length, read_description
from dbops.repository.layout import pack_name
from dbops.repository.ports import Store
from dbops.repository.ranges import RangeDigest, StoredRange, Stream

BLOCK_BYTES = 1 << 18


def pack_order(streams: Iterable[Stream], packs: Sequence[str]) -> list[Stream]:
    """The streams in the order in which their first ranges lie in the packs."""
    position = {sha256: index for index, sha256 in enumerate(packs)}

    def first(stream: Stream) -> tuple[int, int]:
        part = stream.ranges[0]
        return position.get(part.pack, 0), part.offset

    return sorted((stream for stream in streams if stream.ranges), key=first)


class RangeReader:
    """Reads ranges of one database's packs, and checks each against its digest."""

    def __init__(
        self,
        store: Store,
        database: str,
        key: bytes,
        identities: Sequence[Identity],
        seen: set[tuple[str, int]] | None = None,
    ) -> None:
        """`seen` grows by the stream and number of each range that was read whole and right."""
        self._store = store
        self._database = database
        self._key = key
        self._identities = identities
        self._seen = set[tuple[str, int]]() if seen is None else seen
        self._cursor: _Cursor | None = None

    def read_stream(self, stream: Stream) -> Iterator[bytes]:
        """Every byte of the stream, range after range."""
        for part in stream.ranges:
            yield from self.read_range(stream, part)

    def read_range(self, stream: Stream, part: StoredRange) -> Iterator[bytes]:
        """The bytes of the range; raises Failed, naming it, unless all of them are right.

        Bytes come before the digest is known to be right: act on them only when the iterator
        has ended.
        """
        title = f"range {part.index} of {stream.name} in pack {part.pack[:16]}"
        cursor = self._at(part)
        length = description_length(cursor.take(PREFIX_BYTES), title)
        if part.length < PREFIX_BYTES + length:
            raise damaged(title, "it is shorter than its description")
        about = read_description(cursor.take(length), title)
        found = (about.stream, about.range, about.payload, about.database)
        if found != (stream.name, part.index, stream.payload, self._database):
            raise damaged(title, "the pack describes another range there")
        digest = RangeDigest(self._key, Payload.OPAQUE)
        for block in _unpacked(cursor, part.length - PREFIX_BYTES - length, title):
            digest.feed(block)
            yield block
        whole, proof = digest.finish()
        if whole != part.digest or proof.bytes != part.proof.bytes:
            raise damaged(title, "its digest differs from the catalogue's")
        self._seen.add((stream.name, part.index))

    def close(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    def _at(self, part: StoredRange) -> _Cursor:
        cursor = self._cursor
        if cursor is None or cursor.pack != part.pack or cursor.offset > part.offset:
            self.close()
            source = self._store.open(pack_name(self._database, part.pack))
            self._cursor = cursor = _Cursor(source, self._identities, part.pack)
        cursor.skip_to(part.offset)
        return cursor


def damaged(title: str, reason: str) -> Failed:
    """The error for a range that is not what the catalogue says."""
    return Failed(
        "range-damaged",
        f"{title} is damaged: {reason}",
        hint="restore from another backup, and find the cause: "
        "dbops backup verify --all --level stored",
    )


class _Cursor:
    """A place in the plaintext of one pack."""

    def __init__(self, source: BinaryIO, identities: Sequence[Identity], pack: str) -> None:
        self.pack = pack
        self.offset = 0
        self._source = source
        self._reader = OpeningReader(source, identities, f"pack {pack[:16]}")

    def read(self, size: int) -> bytes:
        block = self._reader.read(size)
        self.offset += len(block)
        return block

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        block = self.read(size)
        if len(block) != size:
            raise damaged(f"pack {self.pack[:16]}", "it is shorter than the catalogue says")
        return block

    def skip_to(self, offset: int) -> None:
        while self.offset < offset:
            self.take(min(BLOCK_BYTES, offset - self.offset))

    def close(self) -> None:
        self._reader.close()
        self._source.close()


class _Window:
    """The next `length` bytes of a cursor, as the file that zstandard reads."""

    def __init__(self, read: Callable[[int], bytes], length: int) -> None:
        self._read = read
        self.left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        block = self._read(wanted) if wanted else b""
        self.left -= len(block)
        return block


def _unpacked(cursor: _Cursor, length: int, title: str) -> Iterator[bytes]:
    window = _Window(cursor.read, length)
    # Reading through a window bounds the output too: a decompressor that is fed blocks returns
    # whatever they expand to, and empty pages expand ten-thousandfold.
    with zstandard.ZstdDecompressor().stream_reader(
        cast("BinaryIO", window), read_size=BLOCK_BYTES
    ) as reader:
        while True:
            try:
                block = reader.read(BLOCK_BYTES)
            except DbopsError:
                raise
            except zstandard.ZstdError:
                raise damaged(title, "it does not decompress") from None
            if not block:
                break
            yield block
    if window.left:
        raise damaged(title, "its frame ends early")


def read_sealed(
    store: Store, name: str, identities: Sequence[Identity], title: str
) -> Iterator[bytes]:
    """The lines of a sealed, compressed object."""
    with store.open(name) as source, OpeningReader(source, identities, title) as opened:
        reader = zstandard.ZstdDecompressor().stream_reader(
            cast("BinaryIO", opened), read_size=BLOCK_BYTES
        )
        rest = b""
        while block := _block(reader, title):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield from lines
        if rest:
            raise damaged(title, "its last line has no end")


def _block(reader: zstandard.ZstdDecompressionReader, title: str) -> bytes:
    try:
        return reader.read(BLOCK_BYTES)
    except zstandard.ZstdError:
        raise damaged(title, "it does not decompress") from None
