"""Both ends of a key drill at the repository: headers out of it, a receipt into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dbops.crypto.age_header import HEADER_LIMIT, read_header
from dbops.crypto.signed import open_document
from dbops.crypto.sshsig import Namespace
from dbops.errors import Refused
from dbops.keys.drill import DrillHeader, DrillRequest
from dbops.keys.identities import canonical
from dbops.repository.chain import Backup
from dbops.repository.codec import decode, whole_second
from dbops.repository.layout import catalogue_name, digest, pack_name, receipt_name
from dbops.repository.manifest import BackupId, Envelope
from dbops.repository.ports import ObjectExists, Store, put_bytes
from dbops.repository.reader import Repository
from dbops.repository.recipients import RecipientList
from dbops.repository.records import Receipt

CLOCK_DIFFERENCE = timedelta(minutes=5)
_AGAIN = "drill once more: dbops keys drill headers --help"


@dataclass(frozen=True, slots=True)
class RecordedReceipt:
    """A receipt that stands in the repository now: who signed it, which backups it covers whole.

    `fresh` is False where it stood there before.
    """

    receipt: Receipt
    principal: str
    covered: tuple[BackupId, ...]
    fresh: bool


def collect_headers(
    repository: Repository, backups: Sequence[Backup], now: datetime
) -> DrillRequest:
    """The headers of every pack and catalogue of these backups; each object once.

    Reads the beginning of each object only. Raises NotFound where one is missing and Failed where
    one has no header.
    """
    found: dict[str, DrillHeader] = {}
    for backup in backups:
        for kind, sha256, name in _objects(backup.envelope):
            if sha256 not in found:
                text = _header_text(repository.store, name).decode("ascii")
                found[sha256] = DrillHeader(str(backup.id), kind, sha256, text)
    return DrillRequest(
        format="dbops-drill/1",
        repository=repository.id,
        at=whole_second(now),
        backups=tuple(str(backup.id) for backup in backups),
        headers=tuple(found.values()),
    )


def record_receipt(
    repository: Repository,
    document: bytes,
    listed: RecipientList,
    backups: Iterable[Backup],
    now: datetime,
) -> RecordedReceipt:
    """Afterwards the receipt stands in the repository, durably.

    Raises Refused unless somebody who may signed it, its recipient stands in the recipients
    document, and it holds the headers of objects of `backups` (the living ones) and of nothing
    else, all those of one backup at least. Reads headers of the newest backups first, and stops
    when it has found all.
    """
    opened = open_document(document, Namespace.RECEIPT, repository.trust, now)
    receipt = decode(Receipt, opened.body, "the receipt")
    _check_form(receipt, repository.id, now)
    _check_recipient(receipt, listed)
    covered = _check_headers(repository.store, receipt, backups)
    fresh = True
    try:
        put_bytes(repository.store, receipt_name(document), document)
    except ObjectExists:
        fresh = False
    return RecordedReceipt(receipt, opened.principal, covered, fresh)


def _check_form(receipt: Receipt, repository: str, now: datetime) -> None:
    if receipt.repository != repository:
        raise _refused("it was made for another repository")
    if receipt.opened != len(receipt.headers) or not receipt.headers:
        raise _refused(f"it says that {receipt.opened} of {len(receipt.headers)} headers opened")
    if receipt.at > now + CLOCK_DIFFERENCE:
        raise _refused("its time lies in the future")


def _check_recipient(receipt: Receipt, listed: RecipientList) -> None:
    stated = (receipt.role, receipt.name, canonical(receipt.recipient))
    if stated not in {(e.role.value, e.name, canonical(e.recipient)) for e in listed.openers}:
        raise _refused(
            f"the recipients document has no {receipt.role} recipient {receipt.name} with this key"
        )


def _check_headers(
    store: Store, receipt: Receipt, backups: Iterable[Backup]
) -> tuple[BackupId, ...]:
    stated = set(receipt.headers)
    unknown = set(stated)
    covered: list[BackupId] = []
    known: dict[str, str] = {}
    for backup in sorted(backups, key=lambda item: item.envelope.snapshot, reverse=True):
        if not unknown:
            break
        names = {name for _, _, name in _objects(backup.envelope)}
        known |= {name: digest(_header_text(store, name)) for name in names - known.keys()}
        needed = {known[name] for name in names}
        unknown -= needed
        if needed <= stated:
            covered.append(backup.id)
    if unknown:
        raise _refused(f"{len(unknown)} of {len(stated)} headers belong to no living backup")
    if not covered:
        raise _refused("it covers no backup whole")
    return tuple(covered)


def _objects(
    envelope: Envelope,
) -> Iterator[tuple[Literal["pack", "catalogue"], str, str]]:
    for pack in envelope.packs:
        yield "pack", pack.sha256, pack_name(envelope.database, pack.sha256)
    sha256 = envelope.catalogue.sha256
    yield "catalogue", sha256, catalogue_name(envelope.database, sha256)


def _header_text(store: Store, name: str) -> bytes:
    with store.open(name) as source:
        return read_header(source.read(HEADER_LIMIT), name).text


def _refused(reason: str) -> Refused:
    return Refused("receipt-refused", f"the receipt is refused: {reason}", hint=_AGAIN)
