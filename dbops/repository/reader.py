"""What a repository holds, judged against the trust root.

Nothing is believed because it lies there: an envelope counts when a trusted writer signed it, it
names this repository and database, and it stands under its own name. What does not count is
reported, and never silently left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO, ClassVar, Literal, TypeVar

from pydantic import ConfigDict

from dbops.crypto.age import Identity
from dbops.crypto.signed import OpenedDocument, open_document, split_document
from dbops.crypto.sshsig import Namespace, check_signature
from dbops.crypto.trust import TrustRoot
from dbops.errors import DbopsError, Failed, NotFound, Refused, Unreachable
from dbops.repository.catalogue import read_lines
from dbops.repository.chain import Backup, Damage, Head, History, check_chain, newest_link
from dbops.repository.codec import STRICT, decode, encode
from dbops.repository.layout import (
    REPOSITORY,
    catalogue_name,
    certificate_name,
    database_prefix,
    digest,
    hold_name,
    manifest_name,
    parse_manifest_name,
    recipients_name,
    tombstone_name,
)
from dbops.repository.manifest import BackupId, Catalogue, Envelope
from dbops.repository.opening import read_sealed
from dbops.repository.ports import Store, put_bytes, read_bytes
from dbops.repository.recipients import read_recipients
from dbops.repository.records import Certificate, Hold, Receipt, Tombstone

Record = TypeVar("Record", Certificate, Envelope, Hold, Tombstone)


@dataclass(frozen=True, slots=True)
class RepositoryMark:
    """The object `repository`: what this store is."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["dbops-repository/1"]
    id: str


def create_repository(store: Store, identifier: str) -> RepositoryMark:
    """Afterwards the store is a repository; raises Refused where it was one before."""
    if store.find(REPOSITORY) is not None:
        raise Refused(
            "repository-exists",
            f"{store.title} is there already; nothing was changed",
            hint="name an empty directory for it in dbops.toml",
        )
    mark = RepositoryMark("dbops-repository/1", identifier)
    put_bytes(store, REPOSITORY, encode(mark))
    return mark


def read_mark(store: Store) -> RepositoryMark:
    """What the store is; raises Unreachable where no repository stands there."""
    if store.find(REPOSITORY) is None:
        raise Unreachable(
            "repository-absent",
            f"{store.title} is not there",
            hint="check that the disk is mounted; a new one is made by: dbops repository create",
        )
    return decode(RepositoryMark, read_bytes(store, REPOSITORY), REPOSITORY)


