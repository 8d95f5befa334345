"""Checkpoints: the ledger's size and root under a signature, in C2SP's form; pure.

The text is three lines, origin, number of entries and base64 of the root (c2sp.org/tlog-checkpoint;
extension lines are not written and not taken), and a note carries it (`dbops/crypto/note.py`). The
name of the key is the origin; that the key may sign checkpoints stands in the trust root.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dbops.audit.tree import EMPTY_ROOT, HASH_SIZE
from dbops.crypto import sshwire
from dbops.crypto.note import NoteKey, NoteSigner, open_note, sign_note, split_note
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused

_ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]{1,300}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LARGEST: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the ledger `origin` was when it had `size` entries; one that exists is well-formed.

    `Refused` otherwise: checkpoint-origin, checkpoint-size or checkpoint-root.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise _refusal(
                "origin", "its origin is empty or holds a space, a plus or a control character"
            )
        if not 0 <= self.size < _LARGEST:
            raise _refusal("size", "its size is not a number of entries")
        if len(self.root) != HASH_SIZE or (self.size == 0) != (self.root == EMPTY_ROOT):
            raise _refusal("root", "its root is not that of a tree of its size")

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint whose `text` this is, or raise `Refused` with a `checkpoint-…` code."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise _refusal("form", "it is not three lines: origin, size, root")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise _refusal("size", "its size is not a decimal number of entries")
    try:
        digest = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError):  # a ValueError for text that is not ascii
        digest = b""
    checkpoint = Checkpoint(origin, int(size), digest)
    if checkpoint.text != text:
        raise _refusal("root", "its root is not canonical base64")
    return checkpoint


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> str:
    """Return the note of the checkpoint, signed under the name of its origin.

    Raises `Refused` where the key is not ed25519. That no other checkpoint was signed which this
    one does not continue is the caller's to know: two of them are a fork for good.
    """
    return sign_note(checkpoint.text, checkpoint.origin, signer)


def open_checkpoint(note: str, trust: TrustRoot, now: datetime) -> Checkpoint:
    """Return the checkpoint in `note`, signed by a key that may sign checkpoints at `now`.

    `Refused` otherwise, with the code of what failed: `note-…` for the form and the signature,
    `checkpoint-…` for the text, `trust-…` for a key of the trust root that may not sign it. Several
    keys of the trust root may have signed; one of them is enough. `now` carries its zone.
    """
    origin = claimed_checkpoint(note).origin
    keys = [
        NoteKey(origin, signer.key)
        for signer in trust.signers
        if signer.key.kind == sshwire.ED25519
    ]
    opened = open_note(note, keys)
    faults: list[Refused] = []
    for key in opened.signed_by:
        try:
            trust.judge(key.public, Namespace.CHECKPOINT, now)
        except Refused as fault:
            faults.append(fault)
    if len(faults) == len(opened.signed_by):
        raise faults[0]
    return parse_checkpoint(opened.text)


def claimed_checkpoint(note: str) -> Checkpoint:
    """Return the checkpoint that `note` claims, **its signature not verified**.

    For telling which ledger and size a note is about, never for deciding anything. `Refused` with a
    `note-…` or `checkpoint-…` code where it is not of the form.
    """
    text, _signatures = split_note(note)
    return parse_checkpoint(text)


def _refusal(reason: str, message: str) -> Refused:
    return Refused(
        f"checkpoint-{reason}",
        f"the text is not a checkpoint: {message}",
        hint="fetch the checkpoint again from where it was kept",
    )
