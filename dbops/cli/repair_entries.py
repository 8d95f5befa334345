"""What the commands of repair say of themselves to the ledger: names, counts and digests; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.audit.entry import Count, DigestOf, Draft, Effect, Event, Label, Phase
from dbops.cli.entries import allowed_by, fit
from dbops.repair.table import Ops
from dbops.repair.transaction import Stage, took_place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dbops.audit.recording import Account
    from dbops.repair.manifest import Repair
    from dbops.repair.report import RunReport
    from dbops.review.authorize import Authorization


def run_intent(repair: Repair, run: str, allowed: Authorization | None) -> Draft:
    """The intent of a run or an undo; `run` is the id that its transaction leaves behind."""
    names = {Label.RUN: run}
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
    ops = sum((effect.ops for report in reports for effect in report.tables), Ops())
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
