"""The judgement: what is missing, what counts, what broken glass allows, what lifts a rejection."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import DigestOf, Draft, Effect, Event, Label, Phase, Result
from dbops.crypto.trust import TrustRoot
from dbops.review.judge import Judgement, Missing, judge
from dbops.review.memory import Memory, remember
from dbops.review.policy import Policy, parse_policy
from dbops.review.statement import Decision
from dbops.review.work import Kind, Work, read_manifest
from tests.review.desk import (
    AUTHOR,
    DATABASE,
    FOLDER,
    ID,
    LI,
    NOW,
    SIGNED,
    ZHAO,
    Desk,
    copied,
    entries_of,
    made_desk,
    run_of,
    sha256,
)

SUN = "sun.jie@hospital"
LAPTOP = "li.laptop@hospital"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A complete, valid, approved piece of work."""
    return made_desk(tmp_path_factory.mktemp("desk") / "original")


@pytest.fixture
def desk(original: Desk, tmp_path: Path) -> Desk:
    """The same on files of its own."""
    return copied(original, tmp_path / "desk")


def codes(judgement: Judgement) -> list[str]:
    """The codes of what stands in the way."""
    return [reason.code for reason in judgement.reasons]


def test_what_is_complete_names_what_allows_it(desk: Desk) -> None:
    """The author's request first, then the approvals: these the run uses up."""
    found = desk.judged()
    assert found.complete
    assert found.asked
    assert not found.break_glass
    assert found.reasons == ()
    assert [(each.decision, each.principal, each.role) for each in found.counted] == [
        (Decision.REQUEST, AUTHOR, "engineer"),
        (Decision.APPROVE, LI, "it-department"),
        (Decision.APPROVE, ZHAO, "it-department"),
    ]
    assert found.approvals == tuple(
        sha256(desk.text_of(principal)) for principal in (AUTHOR, LI, ZHAO)
    )


def test_what_is_missing_is_said(desk: Desk) -> None:
    """Whose signature, and how many more."""
    for principal in (AUTHOR, LI, ZHAO):
        desk.remove(principal)
    found = desk.judged()
    assert found.missing == (
        Missing(None, 1, f"the request of the author, {AUTHOR}, is missing"),
        Missing("it-department", 2, "2 more approvals of it-department missing (0 so far)"),
    )
    assert codes(found) == ["request-missing", "approval-missing"]
    assert not found.complete
    assert found.counted == ()


def test_the_largest_number_asked_for_counts(desk: Desk) -> None:
    """Two rules that ask for one and two of a role ask for two together."""
    desk.remove(ZHAO)
    assert desk.judged().missing == (
        Missing("it-department", 1, "1 more approval of it-department missing (1 so far)"),
    )


def test_a_judgement_without_databases_at_hand(desk: Desk) -> None:
    """A merge request is judged without the databases; a run never is."""
    desk.database = None
    work = Work(Kind.REPAIR, ID, FOLDER, desk.files(), {})
    manifest = read_manifest(work)
    policy, trust = desk.read_policy(), desk.trust_root()
    found = judge(work, manifest, policy, trust, Memory(), None, None, NOW)
    assert found.faults == ()
    on_lab = judge(work, manifest, policy, trust, Memory(), None, DATABASE, NOW)
    assert [fault.code for fault in on_lab.faults] == ["database-unidentified"]


def test_a_signature_that_is_gone_leaves_no_statement(desk: Desk) -> None:
    """Half a statement counts for nothing, and is told about."""
    (desk.folder / "approvals" / f"{LI}.txt.sig").unlink()
    (desk.folder / "approvals" / f"{ZHAO}.txt").unlink()
    assert codes(desk.judged()) == ["signature-missing", "statement-missing", "approval-missing"]
    message = desk.judged().ignored[0].message
    assert message == f"{FOLDER}/approvals/{LI}.txt: the statement is not signed"


def test_a_file_more_than_the_quorum_does_no_harm(desk: Desk) -> None:
    """A statement that does not count is told about, and what is complete stays complete."""
    desk.sign("chen.yi@site")
    found = desk.judged()
    assert found.complete
    assert [reason.code for reason in found.ignored] == ["approval-role"]
    assert found.reasons == ()


