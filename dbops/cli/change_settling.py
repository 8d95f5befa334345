"""What a run of a change left without a known end, and how it is brought to one, wired."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbops.errors import Refused

if TYPE_CHECKING:
    from dbops.audit.entry import Effect
    from dbops.audit.recording import Account
    from dbops.change.attempts import RecordedChange
    from dbops.change.going import Observe
    from dbops.change.report import ChangeReport
    from dbops.change.resume import Became, Onward
    from dbops.change.run_order import ChangeRun
    from dbops.change.stage import Moment
    from dbops.change.step import Direction
    from dbops.cli.baselines import Kept
    from dbops.cli.change_unsettled import Unsettled
    from dbops.cli.changing import ReadChange
    from dbops.cli.wiring import Wiring
    from dbops.review.work import Work


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
    def direction(self) -> Direction:
        """Up where the change stands now, down where it is gone."""
        from dbops.change.resume import Fate
        from dbops.change.step import Direction

        stands = self.became.fate is Fate.WHOLE
        if self.report is not None:
            stands = self.report.direction is Direction.UP
        return Direction.UP if stands else Direction.DOWN


def settle(
    wiring: Wiring, left: Unsettled, onward: Onward, watch: Observe = lambda _: None
) -> Settled | None:
    """Afterwards it has a known end, which the ledger knows too; `watch` is told each moment.

    None where another process has settled it since it was `left`.

    The ledger has an intent before anything is done. Raises where the database cannot be asked, and
    Refused `change-plan` where the files are not those that ran. Who is killed here leaves what the
    next one finds.
    """
    from dbops.cli.change_entries import resume_intent
    from dbops.cli.change_unsettled import still_unsettled
    from dbops.cli.changing import read_change
    from dbops.cli.ledger import recording
    from dbops.cli.render import say
    from dbops.review.authorize import only_run

    # Who is at it holds the lock of the work; what is not decided yet must not be recorded.
    with only_run(wiring.state.locks, left.work):
        found = read_change(wiring, left.work)
        still = still_unsettled(wiring, left, found)
        if still is None:
            return None
        left, run = still, still.recorded
        _refuse_other_files(wiring, left, found.work)
        _refuse_unapproved(wiring, left, found.work)
        order = _order(wiring, found, left)
        resumes = None if run is None else run.run
        intent = resume_intent(found.work, found.change, left.database, order.run, resumes, onward)
        with recording(wiring, intent) as account:
            settled = _brought(wiring, left, order, onward, account, watch)
        _answer(wiring, left, settled)
    for remark in () if settled.kept is None else settled.kept.remarks:
        say(f"remark: {remark}")
    return settled


def _order(wiring: Wiring, found: ReadChange, left: Unsettled) -> ChangeRun:
    """What ran; the database itself is asked for its identity, which the run's must be."""
    from dbops.cli.change_run import order_of

    identity = wiring.change_engine(wiring.database(left.database)).identity()
    _refuse_other(left, identity)
    order = order_of(wiring, found, left.database, secrets.token_hex(16), None)
    return replace(order, identity=identity)


def _brought(
    wiring: Wiring,
    left: Unsettled,
    order: ChangeRun,
    onward: Onward,
    account: Account,
    watch: Observe,
) -> Settled:
    """Afterwards it is where it is to be, and the account says what was done for that."""
    from dbops.audit.entry import DigestOf, Label
    from dbops.change.resume import resume_change
    from dbops.cli.change_entries import changed, follow_change

    follow = follow_change(account)

    def observe(moment: Moment) -> None:
        follow(moment)
        watch(moment)

    engine = wiring.change_engine(wiring.database(left.database))
    became, report = resume_change(order, engine, onward, observe, wiring.sleep)
    _refuse_lost_journal(wiring, left, became, order)
    kept = _kept(wiring, became, report, order)
    if report is not None:
        changed(account, report, None if kept is None else kept.digest)
    elif kept is not None and kept.digest is not None:
        account.digest(DigestOf.SCHEMA, kept.digest)
    settled = Settled(became, report, kept, order.rehearsed is not None)
    account.name(Label.DIRECTION, settled.direction.value)
    if left.recorded is None:
        account.effect(_foreign_effect(became))
    return settled


def _refuse_lost_journal(wiring: Wiring, left: Unsettled, became: Became, order: ChangeRun) -> None:
    """Raise Refused `change-journal` where the journal has nothing of a run that did something.

    What the change makes tells that where it was rehearsed, and else what the ledger says.
    """
    from dbops.audit.entry import Effect
    from dbops.change.drift import told
    from dbops.change.resume import Fate
    from dbops.change.settled import already_there
    from dbops.cli.change_drift import live_schema

    run = left.recorded
    if became.fate is not Fate.NOTHING or run is None:
        return
    why = "the ledger says that some of it is done" if run.effect is Effect.COMMITTED else ""
    if order.rehearsed is not None:
        found = already_there(order.rehearsed, live_schema(wiring, left.database))
        why = f"what it makes is there: {told(found)}" if found else ""
    if why:
        raise Refused(
            "change-journal",
            f"the journal of {left.database} has nothing of {left.work}, and {why}",
            hint="find the journal (dbops_change) that was there, or take back by hand what is"
            f" there; then: dbops change resume {left.work}",
        )


