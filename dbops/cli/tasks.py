"""One database's backup and one backup's verification, wired: what commands and the demo call."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dbops.audit.recording import Account, Unwritable
from dbops.backup.create import BackupOrder, create_backup
from dbops.backup.verify import VerifyOrder, verify_backup
from dbops.cli.entries import backup_intent, backup_taken, verified, verify_intent
from dbops.cli.ledger import recording
from dbops.cli.progress import Progress
from dbops.cli.wiring import TOOL, Wiring
from dbops.crypto.age import Identity
from dbops.errors import DbopsError, NotFound, Refused, UsageFault
from dbops.estate.values import Database, PostgresqlDatabase
from dbops.repository.chain import Backup, Damage, Head, History
from dbops.repository.manifest import BackupId, Envelope
from dbops.repository.reader import Repository, find_backup
from dbops.repository.records import Certificate, ProofLevel

SHRUNK = 0.5
Opener = Callable[[str], Repository]
"""Opens the repository of that name, or another one that the command line put in its place."""

_BACKUP = re.compile(r"([a-z0-9][a-z0-9-]{0,62})@([1-9][0-9]{0,7})")


def parse_backup_id(text: str) -> BackupId | None:
    """`DATABASE@SEQUENCE`, or None for anything else."""
    found = _BACKUP.fullmatch(text)
    return BackupId(found[1], int(found[2])) if found else None


def require_backup_id(text: str) -> BackupId:
    """The same; raises UsageFault for anything else."""
    found = parse_backup_id(text)
    if found is None:
        raise UsageFault(
            "backup-id",
            f"not a backup: {text}",
            hint="a backup is named DATABASE@NUMBER; dbops backup list shows them",
        )
    return found


def take_backup(
    wiring: Wiring,
    database: Database,
    opener: Opener,
    progress: Progress,
    unrecorded: Callable[[DbopsError], None],
    jobs: int | None = None,
) -> tuple[Envelope, tuple[Damage, ...]]:
    """Afterwards the database has a new backup, this host remembers it, and its ledger says so.

    Also returns what is wrong with the chain of the earlier ones. A backup happens though the
    ledger cannot be written: then `unrecorded` is told why, however the backup ends.
    """
    account: Account | None = None
    try:
        with recording(
            wiring, backup_intent(database.name), unwritable=Unwritable.GO_ON
        ) as account:
            repository = opener(database.repository)
            envelope, head, damages = _take(wiring, database, repository, progress, jobs)
            backup_taken(account, repository.store.title, envelope, head, damages)
    finally:
        if account is not None and account.fault is not None:
            unrecorded(account.fault)
    return envelope, damages


def _take(
    wiring: Wiring,
    database: Database,
    repository: Repository,
    progress: Progress,
    jobs: int | None,
) -> tuple[Envelope, Head, tuple[Damage, ...]]:
    policy = wiring.policy(database)
    _refuse_replaced(wiring, repository)
    repository.store.sweep()
    with wiring.state.lock(database.name):
        order = BackupOrder(
            database=database.name,
            engine=database.engine.value,
            host=wiring.estate.host.name,
            tool=TOOL,
            keys=wiring.sealing_keys(),
            proof_key=secrets.token_bytes(32),
            jobs=jobs or (database.jobs if isinstance(database, PostgresqlDatabase) else 1),
            grace=policy.grace,
            generation=policy.generation,
            witness=policy.witness,
            expect=progress.expect,
        )
        history = wiring.history(repository, database.name)
        engine = wiring.engine(database)
        envelope, head = create_backup(
            engine, repository, history, order, wiring.clock, progress.advance
        )
        wiring.remember(repository, database.name, head)
    return envelope, head, (*history.damages, *_surprises(history, envelope))


def _refuse_replaced(wiring: Wiring, repository: Repository) -> None:
    """Backups of this host do not go into a repository that somebody put in place of its own."""
    for damage in wiring.state.check_repository(repository.store.title, repository.id):
        raise Refused(
            "repository-replaced",
            f"{damage}",
            hint="put the old one back, or make a new one: dbops repository create",
        )


def _surprises(history: History, envelope: Envelope) -> Iterator[Damage]:
    """What a person should look at in the source: said once, with the backup that shows it.

    A restored or upgraded server is another database too, and a purge makes one smaller.
    """
    if not history.living:
        return
    before, subject = history.living[-1].envelope, str(envelope.id)
    if before.identity != envelope.identity:
        reason = f"another database than {before.id}: the engine's own identity has changed"
        yield Damage(subject, reason)
    was, is_now = before.totals.bytes, envelope.totals.bytes
    if is_now < was * SHRUNK:
        reason = f"less than half of {before.id} was there to read: {is_now} bytes instead of {was}"
        yield Damage(subject, reason)


@dataclass(frozen=True)
class Verification:
    """How to verify in one run: the packs found good are shared among its backups."""

    wiring: Wiring
    level: ProofLevel
    identities: tuple[Identity, ...]
    jobs: int
    checked: set[str]

    def verify(
        self, database: Database, repository: Repository, backup: Backup, progress: Progress
    ) -> Certificate:
        """Climb to the level; the certificate stands beside the backup, the climb in the ledger."""
        with recording(self.wiring, verify_intent(backup, self.level)) as account:
            certificate = self._climb(database, repository, backup, progress)
            verified(account, certificate)
        return certificate

    def _climb(
        self, database: Database, repository: Repository, backup: Backup, progress: Progress
    ) -> Certificate:
        wiring = self.wiring
        progress.expect(backup.envelope.totals.stored)
        order = VerifyOrder(
            level=self.level,
            identities=self.identities,
            scratch=wiring.scratch(database),
            host=wiring.estate.host.name,
            tool=TOOL,
            signer=wiring.verifier,
            checked=self.checked,
            jobs=self.jobs,
        )
        return verify_backup(repository, backup, order, wiring.clock, progress.advance)


def pick_backup(history: History, backup: BackupId | None) -> Backup:
    """The named backup, expiring ones included, or the newest living one."""
    if backup is None:
        return find_backup(history, lambda _: True, f"of {history.database} yet")
    for item in history.backups:
        if item.id == backup:
            return item
    raise NotFound("no-backup", f"no backup {backup}", hint=f"dbops backup list {backup.database}")


def each_named(
    wiring: Wiring, names: tuple[str, ...], *, every: bool
) -> list[tuple[Database, BackupId | None]]:
    """What a command line of DATABASE or DATABASE@NUMBER words means."""
    if every or not names:
        return [(database, None) for database in wiring.choose(names, every=every)]
    found: list[tuple[Database, BackupId | None]] = []
    for name in names:
        backup = parse_backup_id(name)
        found.append((wiring.database(backup.database if backup else name), backup))
    return found


def repository_opener(wiring: Wiring, chosen: str | None = None) -> Opener:
    """Opens each repository once; `chosen` overrides what the database says."""
    opened: dict[str, Repository] = {}

    def open_one(name: str) -> Repository:
        name = chosen or name
        if name not in opened:
            opened[name] = wiring.repository(name)
        return opened[name]

    return open_one
