"""Let backups expire in two phases: a signed tombstone now, deletion after the grace period.

* The manifest goes first. From then on the backup does not exist, and what it alone named is
  garbage; so wherever a crash comes, every backup that exists is whole, and the next run ends
  what this one began.
* A pack goes only when no manifest of the database names it. Nothing is ever rewritten.
* Garbage of runs that crashed goes when it is older than the grace period. A writer gives up when
  its run outlasts half of that, so what is older belongs to nobody.
* Whatever is wrong with the chain, a hold that cannot be read among it, nothing is deleted.

Tombstones stay for ever: they hold the chain together. So do the certificates, which are small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dbops.backup.retention import (
    LAST_PROVEN,
    NEWEST,
    NO_RULE,
    Candidate,
    Decision,
    Keep,
    decide,
    last_proven,
    on_hold,
)
from dbops.crypto.signed import sign_document
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.errors import Refused
from dbops.repository.chain import Backup, History
from dbops.repository.codec import encode, whole_second
from dbops.repository.layout import (
    catalogue_name,
    database_prefix,
    pack_name,
    sha256_in,
    tombstone_name,
)
from dbops.repository.manifest import BackupId
from dbops.repository.ports import ObjectExists, Store, StoredObject, put_bytes
from dbops.repository.reader import Repository
from dbops.repository.records import Tombstone


@dataclass(frozen=True, slots=True)
class Waiting:
    """A backup with a tombstone; it can be deleted from `until` on (UTC)."""

    id: BackupId
    until: datetime


@dataclass(frozen=True, slots=True)
class Spared:
    """A backup with a tombstone that is left alone after all, and why."""

    id: BackupId
    reason: str


@dataclass(frozen=True, slots=True)
class ExpiryPlan:
    """What expiry would do, and why; also what `--dry-run` shows.

    `decisions` are about the living backups; `mark` get a tombstone, `delete` had theirs for
    longer than the grace period. `objects` maps the packs and catalogues that would go with them
    to their bytes. The rules and the zone are there for the second look.
    """

    database: str
    keep: Keep
    grace: timedelta
    zone: ZoneInfo
    decisions: tuple[Decision, ...]
    mark: tuple[Backup, ...]
    waiting: tuple[Waiting, ...]
    spared: tuple[Spared, ...]
    delete: tuple[Backup, ...]
    objects: Mapping[str, int]

    @property
    def freed(self) -> int:
        """Bytes that the deletions would free."""
        return sum(self.objects.values())


@dataclass(frozen=True, slots=True)
class ExpiryReport:
    """What expiry did. `freed` counts bytes, garbage among them.

    `garbage_left` says why garbage was not touched, where it was not; else it is empty.
    """

    plan: ExpiryPlan
    marked: tuple[BackupId, ...]
    deleted: tuple[BackupId, ...]
    objects: int
    garbage: int
    garbage_left: str
    freed: int
    spools: int


def plan_expiry(
    history: History, keep: Keep, grace: timedelta, now: datetime, zone: ZoneInfo
) -> ExpiryPlan:
    """What expiry would do at `now`; nothing is touched.

    Raises Refused where anything is wrong with the chain: what is missing or unreadable might
    name the very packs that would go.
    """
    _refuse_broken_chain(history)
    decisions = decide(map(Candidate.of, history.living), keep, zone)
    expired = {decision.id for decision in decisions if not decision.kept}
    waiting, spared, delete = _look_again(history, grace, now)
    remaining = tuple(backup for backup in history.backups if backup not in delete)
    named = _objects(remaining)
    return ExpiryPlan(
        database=history.database,
        keep=keep,
        grace=grace,
        zone=zone,
        decisions=decisions,
        mark=tuple(backup for backup in history.living if backup.id in expired),
        waiting=waiting,
        spared=spared,
        delete=delete,
        objects={name: size for name, size in _objects(delete).items() if name not in named},
    )


def expire(
    repository: Repository,
    history: History,
    plan: ExpiryPlan,
    signer: Signer,
    clock: Callable[[], datetime],
) -> ExpiryReport:
    """Afterwards what was planned is marked or deleted, as far as a second look agrees.

    The caller holds the database's lock. The repository is read again, and only what stands both
    in `plan` and in the plan of that moment is done. Raises Refused, before anything is touched,
    where the chain is broken or nobody trusts `signer` with expiry. A crash leaves some of the
    work undone and every remaining backup whole.
    """
    _refuse_broken_chain(history)
    store = repository.store
    # Listed before the manifests are read: what a manifest names by then is not taken for garbage.
    stored = tuple(_stored(store, plan.database))
    now = clock()
    fresh = repository.history(plan.database, history.head)
    second = plan_expiry(fresh, plan.keep, plan.grace, now, plan.zone)
    mark, delete = _both(plan.mark, second.mark), _both(plan.delete, second.delete)
    _put_tombstones(repository, mark, plan.keep, signer, now)
    for backup in delete:
        store.delete(backup.name)
    named = _objects(backup for backup in fresh.backups if backup not in delete)
    freed = {name: size for name, size in _objects(delete).items() if name not in named}
    unnamed = [item for item in stored if item.name not in named and item.name not in freed]
    garbage_left = _why_not(stored, plan.grace, now)
    garbage = [] if garbage_left else [i for i in unnamed if now - i.modified > plan.grace]
    for name in (*freed, *(item.name for item in garbage)):
        store.delete(name)
    return ExpiryReport(
        plan=second,
        marked=tuple(backup.id for backup in mark),
        deleted=tuple(backup.id for backup in delete),
        objects=len(freed),
        garbage=len(garbage),
        garbage_left=garbage_left,
        freed=sum(freed.values()) + sum(item.size for item in garbage),
        spools=store.sweep(),
    )


def _refuse_broken_chain(history: History) -> None:
    if history.damages:
        first, more = history.damages[0], len(history.damages) - 1
        raise Refused(
            "chain-broken",
            f"nothing of {history.database} expires while its backups are not whole: {first}"
            + (f" (and {more} more)" if more else ""),
            hint=f"dbops backup verify {history.database} --level stored",
        )


def _look_again(
    history: History, grace: timedelta, now: datetime
) -> tuple[tuple[Waiting, ...], tuple[Spared, ...], tuple[Backup, ...]]:
    """The backups with tombstones: still waiting, left alone after all, ready to go."""
    reasons = _spare(history)
    waiting, spared, delete = [], [], []
    for backup in history.backups:
        if backup.tombstone is None:
            continue
        until = backup.tombstone.at + grace
        if backup.id in reasons:
            spared.append(Spared(backup.id, reasons[backup.id]))
        elif now <= until:
            waiting.append(Waiting(backup.id, until))
        else:
            delete.append(backup)
    return tuple(waiting), tuple(spared), tuple(delete)


def _spare(history: History) -> dict[BackupId, str]:
    """Why a backup is not deleted though it has a tombstone."""
    reasons: dict[BackupId, str] = {}
    if history.backups and not history.living:
        reasons[history.backups[-1].id] = NEWEST
    proven = last_proven(map(Candidate.of, history.backups))
    if proven is not None:
        reasons[proven] = LAST_PROVEN
    held = (backup for backup in history.backups if backup.held)
    return reasons | {backup.id: on_hold(backup.hold_reason) for backup in held}


def _both(planned: Iterable[Backup], agreed: Iterable[Backup]) -> tuple[Backup, ...]:
    digests = {backup.sha256 for backup in planned}
    return tuple(backup for backup in agreed if backup.sha256 in digests)


def _objects(backups: Iterable[Backup]) -> dict[str, int]:
    """Every object that the manifests name, own or not, with its size in bytes."""
    found: dict[str, int] = {}
    for backup in backups:
        envelope = backup.envelope
        for pack in envelope.packs:
            found[pack_name(envelope.database, pack.sha256)] = pack.size
        entry = envelope.catalogue
        found[catalogue_name(envelope.database, entry.sha256)] = entry.size
    return found


def _stored(store: Store, database: str) -> Iterator[StoredObject]:
    """The packs and catalogues that are there. What bears any other name is not ours to judge."""
    prefix = database_prefix(database)
    for item in store.list(f"{prefix}/catalogue"):
        if item.name == catalogue_name(database, sha256_in(item.name)):
            yield item
    for item in store.list(f"{prefix}/pack"):
        if item.name == pack_name(database, sha256_in(item.name)):
            yield item


def _why_not(stored: Iterable[StoredObject], grace: timedelta, now: datetime) -> str:
    """Why the ages of objects cannot be trusted; empty where they can.

    A writer leaves half of the grace period as a margin; a quarter is what clocks may differ by.
    """
    ahead = sum(item.modified > now + grace / 4 for item in stored)
    if not ahead:
        return ""
    return f"{ahead} objects come from the future: compare the clocks of this host and the store"


def _put_tombstones(
    repository: Repository, backups: Iterable[Backup], keep: Keep, signer: Signer, now: datetime
) -> None:
    for backup in backups:
        tombstone = Tombstone(
            format="dbops-tombstone/1",
            repository=repository.id,
            database=backup.id.database,
            sequence=backup.sequence,
            manifest=backup.sha256,
            predecessor=backup.envelope.predecessor,
            at=whole_second(now),
            reason=f"{NO_RULE}: {keep}",
        )
        # A tombstone that nobody trusts could not be taken back, and would count as damage.
        repository.trust.judge(signer.public_key, Namespace.EXPIRY, tombstone.at)
        document = sign_document(encode(tombstone), Namespace.EXPIRY, signer)
        name = tombstone_name(backup.id.database, backup.sequence)
        # ObjectExists: another host marked it first, which is as good.
        with suppress(ObjectExists):
            put_bytes(repository.store, name, document)
