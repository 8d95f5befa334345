"""The end of a backup: seal the catalogue, sign the envelope, put it. That put is the backup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import zstandard

from dbops.crypto.age import Recipient, SealingWriter
from dbops.crypto.signed import sign_document
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.repository.codec import encode
from dbops.repository.layout import catalogue_name, digest, manifest_name, recipients_name
from dbops.repository.manifest import CatalogueEntry, Envelope
from dbops.repository.packing import HashingSpool
from dbops.repository.ports import ObjectExists, Store, put_bytes


def put_catalogue(
    store: Store, database: str, lines: Iterable[bytes], recipients: Sequence[Recipient]
) -> CatalogueEntry:
    """Afterwards the sealed catalogue stands in the store under its digest.

    `recipients` are those of the packs and the host's own catalogue key, which opens nothing else.
    """
    spool = HashingSpool(store.spool())
    try:
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
        with SealingWriter(spool, recipients) as sealer:
            for line in lines:
                sealer.write(compressor.compress(line))
            sealer.write(compressor.flush())
        entry = CatalogueEntry(spool.sha256, spool.spool.size)
        store.put(catalogue_name(database, entry.sha256), spool.spool)
    finally:
        spool.spool.discard()
    return entry


def put_recipients(store: Store, document: bytes) -> None:
    """Afterwards the signed recipients document stands in the store under its digest."""
    name = recipients_name(digest(document))
    if store.find(name) is None:
        # ObjectExists: another database's backup put the same bytes first.
        with suppress(ObjectExists):
            put_bytes(store, name, document)


def put_envelope(store: Store, envelope: Envelope, signer: Signer) -> bytes:
    """Afterwards the backup exists; returns the document's bytes.

    Raises ObjectExists where another run took the sequence number: then this run's packs are
    garbage, and no backup was made.
    """
    document = sign_document(encode(envelope), Namespace.MANIFEST, signer)
    name = manifest_name(envelope.database, envelope.sequence, envelope.predecessor)
    put_bytes(store, name, document)
    return document
