"""SSHSIG, the one signature mechanism of dbops, verified strictly and without any I/O.

The format is OpenSSH's PROTOCOL.sshsig; `ssh-keygen -Y sign` makes such signatures and
`ssh-keygen -Y verify` checks them. What is accepted here is a subset of what OpenSSH accepts:

* the armor byte for byte as it is written, nothing before or after it, no byte left over inside;
* sha256 and sha512 only, over the message and inside rsa;
* ed25519, ecdsa, rsa from 2048 bits, and hardware keys whose owner touched them;
* one namespace per use, so that a signature for one purpose never serves another.

A signature proves that a key signed some bytes, nothing more: whose key it is and whether it may
sign such a thing *now* is `dbops/crypto/trust.py`. ECDSA signatures can be rewritten into a second
valid form by anyone, so a signature's own digest identifies nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from dbops.crypto import sshwire
from dbops.crypto.sshwire import KeyMaterial, Reader, Subject, refusal, string
from dbops.errors import Refused

ARMOR_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
ARMOR_END: Final = "-----END SSH SIGNATURE-----"
ARMOR_MOST: Final = 16384  # characters; a signature with the largest rsa key has about 6,000
ARMOR_WIDTHS: Final = (70, 76)  # what OpenSSH writes; what its specification recommends

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_USER_PRESENT: Final = 0x01

RSA_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}
# RFC 5656 §6.2.1: the curve's size chooses the hash.
CURVE_HASHES: Final[dict[int, hashes.HashAlgorithm]] = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}

_KEY_LINE: Final = re.compile(r"([a-z0-9@.-]+) ([A-Za-z0-9+/]+={0,2})(?: ([^\x00-\x1f\x7f]+))?")


class Namespace(StrEnum):
    """What a signature is for; a signature of one namespace is void in every other."""

    MANIFEST = "dbops-manifest@v1"
    RECIPIENTS = "dbops-recipients@v1"
    CERTIFICATE = "dbops-certificate@v1"
    EXPIRY = "dbops-expiry@v1"
    HOLD = "dbops-hold@v1"
    RECEIPT = "dbops-receipt@v1"
    APPROVAL = "dbops-approval@v1"
    REQUEST = "dbops-request@v1"
    EVIDENCE = "dbops-evidence@v1"
    BREAKGLASS = "dbops-breakglass@v1"
    CHECKPOINT = "dbops-checkpoint@v1"
    COUNTERSIGN = "dbops-countersign@v1"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key in SSH's wire form; one that exists is well-formed and of an accepted kind."""

    kind: str
    blob: bytes

    def __post_init__(self) -> None:
        if sshwire.read_key(self.blob).kind != self.kind:
            raise refusal(Subject.KEY, "kind", "the key's kind differs from the kind inside it")

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as `ssh-keygen -l` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return "SHA256:" + digest.rstrip("=")

    @property
    def line(self) -> str:
        """`kind base64`, as in a `.pub` file, without comment and newline."""
        return f"{self.kind} {base64.b64encode(self.blob).decode('ascii')}"

    @classmethod
    def from_blob(cls, blob: bytes) -> PublicKey:
        """Return the key with this wire form, or raise `Refused` with a `key-…` code."""
        return cls(sshwire.read_key(blob).kind, blob)

    @classmethod
    def parse(cls, line: str) -> PublicKey:
        """Return the key of a `.pub` line: `kind base64 [comment]` and at most one newline.

        Fields are separated by one space and the base64 is canonical; everything else, and every
        kind that is not accepted, is `Refused` with a `key-…` code.
        """
        match = _KEY_LINE.fullmatch(line.removesuffix("\n"))
        if match is None:
            raise refusal(Subject.KEY, "line", "the text is not a public key line")
        blob = _canonical_base64(match[2])
        if blob is None:
            raise refusal(Subject.KEY, "line", "the public key line is not canonical base64")
        key = cls.from_blob(blob)
        if key.kind != match[1]:
            raise refusal(Subject.KEY, "kind", "the key's kind differs from the kind inside it")
        return key


def check_signature(message: bytes, armor: str, namespace: Namespace) -> PublicKey:
    """Return the key that signed `message` for `namespace`.

    Whether that key is to be trusted is not asked here. Every other outcome is `Refused` with a
    code of its own beginning with `signature-`; nothing else is ever raised.
    """
    reader = Reader(_dearmor(armor), Subject.SIGNATURE)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise reader.refuse("magic", "the armor does not hold an ssh signature")
    if reader.uint32() != _VERSION:
        raise reader.refuse("version", "the signature is of an unknown version")
    blob, space, reserved, digest = (reader.string() for _ in range(4))
    signature = reader.string()
    reader.end()
    _check_namespace(space, namespace)
    if reserved:
        raise reader.refuse("reserved", "the signature's reserved field is not empty")
    if digest not in {b"sha256", b"sha512"}:
        raise reader.refuse(
            "hash", f"the signature hashes with {sshwire.printable(digest)}, not sha256 or sha512"
        )
    material = _read_key(blob)
    _verify(material, signature, signed_data(message, namespace, digest.decode("ascii")))
    return PublicKey(material.kind, blob)


