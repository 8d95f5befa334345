"""The small signed documents beside manifests: tombstones, holds, certificates, receipts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Literal

from pydantic import ConfigDict

from dbops.repository.codec import STRICT, Digest, Moment, Name


class ProofLevel(IntEnum):
    """How much is known about a backup, from nothing to everything."""

    UNKNOWN = 0
    STORED = 1
    READABLE = 2
    RESTORED = 3
    PROVEN = 4

    @property
    def label(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, label: str) -> ProofLevel:
        return cls[label.upper()]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The backup expires: after the grace period its manifest, then its packs, are deleted.

    `manifest` is the digest of the envelope's bytes, so that the chain can be followed over the
    gap, and a lawful gap differs from a dropped backup.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["dbops-tombstone/1"]
    repository: str
    database: Name
    sequence: int
    manifest: Digest
    predecessor: Digest | None
    at: Moment
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """The backup is kept whatever retention says (`held`), or no longer (`held` false)."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["dbops-hold/1"]
    repository: str
    database: Name
    sequence: int
    held: bool
    at: Moment
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one verification did and found. `milliseconds` are per step; `restore` is the RTO.

    `findings` name objects and counts, never values; a certificate with findings proves nothing.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["dbops-certificate/1"]
    repository: str
    database: Name
    sequence: int
    manifest: Digest
    asked: str
    reached: str
    at: Moment
    host: str
    tool: str
    where: str
    tables: int
    rows: int
    milliseconds: dict[str, int]
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The holder of an identity opened these headers of packs, offline."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["dbops-receipt/1"]
    repository: str
    role: str
    name: Name
    recipient: str
    at: Moment
    headers: tuple[Digest, ...]
    opened: int
