"""A repository that holds every kind of object, and ways to harm one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbops.crypto.age import Identity, OpeningReader, SealingWriter
from dbops.crypto.age_header import read_header
from dbops.crypto.signed import sign_document
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import ARMOR_BEGIN, Namespace
from dbops.errors import DbopsError
from dbops.repository.check import check_stored
from dbops.repository.codec import encode, whole_second
from dbops.repository.layout import (
    catalogue_name,
    hold_name,
    manifest_name,
    pack_name,
    recipients_name,
    tombstone_name,
)
from dbops.repository.manifest import Envelope, PackEntry
from dbops.repository.packing import HashingSpool
from dbops.repository.ports import put_bytes
from dbops.repository.records import Hold, ProofLevel, Tombstone
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    backup_order,
    found_test_estate,
    ignore_progress,
    take_backup,
    verify,
)

Harm = Callable[[bytes], bytes | None]

SCRIPT = """
PRAGMA page_size = 512;
CREATE TABLE image(id INTEGER PRIMARY KEY, bytes BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO image(bytes) SELECT randomblob(8000) FROM n;
"""


def found_whole(root: Path) -> BuiltEstate:
    """Three backups of three packs each: #1 expires, #2 is held, #3 is proven."""
    estate = found_test_estate(root, SCRIPT)
    for _ in range(3):
        take_backup(estate, order=backup_order(estate, pack_bytes=1))
    first, second, _third = estate.history().backups
    put_tombstone(estate, first.envelope, first.sha256)
    put_hold(estate, second.envelope)
    verify(estate, ProofLevel.PROVEN)
    return estate


def put_tombstone(estate: BuiltEstate, envelope: Envelope, sha256: str) -> str:
    stone = Tombstone(
        "dbops-tombstone/1",
        estate.repository.id,
        DATABASE,
        envelope.sequence,
        sha256,
        envelope.predecessor,
        whole_second(estate.clock()),
        "no rule keeps it",
    )
    name = tombstone_name(DATABASE, envelope.sequence)
    document = sign_document(encode(stone), Namespace.EXPIRY, estate.wiring.writer)
    put_bytes(estate.store, name, document)
    return name


def put_hold(estate: BuiltEstate, envelope: Envelope, *, held: bool = True) -> str:
    at = whole_second(estate.clock())
    hold = Hold(
        "dbops-hold/1",
        estate.repository.id,
        DATABASE,
        envelope.sequence,
        held,
        at,
        "engineer@backup-1",
        "纠纷",
    )
    document = sign_document(encode(hold), Namespace.HOLD, estate.wiring.writer)
    name = hold_name(DATABASE, envelope.sequence, document)
    put_bytes(estate.store, name, document)
    return name


def put_manifest(estate: BuiltEstate, envelope: Envelope, signer: Signer) -> str:
    """A manifest by whoever holds `signer`, under its own name; returns the name."""
    name = manifest_name(envelope.database, envelope.sequence, envelope.predecessor)
    put_bytes(estate.store, name, sign_document(encode(envelope), Namespace.MANIFEST, signer))
    return name


def findings(estate: BuiltEstate) -> list[str]:
    """Everything that level `stored` finds wrong, with no identity at hand."""
    try:
        history = estate.history()
    except DbopsError as failure:
        return [failure.message]
    found = [str(damage) for damage in history.damages]
    checked: set[str] = set()
    for backup in history.backups:
        damages = (
            *estate.repository.check_recipients(backup.envelope),
            *check_stored(estate.store, backup.envelope, checked, ignore_progress),
        )
        found += [str(damage) for damage in damages]
    return found


@dataclass(frozen=True, slots=True)
class Target:
    """A stored object and the words that a finding names it by."""

    path: Path
    named: str


def targets(estate: BuiltEstate) -> dict[str, Target]:
    """One object of every kind; the sealed ones belong to the newest backup."""
    objects, newest = estate.objects, estate.newest()
    envelope = newest.envelope
    pack = envelope.packs[0].sha256
    found = {
        "pack": Target(objects / pack_name(DATABASE, pack), f"pack {pack[:16]} of {envelope.id}: "),
        "catalogue": Target(
            objects / catalogue_name(DATABASE, envelope.catalogue.sha256),
            f"the catalogue of {envelope.id}: ",
        ),
        "manifest": Target(objects / newest.name, f"{newest.name}: "),
        "recipients": Target(
            objects / recipients_name(envelope.recipients), f"the recipients of {envelope.id}: "
        ),
    }
    for kind in ("tombstone", "certificate", "hold"):
        (item,) = estate.store.list(f"db/{DATABASE}/{kind}")
        found[kind] = Target(objects / item.name, f"{item.name}: ")
    return found


def sealed_classes(data: bytes) -> dict[str, int]:
    """One position in every kind of byte of an age file."""
    header = read_header(data, "a sealed file").text
    stanza = header.index(b"-> ")
    body = header.index(b"\n", stanza) + 1
    mac = header.rindex(b"--- ")
    return {
        "version": 3,
        "stanza kind": stanza + 4,
        "stanza share": stanza + 20,
        "stanza body": body + 5,
        "mac": mac + 10,
        "nonce": len(header) + 3,
        "payload": len(header) + 16 + (len(data) - len(header) - 16) // 2,
        "last tag": len(data) - 1,
    }


def signed_classes(data: bytes) -> dict[str, int]:
    """One position in every kind of byte of a signed document."""
    armor = data.index(ARMOR_BEGIN.encode())
    return {
        "first brace": 0,
        "key": data.index(b'"format"') + 2,
        "value": data.index(b"dbops-") + 3,
        "last of the body": armor - 2,
        "newline before the armor": armor - 1,
        "armor's first line": armor + 8,
        "armor's text": armor + 120,
        "armor's last line": len(data) - 8,
        "last newline": len(data) - 1,
    }


@contextmanager
def harmed(path: Path, harm: Harm) -> Iterator[None]:
    """The file as `harm` leaves it, None meaning gone; whole again afterwards."""
    whole = path.read_bytes()
    left = harm(whole)
    if left is None:
        path.unlink()
    else:
        path.write_bytes(left)
    try:
        yield
    finally:
        path.write_bytes(whole)


def flipped(data: bytes, position: int, bit: int = 0) -> bytes:
    return data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]


def flipping(position: int, bit: int = 0) -> Harm:
    """Flip one bit at a position."""
    return lambda data: flipped(data, position, bit)


def flipping_class(classes: Callable[[bytes], dict[str, int]], place: str, bit: int = 0) -> Harm:
    """Flip one bit of a class of bytes."""
    return lambda data: flipped(data, classes(data)[place], bit)


def reseal(estate: BuiltEstate, pack: PackEntry, identity: Identity) -> PackEntry:
    """The pack again, sealed to one identity only."""
    name = pack_name(DATABASE, pack.sha256)
    return reseal_object(estate, name, identity, lambda sha256: pack_name(DATABASE, sha256))


def reseal_object(
    estate: BuiltEstate, name: str, identity: Identity, name_of: Callable[[str], str]
) -> PackEntry:
    store = estate.store
    spool = HashingSpool(store.spool())
    with store.open(name) as source:
        with OpeningReader(source, [identity], "a pack") as opened:
            with SealingWriter(spool, [identity.recipient]) as sealer:
                while block := opened.read(1 << 16):
                    sealer.write(block)
    entry = PackEntry(spool.sha256, spool.spool.size, own=True)
    store.put(name_of(entry.sha256), spool.spool)
    return entry
