"""Attacks on a complete piece of work: each a function that does one thing to the desk.

`ATTACKS` holds the code with which each must be refused. An attack commits nothing itself unless
its name says so: what it leaves in the folder is committed afterwards, as an engineer would.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from dbops.audit.entry import DigestOf, Draft, Effect, Event, Label, Phase, Result
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import format_signer
from dbops.review.memory import remember
from dbops.review.statement import Decision, Statement
from dbops.review.work import Kind
from tests.review.desk import (
    DATABASE,
    ID,
    NOW,
    SIGNED,
    Desk,
    entries_of,
    evidence_of,
    run_of,
    sha256,
    signer_of,
)
from tests.review.forged import (
    certificate_signature,
    git_commit_signature,
    md5_signature,
)

Attack = Callable[[Desk], None]
ENGINEER = 4711  # an account that is neither root's nor dbops'

AUTHOR, LI, ZHAO = "wang.fang@site", "li.na@hospital", "zhao.lei@hospital"


def edited_script(desk: Desk) -> None:
    desk.edit("repair.sql", "'OLD'", "'ICU'")


def edited_script_uncommitted(desk: Desk) -> None:
    desk.tree.commit()
    desk.edit("repair.sql", "'OLD'", "'ICU'")


def new_file_uncommitted(desk: Desk) -> None:
    desk.tree.commit()
    desk.write("after.sql", "DELETE FROM visit\n")


def edited_limits(desk: Desk) -> None:
    desk.edit("repair.yml", "rows: 50", "rows: 5000")


def lowered_risk(desk: Desk) -> None:
    desk.edit("repair.yml", "risk: high", "risk: low")


def limits_signed_other_than_shown(desk: Desk) -> None:
    desk.edit("repair.yml", "rows: 50", "rows: 5000")
    desk.rehearse()
    desk.sign_all()


def another_database(desk: Desk) -> None:
    desk.database = "ris"
    desk.identities["ris"] = "postgresql:7444512345678901234:16999"


def manifest_with_another_database(desk: Desk) -> None:
    desk.edit("repair.yml", f"[{DATABASE}]", f"[{DATABASE}, ris]")


def repointed_alias(desk: Desk) -> None:
    desk.identities[DATABASE] = "postgresql:7444519999999999999:16401"


def unidentified_database(desk: Desk) -> None:
    desk.identities.clear()


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


def approval_in_anothers_file(desk: Desk) -> None:
    desk.remove(LI)
    desk.sign("wang.second@site", name=LI)


def approval_in_anothers_name(desk: Desk) -> None:
    desk.sign(LI, key="wang.second@site")


def second_principal_with_the_same_key(desk: Desk) -> None:
    mine = desk.signers[AUTHOR]
    with desk.allowed.open("a") as file:
        file.write(format_signer(replace(mine, principal="chen.yi@site")))


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


def request_replayed_as_approval(desk: Desk) -> None:
    desk.sign(LI, namespace=Namespace.REQUEST)


def git_signature_replayed(desk: Desk) -> None:
    armor = git_commit_signature(desk.text_of(LI), LI)
    desk.write(f"approvals/{LI}.txt.sig", armor)


def revoked_key(desk: Desk) -> None:
    (desk.trust / "revoked").write_text(signer_of(LI).public_key.fingerprint + "\n")


def key_valid_in_the_past_only(desk: Desk) -> None:
    desk.change_signer(LI, lambda line: replace(line, valid_before=SIGNED + timedelta(minutes=5)))


def key_valid_in_the_future_only(desk: Desk) -> None:
    desk.change_signer(LI, lambda line: replace(line, valid_after=NOW + timedelta(days=1)))


def key_for_another_use(desk: Desk) -> None:
    desk.change_signer(
        LI, lambda line: replace(line, namespaces=frozenset({Namespace.COUNTERSIGN}))
    )


def unknown_key(desk: Desk) -> None:
    del desk.signers[LI]
    desk.write_trust()


def wildcard_principal(desk: Desk) -> None:
    text = desk.allowed.read_text()
    desk.allowed.write_text(text.replace(f"{LI} ", "*@hospital ", 1))


def certificate(desk: Desk) -> None:
    armor = certificate_signature(desk.text_of(LI), LI, Namespace.APPROVAL)
    desk.write(f"approvals/{LI}.txt.sig", armor)


def md5_inside(desk: Desk) -> None:
    armor = md5_signature(desk.text_of(LI), LI, Namespace.APPROVAL)
    desk.write(f"approvals/{LI}.txt.sig", armor)


def edited_statement(desk: Desk) -> None:
    desk.edit(f"approvals/{LI}.txt", "2026-11-28T", "2026-11-29T")


def unsigned_statement(desk: Desk) -> None:
    (desk.folder / "approvals" / f"{LI}.txt.sig").unlink()


def statement_with_a_header_twice(desk: Desk) -> None:
    line = b"not-after: 2026-11-28T01:00:00Z\n"
    later = b"not-after: 2026-11-30T01:00:00Z\n"
    text = desk.text_of(LI)
    assert line in text
    desk.put(LI, text.replace(line, line + later), Namespace.APPROVAL, LI)


def statement_with_a_file_twice(desk: Desk) -> None:
    text = desk.text_of(LI) + b"0" * 64 + b"  repair.sql\n"
    desk.put(LI, text, Namespace.APPROVAL, LI)


def statement_of_other_work(desk: Desk) -> None:
    desk.sign(LI, change=lambda s: replace(s, id="2026-118-ward"))


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


def evidence_missing(desk: Desk) -> None:
    (desk.folder / "evidence.yml").unlink()
    desk.sign_all()


def evidence_unsigned(desk: Desk) -> None:
    (desk.folder / "evidence.yml.sig").unlink()
    desk.sign_all()


def evidence_forged(desk: Desk) -> None:
    desk.edit("evidence.yml", "update: 38", "update: 83")
    desk.sign_all()


def evidence_by_the_author(desk: Desk) -> None:
    desk.rehearse(AUTHOR)
    desk.sign_all()


def evidence_by_an_approver(desk: Desk) -> None:
    desk.rehearse(ZHAO)
    desk.sign_all()


def evidence_of_another_revision(desk: Desk) -> None:
    desk.edit("repair.sql", "'OLD'", "'ICU'")
    desk.sign_all()


def evidence_of_other_work(desk: Desk) -> None:
    files = {path: data for path, data in desk.files().items() if "evidence" not in path}
    data = evidence_of(files, id_="2026-118-ward")
    desk.write("evidence.yml", data)
    desk.write("evidence.yml.sig", signer_of("verifier@host").sign(data, Namespace.EVIDENCE))
    desk.sign_all()


def evidence_too_old(desk: Desk) -> None:
    desk.rehearse(at=NOW - timedelta(days=3, seconds=1))
    desk.sign_all()


def approval_of_an_older_revision(desk: Desk) -> None:
    desk.edit("repair.sql", "'OLD'", "'ICU'")
    desk.rehearse()
    desk.sign(AUTHOR, Decision.REQUEST)


def file_gone(desk: Desk) -> None:
    (desk.folder / "repair.sql").unlink()


def file_added(desk: Desk) -> None:
    desk.write("after.sql", "DELETE FROM visit\n")


def file_not_in_the_list(desk: Desk) -> None:
    def unlisted(statement: Statement) -> Statement:
        files = {path: each for path, each in statement.files.items() if path != "repair.sql"}
        return replace(statement, files=files)

    desk.sign(LI, change=unlisted)


def symbolic_link(desk: Desk) -> None:
    (desk.folder / "repair.sql").rename(desk.tree.path / "elsewhere.sql")
    (desk.folder / "repair.sql").symlink_to("../../elsewhere.sql")


def second_name_of_a_file(desk: Desk) -> None:
    os.link(desk.folder / "repair.sql", desk.tree.path / "elsewhere.sql")


def script_with_crlf(desk: Desk) -> None:
    desk.write("repair.sql", (desk.folder / "repair.sql").read_bytes().replace(b"\n", b"\r\n"))
    desk.rehearse()
    desk.sign_all()


def statement_with_crlf(desk: Desk) -> None:
    desk.put(LI, desk.text_of(LI).replace(b"\n", b"\r\n"), Namespace.APPROVAL, LI)


def bidi_in_the_script(desk: Desk) -> None:
    desk.write("repair.sql", "UPDATE visit SET ward = 'ORT' -- \u202e 'DLO' = draw EREHW\n")
    desk.rehearse()
    desk.sign_all()


def bidi_by_an_escape(desk: Desk) -> None:
    desk.edit("repair.yml", "title: 38 visits", 'title: "38 \\u202Evisits"\nwhy: visits')
    desk.rehearse()
    desk.sign_all()


def yaml_key_twice(desk: Desk) -> None:
    desk.edit("repair.yml", "  rows: 50\n", "  rows: 50\n  rows: 5000\n")
    desk.rehearse()
    desk.sign_all()


def yaml_alias(desk: Desk) -> None:
    desk.edit("repair.yml", "  lock_wait: 5s\n", "  lock_wait: &a 5s\n  statement: *a\n")
    desk.rehearse()
    desk.sign_all()


def unsigned_author(desk: Desk) -> None:
    desk.remove(AUTHOR)


def author_swapped(desk: Desk) -> None:
    """Another engineer's name stands in the manifest; everybody else signs that."""
    desk.edit("repair.yml", "author: wang.fang@site", "author: chen.yi@site")
    desk.rehearse()
    desk.sign_all()


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