NOTHING_ASKED = 'dbops = "policy/v1"\n[[rules]]\nkinds = ["repair"]\n'


def judged_by(policy: Policy, desk: Desk, memory: Memory | None = None) -> Judgement:
    """The judgement of the desk's files without any statement."""
    work = Work(Kind.REPAIR, ID, FOLDER, desk.files(), {})
    manifest = read_manifest(work)
    trust = TrustRoot(desk.trust_root().signers)
    identities = dict(desk.identities)
    return judge(work, manifest, policy, trust, memory or Memory(), identities, DATABASE, NOW)


def test_a_rule_that_asks_for_nothing_asks_for_nothing(desk: Desk) -> None:
    """An empty quorum and no author: the work may run, and uses nothing up."""
    found = judged_by(parse_policy(NOTHING_ASKED, "p"), desk)
    assert found.complete
    assert not found.asked
    assert found.approvals == ()


def test_evidence_is_asked_for_on_its_own(desk: Desk) -> None:
    """A rule may ask for a rehearsal and for nobody's signature."""
    policy = parse_policy(f"{NOTHING_ASKED}evidence = true\n", "p")
    assert judged_by(policy, desk).complete
    (desk.folder / "evidence.yml.sig").unlink()
    assert codes(judged_by(policy, desk)) == ["evidence-unsigned"]


def test_an_author_alone_can_be_enough(desk: Desk) -> None:
    """A rule with an author and no quorum asks for the request only, which is used up."""
    engineers = (
        desk.policy.read_text()
        .replace("it-department = 1", "")
        .replace("quorum = { it-department = 2 }", "")
    )
    desk.policy.write_text(engineers)
    for principal in (LI, ZHAO):
        desk.remove(principal)
    assert desk.judged().approvals == (sha256(desk.text_of(AUTHOR)),)
    desk.memory = remember(entries_of(run_of(desk)))
    assert codes(desk.judged()) == ["approval-consumed", "request-missing"]


def test_nothing_runs_without_any_rule(desk: Desk) -> None:
    """A policy that is silent refuses."""
    found = judged_by(parse_policy('dbops = "policy/v1"\n', "p"), desk)
    assert [(reason.code, reason.message) for reason in found.reasons] == [
        ("policy-no-rule", f"the policy has no rule for a repair of risk high on {DATABASE}")
    ]


def ended(effect: Effect) -> Draft:
    """How the first intent of a ledger ended."""
    return Draft(
        event=Event.RESTORE_RUN, phase=Phase.OUTCOME, of=0, result=Result.FAILED, effect=effect
    )


def test_an_attempt_without_effect_leaves_the_approval(desk: Desk) -> None:
    """What was rolled back may be tried again; a run on another database is another run."""
    desk.memory = remember(entries_of(run_of(desk), ended(Effect.NONE)))
    assert desk.judged().complete
    desk.memory = remember(entries_of(run_of(desk, target="ris")))
    assert desk.judged().complete


def test_a_merge_request_is_judged_by_what_is_left_to_run(desk: Desk) -> None:
    """Without a run in sight, an approval is used up once every database had its run."""
    desk.database = None
    desk.memory = remember(entries_of(run_of(desk)))
    assert "approval-consumed" in codes(desk.judged())


@pytest.fixture
def broken(desk: Desk) -> Desk:
    """Nobody of the IT department is there, and the glass is broken."""
    desk.remove(LI)
    desk.remove(ZHAO)
    desk.break_glass(SUN)
    return desk


def test_broken_glass_stands_in_for_the_quorum(broken: Desk) -> None:
    """One signature of the role, for four hours; the author's request is needed as ever."""
    found = broken.judged()
    assert found.complete
    assert found.break_glass
    assert [each.principal for each in found.counted] == [AUTHOR, SUN]
    broken.now = SIGNED + timedelta(hours=4, seconds=1)
    assert codes(broken.judged()) == ["breakglass-expired", "approval-missing"]


