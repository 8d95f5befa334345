"""Ranges in, sealed packs out: one writer per worker process.

A range is compressed, sealed and spooled while it is still being read; nothing of it waits in
memory. A pack is closed after the range in which it reaches its size, and put under the digest of
its ciphertext. Packs that no manifest comes to name are garbage, never a backup.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import zstandard

from dbops.crypto.age import Recipient, SealingWriter
from dbops.repository.frames import Description, Payload, describe
from dbops.repository.layout import pack_name
from dbops.repository.manifest import PackEntry
from dbops.repository.ports import Spool, Store
from dbops.repository.ranges import RangeDigest, StoredRange

PACK_BYTES = 32 << 20
COMPRESSION_LEVEL = 1  # level 3 costs twice the time and stores no less of database text


@dataclass(frozen=True, slots=True)
class WrittenPack:
    """A pack that stands in the store, and its ranges by stream."""

    entry: PackEntry
    ranges: tuple[tuple[str, StoredRange], ...]


@dataclass(frozen=True, slots=True)
class PackOrder:
    """What every pack of one backup has in common. `key` is the proof key, 32 bytes."""

    database: str
    sequence: int
    key: bytes
    recipients: tuple[Recipient, ...]
    pack_bytes: int = PACK_BYTES


class HashingSpool:
    """A spool that knows the digest of what went through it."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._digest = hashlib.sha256()

    def write(self, block: bytes, /) -> int:
        self._digest.update(block)
        return self.spool.write(block)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class PackWriter:
    """Takes ranges one after another; `packs` grows by each pack that is safely stored."""

    def __init__(self, store: Store, order: PackOrder) -> None:
        self._store = store
        self._order = order
        self._pack: _OpenPack | None = None
        self.packs: list[WrittenPack] = []

    def begin(self, stream: str, index: int, payload: Payload) -> None:
        """Start a range; exactly one is open at a time."""
        if self._pack is None:
            self._pack = _OpenPack(self._store, self._order)
        self._pack.begin(stream, index, payload)

    def write(self, block: bytes, /) -> int:
        """Append to the open range."""
        return self._current.write(block)

    def end(self, records: int | None = None) -> None:
        """Close the range; `records` counts pages, rows count themselves."""
        pack = self._current
        pack.end(records)
        if pack.sealed_bytes >= self._order.pack_bytes:
            self.flush()

    def flush(self) -> None:
        """Afterwards every ended range is durable in the store."""
        if self._pack is not None:
            pack, self._pack = self._pack, None
            self.packs.append(pack.put())

    def abandon(self) -> None:
        """Forget the open pack."""
        if self._pack is not None:
            self._pack.abandon()
            self._pack = None

    @property
    def _current(self) -> _OpenPack:
        if self._pack is None:
            raise RuntimeError("no range is open")
        return self._pack


class _OpenPack:
    def __init__(self, store: Store, order: PackOrder) -> None:
        self._store = store
        self._order = order
        self._spool = HashingSpool(store.spool())
        self._sealer = SealingWriter(self._spool, order.recipients)
        self._ranges: list[tuple[str, StoredRange]] = []
        self._offset = 0
        self._start = 0
        self._open: tuple[str, int] = ("", 0)
        self._digest = RangeDigest(order.key, Payload.OPAQUE)
        self._compressor = _compressor()

    @property
    def sealed_bytes(self) -> int:
        return self._offset

    def begin(self, stream: str, index: int, payload: Payload) -> None:
        order = self._order
        self._open = (stream, index)
        self._start = self._offset
        self._digest = RangeDigest(order.key, payload)
        self._compressor = _compressor()
        about = Description(1, payload, order.database, order.sequence, stream, index)
        self._append(describe(about))

    def write(self, block: bytes) -> int:
        self._digest.feed(block)
        self._append(self._compressor.compress(block))
        return len(block)

    def end(self, records: int | None) -> None:
        self._append(self._compressor.flush())
        stream, index = self._open
        digest, proof = self._digest.finish(records)
        length = self._offset - self._start
        self._ranges.append((stream, StoredRange(index, "", self._start, length, digest, proof)))

    def _append(self, block: bytes) -> None:
        if block:
            self._sealer.write(block)
            self._offset += len(block)

    def put(self) -> WrittenPack:
        try:
            self._sealer.close()
            sha256, size = self._spool.sha256, self._spool.spool.size
            self._store.put(pack_name(self._order.database, sha256), self._spool.spool)
        finally:
            self._spool.spool.discard()
        ranges = tuple((stream, replace(part, pack=sha256)) for stream, part in self._ranges)
        return WrittenPack(PackEntry(sha256, size, own=True), ranges)

    def abandon(self) -> None:
        self._sealer.abandon()
        self._spool.spool.discard()


def _compressor() -> zstandard.ZstdCompressionObj:
    """A fresh frame with zstd's own checksum: damage shows even to `zstd -d`."""
    return zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True).compressobj()