def trust_root_writable(desk: Desk) -> None:
    desk.trust.chmod(0o777)


def allowed_signers_writable(desk: Desk) -> None:
    desk.allowed.chmod(0o666)


def trust_root_in_the_work_tree(desk: Desk) -> None:
    desk.trust = desk.trust.rename(desk.tree.path / "trust")


def trust_root_by_a_link(desk: Desk) -> None:
    desk.trust.rename(desk.place / "real")
    desk.trust.symlink_to("real")


def policy_of_the_engineer(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace("it-department = 2", "it-department = 1"))
    os.chown(desk.policy, ENGINEER, ENGINEER)


def estate_with_a_planted_command(desk: Desk) -> None:
    desk.estate.write_text('[databases.lab]\npassword = { command = ["/home/wang/x"] }\n')
    os.chown(desk.estate, ENGINEER, ENGINEER)


def estate_in_the_engineers_directory(desk: Desk) -> None:
    home = desk.place / "home"
    home.mkdir()
    desk.estate = desk.estate.rename(home / "dbops.toml")
    os.chown(home, ENGINEER, ENGINEER)


def recipients_writable(desk: Desk) -> None:
    desk.protected = (desk.place / "recipients",)
    desk.protected[0].write_bytes(b"")
    desk.protected[0].chmod(0o622)


