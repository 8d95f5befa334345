"""Evidence: what a verifying host found when it rehearsed the work, and whether it counts; pure.

`evidence.yml` has the keys `dbops: evidence/v1`, `id`, `at` (UTC) and `files`, the sha256 of every
other file by its path; `evidence.yml.sig` is the host's detached signature of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from dbops.crypto.sshsig import Namespace, check_signature
from dbops.crypto.trust import TrustRoot
from dbops.durations import duration_text
from dbops.errors import Refused
from dbops.review.grounds import CLOCKS_DIFFER, Case, Reason
from dbops.review.policy import Person
from dbops.review.purpose import Purpose, purposes_of
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, SCRIPT, Kind, Work
from dbops.review.yaml_text import Fields, Located, Scalar, parse_yaml

_KEYS: Final = frozenset({"dbops", "id", "at", "files"})
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def judge_evidence(case: Case, signers: Collection[Person]) -> tuple[Reason, ...]:
    """Return why the evidence that a rule asks for does not count; empty where it does.

    `signers` are the author and the approvers, none of whom may have signed it. The rule with the
    shortest `evidence_age` decides how old it may be, unless work is taken back. The undo of a
    repair needs none of its own: it was rehearsed with the repair, and no backup holds what it
    would undo. Nor do changes that `dbops change run` does not run: they make a database ready for
    repairs, or record its schema.
    """
    rules = [rule for rule in case.rules if rule.evidence]
    if not rules or _is_undo(case.work) or _is_set_aside(case.work):
        return ()
    ages = [rule.evidence_age for rule in rules if rule.evidence_age is not None]
    if case.purpose is Purpose.TAKE_BACK:
        # That it was rehearsed stays true, and no backup that has it can be used to do that again.
        ages = []
    try:
        _check(case, signers, min(ages, default=None))
    except Refused as fault:
        return (Reason(fault.code, f"{case.work.folder}/{EVIDENCE}: {fault.message}"),)
    return ()


def _is_undo(work: Work) -> bool:
    """A repair without a script can do nothing but take another one's run back."""
    return work.kind is Kind.REPAIR and SCRIPT not in work.files


def _is_set_aside(work: Work) -> bool:
    """A change of a sort that has a command of its own, which runs nothing else."""
    return work.kind is Kind.CHANGE and Purpose.RUN not in purposes_of(work)


def attested_by(work: Work, trust: TrustRoot, now: datetime) -> str:
    """Return the principal whose signature holds for the evidence, which is of these very files.

    Raises Refused `evidence-…` and `trust-…` where nobody vouches for it.
    """
    return _attested(work, trust, now)[0]


def attested_at(work: Work, trust: TrustRoot, now: datetime) -> datetime:
    """Return when the evidence was made that somebody vouches for; raises as `attested_by`."""
    return _time(_attested(work, trust, now)[1])


def _attested(work: Work, trust: TrustRoot, now: datetime) -> tuple[str, Mapping[str, Located]]:
    """Return who vouches, and what the evidence says."""
    data, armor = (work.files.get(path) for path in (EVIDENCE, EVIDENCE_SIGNATURE))
    if data is None:
        raise _refusal("missing", "the policy asks for evidence, and there is none")
    if armor is None:
        raise _refusal("unsigned", f"there is no {EVIDENCE_SIGNATURE} beside it")
    key = check_signature(data, armor.decode("ascii", "replace"), Namespace.EVIDENCE)
    principal = trust.judge(key, Namespace.EVIDENCE, now)
    fields = _fields(parse_yaml(data, EVIDENCE))
    if _text(fields, "dbops") != "evidence/v1":
        raise _refusal("version", "dbops is not evidence/v1")
    if _text(fields, "id") != work.id:
        raise _refusal("id", "it is of other work")
    if _files(fields) != _rehearsed(work):
        raise _refusal("files", "it is of other files than those that are there")
    return principal, fields


def _check(case: Case, signers: Collection[Person], age: timedelta | None) -> None:
    principal, fields = _attested(case.work, case.trust, case.now)
    person = case.policy.person_of(principal)
    if person is not None and person.id in {signer.id for signer in signers}:
        raise _refusal("signer", f"{principal} is author or approver of the work, and signed it")
    _check_age(_time(fields), case.now, age)


def _check_age(at: datetime, now: datetime, age: timedelta | None) -> None:
    if at > now + CLOCKS_DIFFER:
        raise _refusal("future", "it says that it was made in the future")
    if age is not None and now - at > age:
        raise _refusal("old", f"it is older than the {duration_text(age)} of the policy")


def _rehearsed(work: Work) -> Mapping[str, str]:
    own = {EVIDENCE, EVIDENCE_SIGNATURE}
    return {path: digest for path, digest in work.digests.items() if path not in own}


def _fields(tree: Located) -> Mapping[str, Located]:
    """Return the mapping; the rehearsal's findings stand beside the keys that are read here."""
    if not isinstance(tree, Fields) or not tree.fields.keys() >= _KEYS:
        raise _refusal("form", "it lacks one of the keys dbops, id, at, files")
    return tree.fields


def _text(fields: Mapping[str, Located], key: str) -> str:
    node = fields[key]
    if not isinstance(node, Scalar):
        raise _refusal("form", f"{key} is not a text")
    return node.text


def _files(fields: Mapping[str, Located]) -> Mapping[str, str]:
    node = fields["files"]
    if not isinstance(node, Fields):
        raise _refusal("form", "files is not a mapping of paths to sha256")
    files = {path: each.text for path, each in node.fields.items() if isinstance(each, Scalar)}
    if len(files) != len(node.fields) or not all(map(_DIGEST.fullmatch, files.values())):
        raise _refusal("form", "files is not a mapping of paths to sha256")
    return files


def _time(fields: Mapping[str, Located]) -> datetime:
    try:
        return datetime.strptime(_text(fields, "at"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _refusal("form", "at is not YYYY-MM-DDThh:mm:ssZ") from None


def _refusal(reason: str, message: str) -> Refused:
    return Refused(f"evidence-{reason}", message, hint="rehearse the work again, then request it")
