"""The judgement: whether everybody agreed whom the policy asks for, and if not, what is missing.

Pure: the same folder, policy, trust root, memory and time always give the same answer, and each
reason has a code of its own. Two sorts of reasons are kept apart: faults forbid the run whatever
else is there; a statement that does not count is only told about, and what it leaves open is
missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused
from dbops.review.evidence import judge_evidence
from dbops.review.grounds import Case, Reason
from dbops.review.memory import Memory
from dbops.review.policy import Person, Policy
from dbops.review.purpose import Purpose
from dbops.review.readable import readable_text
from dbops.review.statement import Decision
from dbops.review.statements import Statements
from dbops.review.verified import Verified
from dbops.review.work import Manifest, Work


@dataclass(frozen=True, slots=True)
class Missing:
    """Whose signature is missing: the author's (`role` None) or `count` more of a role."""

    role: str | None
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class CountedApproval:
    """A statement that counts: the author's request, an approval, or a broken glass."""

    decision: Decision
    principal: str
    person: Person
    role: str | None
    sha256: str
    signed_at: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found. `asked` is False where the policy asks nothing for such work.

    `counted` are the statements that allow the run, the author's request first; `approvals` their
    sha256, which the run consumes. `ignored` says why others do not count, `evidence` which of the
    faults are the evidence's. `break_glass` tells that the run rests on a broken glass instead of
    a quorum.
    """

    missing: tuple[Missing, ...]
    faults: tuple[Reason, ...]
    ignored: tuple[Reason, ...]
    counted: tuple[CountedApproval, ...]
    evidence: tuple[Reason, ...]
    asked: bool
    break_glass: bool

    @property
    def complete(self) -> bool:
        """Whether the work may run as far as signatures go."""
        return not self.missing and not self.faults

    @property
    def approvals(self) -> tuple[str, ...]:
        """The sha256 of the statements that allow the run."""
        return tuple(each.sha256 for each in self.counted)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Everything that stands in the way, the telling ones first; empty where complete."""
        if self.complete:
            return ()
        missing = (
            Reason("request-missing" if each.role is None else "approval-missing", each.sentence)
            for each in self.missing
        )
        first = (fault for fault in self.faults if fault not in self.evidence)
        # Where a file was changed, that the evidence is of another one tells nothing more.
        return (*first, *(self.ignored if self.missing else ()), *missing, *self.evidence)


def judge(
    work: Work,
    manifest: Manifest,
    policy: Policy,
    trust: TrustRoot,
    memory: Memory,
    identities: Mapping[str, str] | None,
    database: str | None,
    now: datetime,
    purpose: Purpose | None = None,
) -> Judgement:
    """Return whether the work may run at `now`, and everything that stands in the way.

    `identities` are the live databases' own by alias; None where only the folder is in question,
    as in a merge request. `database` is the alias that the run writes to, None for work without
    one and where only the folder is in question. `purpose` is what is about to be done with a
    change, None where that is as the author asks. Raises nothing for what is in the folder.
    """
    rules, without = policy.matching(manifest.kind, manifest.concerns, manifest.risk)
    case = Case(work, manifest, policy, trust, memory, identities, database, now, rules, purpose)
    faults = [*_without_rule(case, without), *_of_run(case), *_hidden(work)]
    if not any(rule.asks for rule in rules):
        evidence = judge_evidence(case, ())
        faults += [*_overdue(case), *evidence]
        return Judgement((), tuple(faults), (), (), evidence, asked=False, break_glass=False)
    sorted_out = Statements(case)
    faults += [*sorted_out.faults, *_author_faults(case, sorted_out.request)]
    missing, broken = _missing(case, sorted_out), None
    overdue = tuple(_overdue(case))
    if sorted_out.broken and (overdue or any(each.role for each in missing)):
        broken = sorted_out.broken[0]
        missing = [each for each in missing if each.role is None]
    else:
        faults += overdue
    counted = _counted(sorted_out, broken)
    evidence = judge_evidence(
        replace(case, purpose=_meant(case, sorted_out)), [each.person for each in counted]
    )
    return Judgement(
        tuple(missing),
        (*faults, *evidence),
        tuple(sorted_out.ignored),
        tuple(counted),
        evidence,
        asked=True,
        break_glass=broken is not None,
    )


def _meant(case: Case, statements: Statements) -> Purpose | None:
    """What is about to be done, or else what the author asks for."""
    request = statements.request
    return case.purpose or (None if request is None else request.statement.purpose)


def _without_rule(case: Case, databases: Sequence[str]) -> Iterator[Reason]:
    kind, risk = case.manifest.kind.value, case.manifest.risk.value
    for database in databases:
        on = f" on {database}" if database else ""
        yield Reason("policy-no-rule", f"the policy has no rule for a {kind} of risk {risk}{on}")


def _of_run(case: Case) -> Iterator[Reason]:
    if case.database is None:
        return
    if case.database not in case.manifest.databases:
        yield Reason("database-not-named", f"{case.work.id} does not name {case.database}")
    if case.database not in (case.identities or {}):
        yield Reason("database-unidentified", f"the identity of {case.database} is not known")


def _hidden(work: Work) -> Iterator[Reason]:
    """Yield a reason for each file that may not read as it is: CR, BOM, bidirectional controls."""
    for path, data in work.texts.items():
        try:
            readable_text(data, f"{work.folder}/{path}")
        except Refused as fault:
            yield Reason(fault.code, fault.message)


def _overdue(case: Case) -> Iterator[Reason]:
    """Yield a reason where a broken glass waits for its review; at once where none is allowed."""
    for use in case.memory.overdue(case.policy.review_within, case.now):
        where = f" on {use.database}" if use.database else ""
        yield Reason(
            "breakglass-review-overdue",
            f"{use.work}{where} ran by break-glass and was not reviewed in time",
        )


def _author_faults(case: Case, request: Verified | None) -> Iterator[Reason]:
    author = case.policy.person_of(case.manifest.author)
    if author is None:
        yield Reason("author-unknown", f"the policy names nobody of {case.manifest.author}")
        return
    roles = {rule.author_role for rule in case.rules if rule.author_role is not None}
    for role in sorted(roles):
        if request is not None and not case.policy.holds(author, role):
            yield Reason("author-role", f"the author {author.id} is not of {role}")


def _missing(case: Case, statements: Statements) -> list[Missing]:
    missing = []
    if statements.request is None:
        sentence = f"the request of the author, {case.manifest.author}, is missing"
        missing.append(Missing(None, 1, sentence))
    wanted: dict[str, int] = {}
    for rule in case.rules:
        for role, count in rule.quorum.items():
            wanted[role] = max(count, wanted.get(role, 0))
    for role, count in sorted(wanted.items()):
        have = sum(1 for found in statements.approvals if found.statement.role == role)
        if have < count:
            more = f"{count - have} more approval{'s' if count - have > 1 else ''}"
            missing.append(Missing(role, count - have, f"{more} of {role} missing ({have} so far)"))
    return missing


def _counted(statements: Statements, broken: Verified | None) -> list[CountedApproval]:
    request = [] if statements.request is None else [statements.request]
    deciding = statements.approvals if broken is None else [broken]
    return [
        CountedApproval(
            decision=found.statement.decision,
            principal=found.principal,
            person=found.person,
            role=found.statement.role,
            sha256=found.sha256,
            signed_at=found.statement.signed_at,
            not_after=found.statement.not_after,
        )
        for found in (*request, *deciding)
    ]
