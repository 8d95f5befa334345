"""Signed notes: the form of C2SP's signed-note, which the tools of transparency logs read.

A note is a text, an empty line, and a signature line for each signer (c2sp.org/signed-note):

    — <name of the key> base64(4 bytes of key id, then the signature)

Only Ed25519 (type 0x01) is made and known here. Signatures of unknown keys are passed over, so
that others may add theirs; that of a known key must be right. Whether a key is to be trusted, and
for what, is not asked here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dbops.crypto import sshwire
from dbops.crypto.sshsig import PublicKey
from dbops.crypto.trust import plain_text
from dbops.errors import Failed, Refused

NOTE_MOST: Final = (64 << 10) - 1  # bytes

_TYPE: Final = b"\x01"  # Ed25519
_ID_SIZE: Final = 4
_NAME: Final = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]{1,300}")
_SIGNATURE: Final = re.compile("— ([^ ]+) ([A-Za-z0-9+/]+={0,2})")


class NoteSigner(Protocol):
    """Signs the texts of notes with one ed25519 key."""

    @property
    def public_key(self) -> PublicKey:
        """The key whose signatures `sign_note_text` returns."""

    def sign_note_text(self, text: bytes) -> bytes:
        """Return the 64 bytes of the bare Ed25519 signature of `text`."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """An ed25519 key under the name by which notes refer to it.

    A name has no spaces and no plus; another one is `Refused` `note-name`, and a key of another
    kind `Refused` `note-kind`.
    """

    name: str
    public: PublicKey

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Refused(
                "note-name",
                "the name of a note's key is empty or holds a space, a plus or a control character",
                hint="choose a name such as hospital.example/host",
            )
        if self.public.kind != sshwire.ED25519:
            raise Refused(
                "note-kind",
                f"a key of kind {self.public.kind} cannot sign notes",
                hint="make an ed25519 key: ssh-keygen -t ed25519 -f FILE",
            )

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature line refers to the key, beside its name."""
        return sha256(self.name.encode("utf-8") + b"\n" + _TYPE + self._raw).digest()[:_ID_SIZE]

    @property
    def vkey(self) -> str:
        """`name+id+key`, as verifiers of notes are told of a key."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_TYPE + self._raw)}"

    def signed(self, text: str, signature: bytes) -> bool:
        """Return whether the key made `signature` of `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self._raw).verify(signature, text.encode("utf-8"))
        except InvalidSignature:
            return False
        return True

    @property
    def _raw(self) -> bytes:
        """The 32 bytes of RFC 8032, which the SSH form of a key ends with: RFC 8709 §4."""
        return self.public.blob[-32:]


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note's text with its final newline, and the known keys that signed it, each once."""

    text: str
    signed_by: tuple[NoteKey, ...]


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line, taken apart but not verified."""

    name: str
    key_id: bytes
    signature: bytes


def sign_note(text: str, name: str, signer: NoteSigner) -> str:
    """Return the note of `text`, signed by the signer's key under `name`.

    The text is whole lines without control characters; anything else is `Refused` `note-form`
    before the key is used. The signature is verified before it is handed out: `Failed`
    `signing-wrong` where it does not fit.
    """
    key = NoteKey(name, signer.public_key)
    _check_text(text)
    signature = signer.sign_note_text(text.encode("utf-8"))
    note = f"{text}\n— {name} {_base64(key.key_id + signature)}\n"
    try:
        open_note(note, (key,))
    except Refused as fault:
        raise Failed(
            "signing-wrong", f"the signature just made is void: {fault.message}", hint=fault.hint
        ) from None
    return note


def open_note(note: str, keys: Sequence[NoteKey]) -> OpenedNote:
    """Return the text of a note that at least one of `keys` signed.

    `Refused` otherwise: `note-form` where it is not of the form, `note-unknown` where no line is by
    one of the keys, `note-signature` where one of them is and does not fit. Nothing else is raised.
    """
    text, signatures = split_note(note)
    signers: list[NoteKey] = []
    for line in signatures:
        known = [key for key in keys if (key.name, key.key_id) == (line.name, line.key_id)]
        fitting = [key for key in known if key.signed(text, line.signature)]
        if known and not fitting:
            raise Refused(
                "note-signature",
                f"the signature of {line.name} does not fit: the text or the signature was altered",
                hint="fetch the note again from where it was kept",
            )
        signers += [key for key in fitting if key not in signers]
    if not signers:
        raise Refused(
            "note-unknown",
            f"none of the {len(signatures)} signatures of the note is by a known key",
            hint="compare the key with that of its signer; it belongs in allowed_signers",
        )
    return OpenedNote(text, tuple(signers))


def split_note(note: str) -> tuple[str, tuple[NoteSignature, ...]]:
    """Return the text and the signature lines of a note, **none of them verified**.

    `Refused` `note-form` where it is not of the form, whose base64 is canonical.
    """
    _check_text(note)
    at = note.rfind("\n\n")
    if at < 0:
        raise _malformed("it has no empty line before its signatures")
    lines = note[at + 2 :].splitlines()
    if not lines:
        raise _malformed("it carries no signature")
    return note[: at + 1], tuple(map(_parse_signature, lines))


def _parse_signature(line: str) -> NoteSignature:
    match = _SIGNATURE.fullmatch(line)
    if match is None or not _NAME.fullmatch(match[1]):
        raise _malformed("a signature line is not of the form: em dash, name, base64")
    try:
        data = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        data = b""
    if len(data) <= _ID_SIZE or _base64(data) != match[2]:
        raise _malformed("a signature is not canonical base64 of a key id and more")
    return NoteSignature(match[1], data[:_ID_SIZE], data[_ID_SIZE:])


def _check_text(text: str) -> None:
    """Refuse what is not whole lines of plain text, or too long to be taken."""
    if "\t" in text:
        raise _malformed("it holds a tab")
    try:
        data = text.encode("utf-8")
        plain_text(data, "the note")
    except UnicodeEncodeError:
        raise _malformed("it is not unicode text") from None
    except Refused as fault:
        raise Refused("note-form", fault.message, hint=fault.hint) from None
    if not 0 < len(data) <= NOTE_MOST:
        raise _malformed(f"it has {len(data)} bytes, not between 1 and {NOTE_MOST}")


def _malformed(why: str) -> Refused:
    return Refused(
        "note-form",
        f"the text is not a signed note: {why}",
        hint="fetch the note again from where it was kept",
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
