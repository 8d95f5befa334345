"""One rehearsal, wired: the work, the backup, the copy, and the files beside the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbops.backup.contents import open_contents
from dbops.backup.ports import Advance, RestoreOrder
from dbops.cli.rehearsal_ground import (
    Ground,
    evidence_signer,
    ground_of,
    of_copy,
    proven_backup,
    refuse_unasked,
    rehearsal_directory,
)
from dbops.cli.wiring import Wiring
from dbops.crypto.age import Identity
from dbops.errors import DbopsError
from dbops.estate.values import Database
from dbops.repair.transaction import Stage
from dbops.repository.chain import Backup
from dbops.repository.reader import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.crypto.signing import KeyFileSigner
    from dbops.repair.manifest import Repair
    from dbops.repair.payload import Payload
    from dbops.repair.rehearsal import Rehearsal, RehearsalOrder
    from dbops.review.work import Work


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """What is about to be rehearsed, on which backup, with what opens it."""

    ground: Ground
    repair: Repair
    database: Database
    repository: Repository
    backup: Backup
    signer: KeyFileSigner
    identities: tuple[Identity, ...] = field(repr=False)

    @property
    def work(self) -> Work:
        """The files that are rehearsed."""
        return self.ground.work


def plan_rehearsal(wiring: Wiring, work_id: str, identities: tuple[str, ...] = ()) -> Rehearsing:
    """Return what would be rehearsed; nothing is opened or restored yet.

    `identities` are files named on the command line, beside the host's own. Raises NotFound
    `no-proven-backup`; UsageFault `no-host-key` where this host signs no evidence; Refused where
    the author has not signed the files as they are, or others can change the rules.
    """
    from dbops.cli.repairing import parsed, row_identities
    from dbops.repair.rehearsal import REHEARSED

    ground = ground_of(wiring, work_id)
    repair = parsed(ground.work).repair
    refuse_unasked(wiring, ground, REHEARSED)
    database = wiring.database(repair.database)
    wiring.refuse_foreign_scratch(database)
    repository = wiring.repository(database.repository)
    return Rehearsing(
        ground=ground,
        repair=repair,
        database=database,
        repository=repository,
        backup=proven_backup(wiring, repository, database),
        signer=evidence_signer(wiring),
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
    from dbops.review.rehearsed_files import write_rehearsed

    try:
        found = _rehearse(wiring, plan, advance, observe, jobs)
    except DbopsError as fault:
        raise of_copy(fault, plan.database.name) from None
    write_rehearsed(plan.ground.worktree, plan.work.folder, found.files)
    return found


def _rehearse(
    wiring: Wiring,
    plan: Rehearsing,
    advance: Advance,
    observe: Callable[[Stage], None],
    jobs: int,
) -> Rehearsal:
    from dbops.cli.repairing import payload_of, undone_bundles
    from dbops.repair.rehearse import rehearse, rehearse_undo

    contents = open_contents(plan.repository, plan.backup.envelope, plan.identities)
    payload = payload_of(plan.work, plan.identities)
    bundles = undone_bundles(wiring, plan.repair, plan.identities)
    scratch = wiring.scratch(plan.database)
    with rehearsal_directory(wiring) as directory, scratch.open(contents) as copy:
        copy.restore(contents, RestoreOrder(jobs=jobs, advance=advance))
        engine = wiring.repair_engine_of_copy(plan.database, copy)
        order = _order(wiring, plan, payload, directory)
        if plan.repair.undo_of is not None:
            return rehearse_undo(order, bundles, engine, wiring.clock, observe)
        return rehearse(
            order,
            engine,
            lambda tables: engine.install(engine.prepare_sql(tables)),
            wiring.clock,
            observe,
        )


def _order(
    wiring: Wiring, plan: Rehearsing, payload: Payload | None, directory: Path
) -> RehearsalOrder:
    from dbops.cli.repairing import parsed, readers_of_rows
    from dbops.repair.rehearsal import RehearsalOrder

    return RehearsalOrder(
        work=plan.work,
        repair=plan.repair,
        script=parsed(plan.work).script,
        payload=payload,
        host=wiring.estate.host.name,
        backup=str(plan.backup.id),
        taken=plan.backup.envelope.snapshot,
        proof=plan.backup.level.label,
        readers=readers_of_rows(wiring, plan.ground.policy),
        signer=plan.signer,
        directory=directory,
    )