class Repository:
    """Reads manifests and the records beside them. `now` judges the validity of keys."""

    def __init__(self, store: Store, trust: TrustRoot, now: datetime) -> None:
        self.store = store
        self.trust = trust
        self._now = now
        self.id = read_mark(store).id

    def history(self, database: str, remembered: Head | None) -> History:
        """Every backup of the database, and everything that is wrong with their chain."""
        damages: list[Damage] = []
        unreadable: list[Head] = []
        stones = tuple(self._records(database, "tombstone", Namespace.EXPIRY, Tombstone, damages))
        holds = tuple(self._records(database, "hold", Namespace.HOLD, Hold, damages))
        certificates = tuple(
            self._records(database, "certificate", Namespace.CERTIFICATE, Certificate, damages)
        )
        backups = [
            _with_records(backup, stones, holds, certificates)
            for backup in self._backups(database, damages, unreadable)
        ]
        damages += check_chain(database, backups, stones, remembered)
        links = [Head(backup.sequence, backup.sha256) for backup in backups]
        links += [Head(stone.sequence, stone.manifest) for stone in stones]
        newest = newest_link([*links, *([remembered] if remembered else [])], unreadable)
        return History(database, tuple(backups), stones, tuple(damages), newest)

    def databases(self) -> tuple[str, ...]:
        """The databases that have anything in this repository."""
        names = (item.name.split("/")[1] for item in self.store.list("db"))
        return tuple(sorted(set(names)))

    def receipts(self) -> tuple[tuple[Receipt, str], ...]:
        """Every valid receipt of a key drill, with the principal who signed it."""
        found: list[tuple[Receipt, str]] = []
        for item in self.store.list("receipt"):
            try:
                opened = self.open_document(item.name, Namespace.RECEIPT)
            except DbopsError as failure:
                message = f"{item.name} does not count: {failure.message}"
                raise Failed("receipt-damaged", message, hint=failure.hint) from None
            found.append((decode(Receipt, opened.body, item.name), opened.principal))
        return tuple(found)

    def open_document(self, name: str, namespace: Namespace) -> OpenedDocument:
        """The document, signed by someone who may now."""
        return open_document(read_bytes(self.store, name), namespace, self.trust, self._now)

    def _open_dated(
        self,
        data: bytes,
        namespace: Namespace,
        kind: type[Record],
        name: str,
    ) -> tuple[Record, str]:
        """The record and its signer, who had to be trusted when the record says it was made.

        A key may end its time and what it signed before stays good; a revoked key's does not.
        """
        body, armor = split_document(data)
        key = check_signature(body, armor, namespace)
        record = decode(kind, body, name)
        made = record.finished if isinstance(record, Envelope) else record.at
        principal = self.trust.judge(key, namespace, made)
        if record.repository != self.id:
            raise _foreign("it belongs to another repository")
        return record, principal

    def catalogue(self, envelope: Envelope, identities: Sequence[Identity]) -> Catalogue:
        """The opened catalogue; raises NoIdentity, or Failed where it is not the one named."""
        name = catalogue_name(envelope.database, envelope.catalogue.sha256)
        title = f"the catalogue of {envelope.id}"
        _check_digest(self.store.open(name), envelope.catalogue.sha256, title)
        catalogue = read_lines(read_sealed(self.store, name, identities, title), title)
        head = catalogue.head
        if BackupId(head.database, head.sequence) != envelope.id:
            raise Failed(
                "catalogue-foreign",
                f"{title} belongs to {head.database}@{head.sequence}",
                hint="dbops backup verify --all --level stored names every damaged object",
            )
        return catalogue

    def check_recipients(self, envelope: Envelope) -> tuple[Damage, ...]:
        """What is wrong with the list that the backup claims to be sealed to.

        A writer could seal to fewer than the hospital wants and say so in its envelope: the list
        that the hospital signed decides.
        """
        subject = f"the recipients of {envelope.id}"
        try:
            data = read_bytes(self.store, recipients_name(envelope.recipients))
            if digest(data) != envelope.recipients:
                return (Damage(subject, "the bytes of their document have changed"),)
            body, armor = split_document(data)
            key = check_signature(body, armor, Namespace.RECIPIENTS)
            listed = read_recipients(body)
            self.trust.judge(key, Namespace.RECIPIENTS, listed.issued)
        except DbopsError as failure:
            return (Damage(subject, failure.message),)
        wanted = {(item.role.value, item.name, item.recipient) for item in listed.openers}
        found = {(item.role, item.name, item.recipient) for item in envelope.sealed_to}
        if wanted != found:
            return (Damage(subject, "the envelope names others than the hospital signed"),)
        return ()

    def _backups(
        self, database: str, damages: list[Damage], unreadable: list[Head]
    ) -> Iterator[Backup]:
        for item in self.store.list(f"{database_prefix(database)}/manifest"):
            data: bytes | None = None
            try:
                data = read_bytes(self.store, item.name)
                yield self._backup(database, item.name, data)
            except DbopsError as failure:
                if data is None and self.store.find(item.name) is None:
                    continue  # it expired between the listing and the reading
                damages.append(Damage(item.name, failure.message))
                parsed = parse_manifest_name(item.name)
                if parsed is not None and data is not None:
                    unreadable.append(Head(parsed[1], digest(data)))

    def _backup(self, database: str, name: str, data: bytes) -> Backup:
        envelope, principal = self._open_dated(data, Namespace.MANIFEST, Envelope, name)
        expected = (database, envelope.sequence, (envelope.predecessor or "0" * 64)[:32])
        if parse_manifest_name(name) != expected or envelope.database != database:
            raise _foreign("it stands under another manifest's name")
        return Backup(envelope, digest(data), name, principal)

    def _records(
        self,
        database: str,
        folder: str,
        namespace: Namespace,
        kind: type[Record],
        damages: list[Damage],
    ) -> Iterator[Record]:
        for item in self.store.list(f"{database_prefix(database)}/{folder}"):
            try:
                data = read_bytes(self.store, item.name)
                record, _ = self._open_dated(data, namespace, kind, item.name)
                if record.database != database:
                    raise _foreign("it belongs to another database")
                if item.name != _record_name(record, data):
                    raise _foreign("it stands under another record's name")
                yield record
            except DbopsError as failure:
                damages.append(Damage(item.name, failure.message))


def _record_name(record: Envelope | Tombstone | Hold | Certificate, document: bytes) -> str:
    match record:
        case Envelope():
            return manifest_name(record.database, record.sequence, record.predecessor)
        case Tombstone():
            return tombstone_name(record.database, record.sequence)
        case Hold():
            return hold_name(record.database, record.sequence, document)
        case Certificate():
            return certificate_name(record.database, record.sequence, document)


def find_backup(history: History, choose: Callable[[Backup], bool], title: str) -> Backup:
    """The newest living backup that `choose` accepts; raises NotFound naming `title`."""
    for backup in reversed(history.living):
        if choose(backup):
            return backup
    raise NotFound("no-backup", f"no backup {title}", hint=f"dbops backup list {history.database}")


def _with_records(
    backup: Backup,
    stones: Sequence[Tombstone],
    holds: Sequence[Hold],
    certificates: Sequence[Certificate],
) -> Backup:
    number = backup.sequence
    stone = next((item for item in stones if item.sequence == number), None)
    last = max(
        (item for item in holds if item.sequence == number),
        key=lambda item: (item.at, item.held),  # of one second's two, the one that keeps
        default=None,
    )
    # A certificate speaks of the bytes that were verified, not of whatever bears the number.
    own = tuple(item for item in certificates if item.manifest == backup.sha256)
    held = last is not None and last.held
    reason = last.reason if last is not None and last.held else ""
    return replace(backup, tombstone=stone, held=held, hold_reason=reason, certificates=own)


def _foreign(reason: str) -> Failed:
    return Failed(
        "document-foreign", reason, hint="find out who put it there: dbops backup verify --all"
    )


def _check_digest(source: BinaryIO, expected: str, title: str) -> None:
    whole = hashlib.sha256()
    with source:
        while block := source.read(1 << 20):
            whole.update(block)
    if whole.hexdigest() != expected:
        raise Failed(
            "object-changed",
            f"{title} is damaged: its bytes have changed",
            hint="dbops backup verify --all --level stored names every damaged object",
        )
