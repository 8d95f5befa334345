"""Keep checkpoints where this host cannot take them back."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from dbops.audit.checkpoint import Checkpoint, open_checkpoint
from dbops.audit.tree import Nodes, check_consistency, consistency_path
from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused

_HINT = "see what happened to the ledger: dbops audit verify"


class Anchor(Protocol):
    """A place out of the host's reach that keeps notes and never gives an older one for a newer.

    Both methods raise DbopsError only.
    """

    @property
    def title(self) -> str:
        """What messages call it."""

    def publish(self, note: str, checkpoint: Checkpoint) -> None:
        """Afterwards the note is kept there, durably; one of the same size is never replaced."""

    def newest(self, origin: str) -> str | None:
        """Return the note of that ledger with the most entries, not verified; None where none is.

        The place itself is asked, not a copy of it on this host.
        """


def anchor_name(origin: str, size: int) -> str:
    """Return the name under which a note is kept."""
    return f"{anchor_folder(origin)}/{size:012d}.note"


def anchor_folder(origin: str) -> str:
    """Return the folder of a ledger's notes."""
    return f"ledger/{origin}"


def is_anchor_name(name: str, origin: str) -> bool:
    """Whether that is the name of a note of the ledger, and not of one whose name goes on."""
    size = name.rpartition("/")[2].removesuffix(".note")
    return size.isascii() and size.isdecimal() and name == anchor_name(origin, int(size))


def publish_checkpoint(
    anchor: Anchor, note: str, nodes: Nodes, trust: TrustRoot, now: datetime
) -> Checkpoint:
    """Afterwards the anchor keeps the checkpoint in `note`; return it.

    What the anchor has must be the beginning of that, which is proven from `nodes` against both
    signed roots; otherwise nothing is published: `Refused` `anchor-ahead` where it knows more
    entries, `anchor-fork` where it knows others, `anchor-untrusted` where its note is not signed by
    a key that may. An anchor that has it already is left as it is.
    """
    checkpoint = open_checkpoint(note, trust, now)
    kept = anchor.newest(checkpoint.origin)
    if kept is not None:
        known = _open_kept(anchor, kept, trust, now)
        _check_continues(anchor, known, checkpoint, nodes)
        if known.size == checkpoint.size:
            return checkpoint
    anchor.publish(note, checkpoint)
    return checkpoint


def _open_kept(anchor: Anchor, note: str, trust: TrustRoot, now: datetime) -> Checkpoint:
    try:
        return open_checkpoint(note, trust, now)
    except Refused as fault:
        raise Refused(
            "anchor-untrusted",
            f"the newest checkpoint of {anchor.title} does not count: {fault.message}",
            hint="see who put it there; a ledger's old key stays in allowed_signers",
        ) from None


def _check_continues(anchor: Anchor, known: Checkpoint, new: Checkpoint, nodes: Nodes) -> None:
    if known.origin != new.origin:
        raise Refused(
            "anchor-fork",
            f"{anchor.title} keeps a checkpoint of ledger {known.origin} for ledger {new.origin}",
            hint=_HINT,
        )
    if known.size > new.size:
        raise Refused(
            "anchor-ahead",
            f"{anchor.title} knows {known.size} entries, and the checkpoint has only {new.size}",
            hint=_HINT,
        )
    path = consistency_path(nodes, known.size, new.size)
    if not check_consistency(known.size, new.size, known.root, new.root, path):
        raise Refused(
            "anchor-fork",
            f"{anchor.title} knows {known.size} entries that are not those of this ledger",
            hint=_HINT,
        )
