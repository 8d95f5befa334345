"""What forbids that a run of a change without a known end is brought to one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dbops.errors import Refused

if TYPE_CHECKING:
    from dbops.change.fate import Became
    from dbops.change.run_order import ChangeRun
    from dbops.cli.change_unsettled import Unsettled
    from dbops.cli.wiring import Wiring
    from dbops.review.judge import Judgement
    from dbops.review.memory import Memory
    from dbops.review.policy import Policy
    from dbops.review.work import Work


def began_elsewhere(left: Unsettled) -> bool:
    """Whether it began under another ledger, so that this host never judged it."""
    return left.recorded is None or left.recorded.foreign


def refuse_other_files(wiring: Wiring, left: Unsettled, work: Work) -> None:
    """Raise Refused `change-plan` unless the files are those that ran, and somebody vouches.

    What the schema is compared with, and recorded as, comes from what was rehearsed: that is either
    what ran, or signed by who rehearses.
    """
    from dbops.change.rehearsed_files import made_by_rehearsal, own_files
    from dbops.review.evidence import attested_at

    run, hint = left.recorded, "check out the commit that ran"
    if run is not None:
        hint = f"{hint}: dbops audit show {run.sequence}"
        if run.scripts not in {None, own_files(work)}:
            message = f"the files of {left.work} are not those that ran on {left.database}"
            raise Refused("change-plan", message, hint=hint)
    began_here = run is not None and not run.foreign
    if run is not None and began_here and run.plan in {None, work.plan}:
        return
    if not began_here and not made_by_rehearsal(work.files):
        return  # the policy says whether it goes without
    what = f"what was rehearsed of {left.work} is"
    try:
        made = attested_at(work, wiring.trust, wiring.clock())
    except Refused as fault:
        raise Refused(
            "change-plan",
            f"{what} not what ran on {left.database}, and nobody vouches for it: {fault.message}",
            hint=hint,
        ) from None
    if run is not None and began_here and made < run.at:
        raise Refused(
            "change-plan",
            f"{what} older than the run on {left.database}, and not what was approved then",
            hint=hint,
        )


def refuse_unprotected_rules(wiring: Wiring, left: Unsettled) -> None:
    """Raise Refused as a run does where others can change what decides about another ledger's run.

    With a `trust-…` code, or `demo-outside`: who could change them could have approved it himself.
    """
    from dbops.cli.reviewing import check_trust_files, policy_of, refuse_server_of_demo

    if began_elsewhere(left):
        policy = policy_of(wiring)
        refuse_server_of_demo(wiring, policy, left.database)
        check_trust_files(wiring, policy)


def refuse_other_database(left: Unsettled, identity: str) -> None:
    """Raise Refused where the alias leads to another database than then: it knows nothing."""
    from dbops.cli.entries import fit

    if left.recorded is not None and left.recorded.identity not in {None, fit(identity)}:
        raise Refused(
            "change-database",
            f"{left.database} is another database now than the one that {left.work} ran on",
            hint="let the name in dbops.toml lead to that one, and ask again",
        )


def refuse_unapproved(
    wiring: Wiring, left: Unsettled, work: Work, identity: str, *, back: bool
) -> Judgement:
    """Return what allows it; Refused `change-plan` where another ledger's files are not approved.

    A journal can be written by whoever has the admin login; what runs is what people signed, for
    this database. A signature to run the change counts for its way `back` as well: down.sql is part
    of it. One to take it back counts for nothing else. The ledger knows the statements afterwards.
    """
    judged = _judged(wiring, left, work, identity, back=back)
    if not judged.complete:
        first, does = judged.reasons[0], "take it back" if back else "run"
        raise Refused(
            "change-plan",
            f"{left.work} began on {left.database} under another ledger, and what lies here may not"
            f" {does}: {first.message}",
            hint=_approval_hint(left, judged, back=back),
        )
    return judged


def _judged(wiring: Wiring, left: Unsettled, work: Work, identity: str, *, back: bool) -> Judgement:
    from dbops.cli.reviewing import policy_of
    from dbops.review.judge import judge
    from dbops.review.purpose import Purpose
    from dbops.review.work import read_manifest

    policy = policy_of(wiring)
    return judge(
        work,
        read_manifest(work),
        _any_age(policy),
        wiring.trust,
        _seen(wiring, work, policy),
        {left.database: identity},
        left.database,
        wiring.clock(),
        None if back else Purpose.RUN,  # None: what the author asks for
    )


def _any_age(policy: Policy) -> Policy:
    """The policy, but for how old evidence may be: what began was fresh when it did."""
    rules = tuple(replace(rule, evidence_age=None) for rule in policy.rules)
    return replace(policy, rules=rules)


def _seen(wiring: Wiring, work: Work, policy: Policy) -> Memory:
    """This host's memory of statements, those that lie here among them.

    Without its uses: what began under an approval ends under it. A host that has no ledger begins
    it with what it sees.
    """
    from dbops.cli.ledger import checkpoint_quietly, ledger_of, segments_of
    from dbops.cli.reviewing import memory_of
    from dbops.review.authorize import see_statements
    from dbops.review.memory import Memory

    before = memory_of(wiring) if segments_of(wiring).exist else Memory()
    found = see_statements(work, policy, before, ledger_of(wiring), wiring.trust, wiring.clock())
    if len(found.seen) > len(before.seen):
        checkpoint_quietly(wiring)
    return replace(found, uses=())


def _approval_hint(left: Unsettled, judged: Judgement, *, back: bool) -> str:
    work, show, code = left.work, f"dbops review show {left.work}", judged.reasons[0].code
    if code == "database-identity":
        return f"let the name in dbops.toml lead to the one that was signed for: {show}"
    asked = all(each.role is not None for each in judged.missing)
    if code == "purpose-differs" and not back and not asked:
        return (
            f"take it back: dbops change resume {work} --revert; or have it asked for:"
            f" dbops review request {work} --key KEY"
        )
    return f"check out the commit that ran; what is missing: {show}"


def refuse_lost_journal(wiring: Wiring, left: Unsettled, became: Became, order: ChangeRun) -> None:
    """Raise Refused `change-journal` where the journal has nothing of a run that did something.

    A journal that has what this ledger knows to have run there before is not lost.
    """
    from dbops.change.fate import Fate
    from dbops.change.settled import is_same_journal, traces_of
    from dbops.cli.change_drift import journal_of, live_schema
    from dbops.cli.change_list import recorded_on

    run = left.recorded
    if became.fate is not Fate.NOTHING or run is None:
        return
    if is_same_journal(journal_of(wiring, left.database), recorded_on(wiring), run):
        return
    why = traces_of(run, order.rehearsed, lambda: live_schema(wiring, left.database))
    if why is not None:
        raise Refused(
            "change-journal",
            f"the journal of {left.database} has nothing of {left.work}, and {why}",
            hint="find the journal (dbops_change) that was there, or take back by hand what is"
            f" there; then: dbops change resume {left.work}",
        )
