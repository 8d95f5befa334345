"""Why a statement does not speak for what is about to run; pure.

A statement is a person's word about certain files, databases, limits and times. Each ground here
is one of these that is not, or no longer, as it was when the person signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dbops.crypto.trust import TrustRoot
from dbops.review.memory import Memory
from dbops.review.policy import Policy, Rule
from dbops.review.purpose import Purpose, purposes_of
from dbops.review.statement import Decision, Statement
from dbops.review.verified import Verified, statement_path
from dbops.review.work import Manifest, Work

CLOCKS_DIFFER: Final = timedelta(minutes=5)  # that much a signer's clock may be ahead


@dataclass(frozen=True, slots=True)
class Reason:
    """Why work may not run, or why a statement does not count: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged, with everything that the judgement rests on.

    `identities` are the live ones by alias, None where nobody looked; `database` is the one that
    is about to be run on, None where the question is only whether the folder is complete. So is
    `purpose`, what is about to be done, which is also None for work that can only do one thing.
    """

    work: Work
    manifest: Manifest
    policy: Policy
    trust: TrustRoot
    memory: Memory
    identities: Mapping[str, str] | None
    database: str | None
    now: datetime
    rules: tuple[Rule, ...]
    purpose: Purpose | None = None


def grounds(found: Verified, case: Case) -> Iterator[Reason]:
    """Yield every reason for which a statement's content does not count in this case."""
    for code, message in (
        *_of_use(found, case),
        *_of_purpose(found.statement, case),
        *_of_time(found.statement, case),
        *_of_manifest(found.statement, case),
        *_of_databases(found.statement, case),
        *_of_files(found.statement, case),
    ):
        yield Reason(code, f"{statement_path(case.work, found.principal)}: {message}")


_Ground = tuple[str, str]


def _of_purpose(statement: Statement, case: Case) -> Iterator[_Ground]:
    possible = purposes_of(case.work) if case.purpose is None else (case.purpose,)
    if not possible:
        return
    if statement.purpose is None:
        yield "purpose-unsaid", "it does not say which way the change is to go"
    elif statement.purpose not in possible:
        wanted = " or ".join(each.value for each in possible)
        yield "purpose-differs", f"it is to {statement.purpose.value}, and not to {wanted}"


def _of_use(found: Verified, case: Case) -> Iterator[_Ground]:
    consumed = case.memory.consumed(found.sha256)
    if case.database is not None:
        used_up = case.database in consumed
    else:
        used_up = bool(consumed) and consumed >= set(case.manifest.databases or (None,))
    if used_up:
        yield "approval-consumed", "it was used for a run already, and is for one only"


def _of_time(statement: Statement, case: Case) -> Iterator[_Ground]:
    word = _WORDS[statement.decision]
    if statement.not_before is not None and case.now < statement.not_before:
        yield f"{word}-not-yet", f"it counts only from {_shown(statement.not_before)}"
    if case.now > statement.not_after:
        yield f"{word}-expired", f"it counted until {_shown(statement.not_after)}"
    if statement.signed_at > case.now + CLOCKS_DIFFER:
        yield f"{word}-future", f"it says that it was signed at {_shown(statement.signed_at)}"
    longest = _longest(statement.decision, case)
    if longest is not None and statement.not_after - statement.signed_at > longest:
        hours = longest / timedelta(hours=1)
        yield f"{word}-too-long", f"it counts for longer than the {hours:g} hours of the policy"


_WORDS: Final = {
    Decision.REQUEST: "request",
    Decision.APPROVE: "approval",
    Decision.REJECT: "rejection",
    Decision.BREAK_GLASS: "breakglass",
}


def _longest(decision: Decision, case: Case) -> timedelta | None:
    if decision is Decision.BREAK_GLASS:
        return None if case.policy.break_glass is None else case.policy.break_glass.longest
    return min((rule.longest for rule in case.rules if rule.asks), default=None)


def _of_manifest(statement: Statement, case: Case) -> Iterator[_Ground]:
    if statement.risk is not case.manifest.risk:
        yield "risk-differs", f"it is for risk {statement.risk.value}, and the manifest says other"
    if statement.limits not in {case.manifest.limits, case.manifest.older_limits}:
        yield "limits-differ", "its limits are not those of the manifest"


def _of_databases(statement: Statement, case: Case) -> Iterator[_Ground]:
    named = statement.databases
    if case.database is not None and case.database not in named:
        yield "database-not-named", f"it does not name the database {case.database}"
    if set(named) != set(case.manifest.databases):
        yield "databases-differ", "its databases are not those of the manifest"
    for alias, identity in (case.identities or {}).items():
        if alias in named and named[alias] != identity:
            yield "database-identity", f"{alias} is another database now than when it was signed"


def _of_files(statement: Statement, case: Case) -> Iterator[_Ground]:
    present = case.work.digests
    for path, digest in statement.files.items():
        if path not in present:
            yield "file-gone", f"it lists {path}, which is not there"
        elif present[path] != digest:
            yield "file-changed", f"{path} was changed after it was signed"
    for path in present:
        if path not in statement.files:
            yield "file-unlisted", f"it does not list {path}"


def _shown(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
