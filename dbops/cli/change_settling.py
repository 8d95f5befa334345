"""What a run of a change left without a known end, and how it is brought to one, wired."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbops.errors import NotFound

if TYPE_CHECKING:
    from dbops.audit.entry import Draft
    from dbops.audit.recording import Account
    from dbops.change.fate import Became
    from dbops.change.going import Observe
    from dbops.change.report import ChangeReport
    from dbops.change.resume import Onward
    from dbops.change.run_order import ChangeRun
    from dbops.change.stage import Moment
    from dbops.change.step import Direction
    from dbops.cli.baselines import Kept
    from dbops.cli.change_unsettled import Unsettled
    from dbops.cli.changing import ReadChange
    from dbops.cli.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found, what was done about it, and what is recorded now.

    `compared` says that a rehearsal knew how the schema was before.
    """

    became: Became
    report: ChangeReport | None
    kept: Kept | None
    compared: bool = False

    @property
    def brought(self) -> Direction | None:
        """The direction that was brought to its end just now."""
        return None if self.report is None else self.report.direction


def settle(
    wiring: Wiring, left: Unsettled, onward: Onward, watch: Observe = lambda _: None
) -> Settled | None:
    """Afterwards it has a known end, which the ledger knows too; `watch` is told each moment.

    None where another process has settled it since it was `left`.

    The ledger has an intent before anything is done. Raises where the database cannot be asked,
    NotFound `work-missing`, Refused `change-plan` where the files are not those that ran, and of
    what another ledger began where the rest of it may not be run here. Who is killed here leaves
    what the next one finds.
    """
    from dbops.cli.baselines import recorded_alone
    from dbops.cli.change_resume_refusals import refuse_other_files, refuse_unprotected_rules
    from dbops.cli.change_unsettled import still_unsettled
    from dbops.cli.ledger import recording
    from dbops.cli.render import say
    from dbops.review.authorize import only_run

    # Who is at it holds the lock of the work; what is not decided yet must not be recorded.
    with only_run(wiring.state.locks, left.work), recorded_alone(wiring, left.database):
        found = _found(wiring, left)
        still = still_unsettled(wiring, left, found)
        if still is None:
            return None
        left = still
        refuse_other_files(wiring, left, found.work)
        refuse_unprotected_rules(wiring, left)
        order = _order(wiring, found, left)
        known, intent = _known(wiring, left, found, order, onward)
        with recording(wiring, intent) as account:
            settled = _brought(wiring, left, order, onward, known, account, watch)
        _answer(wiring, left, settled)
    for remark in () if settled.kept is None else settled.kept.remarks:
        say(f"remark: {remark}")
    return settled


def _found(wiring: Wiring, left: Unsettled) -> ReadChange:
    """The change as it lies here; raises NotFound `work-missing` with where the ledger has it."""
    from dbops.cli.changing import read_change

    try:
        return read_change(wiring, left.work)
    except NotFound as fault:
        if left.recorded is None:
            raise
        hint = f"check out the commit that ran: dbops audit show {left.recorded.sequence}"
        raise NotFound(fault.code, fault.message, hint=hint) from None


def _order(wiring: Wiring, found: ReadChange, left: Unsettled) -> ChangeRun:
    """What ran; the database itself is asked for its identity, which the run's must be."""
    from dbops.cli.change_resume_refusals import refuse_other_database
    from dbops.cli.change_run import order_of

    identity = wiring.change_engine(wiring.database(left.database)).identity()
    refuse_other_database(left, identity)
    order = order_of(wiring, found, left.database, secrets.token_hex(16), None)
    return replace(order, identity=identity)