def test_glass_is_not_broken_without_need(desk: Desk) -> None:
    """Where everybody agreed, the run is a routine one."""
    desk.break_glass(SUN)
    found = desk.judged()
    assert found.complete
    assert not found.break_glass
    assert SUN not in {each.principal for each in found.counted}


def overdue(desk: Desk, *more: Draft) -> Memory:
    """Glass was broken for other work 73 hours ago."""
    use = replace(run_of(desk, target="ris", broken=True), work="other", approvals=("00" * 32,))
    return remember(entries_of(use, *more, at=NOW - timedelta(hours=73)))


def test_an_overdue_review_stops_all_but_broken_glass(desk: Desk) -> None:
    """Routine work waits for the review; the next emergency does not."""
    desk.memory = overdue(desk)
    assert [reason.message for reason in desk.judged().reasons] == [
        "other on ris ran by break-glass and was not reviewed in time"
    ]
    desk.break_glass(SUN)
    assert desk.judged().complete
    assert desk.judged().break_glass


def test_a_review_opens_the_way(desk: Desk) -> None:
    """Once confirmed, routine work goes on."""
    confirmed = Draft(
        event=Event.REVIEW_CONFIRM, work="other", digests={DigestOf.STATEMENT: "00" * 32}
    )
    desk.memory = overdue(desk, confirmed)
    assert desk.judged().complete


def test_an_overdue_review_stops_what_needs_no_approval_too(desk: Desk) -> None:
    """Every further run waits; where the policy dropped break-glass, at once."""
    found = judged_by(parse_policy(NOTHING_ASKED, "p"), desk, overdue(desk))
    assert codes(found) == ["breakglass-review-overdue"]


def test_a_policy_without_break_glass_allows_none(broken: Desk) -> None:
    """The statement is told about and does not count."""
    text = broken.policy.read_text()
    broken.policy.write_text(text.partition("[break_glass]")[0])
    assert codes(broken.judged()) == ["breakglass-not-allowed", "approval-missing"]


def test_who_rejected_can_agree_later(desk: Desk) -> None:
    """The same person's later approval lifts a rejection, by whichever principal."""
    desk.sign(LAPTOP, Decision.REJECT, lambda s: replace(s, signed_at=SIGNED + timedelta(hours=1)))
    assert codes(desk.judged()) == ["rejected"]
    desk.sign(LI, change=lambda s: replace(s, signed_at=SIGNED + timedelta(minutes=59)))
    assert codes(desk.judged()) == ["rejected"]
    desk.sign(LI, change=lambda s: replace(s, signed_at=SIGNED + timedelta(minutes=61)))
    assert desk.judged().complete


def test_somebody_else_cannot_lift_a_rejection(desk: Desk) -> None:
    """A third person's approval makes the quorum, and not the rejection undone."""
    desk.sign(LAPTOP, Decision.REJECT)
    desk.remove(LI)
    desk.sign(ZHAO, change=lambda s: replace(s, signed_at=NOW))
    assert codes(desk.judged()) == ["rejected", "approval-missing"]


def test_a_rejection_of_an_older_revision_still_holds(desk: Desk) -> None:
    """Changing the script does not make the objection go away."""
    desk.sign(LAPTOP, Decision.REJECT, lambda s: replace(s, signed_at=SIGNED + timedelta(hours=1)))
    desk.edit("repair.sql", "'OLD'", "'ICU'")
    desk.rehearse()
    desk.sign_all()
    assert codes(desk.judged()) == ["rejected"]


def test_a_rejection_by_an_expired_key_still_holds(desk: Desk) -> None:
    """Time alone lifts no objection."""
    desk.sign(LAPTOP, Decision.REJECT, lambda s: replace(s, signed_at=SIGNED + timedelta(hours=1)))
    ended_at = SIGNED + timedelta(minutes=1)
    desk.change_signer(LAPTOP, lambda line: replace(line, valid_before=ended_at))
    assert codes(desk.judged()) == ["trust-expired"]