def _answer(wiring: Wiring, left: Unsettled, settled: Settled) -> None:
    """Afterwards the ledger has the ends of those that had none; the run's is the last."""
    from dbops.audit.entry import Effect
    from dbops.cli import change_entries
    from dbops.cli.ledger import ledger_of

    ledger, became = ledger_of(wiring), settled.became
    for resume in left.resumes:
        effect = Effect.COMMITTED if resume.run in became.wrote else Effect.NONE
        ledger.append(change_entries.broken_off(resume, effect))
    if left.recorded is not None:
        steps = 0 if settled.report is None else len(settled.report.steps)
        schema = None if settled.kept is None else settled.kept.digest
        effect = _effect(left.recorded, settled)
        ledger.append(
            change_entries.settled(left.recorded, effect, settled.direction, steps, schema)
        )


def _refuse_other_files(wiring: Wiring, left: Unsettled, work: Work) -> None:
    """Raise Refused where the files are not those that ran, or nobody vouches for the rehearsal.

    What the schema is compared with, and recorded as, comes from what was rehearsed: that is either
    what ran, or signed by who rehearses.
    """
    from dbops.change.rehearsed_files import made_by_rehearsal, own_files
    from dbops.review.evidence import attested_at

    ran = (*(() if left.recorded is None else (left.recorded,)), *left.resumes)
    hint = "check out the commit that ran"
    if ran:
        hint = f"{hint}: dbops audit show {ran[0].sequence}"
    if any(each.scripts not in {None, own_files(work)} for each in ran):
        raise Refused(
            "change-plan",
            f"the files of {left.work} are not those that ran on {left.database}",
            hint=hint,
        )
    foreign = left.recorded is None or left.recorded.foreign
    if left.recorded is not None and not foreign and left.recorded.plan in {None, work.plan}:
        return
    if foreign and not made_by_rehearsal(work.files):
        return  # the policy says whether it goes without
    try:
        made = attested_at(work, wiring.trust, wiring.clock())
    except Refused as fault:
        raise Refused(
            "change-plan",
            f"what was rehearsed of {left.work} is not what ran on {left.database}, and nobody"
            f" vouches for it: {fault.message}",
            hint=hint,
        ) from None
    if left.recorded is not None and not foreign and made < left.recorded.at:
        raise Refused(
            "change-plan",
            f"what was rehearsed of {left.work} is older than the run on {left.database}, and not"
            " what was approved then",
            hint=hint,
        )


def _refuse_unapproved(wiring: Wiring, left: Unsettled, work: Work) -> None:
    """Raise Refused `change-plan` where files of another ledger's run are not approved here.

    A journal can be written by whoever has the admin login; what runs is what people signed.
    """
    from dbops.cli.reviewing import policy_of
    from dbops.review.judge import judge
    from dbops.review.memory import Memory
    from dbops.review.work import read_manifest

    if left.recorded is not None and not left.recorded.foreign:
        return
    judged = judge(
        work,
        read_manifest(work),
        policy_of(wiring),
        wiring.trust,
        Memory(),
        None,
        None,
        wiring.clock(),
    )
    if not judged.complete:
        raise Refused(
            "change-plan",
            f"{left.work} began on {left.database} under another ledger, and what lies here may not"
            f" run: {judged.reasons[0].message}",
            hint=f"check out the commit that ran; what is missing: dbops review show {left.work}",
        )


def _refuse_other(left: Unsettled, identity: str) -> None:
    """Raise Refused where the alias leads to another database than then: it knows nothing."""
    from dbops.cli.entries import fit

    if left.recorded is not None and left.recorded.identity not in {None, fit(identity)}:
        raise Refused(
            "change-database",
            f"{left.database} is another database now than the one that {left.work} ran on",
            hint="let the name in dbops.toml lead to that one, and ask again",
        )


def _kept(
    wiring: Wiring, became: Became, report: ChangeReport | None, order: ChangeRun
) -> Kept | None:
    """The schema that the database is to have now; None where nobody can vouch for it."""
    from dbops.change.resume import Fate
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


def _effect(run: RecordedChange, settled: Settled) -> Effect:
    """Whether what was approved took place: the run up, or the way back; a resume of it counts.

    What another run came to, as one of another host, is none of its effect.
    """
    from dbops.audit.entry import Effect

    became, report = settled.became, settled.report
    if run.foreign:
        return _foreign_effect(became)
    if report is not None:
        return Effect.COMMITTED if report.direction is run.direction else Effect.NONE
    own = {(each, run.direction) for each in (run.run, *run.resumes)}
    return Effect.COMMITTED if own & became.ended else Effect.NONE


def _foreign_effect(became: Became) -> Effect:
    """Of what began under another ledger: whether any of it took place."""
    from dbops.audit.entry import Effect
    from dbops.change.resume import Fate

    return Effect.NONE if became.fate is Fate.NOTHING else Effect.COMMITTED
