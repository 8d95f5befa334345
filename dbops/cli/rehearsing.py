"""One rehearsal, wired: the work, the backup, the copy, and the files beside the work."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dbops.backup.contents import open_contents
from dbops.backup.ports import Advance, Engine, RestoreOrder
from dbops.cli.wiring import Wiring
from dbops.crypto.age import Identity
from dbops.errors import NotFound, Refused, UsageFault
from dbops.estate.values import Database, PostgresqlAddress
from dbops.repair.transaction import Stage
from dbops.repository.chain import Backup
from dbops.repository.reader import Repository
from dbops.repository.records import ProofLevel

if TYPE_CHECKING:
    from dbops.crypto.signing import KeyFileSigner
    from dbops.repair.bundle import Bundle
    from dbops.repair.manifest import Repair
    from dbops.repair.ports import RepairEngine
    from dbops.repair.rehearsal import Rehearsal
    from dbops.review.policy import Policy
    from dbops.review.work import Work


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """What is about to be rehearsed, on which backup, with what opens it."""

    work: Work
    repair: Repair
    policy: Policy
    worktree: Path
    database: Database
    repository: Repository
    backup: Backup
    signer: KeyFileSigner
    identities: tuple[Identity, ...] = field(repr=False)


def plan_rehearsal(wiring: Wiring, work_id: str, identities: tuple[str, ...] = ()) -> Rehearsing:
    """Return what would be rehearsed; nothing is opened or restored yet.

    `identities` are files named on the command line, beside the host's own. Raises NotFound
    `no-proven-backup`; UsageFault `no-host-key` where this host signs no evidence; Refused where
    the author has not signed the files as they are, or others can change the rules.
    """
    from dbops.cli.repairing import parsed, row_identities
    from dbops.cli.reviewing import check_trust_files, policy_of, worktree_of
    from dbops.repair.rehearsal import REHEARSED
    from dbops.review.folder import find_work, read_work
    from dbops.review.requested import refuse_unrequested

    policy, worktree = policy_of(wiring), worktree_of(wiring)
    check_trust_files(wiring, policy)
    work = read_work(worktree, find_work(worktree, work_id))
    repair = parsed(work).repair
    refuse_unrequested(work, policy, wiring.trust, wiring.clock(), REHEARSED)
    database = wiring.database(repair.database)
    _refuse_configured(wiring, database)
    repository = wiring.repository(database.repository)
    return Rehearsing(
        work=work,
        repair=repair,
        policy=policy,
        worktree=worktree,
        database=database,
        repository=repository,
        backup=_proven(wiring, repository, database),
        signer=_verifier(wiring),
        identities=row_identities(wiring, identities),
    )


def rehearse_work(
    wiring: Wiring,
    plan: Rehearsing,
    *,
    advance: Advance = lambda _: None,
    observe: Callable[[Stage], None] = lambda _: None,
    jobs: int = 1,
) -> Rehearsal:
    """Afterwards the evidence, its signature and the sealed rows are in the work's folder.

    The backup was restored into scratch for it, which is gone again. Raises what
    `repair.rehearse` raises: then the folder is as it was.
    """
    from dbops.cli.repairing import parsed, payload_of, readers_of_rows
    from dbops.repair.rehearsal import RehearsalOrder
    from dbops.repair.rehearse import rehearse, rehearse_undo
    from dbops.review.rehearsed_files import write_rehearsed

    contents = open_contents(plan.repository, plan.backup.envelope, plan.identities)
    payload, bundles = payload_of(plan.work, plan.identities), _bundles(wiring, plan)
    with _private(wiring) as directory, wiring.scratch(plan.database).open(contents) as copy:
        copy.restore(contents, RestoreOrder(jobs=jobs, advance=advance))
        engine = engine_of_copy(wiring, plan.database, copy)
        order = RehearsalOrder(
            work=plan.work,
            repair=plan.repair,
            script=parsed(plan.work).script,
            payload=payload,
            host=wiring.estate.host.name,
            backup=str(plan.backup.id),
            taken=plan.backup.envelope.snapshot,
            proof=plan.backup.level.label,
            readers=readers_of_rows(wiring, plan.policy),
            signer=plan.signer,
            directory=directory,
        )
        if plan.repair.undo_of is not None:
            found = rehearse_undo(order, bundles, engine, wiring.clock, observe)
        else:
            found = rehearse(
                order,
                engine,
                lambda tables: engine.install(engine.prepare_sql(tables)),
                wiring.clock,
                observe,
            )
    write_rehearsed(plan.worktree, plan.work.folder, found.files)
    return found


def _bundles(wiring: Wiring, plan: Rehearsing) -> tuple[Bundle, ...]:
    """The bundles that an undo names, opened; none for a repair."""
    from dbops.cli.repairing import bundle_place

    undo_of = plan.repair.undo_of
    if undo_of is None:
        return ()
    place = bundle_place(wiring)
    return tuple(
        place.open(place.find(sha256, undo_of.work), plan.identities, sha256)
        for sha256 in undo_of.bundles
    )


def _proven(wiring: Wiring, repository: Repository, database: Database) -> Backup:
    for backup in reversed(wiring.history(repository, database.name).living):
        if backup.level is ProofLevel.PROVEN:
            return backup
    raise NotFound(
        "no-proven-backup",
        f"no backup of {database.name} was restored and found equal, so there is nothing to "
        "rehearse on",
        hint=f"dbops backup verify {database.name} --level proven",
    )


def _verifier(wiring: Wiring) -> KeyFileSigner:
    if wiring.verifier is None:
        raise UsageFault(
            "no-host-key",
            "this host signs no evidence: dbops.toml has no host.verifier_key",
            hint="run the command on the verifying host, or add the key there",
        )
    return wiring.verifier


def _refuse_configured(wiring: Wiring, database: Database) -> None:
    """A login for the role that repairs is made in the copy's server: only in one of our own."""
    if isinstance(database, PostgresqlAddress) and wiring.estate.scratch.postgresql.server:
        raise Refused(
            "rehearse-configured",
            f"{database.name} would be rehearsed on a configured scratch server, whose roles are "
            "not dbops' own",
            hint="rehearse where PostgreSQL's programs are installed, without [scratch.postgresql] "
            "host",
        )


def engine_of_copy(wiring: Wiring, database: Database, copy: Engine) -> RepairEngine:
    """The copy, seen by the role that repairs its source."""
    if isinstance(database, PostgresqlAddress):
        from dbops.engines.postgresql.engine import PostgresqlEngine
        from dbops.engines.postgresql.repair_scratch import repair_engine_of_copy

        assert isinstance(copy, PostgresqlEngine)  # noqa: S101 - what its scratch place yields
        role = database.user if database.repair is None else database.repair.user
        return repair_engine_of_copy(copy, role)
    from dbops.engines.sqlite.engine import SqliteEngine

    assert isinstance(copy, SqliteEngine)  # noqa: S101 - what its scratch place yields
    return wiring.repair_engine(copy.address)


@contextmanager
def _private(wiring: Wiring) -> Iterator[Path]:
    """A directory for files that are sealed to nobody who lives on, gone afterwards."""
    place = wiring.state.scratch() / f"rehearsal-{secrets.token_hex(8)}"
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