def run_as_the_engineer(desk: Desk) -> None:
    desk.euid = ENGINEER


def demo_policy_on_real_data(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace("demo = false", "demo = true"))
    desk.touched = (Path("/srv/lab.db"),)


def work_of_another_kind(desk: Desk) -> None:
    desk.kind = Kind.RESTORE


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


OWNERSHIP_CODES = {
    "trust-writable",
    "trust-inside-worktree",
    "trust-link",
    "trust-owner",
    "trust-personal",
}
ATTACKS: dict[Attack, str] = {
    edited_script: "file-changed",
    edited_script_uncommitted: "work-dirty",
    new_file_uncommitted: "work-uncommitted",
    edited_limits: "limits-differ",
    lowered_risk: "risk-differs",
    limits_signed_other_than_shown: "limits-differ",
    another_database: "database-not-named",
    manifest_with_another_database: "databases-differ",
    repointed_alias: "database-identity",
    unidentified_database: "database-unidentified",
    expired: "approval-expired",
    not_yet_valid: "approval-not-yet",
    signed_in_the_future: "approval-future",
    valid_for_too_long: "approval-too-long",
    self_approval_by_second_key: "approval-by-author",
    approval_in_anothers_file: "statement-name",
    approval_in_anothers_name: "signer-differs",
    second_principal_with_the_same_key: "trust-key-shared",
    role_not_held: "approval-role",
    role_nobody_asks_for: "approval-role-unasked",
    author_without_the_role: "author-role",
    stranger: "person-unknown",
    request_replayed_as_approval: "signature-namespace",
    git_signature_replayed: "signature-namespace",
    revoked_key: "trust-key-revoked",
    key_valid_in_the_past_only: "trust-expired",
    key_valid_in_the_future_only: "trust-not-yet-valid",
    key_for_another_use: "trust-namespace",
    unknown_key: "trust-key-unknown",
    wildcard_principal: "trust-wildcard",
    certificate: "signature-key-certificate",
    md5_inside: "signature-hash",
    edited_statement: "signature-wrong",
    unsigned_statement: "signature-missing",
    statement_with_a_header_twice: "statement-duplicate",
    statement_with_a_file_twice: "statement-duplicate",
    statement_of_other_work: "statement-other-work",
    rejected: "rejected",
    rejected_by_a_third: "rejected",
    rejection_damaged: "signature-wrong",
    rejection_removed: "rejection-removed",
    rejection_signature_removed: "rejection-removed",
    replay: "approval-consumed",
    replay_after_a_crash: "approval-consumed",
    evidence_missing: "evidence-missing",
    evidence_unsigned: "evidence-unsigned",
    evidence_forged: "signature-wrong",
    evidence_by_the_author: "trust-namespace",
    evidence_by_an_approver: "evidence-signer",
    evidence_of_another_revision: "evidence-files",
    evidence_of_other_work: "evidence-id",
    evidence_too_old: "evidence-old",
    approval_of_an_older_revision: "request-other",
    file_gone: "file-gone",
    file_added: "file-unlisted",
    file_not_in_the_list: "file-unlisted",
    symbolic_link: "work-link",
    second_name_of_a_file: "work-link",
    script_with_crlf: "text-hidden",
    statement_with_crlf: "text-hidden",
    bidi_in_the_script: "text-hidden",
    bidi_by_an_escape: "yaml-escape",
    yaml_key_twice: "yaml-duplicate",
    yaml_alias: "yaml-anchor",
    unsigned_author: "request-missing",
    author_swapped: "author-differs",
    quorum_by_two_keys_of_one_person: "approval-same-person",
    no_rule: "policy-no-rule",
    broken_glass_by_the_author: "approval-by-author",
    broken_glass_without_the_role: "breakglass-role",
    broken_glass_for_five_hours: "breakglass-too-long",
    broken_glass_signed_as_approval: "signature-namespace",
    broken_glass_over_a_rejection: "rejected",
    broken_glass_without_a_request: "request-missing",
    broken_glass_never_reviewed: "breakglass-review-overdue",
    trust_root_writable: "trust-writable",
    allowed_signers_writable: "trust-writable",
    trust_root_in_the_work_tree: "trust-inside-worktree",
    trust_root_by_a_link: "trust-link",
    policy_of_the_engineer: "trust-owner",
    estate_with_a_planted_command: "trust-owner",
    estate_in_the_engineers_directory: "trust-owner",
    recipients_writable: "trust-writable",
    run_as_the_engineer: "trust-personal",
    demo_policy_on_real_data: "demo-outside",
    work_of_another_kind: "work-kind",
}
UNCOMMITTED: frozenset[Attack] = frozenset({edited_script_uncommitted, new_file_uncommitted})
OWNERSHIP: frozenset[Attack] = frozenset(
    attack for attack, code in ATTACKS.items() if code in OWNERSHIP_CODES
)
