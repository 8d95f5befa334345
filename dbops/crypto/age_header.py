"""The header of an age file: who it is sealed to, and whether an identity opens it.

Headers are enough to prove that a key works, and hold nothing of the data: that is what a key
drill carries to the holders of offline identities. Source: https://age-encryption.org/v1 (the
header, the X25519 and the ssh-ed25519 recipient types).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

from dbops.crypto.age import Identity
from dbops.errors import Failed, UsageFault

HEADER_LIMIT = 64 << 10
_VERSION = b"age-encryption.org/v1"
_X25519 = b"age-encryption.org/v1/X25519"
_SSH = b"age-encryption.org/v1/ssh-ed25519"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@dataclass(frozen=True, slots=True)
class Stanza:
    """The file key, wrapped to one recipient."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header; `text` are its exact bytes, `mac` authenticates them."""

    text: bytes
    stanzas: tuple[Stanza, ...]
    mac: bytes


def read_header(data: bytes, title: str) -> Header:
    """The header at the beginning of an age file; raises Failed where there is none."""
    lines = data[:HEADER_LIMIT].split(b"\n")
    if lines[0] != _VERSION:
        raise _malformed(title)
    stanzas: list[Stanza] = []
    position, index = len(lines[0]) + 1, 1
    while index < len(lines) and lines[index].startswith(b"-> "):
        used, stanza = _stanza(lines, index, title)
        stanzas.append(stanza)
        position += sum(len(line) + 1 for line in lines[index : index + used])
        index += used
    if index >= len(lines) - 1 or not lines[index].startswith(b"--- "):
        raise _malformed(title)
    text = data[: position + len(lines[index]) + 1]
    return Header(text, tuple(stanzas), _decoded(lines[index][4:], title))


def _stanza(lines: list[bytes], index: int, title: str) -> tuple[int, Stanza]:
    """The stanza that begins at `index`, and how many lines it takes."""
    try:
        kind, *arguments = lines[index][3:].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise _malformed(title) from None
    body = b""
    for used, line in enumerate(lines[index + 1 :], start=2):
        body += line
        if len(line) < 64:  # a body ends with a short line, even an empty one
            return used, Stanza(kind, tuple(arguments), _decoded(body, title))
    raise _malformed(title)


def opens(identity: Identity, header: Header) -> bool:
    """Whether the identity unwraps the file key and the header's MAC agrees with it."""
    key = _ssh_key(identity) if identity.is_ssh else _x25519_key(identity)
    for stanza in header.stanzas:
        file_key = key.unwrap(stanza)
        if file_key is not None and _mac_agrees(file_key, header):
            return True
    return False


def _mac_agrees(file_key: bytes, header: Header) -> bool:
    mac_key = HKDF(SHA256(), 32, salt=None, info=b"header").derive(file_key)
    signed = header.text[: header.text.rindex(b"---") + 3]
    return hmac.compare_digest(hmac.digest(mac_key, signed, "sha256"), header.mac)


@dataclass(frozen=True, slots=True)
class _Unwrapper:
    """One private key: how its stanzas look, and the tweak of its shared secret."""

    kind: str
    private: X25519PrivateKey
    public: bytes
    info: bytes
    tag: str | None
    tweak: X25519PrivateKey | None

    def unwrap(self, stanza: Stanza) -> bytes | None:
        wanted = 2 if self.tag else 1
        if stanza.kind != self.kind or len(stanza.arguments) != wanted or len(stanza.body) != 32:
            return None
        if self.tag and stanza.arguments[0] != self.tag:
            return None
        try:
            share = X25519PublicKey.from_public_bytes(_raw(stanza.arguments[-1]))
            secret = self.private.exchange(share)
            if self.tweak is not None:
                secret = self.tweak.exchange(X25519PublicKey.from_public_bytes(secret))
            salt = share.public_bytes_raw() + self.public
            wrap = HKDF(SHA256(), 32, salt=salt, info=self.info).derive(secret)
            return ChaCha20Poly1305(wrap).decrypt(bytes(12), stanza.body, None)
        except (InvalidTag, ValueError):
            return None


def _x25519_key(identity: Identity) -> _Unwrapper:
    private = X25519PrivateKey.from_private_bytes(_bech32(identity.secret))
    public = private.public_key().public_bytes_raw()
    return _Unwrapper("X25519", private, public, _X25519, None, None)


def _ssh_key(identity: Identity) -> _Unwrapper:
    try:
        key = load_ssh_private_key(identity.secret.encode(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageFault(
            "identity-kind",
            "a key drill takes age identities and ssh-ed25519 keys without a passphrase only",
            hint="use the identity whose recipient stands in the recipients document",
        )
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    wire = base64.b64decode(public.split(b" ")[1])
    scalar = hashlib.sha512(key.private_bytes_raw()).digest()[:32]
    private = X25519PrivateKey.from_private_bytes(scalar)
    tag = base64.b64encode(hashlib.sha256(wire).digest()[:4]).decode().rstrip("=")
    tweak = X25519PrivateKey.from_private_bytes(
        HKDF(SHA256(), 32, salt=wire, info=_SSH).derive(b"")
    )
    mine = private.public_key().public_bytes_raw()
    return _Unwrapper("ssh-ed25519", private, mine, _SSH, tag, tweak)


def _bech32(text: str) -> bytes:
    """The 32 bytes of an AGE-SECRET-KEY-1 line (BIP 173); pyrage has checked its checksum."""
    digits = [_BECH32.index(char) for char in text.lower().rpartition("1")[2][:-6]]
    number = 0
    for digit in digits:
        number = number << 5 | digit
    spare = len(digits) * 5 % 8
    return (number >> spare).to_bytes(len(digits) * 5 // 8, "big")


def _raw(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _decoded(text: bytes, title: str) -> bytes:
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise _malformed(title) from None
    # The format wants canonical base64: no padding, and nothing in the bits that are left over.
    if base64.b64encode(data).rstrip(b"=") != text:
        raise _malformed(title)
    return data


def _malformed(title: str) -> Failed:
    return Failed(
        "seal-malformed",
        f"{title} is damaged: it does not begin with an age header",
        hint="dbops backup verify --all --level stored names every damaged object",
    )
