"""Whether the author stands behind the files that are about to be rehearsed; pure.

A rehearsal runs the author's script with the rights of the verifying host's scratch, and opens a
backup for it. Nobody needs to have agreed yet, but it must be certain who asks, and for what.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused
from dbops.review.grounds import Case, Reason, grounds
from dbops.review.memory import Memory
from dbops.review.policy import Policy, Rule
from dbops.review.statement import Decision
from dbops.review.verified import Verified, verify_statement
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, Manifest, Work, read_manifest

_Value = TypeVar("_Value")
_NOTHING: Final[tuple[str, ...]] = ()


def refuse_unrequested(
    work: Work,
    policy: Policy,
    trust: TrustRoot,
    now: datetime,
    found_by_rehearsal: Collection[str] = _NOTHING,
) -> Verified:
    """Return the author's request, once it is certain that it is of these files, and counts `now`.

    What an earlier rehearsal left is no ground for or against: the evidence, its signature, and the
    files `found_by_rehearsal`. Raises Refused otherwise: request-missing, author-role,
    policy-no-rule, and the codes of `verify_statement` and `grounds`, the first one's with all of
    them counted.
    """
    manifest = read_manifest(work)
    rules, without = policy.matching(manifest.kind, manifest.concerns, manifest.risk)
    found = _request(work, manifest, policy, trust, now)
    left = {EVIDENCE, EVIDENCE_SIGNATURE, *found_by_rehearsal}
    bare = replace(work, files=_without(work.files, left))
    case = Case(bare, manifest, policy, trust, Memory(), None, None, now, rules)
    stated = replace(found.statement, files=_without(found.statement.files, left))
    reasons = [
        *(Reason("policy-no-rule", "the policy has no rule for such work") for _ in without[:1]),
        *_of_role(found, policy, rules),
        *grounds(replace(found, statement=stated), case),
    ]
    if reasons:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise _refused(reasons[0].code, f"{work.id}: {reasons[0].message}{more}", work.id)
    return found


def _request(
    work: Work, manifest: Manifest, policy: Policy, trust: TrustRoot, now: datetime
) -> Verified:
    author = manifest.author
    if author in work.statements:
        found = verify_statement(work, author, policy, trust, now)
        if found.statement.decision is Decision.REQUEST:
            return found
    raise _refused(
        "request-missing", f"{work.id}: the request of the author, {author}, is missing", work.id
    )


def _of_role(found: Verified, policy: Policy, rules: Collection[Rule]) -> list[Reason]:
    wanted = sorted({rule.author_role for rule in rules if rule.author_role is not None})
    return [
        Reason("author-role", f"the author {found.person.id} is not of {role}")
        for role in wanted
        if not policy.holds(found.person, role)
    ]


def _without(files: Mapping[str, _Value], left: Collection[str]) -> dict[str, _Value]:
    return {path: value for path, value in files.items() if path not in left}


def _refused(code: str, message: str, work_id: str) -> Refused:
    hint = f"the author signs it: dbops review request {work_id} --key KEY"
    return Refused(code, message, hint=hint)
