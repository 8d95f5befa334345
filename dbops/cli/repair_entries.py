"""What the commands of repair say of themselves to the ledger: names, counts and digests; pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from dbops.audit.entry import Count, DigestOf, Draft, Effect, Event, Label, Phase
from dbops.cli.entries import allowed_by, fit, fit_ticket
from dbops.repair.transaction import Stage, took_place
from dbops.review.work import EVIDENCE
from dbops.sql.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dbops.audit.recording import Account
    from dbops.repair.evidence import RepairEvidence
    from dbops.repair.manifest import Repair
    from dbops.repair.report import RunReport
    from dbops.repository.chain import Backup
    from dbops.review.authorize import Authorization
    from dbops.review.work import Work


def run_intent(repair: Repair, run: str, allowed: Authorization | None) -> Draft:
    """The intent of a run or an undo; `run` is the id that its transaction leaves behind.

    It names the database by its own identity too: the alias may lead elsewhere later.
    """
    names = {Label.RUN: run}
    if allowed is not None and allowed.identity is not None:
        names[Label.IDENTITY] = fit(allowed.identity)
    undo_of = repair.undo_of
    if undo_of is not None:
        names[Label.UNDOES] = fit(undo_of.work)
    event = Event.REPAIR_RUN if undo_of is None else Event.REPAIR_UNDO
    draft = Draft(
        event=event, phase=Phase.INTENT, target=repair.database, work=repair.id, names=names
    )
    return allowed_by(draft, allowed)


def follow(account: Account) -> Callable[[Stage], None]:
    """Return an observer that keeps the outcome's effect true, whenever the process ends."""
    effects = {None: Effect.UNKNOWN, True: Effect.COMMITTED, False: Effect.NONE}
    so_far: bool | None = False
    account.effect(Effect.NONE)

    def observe(stage: Stage) -> None:
        nonlocal so_far
        so_far = took_place(so_far, stage)
        account.effect(effects[so_far])

    return observe


def ran(account: Account, reports: Sequence[RunReport]) -> None:
    """Afterwards the outcome counts the rows of every transaction, and names the last bundle."""
    ops = sum((effect.ops for report in reports for effect in report.tables), Written())
    account.count(Count.INSERTED, ops.inserted)
    account.count(Count.UPDATED, ops.updated)
    account.count(Count.DELETED, ops.deleted)
    account.count(Count.ROWS, ops.total)
    account.count(Count.TABLES, len({effect.table for r in reports for effect in r.tables}))
    account.count(Count.ATTEMPTS, sum(report.attempts for report in reports))
    account.count(Count.MILLISECONDS, round(1000 * sum(report.seconds for report in reports)))
    if len(reports) > 1:
        account.count(Count.BATCHES, len(reports))
    if reports:
        account.name(Label.SERVER, fit(reports[-1].server))
        account.digest(DigestOf.BUNDLE, reports[-1].sha256)


def rehearsal_intent(work: Work, repair: Repair, backup: Backup) -> Draft:
    """The intent of a rehearsal: no approval is used, and the database itself is not touched."""
    return Draft(
        event=Event.REPAIR_REHEARSE,
        phase=Phase.INTENT,
        target=repair.database,
        work=repair.id,
        ticket=None if repair.ticket is None else fit_ticket(repair.ticket),
        names={Label.BACKUP: str(backup.id)},
        digests={DigestOf.PLAN: work.plan, DigestOf.MANIFEST: backup.sha256},
    )


def rehearsed(account: Account, evidence: RepairEvidence, files: Mapping[str, bytes]) -> None:
    """Afterwards the outcome counts what the rehearsal wrote, and names the evidence's digest."""
    account.count(Count.ROWS, evidence.rows)
    account.count(Count.TABLES, len(evidence.tables))
    account.count(Count.MILLISECONDS, evidence.took)
    account.digest(DigestOf.EVIDENCE, hashlib.sha256(files[EVIDENCE]).hexdigest())


def shown(work: str, database: str, run: str | None) -> Draft:
    """The record that sealed rows are about to be opened for somebody's eyes."""
    names = {} if run is None else {Label.RUN: fit(run)}
    return Draft(event=Event.REPAIR_SHOW, target=fit(database), work=fit(work), names=names)


def brought_back(work: str, database: str, backup: str) -> Draft:
    """The intent to open rows of a backup for a repair that is being drawn up."""
    return Draft(
        event=Event.REPAIR_SHOW,
        phase=Phase.INTENT,
        target=fit(database),
        work=fit(work),
        names={Label.BACKUP: backup},
    )