def signed_data(message: bytes, namespace: Namespace, digest: str = "sha512") -> bytes:
    """Return the bytes that the key itself signs: PROTOCOL.sshsig §3."""
    hashed = hashlib.new(digest, message, usedforsecurity=True).digest()
    fields = (namespace.value.encode("ascii"), b"", digest.encode("ascii"), hashed)
    return _MAGIC + b"".join(map(string, fields))


def armored(key: PublicKey, namespace: Namespace, signature: bytes) -> str:
    """Return the armor around `signature`, the SSH blob that `key` made of `signed_data`."""
    fields = (key.blob, namespace.value.encode("ascii"), b"", b"sha512", signature)
    blob = _MAGIC + _VERSION.to_bytes(4, "big") + b"".join(map(string, fields))
    return _armor(blob, ARMOR_WIDTHS[0])


def _armor(blob: bytes, width: int) -> str:
    text = base64.b64encode(blob).decode("ascii")
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return "\n".join([ARMOR_BEGIN, *lines, ARMOR_END, ""])


def _dearmor(armor: str) -> bytes:
    """Undo `_armor`: decode, encode again, and take nothing that is not the same text."""
    if len(armor) > ARMOR_MOST:
        raise refusal(Subject.SIGNATURE, "long", f"the signature has over {ARMOR_MOST} characters")
    inner = armor.removeprefix(ARMOR_BEGIN + "\n").removesuffix("\n" + ARMOR_END + "\n")
    blob = _canonical_base64(inner.replace("\n", ""))
    if blob is None or armor not in {_armor(blob, width) for width in ARMOR_WIDTHS}:
        raise refusal(
            Subject.SIGNATURE, "armor", "the signature's armor is not as ssh-keygen writes it"
        )
    return blob


def _canonical_base64(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode("ascii") == text else None


def _check_namespace(found: bytes, wanted: Namespace) -> None:
    if found != wanted.value.encode("ascii"):
        raise Refused(
            "signature-namespace",
            f"the signature is for {sshwire.printable(found)}, not for {wanted.value}",
            hint=f"sign for this use: ssh-keygen -Y sign -n {wanted.value} -f KEY FILE",
        )


def _read_key(blob: bytes) -> KeyMaterial:
    try:
        return sshwire.read_key(blob)
    except Refused as fault:
        raise Refused(
            f"signature-{fault.code}", f"in the signature, {fault.message}", hint=fault.hint
        ) from None


def _verify(key: KeyMaterial, signature: bytes, signed: bytes) -> None:
    reader = Reader(signature, Subject.SIGNATURE)
    algorithm = sshwire.printable(reader.string())
    raw = reader.string()
    if algorithm not in (RSA_HASHES if key.kind == sshwire.RSA else {key.kind}):
        raise reader.refuse(
            "kind", f"a signature of kind {algorithm} does not belong to a key of kind {key.kind}"
        )
    if key.application:
        signed = _hardware_signed(key.application, reader, signed)
    reader.end()
    try:
        _verify_raw(key, algorithm, raw, signed)
    except (InvalidSignature, ValueError):
        raise Refused(
            "signature-wrong",
            "the signature does not fit: the text or the signature was altered",
            hint="fetch the document again, or have it signed again",
        ) from None


def _hardware_signed(application: bytes, reader: Reader, signed: bytes) -> bytes:
    """Return what a FIDO device signs for `signed`: OpenSSH PROTOCOL.u2f, "SSH U2F signatures"."""
    flags, counter = reader.take(1), reader.take(4)
    if not flags[0] & _USER_PRESENT:
        raise Refused(
            "signature-presence",
            "the hardware key signed without being touched",
            hint="sign again with a key that asks for a touch: ssh-keygen -t ed25519-sk",
        )
    return hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(signed).digest()


def _verify_raw(key: KeyMaterial, algorithm: str, raw: bytes, signed: bytes) -> None:
    """Raise `InvalidSignature` unless `raw` is the key's signature of `signed`."""
    material = key.material
    if isinstance(material, rsa.RSAPublicKey):
        material.verify(raw, signed, padding.PKCS1v15(), RSA_HASHES[algorithm])
    elif isinstance(material, ec.EllipticCurvePublicKey):
        reader = Reader(raw, Subject.SIGNATURE)
        pair = reader.mpint(), reader.mpint()
        reader.end()
        chosen = ec.ECDSA(CURVE_HASHES[material.curve.key_size])
        material.verify(utils.encode_dss_signature(*pair), signed, chosen)
    else:
        material.verify(raw, signed)
