"""What is done to statements, signatures and keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import format_signer
from tests.review.desk import (
    AUTHOR,
    LI,
    NOW,
    SIGNED,
    Attack,
    Desk,
    signer_of,
)
from tests.review.forged import (
    certificate_signature,
    git_commit_signature,
    md5_signature,
)


def approval_in_anothers_file(desk: Desk) -> None:
    desk.remove(LI)
    desk.sign("wang.second@site", name=LI)


def approval_in_anothers_name(desk: Desk) -> None:
    desk.sign(LI, key="wang.second@site")


def second_principal_with_the_same_key(desk: Desk) -> None:
    mine = desk.signers[AUTHOR]
    with desk.allowed.open("a") as file:
        file.write(format_signer(replace(mine, principal="chen.yi@site")))


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
    desk.write(f"approvals/{LI}.txt.sig", b"")


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


SIGNATURES: dict[Attack, str] = {
    approval_in_anothers_file: "statement-name",
    approval_in_anothers_name: "signer-differs",
    second_principal_with_the_same_key: "trust-key-shared",
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
}
