"""Where each object lies in a store: names in, names out, no I/O.

repository                                  what this store is (signed by nobody, checked by id)
db/DATABASE/manifest/SEQUENCE-PREDECESSOR   a signed envelope: the backup exists
db/DATABASE/catalogue/SHA256.age            its sealed catalogue
db/DATABASE/pack/XX/SHA256.age              sealed ranges
db/DATABASE/certificate/SEQUENCE-SHA16      what a verification found
db/DATABASE/tombstone/SEQUENCE              this backup expires, or has expired
db/DATABASE/hold/SEQUENCE-SHA16             a hold was placed or released
recipients/SHA256                           the signed list that backups were sealed to
receipt/SHA16                               a holder proved that an identity opens headers
"""

from __future__ import annotations

import hashlib
import re

REPOSITORY = "repository"
FIRST = "0" * 32
LAST_SEQUENCE = 99_999_999
_MANIFEST = re.compile(r"db/([a-z0-9-]+)/manifest/(\d{8})-([0-9a-f]{32})")


def digest(data: bytes) -> str:
    """The sha256 of an object's bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def database_prefix(database: str) -> str:
    return f"db/{database}"


def manifest_name(database: str, sequence: int, predecessor: str | None) -> str:
    """The put-if-absent name: two writers of one sequence number collide, a fork shows."""
    if not 0 < sequence <= LAST_SEQUENCE:
        raise ValueError(f"no manifest can have the number {sequence}")
    return f"db/{database}/manifest/{sequence:08d}-{(predecessor or FIRST)[:32]}"


def parse_manifest_name(name: str) -> tuple[str, int, str] | None:
    """Database, sequence number and the start of the predecessor's digest; None for other names."""
    found = _MANIFEST.fullmatch(name)
    return (found[1], int(found[2]), found[3]) if found else None


def catalogue_name(database: str, sha256: str) -> str:
    return f"db/{database}/catalogue/{sha256}.age"


def pack_name(database: str, sha256: str) -> str:
    return f"db/{database}/pack/{sha256[:2]}/{sha256}.age"


def certificate_name(database: str, sequence: int, document: bytes) -> str:
    return f"db/{database}/certificate/{sequence:08d}-{digest(document)[:16]}"


def tombstone_name(database: str, sequence: int) -> str:
    return f"db/{database}/tombstone/{sequence:08d}"


def hold_name(database: str, sequence: int, document: bytes) -> str:
    return f"db/{database}/hold/{sequence:08d}-{digest(document)[:16]}"


def recipients_name(sha256: str) -> str:
    return f"recipients/{sha256}"


def receipt_name(document: bytes) -> str:
    return f"receipt/{digest(document)[:16]}"


def sha256_in(name: str) -> str:
    """The digest that the name of a pack or catalogue promises."""
    return name.rpartition("/")[2].removesuffix(".age")
