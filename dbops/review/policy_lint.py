"""What in a policy cannot work, or soon will not, beside the trust root that it stands in; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused
from dbops.review.policy import Policy
from dbops.review.work import Kind, Risk

SOON: Final = timedelta(days=30)


def lint_policy(policy: Policy, trust: TrustRoot, now: datetime) -> tuple[str, ...]:
    """Return a sentence for each thing in the policy that cannot work, or soon will not, at `now`.

    An empty answer means: every rule can be met by people whose keys count, and nobody stands in
    one of the two files alone.
    """
    return (
        *_lint_persons(policy, trust, now),
        *_lint_rules(policy, trust, now),
        *_lint_whole(policy),
    )


def _lint_persons(policy: Policy, trust: TrustRoot, now: datetime) -> Iterable[str]:
    known = {signer.principal for signer in trust.signers}
    for person in policy.persons.values():
        for principal in person.principals:
            if principal not in known:
                yield f"{person.id}: {principal} has no key in allowed_signers"
            elif _may(trust, principal, now) and not _may(trust, principal, now + SOON):
                yield f"{person.id}: no key of {principal} is valid in {SOON.days} days"
        if not policy.roles_of(person):
            yield f"{person.id} has no role"
    named = {each for person in policy.persons.values() for each in person.principals}
    asked = {Namespace.REQUEST, Namespace.APPROVAL, Namespace.BREAKGLASS}
    for signer in trust.signers:
        if signer.namespaces & asked and signer.principal not in named:
            yield f"{signer.principal} may sign approvals or requests, but is nobody's principal"


def _lint_rules(policy: Policy, trust: TrustRoot, now: datetime) -> Iterable[str]:
    for number, rule in enumerate(policy.rules, 1):
        for role, count in rule.quorum.items():
            able = _able(policy, trust, role, Namespace.APPROVAL, now)
            if len(able) < count:
                yield (
                    f"rule {number} asks for {count} of {role}, and {len(able)} hold it with a "
                    f"key for approvals"
                )
        author = rule.author_role
        if author is not None and not _able(policy, trust, author, Namespace.REQUEST, now):
            yield f"rule {number} asks for an author of {author}, and nobody has a key for requests"
        if rule.evidence and not _rehearsers(trust, now):
            yield f"rule {number} asks for evidence, and no host has a key that may sign it"
    broken = policy.break_glass
    if broken and not _able(policy, trust, broken.role, Namespace.BREAKGLASS, now):
        yield f"nobody of {broken.role} has a key to break the glass with"


def _lint_whole(policy: Policy) -> Iterable[str]:
    for kind in Kind:
        if not any(
            kind in rule.kinds and not rule.databases and rule.risk_from is Risk.LOW
            for rule in policy.rules
        ):
            yield f"{kind.value}: no rule for every database and risk, so some of it is refused"
    authors = {rule.author_role for rule in policy.rules} - {None}
    approvers = {role for rule in policy.rules for role in rule.quorum}
    for person in policy.persons.values():
        held = set(policy.roles_of(person))
        if held & authors and held & approvers:
            yield f"{person.id} may be author and approver, though never of the same work"
    if policy.demo:
        yield "the policy is a demo's: it counts only inside the estate's own directory"


def _able(
    policy: Policy, trust: TrustRoot, role: str, namespace: Namespace, now: datetime
) -> Sequence[str]:
    """Return the holders of the role who have a key that counts for the namespace."""
    return [
        person
        for person in sorted(policy.roles.get(role, frozenset()))
        if any(
            _may(trust, principal, now, frozenset({namespace}))
            for principal in policy.persons[person].principals
        )
    ]


def _rehearsers(trust: TrustRoot, now: datetime) -> Sequence[str]:
    """Return the principals that may sign evidence: verifying hosts."""
    evidence = frozenset({Namespace.EVIDENCE})
    return [
        signer.principal for signer in trust.signers if _may(trust, signer.principal, now, evidence)
    ]


def _may(
    trust: TrustRoot,
    principal: str,
    now: datetime,
    namespaces: frozenset[Namespace] = frozenset(Namespace),
) -> bool:
    """Return whether a key of the principal counts for one of the namespaces at `now`."""
    for signer in trust.signers:
        for namespace in namespaces & signer.namespaces if signer.principal == principal else ():
            try:
                trust.judge(signer.key, Namespace(namespace), now)
            except Refused:
                continue
            return True
    return False
