"""What is done about who agreed, to what, for how long, and whether it was used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from dbops.audit.entry import DigestOf, Draft, Effect, Event, Label, Phase, Result
from dbops.crypto.sshsig import Namespace
from dbops.review.memory import remember
from dbops.review.statement import Decision, Statement
from tests.review.desk import (
    AUTHOR,
    ID,
    LI,
    NOW,
    SIGNED,
    ZHAO,
    Attack,
    Desk,
    entries_of,
    run_of,
    sha256,
)


def expired(desk: Desk) -> None:
    desk.now = NOW + timedelta(days=6)
    desk.rehearse(at=desk.now)
    desk.sign(AUTHOR, Decision.REQUEST, lambda s: replace(s, not_after=NOW + timedelta(days=6.5)))
    desk.sign(LI)
    desk.sign(ZHAO)


def not_yet_valid(desk: Desk) -> None:
    desk.sign(LI, change=lambda s: replace(s, not_before=NOW + timedelta(hours=1)))


def signed_in_the_future(desk: Desk) -> None:
    desk.sign(LI, change=lambda s: replace(s, signed_at=NOW + timedelta(days=1)))


def valid_for_too_long(desk: Desk) -> None:
    desk.sign(LI, change=lambda s: replace(s, not_after=SIGNED + timedelta(days=8)))


def self_approval_by_second_key(desk: Desk) -> None:
    desk.remove(LI)
    desk.sign("wang.second@site")


def role_not_held(desk: Desk) -> None:
    desk.remove(LI)
    desk.sign("chen.yi@site")


def role_nobody_asks_for(desk: Desk) -> None:
    desk.remove(LI)
    desk.sign("chen.yi@site", change=lambda s: replace(s, role="ward"))


def author_without_the_role(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace('engineer = ["wang-fang", ', "engineer = ["))


def stranger(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace('"zhao.lei@hospital"', '"zhao.lei@elsewhere"'))


def rejected(desk: Desk) -> None:
    desk.sign(LI, Decision.REJECT, lambda s: replace(s, signed_at=NOW))


def rejected_by_a_third(desk: Desk) -> None:
    """Both approvals are there, and one of the two says otherwise under the other principal."""
    change = _later(minutes=30)
    desk.sign("li.laptop@hospital", Decision.REJECT, change)


def rejection_damaged(desk: Desk) -> None:
    rejected_by_a_third(desk)
    desk.edit("approvals/li.laptop@hospital.txt", "note: looked", "note: Looked")


def rejection_removed(desk: Desk) -> None:
    """The rejection of one of them was seen; now his older approval is back in its place."""
    before = desk.text_of(LI), (desk.folder / "approvals" / f"{LI}.txt.sig").read_bytes()
    rejected(desk)
    _see(desk, LI)
    desk.write(f"approvals/{LI}.txt", before[0])
    desk.write(f"approvals/{LI}.txt.sig", before[1])


def rejection_signature_removed(desk: Desk) -> None:
    rejected_by_a_third(desk)
    _see(desk, "li.laptop@hospital")
    desk.remove("li.laptop@hospital")


def replay(desk: Desk) -> None:
    outcome = Draft(
        event=Event.RESTORE_RUN,
        phase=Phase.OUTCOME,
        of=0,
        result=Result.DONE,
        effect=Effect.COMMITTED,
    )
    desk.memory = remember(entries_of(run_of(desk), outcome))


def replay_after_a_crash(desk: Desk) -> None:
    desk.memory = remember(entries_of(run_of(desk)))


def unsigned_author(desk: Desk) -> None:
    desk.remove(AUTHOR)


def quorum_by_two_keys_of_one_person(desk: Desk) -> None:
    desk.remove(ZHAO)
    desk.sign("li.laptop@hospital")


def no_rule(desk: Desk) -> None:
    desk.policy.write_text(desk.policy.read_text().replace('["repair"]', '["change"]'))


def broken_glass_by_the_author(desk: Desk) -> None:
    desk.remove(LI)
    desk.break_glass("wang.second@site")


def broken_glass_without_the_role(desk: Desk) -> None:
    desk.remove(LI)
    desk.break_glass("chen.yi@site")


def broken_glass_for_five_hours(desk: Desk) -> None:
    desk.remove(LI)
    desk.break_glass("sun.jie@hospital", hours=5)


def broken_glass_signed_as_approval(desk: Desk) -> None:
    desk.remove(LI)
    desk.break_glass("sun.jie@hospital", namespace=Namespace.APPROVAL)


def broken_glass_over_a_rejection(desk: Desk) -> None:
    rejected(desk)
    desk.break_glass("sun.jie@hospital")


def broken_glass_without_a_request(desk: Desk) -> None:
    desk.break_glass("sun.jie@hospital")
    desk.remove(LI)
    desk.remove(AUTHOR)


def broken_glass_never_reviewed(desk: Desk) -> None:
    broken = replace(run_of(desk, target="ris", broken=True), work="2026-090-other")
    desk.memory = remember(entries_of(broken, at=NOW - timedelta(hours=73)))


def _later(**after: int) -> Callable[[Statement], Statement]:
    return lambda statement: replace(statement, signed_at=SIGNED + timedelta(**after))


def _see(desk: Desk, principal: str) -> None:
    """The ledger records the statement that is in the folder now."""
    text = desk.text_of(principal)
    seen = Draft(
        event=Event.REVIEW_SEEN,
        work=ID,
        names={Label.PRINCIPAL: principal, Label.DECISION: Decision.REJECT.value},
        digests={DigestOf.STATEMENT: sha256(text)},
    )
    desk.memory = remember(entries_of(seen, at=NOW))


AGREEMENT: dict[Attack, str] = {
    expired: "approval-expired",
    not_yet_valid: "approval-not-yet",
    signed_in_the_future: "approval-future",
    valid_for_too_long: "approval-too-long",
    self_approval_by_second_key: "approval-by-author",
    role_not_held: "approval-role",
    role_nobody_asks_for: "approval-role-unasked",
    author_without_the_role: "author-role",
    stranger: "person-unknown",
    rejected: "rejected",
    rejected_by_a_third: "rejected",
    rejection_damaged: "signature-wrong",
    rejection_removed: "rejection-removed",
    rejection_signature_removed: "rejection-removed",
    replay: "approval-consumed",
    replay_after_a_crash: "approval-consumed",
    unsigned_author: "request-missing",
    quorum_by_two_keys_of_one_person: "approval-same-person",
    no_rule: "policy-no-rule",
    broken_glass_by_the_author: "approval-by-author",
    broken_glass_without_the_role: "breakglass-role",
    broken_glass_for_five_hours: "breakglass-too-long",
    broken_glass_signed_as_approval: "signature-namespace",
    broken_glass_over_a_rejection: "rejected",
    broken_glass_without_a_request: "request-missing",
    broken_glass_never_reviewed: "breakglass-review-overdue",
}
