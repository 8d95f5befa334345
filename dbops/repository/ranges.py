"""Ranges, streams and their proofs.

The proof of a range is `(records, bytes, digest, sum)`:

* `digest`: keyed BLAKE2b-256 of the range's bytes (RFC 7693);
* `sum`: the sum, modulo 2^256, of the keyed BLAKE2b-256 of each row. It does not depend on the
  order of the rows, and, unlike an exclusive or, does not lose pairs of equal rows.

The key is random for each backup and stays in the sealed catalogue: without it a digest tells
nothing about a row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar

from dbops.repository.codec import STRICT
from dbops.repository.frames import Payload

COLUMNS = "columns"  # the one key of a stream's detail that every engine gives its tables
MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Proof:
    """What a range or a stream must be again after a restore; `records` counts rows or pages."""

    __pydantic_config__: ClassVar = STRICT

    records: int
    bytes: int
    sum: str

    def plus(self, other: Proof) -> Proof:
        """The proof of both together."""
        total = (int(self.sum, 16) + int(other.sum, 16)) % MODULUS
        return Proof(self.records + other.records, self.bytes + other.bytes, f"{total:064x}")


NOTHING = Proof(0, 0, "0" * 64)


@dataclass(frozen=True, slots=True)
class StoredRange:
    """One range and where it lies: `offset` and `length` count bytes in the pack's plaintext."""

    index: int
    pack: str
    offset: int
    length: int
    digest: str
    proof: Proof


@dataclass(frozen=True, slots=True)
class Stream:
    """What is restored as one thing: a table, a file, a dump.

    `detail` is what the engine needs to put it back: column names, encoding and the like.
    """

    name: str
    payload: Payload
    detail: dict[str, str]
    ranges: tuple[StoredRange, ...] = field(repr=False)

    @property
    def is_table(self) -> bool:
        """Whether people would call it a table; an engine's own lists of rows have no columns."""
        return self.payload is Payload.ROWS and COLUMNS in self.detail

    @property
    def proof(self) -> Proof:
        """The sum over its ranges."""
        total = NOTHING
        for part in self.ranges:
            total = total.plus(part.proof)
        return total


class RangeDigest:
    """Digests the bytes of one range while they pass by, cut anywhere."""

    def __init__(self, key: bytes, payload: Payload) -> None:
        self._whole = hashlib.blake2b(digest_size=32, key=key)
        self._rows = RowSum(key) if payload is Payload.ROWS else None
        self._bytes = 0

    def feed(self, block: bytes) -> None:
        self._whole.update(block)
        self._bytes += len(block)
        if self._rows is not None:
            self._rows.feed(block)

    def finish(self, records: int | None = None) -> tuple[str, Proof]:
        """The digest and the proof; `records` counts what is not rows, and is 0 where unknown."""
        if self._rows is None:
            return self._whole.hexdigest(), Proof(records or 0, self._bytes, "0" * 64)
        return self._whole.hexdigest(), Proof(self._rows.rows, self._bytes, self._rows.hex())


class RowSum:
    """The sum over rows that end with a newline. Memory does not grow with a row's length."""

    def __init__(self, key: bytes) -> None:
        self._fresh = hashlib.blake2b(digest_size=32, key=key)
        self._open = self._fresh.copy()
        self._open_bytes = 0
        self._total = 0
        self.rows = 0

    def feed(self, block: bytes) -> None:
        lines = block.split(b"\n")
        rest = lines.pop()
        if lines:
            self._open.update(lines[0])
            total = self._total + int.from_bytes(self._open.digest(), "big")
            fresh = self._fresh.copy
            number = int.from_bytes
            for line in lines[1:]:
                row = fresh()
                row.update(line)
                total += number(row.digest(), "big")
            self._total = total % MODULUS
            self.rows += len(lines)
            self._open = fresh()
            self._open_bytes = 0
        self._open.update(rest)
        self._open_bytes += len(rest)

    def hex(self) -> str:
        """The sum so far; a last line without a newline is an error of the reader that fed it."""
        if self._open_bytes:
            raise ValueError("the last row has no end")
        return f"{self._total:064x}"
