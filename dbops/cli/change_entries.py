"""What the commands of change say of themselves to the ledger: names, counts and digests; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dbops.audit.entry import Count, DigestOf, Draft, Effect, Event, Label, Phase, Result
from dbops.change.rehearsed_files import own_files
from dbops.change.resume import Onward
from dbops.change.stage import Moment, SoFar
from dbops.change.step import Direction
from dbops.cli.entries import allowed_by, fit, fit_ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbops.audit.recording import Account
    from dbops.change.attempts import RecordedChange, Resume
    from dbops.change.evidence import ChangeEvidence
    from dbops.change.manifest import Change
    from dbops.change.report import ChangeReport
    from dbops.repository.chain import Backup
    from dbops.review.authorize import Authorization
    from dbops.review.judge import Judgement
    from dbops.review.work import Work

_EVENTS = {Direction.UP: Event.CHANGE_RUN, Direction.DOWN: Event.CHANGE_REVERT}


def change_intent(
    work: Work,
    database: str,
    run: str,
    direction: Direction,
    allowed: Authorization | None,
) -> Draft:
    """The intent of a run or a revert; `run` is the id that its journal rows have."""
    names = {Label.RUN: run}
    if allowed is not None and allowed.identity is not None:
        names[Label.IDENTITY] = fit(allowed.identity)
    draft = Draft(
        event=_EVENTS[direction],
        phase=Phase.INTENT,
        target=database,
        work=work.id,
        names=names,
        digests={DigestOf.SCRIPTS: own_files(work)},
    )
    return allowed_by(draft, allowed)


def resume_intent(
    work: Work, change: Change, database: str, run: str, resumes: str | None, onward: Onward
) -> Draft:
    """The intent to settle what the run `resumes` left; `run` is the id of the new journal rows.

    No approval is used: what began under one ends under it. `resumes` is None of a run that this
    ledger does not have.
    """
    direction = Direction.DOWN if onward is Onward.REVERT else Direction.UP
    names = {Label.RUN: run, Label.DIRECTION: direction.value}
    if resumes is not None:
        names[Label.RESUMES] = resumes
    return Draft(
        event=Event.CHANGE_RESUME,
        phase=Phase.INTENT,
        target=database,
        work=work.id,
        ticket=None if change.ticket is None else fit_ticket(change.ticket),
        names=names,
        digests={DigestOf.SCRIPTS: own_files(work)},
    )


def taken_over(draft: Draft, work: Work, judged: Judgement, identity: str) -> Draft:
    """Return the intent to go on with another ledger's run, with what allows that here.

    It uses the approvals up on this host, as the run did on the other.
    """
    from dbops.review.statement import Decision  # commands without approvals read no YAML

    names = {**draft.names, Label.IDENTITY: fit(identity)}
    if judged.break_glass:
        names[Label.DECISION] = Decision.BREAK_GLASS.value
    digests = {**draft.digests, DigestOf.PLAN: work.plan}
    return replace(draft, names=names, digests=digests, approvals=judged.approvals)


def came_to(
    run: RecordedChange, effect: Effect, stands: Direction, steps: int, schema: str | None
) -> Draft:
    """The last word on a run: what came of it, and the digest of the schema that is recorded.

    The change stands where `stands` is up, and is gone where it is down; `steps` of it were done
    just now.
    """
    draft = _answer(run, run.sequence, run.run, Result.DONE, effect)
    return replace(
        draft,
        names={**draft.names, Label.DIRECTION: stands.value},
        counts={Count.STEPS: steps} if steps else {},
        digests={} if schema is None else {DigestOf.SCHEMA: schema},
    )


def broken_off(run: RecordedChange, resume: Resume, effect: Effect) -> Draft:
    """What the journal says of a resume of the run that nobody saw end."""
    return _answer(run, resume.sequence, resume.run, Result.INTERRUPTED, effect)


def _answer(run: RecordedChange, of: int, rows: str, result: Result, effect: Effect) -> Draft:
    return Draft(
        event=Event.CHANGE_RESUME,
        phase=Phase.OUTCOME,
        of=of,
        target=run.database,
        work=run.work,
        names={Label.RUN: rows},
        result=result,
        effect=effect,
    )


def follow_change(account: Account) -> Callable[[Moment], None]:
    """Return an observer that keeps the outcome true, whenever the process ends.

    Its effect, and how many steps are done for good: what is rolled back was not.
    """
    effects = {None: Effect.UNKNOWN, True: Effect.COMMITTED, False: Effect.NONE}
    so_far = SoFar()
    account.effect(Effect.NONE)

    def observe(moment: Moment) -> None:
        nonlocal so_far
        so_far = so_far.after(moment)
        account.effect(effects[so_far.effect])
        account.count(Count.STEPS, so_far.steps)

    return observe


def changed(account: Account, report: ChangeReport, recorded: str | None) -> None:
    """Afterwards the outcome counts steps and differences, and has the digest that is recorded."""
    account.count(Count.STEPS, len(report.steps))
    account.count(Count.DIFFERENCES, len(report.differences))
    account.count(Count.ATTEMPTS, report.attempts)
    account.count(Count.MILLISECONDS, round(1000 * report.seconds))
    account.name(Label.SERVER, fit(report.server))
    if recorded is not None:
        account.digest(DigestOf.SCHEMA, recorded)


def change_rehearsal_intent(work: Work, change: Change, backup: Backup) -> Draft:
    """The intent of a rehearsal: no approval is used, and the database itself is not touched."""
    return Draft(
        event=Event.CHANGE_REHEARSE,
        phase=Phase.INTENT,
        target=backup.id.database,
        work=change.id,
        ticket=None if change.ticket is None else fit_ticket(change.ticket),
        names={Label.BACKUP: str(backup.id)},
        digests={DigestOf.PLAN: work.plan, DigestOf.MANIFEST: backup.sha256},
    )


def change_rehearsed(account: Account, evidence: ChangeEvidence) -> None:
    """Afterwards the outcome counts what was touched, and has the digest of the source's schema."""
    account.count(Count.DIFFERENCES, len(evidence.touched))
    account.count(Count.STEPS, len(evidence.steps))
    account.digest(DigestOf.SCHEMA, evidence.source)


def recorded_schema(database: str, allowed: Authorization | None, digest: str) -> Draft:
    """The intent to take a schema for the one that the database is to have."""
    draft = Draft(
        event=Event.CHANGE_RECORD,
        phase=Phase.INTENT,
        target=database,
        digests={DigestOf.SCHEMA: digest},
    )
    return allowed_by(draft, allowed)


def looked_for_drift(database: str, digest: str, differences: int) -> Draft:
    """The record that a database was compared with what was recorded of it."""
    return Draft(
        event=Event.CHANGE_DRIFT,
        target=database,
        counts={Count.DIFFERENCES: differences},
        digests={DigestOf.SCHEMA: digest},
    )
