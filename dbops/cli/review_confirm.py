"""`dbops review confirm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from dbops.cli.review_overview import Desk
    from dbops.review.judge import Judgement
    from dbops.review.memory import Use
    from dbops.review.work import Work


@click.command("confirm")
@click.argument("work_id", metavar="ID")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@click.pass_obj
def confirm_use(estate: str | None, work_id: str, worktree: str | None) -> None:
    """Record that what was done about ID by break-glass was reviewed afterwards.

    The ordinary reviewers look at the files that were run and at what came of them, and approve
    them with dbops review approve. Once everybody whom the policy asks has done so, not counting
    those who broke the glass, this command writes it into the ledger, on the host where the work
    was run. Where that is overdue, nothing else may run.

    \b
    Example: dbops review confirm 2026-117-lab
    Exit statuses: 0 done, 5 somebody has not approved yet or the files are not those that were
    run, 10 nothing of ID waits for a review, 11 the ledger cannot be written.
    """
    from dbops.cli.reviewing import check_trust_files, open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.errors import NotFound
    from dbops.review.folder import read_work, refuse_uncommitted
    from dbops.review.statement import Decision

    desk = open_desk(open_wiring(estate), worktree)
    check_trust_files(desk.wiring, desk.policy)
    waiting = [use for use in desk.memory.unreviewed() if use.work == work_id]
    if not waiting:
        raise NotFound(
            "nothing-to-review",
            f"nothing of {work_id} was done by break-glass that waits for a review",
            hint="dbops review list",
        )
    (folder,) = desk.folders(work_id)
    work = read_work(desk.worktree, folder)
    refuse_uncommitted(desk.worktree, work)
    _refuse_other_files(work, waiting)
    # Who agrees to a change has not thereby agreed that it was taken back, nor otherwise.
    ways = [[use for use in waiting if use.takes_back is back] for back in (False, True)]
    judged = [(uses, _judge_ordinarily(desk, work, uses)) for uses in ways if uses]
    reviewed = [(uses, judgement) for uses, judgement in judged if judgement.complete]
    if not reviewed or not all(judgement.asked for _, judgement in judged):
        _refuse_missing(work, *judged[0])
    for uses, judgement in reviewed:
        _record(desk, uses, judgement)
        others = [each for each in judgement.counted if each.decision is not Decision.REQUEST]
        click.echo(f"{work_id} was reviewed by {', '.join(each.person.id for each in others)}")


def _refuse_other_files(work: Work, waiting: list[Use]) -> None:
    from dbops.errors import Refused

    for use in waiting:
        if use.plan != work.plan:
            raise Refused(
                "confirm-other-files",
                f"the files of {work.id} are not those that were run",
                hint=f"bring them back from git; the run is: dbops audit show {use.sequence}",
            )


def _judge_ordinarily(desk: Desk, work: Work, waiting: list[Use]) -> Judgement:
    """Whether it would have been complete without a broken glass, and those who broke it."""
    from dataclasses import replace

    from dbops.review.judge import judge
    from dbops.review.memory import Memory
    from dbops.review.purpose import purpose_of
    from dbops.review.work import read_manifest

    breakers = _breakers(desk, waiting)
    others = {}
    for name, signed in work.statements.items():
        person = desk.policy.person_of(name)
        if person is None or person.id not in breakers:
            others[name] = signed
    memory = Memory(seen=desk.memory.seen)  # what was used up then counts for the review
    ordinary = replace(work, statements=others)
    # A second broken glass is no review of the first.
    policy = replace(desk.policy, break_glass=None)
    purpose = purpose_of(work, takes_back=waiting[0].takes_back)
    return judge(
        ordinary,
        read_manifest(work),
        policy,
        desk.wiring.trust,
        memory,
        None,
        None,
        desk.now,
        purpose,
    )


def _breakers(desk: Desk, waiting: list[Use]) -> frozenset[str]:
    """Who broke the glass, as the ledger saw it; raises where it does not know."""
    from dbops.errors import Refused
    from dbops.review.statement import Decision

    found = set()
    for use in waiting:
        persons = [
            desk.policy.person_of(each.principal)
            for each in desk.memory.seen
            if each.sha256 in use.approvals and each.decision is Decision.BREAK_GLASS
        ]
        if not persons or None in persons:
            raise Refused(
                "confirm-unknown",
                f"who broke the glass for {use.work} is not known to the ledger and the policy",
                hint=f"see the entry: dbops audit show {use.sequence}",
            )
        found |= {person.id for person in persons if person is not None}
    return frozenset(found)


def _refuse_missing(work: Work, waiting: list[Use], judgement: Judgement) -> None:
    from dbops.errors import Refused

    if not judgement.asked:
        raise Refused(
            "confirm-unasked",
            f"the policy asks nobody to agree to {work.id}, so nobody can review it",
            hint="have a rule that names who reviews it: dbops trust show",
        )
    reasons = judgement.reasons
    if reasons:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        hint = f"have it approved as it was run: dbops review approve {work.id} --key KEY"
        if reasons[0].code == "purpose-differs":
            back = " --revert" if waiting[0].takes_back else ""
            hint = (
                f"have it asked for as it was done: dbops review request {work.id}{back} --key KEY"
            )
        raise Refused(
            "confirm-missing",
            f"{work.id} was not reviewed by everybody yet: {reasons[0].message}{more}",
            hint=hint,
        )


def _record(desk: Desk, waiting: list[Use], judgement: Judgement) -> None:
    """Afterwards the ledger has a record for each use, with the statements of the review."""
    from dbops.audit.entry import DigestOf, Draft, Event, Label, Result
    from dbops.cli.ledger import checkpoint_quietly, ledger_of
    from dbops.review.statement import Decision

    seen = desk.memory.seen
    broken = {each.sha256 for each in seen if each.decision is Decision.BREAK_GLASS}
    ledger = ledger_of(desk.wiring)
    for use in waiting:
        (statement, *_) = (sha256 for sha256 in use.approvals if sha256 in broken)
        ledger.append(
            Draft(
                event=Event.REVIEW_CONFIRM,
                target=use.database,
                work=use.work,
                names={Label.PRINCIPAL: judgement.counted[-1].principal},
                digests={DigestOf.STATEMENT: statement},
                approvals=judgement.approvals,
                result=Result.DONE,
            )
        )
    checkpoint_quietly(desk.wiring)
