"""The two checks that need no database: `stored` and `readable`.

`stored` needs no key at all: every object is there with the right size and digest, and every pack
is sealed to as many recipients as the envelope says. `readable` opens every range and recomputes
its digest. Both go on after a finding and return all of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from typing import BinaryIO

from dbops.crypto.age import Identity, Recipient
from dbops.crypto.age_header import HEADER_LIMIT, read_header
from dbops.errors import DbopsError, NoIdentity, Refused
from dbops.repository.chain import Damage
from dbops.repository.layout import catalogue_name, pack_name
from dbops.repository.manifest import Catalogue, Envelope
from dbops.repository.opening import RangeReader, pack_order
from dbops.repository.ports import Store
from dbops.repository.ranges import Stream

Advance = Callable[[int], None]
BLOCK_BYTES = 1 << 20
HOST_STANZA = "X25519"  # a host's catalogue identity is an age one


def check_stored(
    store: Store, envelope: Envelope, checked: set[str], advance: Advance
) -> tuple[Damage, ...]:
    """What is missing, changed, or sealed to the wrong number of recipients.

    `checked` holds the names found good before in this run, and grows: packs are shared.
    `advance` is told the bytes read.
    """
    damages: list[Damage] = []
    # Packs are sealed to the hospital's recipients; the catalogue to the host's own key besides.
    stanzas = Counter(Recipient(entry.recipient).stanza for entry in envelope.sealed_to)
    for pack in envelope.packs:
        name = pack_name(envelope.database, pack.sha256)
        if name in checked:
            continue
        found = _check_object(store, name, pack.sha256, pack.size, advance)
        found = found or _check_stanzas(store, name, stanzas)
        if found is None:
            checked.add(name)
        else:
            damages.append(Damage(f"pack {pack.sha256[:16]} of {envelope.id}", found))
    entry = envelope.catalogue
    name = catalogue_name(envelope.database, entry.sha256)
    found = _check_object(store, name, entry.sha256, entry.size, advance)
    found = found or _check_stanzas(store, name, stanzas + Counter({HOST_STANZA: 1}))
    if found is not None:
        damages.append(Damage(f"the catalogue of {envelope.id}", found))
    return tuple(damages)


def _check_object(store: Store, name: str, sha256: str, size: int, advance: Advance) -> str | None:
    found = store.find(name)
    if found is None:
        return "it is missing"
    if found.size != size:
        return f"it has {found.size} bytes instead of {size}"
    with store.open(name) as source:
        return None if _digest(source, advance) == sha256 else "its bytes have changed"


def _digest(source: BinaryIO, advance: Advance) -> str:
    whole = hashlib.sha256()
    while block := source.read(BLOCK_BYTES):
        whole.update(block)
        advance(len(block))
    return whole.hexdigest()


def _check_stanzas(store: Store, name: str, expected: Counter[str]) -> str | None:
    with store.open(name) as source:
        header = read_header(source.read(HEADER_LIMIT), name)
    # Some writers add a stanza that nobody can open, to keep readers honest: "grease".
    kinds = (stanza.kind for stanza in header.stanzas)
    found = Counter(kind for kind in kinds if not kind.endswith("-grease"))
    if found == expected:
        return None
    return f"it is sealed to {found.total()} recipients instead of {expected.total()}"


def check_readable(
    reader: RangeReader,
    envelope: Envelope,
    catalogue: Catalogue,
    seen: Container[tuple[str, int]],
    advance: Advance,
) -> tuple[Damage, ...]:
    """Every range that does not open, unpack or match its digest; those in `seen` did.

    Raises NoIdentity, and Refused for what only a newer version can read.
    """
    damages = list(foreign_packs(envelope, catalogue.streams))
    packs = [pack.sha256 for pack in envelope.packs]
    for stream in pack_order(catalogue.streams, packs):
        for part in stream.ranges:
            if (stream.name, part.index) in seen:
                continue
            try:
                for block in reader.read_range(stream, part):
                    advance(len(block))
            except (NoIdentity, Refused):
                raise
            except DbopsError as failure:
                reader.close()
                damages.append(Damage(str(envelope.id), failure.message))
    return tuple(damages)


def foreign_packs(envelope: Envelope, streams: Iterable[Stream]) -> Iterable[Damage]:
    """The catalogue may only speak of packs that the signed envelope names."""
    named = {pack.sha256 for pack in envelope.packs}
    used = {part.pack for stream in streams for part in stream.ranges}
    for sha256 in sorted(used - named):
        yield Damage(f"pack {sha256[:16]} of {envelope.id}", "the envelope does not name it")


def identities_for(envelope: Envelope, identities: Sequence[Identity]) -> tuple[Identity, ...]:
    """The identities at hand; raises NoIdentity, naming the roles wanted, where there are none."""
    if identities:
        return tuple(identities)
    roles = sorted({f"{entry.role} ({entry.name})" for entry in envelope.sealed_to})
    raise NoIdentity(
        "no-identity",
        f"no identity at hand opens {envelope.id}; it is sealed to {', '.join(roles)}",
        hint="name one with --identity FILE, or add it to host.identities in dbops.toml",
    )
