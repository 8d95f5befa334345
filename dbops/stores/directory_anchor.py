"""Checkpoints in a store: a directory on another machine, later a bucket with an object lock."""

from __future__ import annotations

from dbops.audit.anchor import anchor_folder, anchor_name, is_anchor_name
from dbops.audit.checkpoint import Checkpoint, claimed_checkpoint
from dbops.errors import Refused
from dbops.repository.ports import ObjectExists, Store, put_bytes, read_bytes

NOTE_MOST = 64 << 10  # bytes


class DirectoryAnchor:
    """Notes as objects `ledger/ORIGIN/SIZE.note`, written once and never again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def title(self) -> str:
        """What messages call it."""
        return self._store.title

    def publish(self, note: str, checkpoint: Checkpoint) -> None:
        """Afterwards the note is kept there, durably.

        Another checkpoint over as many entries stays, and is `Refused` with `anchor-fork`. Raises
        what the store raises.
        """
        name = anchor_name(checkpoint.origin, checkpoint.size)
        try:
            put_bytes(self._store, name, note.encode())
        except ObjectExists:
            kept = self._read(name)
            if claimed_checkpoint(kept) != checkpoint:
                raise Refused(
                    "anchor-fork",
                    f"{self.title} has another checkpoint over {checkpoint.size} entries",
                    hint="see what happened to the ledger: dbops audit verify",
                ) from None

    def newest(self, origin: str) -> str | None:
        """Return the note with the most entries by its name, not verified; None where none is."""
        names = [found.name for found in self._store.list(anchor_folder(origin))]
        notes = [name for name in names if is_anchor_name(name, origin)]
        return self._read(max(notes)) if notes else None

    def _read(self, name: str) -> str:
        return read_bytes(self._store, name, NOTE_MOST).decode("utf-8", "replace")