def test_who_has_no_say_cannot_reject(desk: Desk) -> None:
    """A rejection by somebody whom no rule asks is told about, and stops nothing."""
    desk.sign("chen.yi@site", Decision.REJECT, lambda s: replace(s, role="engineer"))
    found = desk.judged()
    assert found.complete
    assert [reason.code for reason in found.ignored] == ["rejection-role"]


def seen(desk: Desk, principal: str, decision: Decision, *, work: str = ID) -> Memory:
    """The ledger saw the statement now."""
    draft = Draft(
        event=Event.REVIEW_SEEN,
        work=work,
        names={Label.PRINCIPAL: principal, Label.DECISION: decision.value},
        digests={DigestOf.STATEMENT: sha256(desk.text_of(principal))},
    )
    return remember(entries_of(draft, at=NOW))


def test_a_rejection_that_was_seen_is_lifted_only_by_its_maker(desk: Desk) -> None:
    """After it is gone from the folder, its maker's later approval is what lets the work run."""
    desk.sign(LI, Decision.REJECT)
    desk.memory = seen(desk, LI, Decision.REJECT)
    desk.sign(LI)
    assert codes(desk.judged()) == ["rejection-removed"]
    desk.sign(LI, change=lambda s: replace(s, signed_at=NOW + timedelta(seconds=1)))
    assert desk.judged().complete


def test_agreeing_to_another_revision_lifts_no_rejection(desk: Desk) -> None:
    """Who rejected these files and approved later ones has not agreed to these."""
    text = desk.policy.read_text()
    members = 'it-department = ["li-na", '
    desk.policy.write_text(text.replace(members, f'{members}"sun-jie", '))
    desk.sign("sun.jie@hospital")
    desk.sign(LI, Decision.REJECT)
    desk.memory = seen(desk, LI, Decision.REJECT)
    names = ("repair.sql", "evidence.yml", "evidence.yml.sig")
    asked = (f"approvals/{AUTHOR}.txt", f"approvals/{AUTHOR}.txt.sig")
    before = {name: (desk.folder / name).read_bytes() for name in (*names, *asked)}
    desk.edit("repair.sql", "'OLD'", "'ICU'")
    desk.sign(AUTHOR, Decision.REQUEST, lambda s: replace(s, nonce="0" * 32))
    desk.sign(LI, change=lambda s: replace(s, signed_at=NOW + timedelta(seconds=1)))
    for name, data in before.items():
        desk.write(name, data)
    assert codes(desk.judged()) == ["rejection-removed"]


@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\u3164", "\ufe0f", "\U000e0041"])
def test_what_no_screen_draws_is_no_part_of_a_script(desk: Desk, hidden: str) -> None:
    """Two names of tables that look alike are told apart by nobody who reads before he signs."""
    desk.edit("repair.sql", "visit", f"visit{hidden}")
    desk.rehearse()
    desk.sign_all()
    assert codes(desk.judged()) == ["text-hidden"]


def test_only_rejections_of_this_work_by_those_asked_are_missed(desk: Desk) -> None:
    """An approval that went, another work's rejection, and a stranger's are no obstacle."""
    for memory in (
        seen(desk, LI, Decision.APPROVE),
        seen(desk, LI, Decision.REJECT, work="other"),
        seen(desk, AUTHOR, Decision.REJECT),
    ):
        desk.memory = memory
        assert desk.judged().complete


def test_messages_name_files_and_people(desk: Desk) -> None:
    """Each reason says which file or person it is about."""
    desk.edit("repair.sql", "'OLD'", "'ICU'")
    desk.sign(ZHAO, change=lambda s: replace(s, role="ward"))
    place = f"{FOLDER}/approvals"
    assert [reason.message for reason in desk.judged().reasons] == [
        f"{place}/{AUTHOR}.txt: repair.sql was changed after it was signed",
        f"{place}/{LI}.txt: repair.sql was changed after it was signed",
        f"{place}/{ZHAO}.txt: zhao-lei is not of ward",
        f"the request of the author, {AUTHOR}, is missing",
        "2 more approvals of it-department missing (0 so far)",
        f"{FOLDER}/evidence.yml: it is of other files than those that are there",
    ]
