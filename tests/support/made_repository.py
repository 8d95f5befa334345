"""A real repository whose backups are made by hand: signed envelopes over packs of a few bytes.

Times are the test's: every object gets the modification time of the moment that it is said to
have come.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dbops.crypto.signed import sign_document
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustedSigner, TrustRoot
from dbops.repository.chain import Backup, Head, History
from dbops.repository.codec import encode
from dbops.repository.layout import catalogue_name, certificate_name, digest, pack_name
from dbops.repository.manifest import CatalogueEntry, Envelope, PackEntry, Totals
from dbops.repository.ports import Store, put_bytes
from dbops.repository.reader import Repository, create_repository
from dbops.repository.records import Certificate, ProofLevel
from dbops.repository.writer import put_envelope
from dbops.stores.local import LocalStore

DATABASE = "lab"
REPOSITORY = "repository-1"
DAY = timedelta(days=1)
START = datetime(2026, 11, 1, 2, tzinfo=UTC)
EVERYTHING: frozenset[Namespace | str] = frozenset(Namespace)


def make_signer(directory: Path, name: str = "host") -> KeyFileSigner:
    """A new key in `directory`."""
    generate_signing_key(directory / name, f"{name}@hospital")
    return KeyFileSigner.load(directory / name)


def trust(signer: KeyFileSigner, namespaces: frozenset[Namespace | str] = EVERYTHING) -> TrustRoot:
    """A root in which the signer may sign for these."""
    return TrustRoot((TrustedSigner("host@hospital", signer.public_key, namespaces),))


class MadeRepository:
    """A repository in `root` with one database, and the means to fill it."""

    def __init__(self, root: Path, signer: KeyFileSigner) -> None:
        self.store = LocalStore(root, "the repository")
        self.signer = signer
        self.trust = trust(signer)
        self.head: Head | None = None
        if self.store.find("repository") is None:
            create_repository(self.store, REPOSITORY)

    def open(self, now: datetime, store: Store | None = None) -> Repository:
        """The repository as a command sees it at `now`."""
        return Repository(store or self.store, self.trust, now)

    def history(self, now: datetime) -> History:
        """What it holds of the database."""
        return self.open(now).history(DATABASE, self.head)

    def backup(self, sequence: int, now: datetime) -> Backup:
        """The backup of that number."""
        return next(b for b in self.history(now).backups if b.sequence == sequence)

    def add(
        self,
        at: datetime,
        packs: Sequence[bytes] = (),
        refers_to: Sequence[PackEntry] = (),
    ) -> Envelope:
        """Afterwards there is one more backup, with packs of its own and packs of earlier ones."""
        sequence = self.head.sequence + 1 if self.head else 1
        entries = [self._pack(data, at) for data in packs or (f"pack {sequence}".encode(),)]
        entries += [replace(entry, own=False) for entry in refers_to]
        catalogue = f"catalogue {sequence}".encode()
        self.put(catalogue_name(DATABASE, digest(catalogue)), catalogue, at)
        envelope = Envelope(
            format="dbops-manifest/1",
            repository=REPOSITORY,
            database=DATABASE,
            engine="sqlite",
            identity="file",
            server="3.50",
            sequence=sequence,
            predecessor=self.head.sha256 if self.head else None,
            generation=1,
            witness=False,
            started=at,
            snapshot=at,
            finished=at,
            host="host",
            tool="dbops 0.1.0",
            recipients="0" * 64,
            sealed_to=(),
            catalogue=CatalogueEntry(digest(catalogue), len(catalogue)),
            packs=tuple(entries),
            totals=Totals(streams=0, ranges=0, records=0, bytes=0, stored=0, gaps=0),
        )
        self.head = Head(sequence, digest(put_envelope(self.store, envelope, self.signer)))
        return envelope

    def certify(
        self,
        sequence: int,
        at: datetime,
        reached: ProofLevel = ProofLevel.PROVEN,
        findings: tuple[str, ...] = (),
        restore: int | None = None,
    ) -> None:
        """Afterwards a verification of the backup is on record; `restore` in milliseconds."""
        certificate = Certificate(
            format="dbops-certificate/1",
            repository=REPOSITORY,
            database=DATABASE,
            sequence=sequence,
            manifest=self.backup(sequence, at).sha256,
            asked=ProofLevel.PROVEN.label,
            reached=reached.label,
            at=at,
            host="host",
            tool="dbops 0.1.0",
            where="scratch",
            tables=1,
            rows=1,
            milliseconds={} if restore is None else {"restore": restore},
            findings=findings,
        )
        document = sign_document(encode(certificate), Namespace.CERTIFICATE, self.signer)
        put_bytes(self.store, certificate_name(DATABASE, sequence, document), document)

    def put(self, name: str, data: bytes, at: datetime) -> None:
        """Afterwards the object is there, and came at `at`."""
        put_bytes(self.store, name, data)
        self.date(name, at)

    def date(self, name: str, at: datetime) -> None:
        """Say that the object came at `at`."""
        os.utime(self.store.root / name, (at.timestamp(), at.timestamp()))

    def orphan(self, data: bytes, at: datetime) -> str:
        """Afterwards a pack is there that no manifest names; returns its name."""
        return pack_name(DATABASE, self._pack(data, at).sha256)

    def names(self) -> set[str]:
        """Every object of the database."""
        return {item.name for item in self.store.list(f"db/{DATABASE}")}

    def _pack(self, data: bytes, at: datetime) -> PackEntry:
        entry = PackEntry(digest(data), len(data), own=True)
        self.put(pack_name(DATABASE, entry.sha256), data, at)
        return entry


def objects_of(envelope: Envelope) -> Iterator[tuple[str, str]]:
    """The names of everything that the backup consists of, with the digests."""
    for pack in envelope.packs:
        yield pack_name(envelope.database, pack.sha256), pack.sha256
    entry = envelope.catalogue
    yield catalogue_name(envelope.database, entry.sha256), entry.sha256


def assert_whole(store: LocalStore, history: History) -> None:
    """Every backup that exists, marked or not, has all its objects with the right bytes."""
    assert history.damages == ()
    for backup in history.backups:
        for name, sha256 in objects_of(backup.envelope):
            path = store.root / name
            assert path.is_file(), f"{backup.id} lost {name}"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
