"""Until when each key must be kept, from envelopes alone. Pure.

A backup is sealed to the recipients of its own night, and never again to others: who destroys an
identity while a backup needs it may lose that backup.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dbops.keys.identities import canonical
from dbops.repository.chain import Backup
from dbops.repository.manifest import BackupId, SealedTo
from dbops.repository.recipients import RecipientList


@dataclass(frozen=True, slots=True)
class KeyNeed:
    """One key and the living backups sealed to it; keep it until the `newest` has expired.

    `role` and `name` are those of the newest backup; `listed` says that the key stands in the
    recipients document, so that backups to come will need it too. Times are snapshots, in UTC.
    """

    role: str
    name: str
    recipient: str
    listed: bool
    backups: int
    oldest: BackupId
    oldest_at: datetime
    newest: BackupId
    newest_at: datetime


def keys_needed(backups: Iterable[Backup], listed: RecipientList) -> tuple[KeyNeed, ...]:
    """Every key that a living backup is sealed to: those still listed first, then by role."""
    by_key: dict[str, list[tuple[Backup, SealedTo]]] = {}
    for backup in sorted(backups, key=lambda item: (item.envelope.snapshot, str(item.id))):
        for entry in backup.envelope.sealed_to:
            by_key.setdefault(canonical(entry.recipient), []).append((backup, entry))
    current = {canonical(entry.recipient) for entry in listed.recipients}
    needs = (_need(key, uses, listed=key in current) for key, uses in by_key.items())
    return tuple(sorted(needs, key=lambda need: (not need.listed, need.role, need.name)))


def _need(key: str, uses: list[tuple[Backup, SealedTo]], *, listed: bool) -> KeyNeed:
    oldest, newest = uses[0][0], uses[-1][0]
    entry = uses[-1][1]
    return KeyNeed(
        role=entry.role,
        name=entry.name,
        recipient=key,
        listed=listed,
        backups=len({str(backup.id) for backup, _ in uses}),
        oldest=oldest.id,
        oldest_at=oldest.envelope.snapshot,
        newest=newest.id,
        newest_at=newest.envelope.snapshot,
    )
