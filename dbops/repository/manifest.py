"""The two parts of a manifest: a signed envelope in clear, and a sealed catalogue.

* A backup exists if and only if its envelope stands in the repository.
* The envelope names every pack by digest and size, the catalogue's digest, the recipients' digest
  and the digest of the envelope before it. `stored`, expiry and `status` need nothing else.
* The catalogue holds what must not be read by everybody: names of tables, digests, the proof key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from dbops.repository.codec import STRICT, Digest, Moment, Name
from dbops.repository.ranges import Proof, Stream

ENVELOPE_FORMAT: Literal["dbops-manifest/1"] = "dbops-manifest/1"


@dataclass(frozen=True, slots=True)
class BackupId:
    """A backup's name: `DATABASE@SEQUENCE`, as people type it."""

    database: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.database}@{self.sequence}"


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One sealed file: `own` says that this backup wrote it; otherwise an earlier one did."""

    __pydantic_config__: ClassVar = STRICT

    sha256: Digest
    size: int
    own: bool


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """Where the sealed catalogue lies and how large it is, in bytes."""

    __pydantic_config__: ClassVar = STRICT

    sha256: Digest
    size: int


@dataclass(frozen=True, slots=True)
class SealedTo:
    """One recipient that every pack of the backup is sealed to."""

    __pydantic_config__: ClassVar = STRICT

    role: str
    name: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sizes that may be known in clear: records are rows or pages, bytes as read and as stored."""

    __pydantic_config__: ClassVar = STRICT

    streams: int
    ranges: int
    records: int
    bytes: int
    stored: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """The signed, clear part of a manifest."""

    __pydantic_config__: ClassVar = STRICT

    format: Literal["dbops-manifest/1"]
    repository: str
    database: Name
    engine: str
    identity: str
    server: str
    sequence: int
    predecessor: Digest | None
    generation: int
    witness: bool
    started: Moment
    snapshot: Moment
    finished: Moment
    host: str
    tool: str
    recipients: Digest
    sealed_to: tuple[SealedTo, ...]
    catalogue: CatalogueEntry
    packs: tuple[PackEntry, ...]
    totals: Totals

    @property
    def id(self) -> BackupId:
        return BackupId(self.database, self.sequence)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that the database holds and the backup does not, and why."""

    __pydantic_config__: ClassVar = STRICT

    object: str
    reason: str


Facts = dict[str, dict[str, str]]
"""What is compared after a restore beside rows: section, then object, then a digest or a text."""


@dataclass(frozen=True, slots=True)
class CatalogueHead:
    """The first line of a catalogue. `proof_key` is 32 bytes in hex."""

    __pydantic_config__: ClassVar = STRICT

    format: Literal["dbops-catalogue/1"]
    database: Name
    sequence: int
    proof_key: Digest = field(repr=False)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sealed part of a manifest, opened.

    `tables` are proofs of rows where a stream is not a table: a SQLite file is stored as pages
    and proven by its rows.
    """

    head: CatalogueHead
    streams: tuple[Stream, ...]
    tables: dict[str, Proof]
    facts: Facts
    gaps: tuple[Gap, ...]

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.head.proof_key)

    @property
    def table_proofs(self) -> dict[str, Proof]:
        """The proof of everything that is rows, an engine's own lists among them."""
        rows = {stream.name: stream.proof for stream in self.streams if stream.payload == "rows"}
        return rows | self.tables

    @property
    def named_tables(self) -> dict[str, Proof]:
        """The proof of what people call tables."""
        return {
            stream.name: stream.proof for stream in self.streams if stream.is_table
        } | self.tables

    @property
    def rows(self) -> int:
        """How many rows all tables have together."""
        return sum(proof.records for proof in self.named_tables.values())
