"""A statement of a work's folder whose signature, signer and subject were checked; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dbops.crypto.sshsig import PublicKey, check_signature
from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused
from dbops.review.policy import Person, Policy
from dbops.review.statement import Statement, parse_statement
from dbops.review.work import APPROVALS, SignedText, Work


@dataclass(frozen=True, slots=True)
class Verified:
    """What a person said of this work, by a key that counts for it now; `sha256` is of the text.

    Whether it is still said of these files, and whether the person may decide, is not asked here.
    """

    statement: Statement
    principal: str
    person: Person
    key: PublicKey
    sha256: str


def statement_path(work: Work, name: str) -> str:
    """Return the path of a statement's text in the work tree."""
    return f"{work.folder}/{APPROVALS}/{name}.txt"


def verify_statement(
    work: Work, name: str, policy: Policy, trust: TrustRoot, now: datetime
) -> Verified:
    """Return the statement of the file `name`, once everything about who said it is certain.

    `Refused` otherwise: statement-missing and signature-missing for half a statement, `statement-…`
    and `text-…` for its form, `signature-…` for the signature, `trust-…` for the key at `now`,
    signer-differs where another principal's key signed, statement-name where the file is called
    after somebody else, statement-other-work where it speaks of other work, and person-unknown
    where the policy names nobody of that principal.
    """
    signed = work.statements[name]
    path = statement_path(work, name)
    try:
        return _verify(work, name, signed, policy, trust, now)
    except Refused as fault:
        raise Refused(fault.code, f"{path}: {fault.message}", hint=fault.hint) from None


def _verify(
    work: Work, name: str, signed: SignedText, policy: Policy, trust: TrustRoot, now: datetime
) -> Verified:
    if not signed.text:
        raise _refusal("statement-missing", "there is a signature and no statement")
    if not signed.signature:
        raise _refusal("signature-missing", "the statement is not signed")
    statement = parse_statement(signed.text)
    namespace = statement.decision.namespace
    key = check_signature(signed.text, signed.signature.decode("ascii", "replace"), namespace)
    principal = trust.judge(key, namespace, now)
    if principal != statement.signer:
        raise _refusal("signer-differs", f"it names {statement.signer}, and {principal} signed it")
    if name != principal:
        raise _refusal("statement-name", f"it is a statement of {principal}, not of {name}")
    if (statement.kind, statement.id) != (work.kind, work.id):
        raise _refusal(
            "statement-other-work", f"it speaks of the {statement.kind.value} {statement.id}"
        )
    person = policy.person_of(principal)
    if person is None:
        raise _refusal("person-unknown", f"the policy names nobody whose principal is {principal}")
    return Verified(statement, principal, person, key, signed.sha256)


def _refusal(code: str, message: str) -> Refused:
    return Refused(code, message, hint="have it written and signed again by the one it is of")
