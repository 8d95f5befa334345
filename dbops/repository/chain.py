"""What the manifests, tombstones and remembered heads of one database say together. Pure.

* Every sequence number from 1 to the last has one manifest, or a tombstone, or both.
* A manifest names the digest of the one before it; a tombstone stands in for a manifest that
  expired lawfully.
* Two manifests with one number are a fork; a number with nothing is a dropped backup.
* The newest manifest seen before (the remembered head) is still there, with the same bytes:
  otherwise the end of the chain was cut off or replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dbops.repository.manifest import BackupId, Envelope
from dbops.repository.records import Certificate, ProofLevel, Tombstone


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong: the object's name and what is wrong with it. Never a row value."""

    subject: str
    reason: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest backup that this host has seen: its number and the digest of its envelope."""

    sequence: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup with everything the repository says of it."""

    envelope: Envelope
    sha256: str
    name: str
    signer: str
    tombstone: Tombstone | None = None
    held: bool = False
    hold_reason: str = ""
    certificates: tuple[Certificate, ...] = ()

    @property
    def id(self) -> BackupId:
        return self.envelope.id

    @property
    def sequence(self) -> int:
        return self.envelope.sequence

    @property
    def level(self) -> ProofLevel:
        """The highest level reached since the last verification that found something wrong."""
        return _standing(self.certificates)[0]

    @property
    def findings(self) -> tuple[str, ...]:
        """What the last verification found wrong; empty once a later one reached as far."""
        return _standing(self.certificates)[1]

    @property
    def proven_at(self) -> datetime | None:
        """When it was last shown equal to its source."""
        proofs = [c.at for c in self.certificates if c.reached == ProofLevel.PROVEN.label]
        return max(proofs, default=None) if self.level is ProofLevel.PROVEN else None


def _standing(certificates: Iterable[Certificate]) -> tuple[ProofLevel, tuple[str, ...]]:
    level = failed_at = ProofLevel.UNKNOWN
    wrong: tuple[str, ...] = ()
    for certificate in sorted(certificates, key=lambda item: (item.at, item.asked)):
        reached = ProofLevel.parse(certificate.reached)
        if certificate.findings:
            level, wrong = reached, certificate.findings
            failed_at = ProofLevel.parse(certificate.asked)
        elif not wrong or reached >= failed_at:
            # A cheaper check cannot clear what a deeper one found.
            level, wrong = max(level, reached), ()
    return level, wrong


@dataclass(frozen=True, slots=True)
class History:
    """The backups of one database, oldest first, and everything that is wrong with their chain.

    `newest` is the link that the next backup follows: the highest number that was ever seen here,
    whether its manifest can still be read or not. A damaged chain is continued behind its damage,
    which so stays in sight, and never over it.
    """

    database: str
    backups: tuple[Backup, ...]
    tombstones: tuple[Tombstone, ...]
    damages: tuple[Damage, ...]
    newest: Head | None

    @property
    def living(self) -> tuple[Backup, ...]:
        """Backups that no tombstone marks."""
        return tuple(backup for backup in self.backups if backup.tombstone is None)

    @property
    def head(self) -> Head | None:
        """The newest link of the chain that can be read, manifest or tombstone."""
        links = _links(self.backups, self.tombstones)
        return Head(*max(links.items())) if links else None


def newest_link(trusted: Sequence[Head], unreadable: Sequence[Head]) -> Head | None:
    """The link that the next backup follows.

    A manifest that cannot be read counts where a manifest was to be expected: below the newest
    trusted link or right behind it. A file with a number out of the blue does not, or anybody who
    can write one there would end the numbers.
    """
    newest = max(trusted, key=lambda link: link.sequence, default=None)
    for link in sorted(unreadable, key=lambda link: link.sequence):
        if link.sequence == (newest.sequence if newest else 0) + 1:
            newest = link
    return newest


def check_chain(
    database: str,
    backups: Iterable[Backup],
    tombstones: Iterable[Tombstone],
    remembered: Head | None,
) -> tuple[Damage, ...]:
    """Everything that is wrong with the chain; nothing where it is whole."""
    listed, stones = tuple(backups), tuple(tombstones)
    links = _links(listed, stones)
    return (
        *_forks(database, listed),
        *_broken_links(database, listed, links),
        *_wrong_stones(listed, stones),
        *_missing(database, links, remembered),
    )


def _links(backups: Iterable[Backup], tombstones: Iterable[Tombstone]) -> dict[int, str]:
    links = {stone.sequence: stone.manifest for stone in tombstones}
    return links | {backup.sequence: backup.sha256 for backup in backups}


def _forks(database: str, backups: tuple[Backup, ...]) -> Iterable[Damage]:
    seen: set[int] = set()
    for backup in backups:
        if backup.sequence in seen:
            yield Damage(f"{database}@{backup.sequence}", "two manifests have this number (a fork)")
        seen.add(backup.sequence)


def _broken_links(
    database: str, backups: tuple[Backup, ...], links: Mapping[int, str]
) -> Iterable[Damage]:
    for backup in backups:
        number = backup.sequence
        before = links.get(number - 1)
        named = backup.envelope.predecessor
        if number == 1 and named is not None:
            yield Damage(f"{database}@1", "the first manifest names a predecessor")
        if number > 1 and before is not None and named != before:
            yield Damage(f"{database}@{number}", "its predecessor is another manifest")


def _wrong_stones(
    backups: tuple[Backup, ...], tombstones: tuple[Tombstone, ...]
) -> Iterable[Damage]:
    digests = {backup.sequence: backup.sha256 for backup in backups}
    for stone in tombstones:
        if digests.get(stone.sequence, stone.manifest) != stone.manifest:
            yield Damage(
                f"{stone.database}@{stone.sequence}", "its tombstone was made for other bytes"
            )


def _missing(database: str, links: Mapping[int, str], remembered: Head | None) -> Iterable[Damage]:
    last = max(links, default=0)
    for number in range(1, last):
        if number not in links:
            yield Damage(
                f"{database}@{number}", "its manifest is missing and no tombstone says why"
            )
    if remembered is None:
        return
    if remembered.sequence > last:
        yield Damage(
            f"{database}@{remembered.sequence}",
            "this host has seen it, and the repository no longer holds it",
        )
    elif links.get(remembered.sequence, remembered.sha256) != remembered.sha256:
        yield Damage(
            f"{database}@{remembered.sequence}",
            "this host has seen another manifest of this number",
        )
