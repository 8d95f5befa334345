"""Recipients of the signed document, with what each can open and where its identity lies. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dbops.keys.host_keys import IdentityFile
from dbops.keys.identities import canonical
from dbops.repository.chain import Backup
from dbops.repository.recipients import RecipientList, Role


@dataclass(frozen=True, slots=True)
class RecipientUse:
    """One recipient: how many living backups are sealed to it, and its files here."""

    role: Role
    name: str
    recipient: str
    backups: int
    files: tuple[Path, ...]


def list_recipients(
    listed: RecipientList, backups: Iterable[Backup], identities: Iterable[IdentityFile]
) -> tuple[RecipientUse, ...]:
    """Every recipient in the order of the document; `backups` are the living ones."""
    sealed = [
        {canonical(entry.recipient) for entry in backup.envelope.sealed_to} for backup in backups
    ]
    at_hand = tuple(identities)
    return tuple(
        RecipientUse(
            entry.role,
            entry.name,
            key := canonical(entry.recipient),
            sum(key in keys for keys in sealed),
            tuple(file.path for file in at_hand if key in file.recipients),
        )
        for entry in listed.recipients
    )


def owner_of(recipient: str, listed: RecipientList) -> str | None:
    """`role (name)` of the recipient in the document; None where it does not stand there."""
    for entry in listed.recipients:
        if canonical(entry.recipient) == recipient:
            return f"{entry.role.value} ({entry.name})"
    return None