def _known(
    wiring: Wiring, left: Unsettled, found: ReadChange, order: ChangeRun, onward: Onward
) -> tuple[Became | None, Draft]:
    """What the journal says of what began under another ledger, and the intent to go on with it.

    None of what this ledger began. Raises Refused where some of it is to be run, and that is not
    approved here. To take note of what has an end nobody is asked.
    """
    from dbops.change.fate import Fate
    from dbops.change.resume import Onward, what_became
    from dbops.change.step import Direction
    from dbops.cli.change_entries import resume_intent, taken_over
    from dbops.cli.change_resume_refusals import began_elsewhere, refuse_unapproved

    resumes, work = None if left.recorded is None else left.recorded.run, found.work
    intent = resume_intent(work, found.change, left.database, order.run, resumes, onward)
    if not began_elsewhere(left):
        return None, intent
    became = what_became(order, wiring.change_engine(wiring.database(left.database)))
    if became.fate is Fate.HALF:
        back = onward is Onward.REVERT or became.direction is Direction.DOWN
        judged = refuse_unapproved(wiring, left, work, order.identity, back=back)
        intent = taken_over(intent, work, judged, order.identity)
    return became, intent


def _brought(
    wiring: Wiring,
    left: Unsettled,
    order: ChangeRun,
    onward: Onward,
    known: Became | None,
    account: Account,
    watch: Observe,
) -> Settled:
    """Afterwards it is where it is to be, and the account says what was done for that."""
    from dbops.audit.entry import DigestOf, Label
    from dbops.change.fate import foreign_effect, stands_since
    from dbops.change.resume import resume_change
    from dbops.cli.change_entries import changed, follow_change
    from dbops.cli.change_resume_refusals import refuse_lost_journal

    follow = follow_change(account)

    def observe(moment: Moment) -> None:
        follow(moment)
        watch(moment)

    engine = wiring.change_engine(wiring.database(left.database))
    if known is not None and known.is_at_its_end:
        became, report = known, None
    else:
        became, report = resume_change(order, engine, onward, observe, wiring.sleep)
    refuse_lost_journal(wiring, left, became, order)
    kept = _kept(wiring, became, report, order)
    if report is not None:
        changed(account, report, None if kept is None else kept.digest)
    elif kept is not None and kept.digest is not None:
        account.digest(DigestOf.SCHEMA, kept.digest)
    settled = Settled(became, report, kept, order.rehearsed is not None)
    account.name(Label.DIRECTION, stands_since(became, settled.brought).value)
    if left.recorded is None:
        account.effect(foreign_effect(became))
    return settled


def _answer(wiring: Wiring, left: Unsettled, settled: Settled) -> None:
    """Afterwards the ledger has the ends of those that had none; the run's is the last."""
    from dbops.audit.entry import Effect, Label
    from dbops.change.fate import effect_of, is_gone_without_trace, stands_since
    from dbops.cli.change_entries import broken_off, came_to
    from dbops.cli.ledger import ledger_of

    run, became, brought = left.recorded, settled.became, settled.brought
    if run is None:
        return
    ledger = ledger_of(wiring)
    for resume in (each for each in run.resumes if each.is_open):
        effect = Effect.COMMITTED if resume.run in became.wrote else Effect.NONE
        ledger.append(broken_off(run, resume, effect))
    steps = 0 if settled.report is None else len(settled.report.steps)
    schema = None if settled.kept is None else settled.kept.digest
    effect, stands = effect_of(run, became, brought), stands_since(became, brought)
    draft = came_to(run, effect, stands, steps, schema)
    if is_gone_without_trace(run, became):
        draft = replace(draft, names={**draft.names, Label.CAUSE: "change-journal"})
    ledger.append(draft)


def _kept(
    wiring: Wiring, became: Became, report: ChangeReport | None, order: ChangeRun
) -> Kept | None:
    """The schema that the database is to have now; None where nobody can vouch for it."""
    from dbops.change.fate import Fate
    from dbops.change.settled import made_before, made_by_report
    from dbops.cli.baselines import has_baseline, record_run
    from dbops.cli.change_drift import live_schema

    if report is not None:
        made = made_by_report(order, became, report)
        return record_run(wiring, order.database, made.before, made.after)
    if became.fate is Fate.NOTHING or order.rehearsed is None:
        return None
    live = live_schema(wiring, order.database)
    found = made_before(order, became.fate, live)
    if found is None or not (found.is_live or has_baseline(wiring, order.database)):
        return None
    return record_run(wiring, order.database, found.before, found.after, live)
