"""SSH wire encoding, read strictly: strings, numbers and public keys (RFC 4251 §5, RFC 4253 §6.6).

Everything here comes from outside, so there is one accepted encoding for each value, and every
other one is a `Refused` whose code begins with the subject being read. Nothing is verified here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from dbops.errors import Refused

_TYPE_NAME: Final = re.compile(r"[A-Za-z0-9@.-]{1,64}")

RSA_LEAST_BITS: Final = 2048
RSA_MOST_BITS: Final = 16384  # what OpenSSH itself takes at most; bounds the work of a forged key

ED25519: Final = "ssh-ed25519"
RSA: Final = "ssh-rsa"
SK_ED25519: Final = "sk-ssh-ed25519@openssh.com"
SK_ECDSA: Final = "sk-ecdsa-sha2-nistp256@openssh.com"
CERTIFICATE_MARK: Final = "-cert-v0"

CURVES: Final[dict[str, tuple[bytes, ec.EllipticCurve]]] = {
    "ecdsa-sha2-nistp256": (b"nistp256", ec.SECP256R1()),
    "ecdsa-sha2-nistp384": (b"nistp384", ec.SECP384R1()),
    "ecdsa-sha2-nistp521": (b"nistp521", ec.SECP521R1()),
    SK_ECDSA: (b"nistp256", ec.SECP256R1()),
}
KINDS: Final = frozenset({ED25519, RSA, SK_ED25519, *CURVES})

Material = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Subject(StrEnum):
    """What is being read; the value begins every error code raised while reading it."""

    KEY = "key"
    KEY_FILE = "key-file"
    SIGNATURE = "signature"


_HINTS: Final = {
    Subject.KEY: "compare it with the owner's file: ssh-keygen -l -f FILE.pub",
    Subject.KEY_FILE: "check the file: ssh-keygen -y -f FILE",
    Subject.SIGNATURE: "fetch the signature again, or have it made again",
}


def refusal(subject: Subject, reason: str, message: str) -> Refused:
    """Return the refusal of `subject` for `reason`, with the hint that fits the subject."""
    return Refused(f"{subject}-{reason}", message, hint=_HINTS[subject])


class Reader:
    """Reads SSH values from the front of `data`; raises `Refused` on anything not canonical."""

    __slots__ = ("_at", "_data", "_subject")

    def __init__(self, data: bytes, subject: Subject) -> None:
        self._data = data
        self._at = 0
        self._subject = subject

    def refuse(self, reason: str, message: str) -> Refused:
        """Return a refusal about the subject that this reader reads."""
        return refusal(self._subject, reason, message)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        if size > len(self._data) - self._at:
            raise self.refuse("truncated", f"the {self._subject.replace('-', ' ')} ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def uint32(self) -> int:
        """Return the next four bytes as an unsigned number."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Return the next length-prefixed string."""
        return self.take(self.uint32())

    def mpint(self) -> int:
        """Return the next multiple-precision number: not negative, in its shortest form."""
        raw = self.string()
        if raw and (raw[0] >= 0x80 or (raw[0] == 0 and (len(raw) == 1 or raw[1] < 0x80))):
            raise self.refuse(
                "number", f"a number in the {self._subject.replace('-', ' ')} is not canonical"
            )
        return int.from_bytes(raw, "big")

    def end(self) -> None:
        """Refuse bytes that are left over."""
        left = len(self._data) - self._at
        if left:
            raise self.refuse(
                "trailing", f"the {self._subject.replace('-', ' ')} has {left} bytes too many"
            )


def string(value: bytes) -> bytes:
    """Return `value` as an SSH string."""
    return len(value).to_bytes(4, "big") + value


def mpint(value: int) -> bytes:
    """Return a number that is not negative as an SSH mpint."""
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big") if value else b"")


def printable(name: bytes) -> str:
    """Return a type name fit for a message; foreign bytes never reach a terminal."""
    text = name.decode("ascii", "replace")
    return text if _TYPE_NAME.fullmatch(text) else "(unreadable)"


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """A public key taken apart: its kind, the mathematics, and a hardware key's application."""

    kind: str
    material: Material
    application: bytes = b""


def read_key(blob: bytes) -> KeyMaterial:
    """Return the key that `blob` is the one canonical encoding of; raise `Refused` otherwise.

    ed25519, ecdsa (nistp256, 384, 521), rsa of 2048 to 16384 bits, and the two hardware (`sk-`)
    kinds. Certificates and DSA are refused by name.
    """
    reader = Reader(blob, Subject.KEY)
    name = reader.string()
    kind = printable(name)
    _refuse_kind(kind)
    material: Material
    if kind == RSA:
        material = _rsa(reader)
    elif kind in CURVES:
        material = _ecdsa(reader, kind)
    else:
        material = _ed25519(reader)
    application = _application(reader) if kind in {SK_ED25519, SK_ECDSA} else b""
    reader.end()
    return KeyMaterial(kind, material, application)


def _refuse_kind(kind: str) -> None:
    if CERTIFICATE_MARK in kind:
        raise Refused(
            "key-certificate",
            f"key of kind {kind} is a certificate, and certificates are not taken",
            hint="use the plain public key that the certificate was made for",
        )
    if kind not in KINDS:
        raise Refused(
            "key-kind",
            f"key of kind {kind} is not taken",
            hint="make an ed25519 key: ssh-keygen -t ed25519 -f FILE",
        )


def _ed25519(reader: Reader) -> ed25519.Ed25519PublicKey:
    raw = reader.string()
    if len(raw) != 32:
        raise reader.refuse("malformed", f"the ed25519 key has {len(raw)} bytes instead of 32")
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def _ecdsa(reader: Reader, kind: str) -> ec.EllipticCurvePublicKey:
    name, curve = CURVES[kind]
    if reader.string() != name:
        raise reader.refuse("malformed", f"the curve of the {kind} key is not the one of its kind")
    point = reader.string()
    if point[:1] != b"\x04":
        raise reader.refuse("malformed", f"the point of the {kind} key is not uncompressed")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except ValueError:
        raise reader.refuse(
            "malformed", f"the point of the {kind} key is not on its curve"
        ) from None


def _rsa(reader: Reader) -> rsa.RSAPublicKey:
    exponent, modulus = reader.mpint(), reader.mpint()
    bits = modulus.bit_length()
    if bits < RSA_LEAST_BITS:
        raise Refused(
            "key-weak",
            f"the rsa key has {bits} bits, fewer than {RSA_LEAST_BITS}",
            hint="make an ed25519 key: ssh-keygen -t ed25519 -f FILE",
        )
    if bits > RSA_MOST_BITS:
        raise reader.refuse("malformed", f"the rsa key has {bits} bits, over {RSA_MOST_BITS}")
    if exponent.bit_length() > 64 or not exponent % 2 or exponent < 3 or not modulus % 2:
        raise reader.refuse("malformed", "the rsa key's numbers cannot be those of an rsa key")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise reader.refuse("malformed", "the rsa key's numbers make no key") from None


def _application(reader: Reader) -> bytes:
    """OpenSSH keys are enrolled for `ssh:…`; another one belongs to a web site's login."""
    application = reader.string()
    if not application.startswith(b"ssh:"):
        raise reader.refuse("malformed", "the hardware key is not made for ssh")
    return application
