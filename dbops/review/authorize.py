"""The gate: work runs only if the whole of it was agreed to, as it lies there now.

In this order: who can change the rules, the folder's bytes (read once, and returned), git, and the
judgement. What runs afterwards runs those bytes, and records the approvals as used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from dbops.audit.entry import DigestOf, Draft, Event, Label
from dbops.audit.recording import LedgerPort
from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused, Unreachable
from dbops.locks import try_lock
from dbops.review.folder import find_work, read_work, refuse_uncommitted
from dbops.review.grounds import Reason
from dbops.review.judge import judge
from dbops.review.memory import Memory, SeenStatement
from dbops.review.ownership import check_protected, demo_covers
from dbops.review.policy import Policy
from dbops.review.purpose import purpose_of
from dbops.review.verified import Verified, verify_statement
from dbops.review.work import Kind, Manifest, Work, check_work_id, read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeOrder:
    """What is about to run. `database` is the alias that it writes to, None where it has none.

    `identity` is that database's own, as its engine says now. `estate` is the estate file, `trust`
    the directory of the trust root, `protected` whatever else decides (the recipients document,
    the ledger's directory). `touched` are the files and directories that the run writes to, None
    where it writes to a server, which no demo's rules reach. `euid` is the account that dbops runs
    as. `takes_back` says that what has run is taken back.
    """

    worktree: Path
    id: str
    kind: Kind
    database: str | None
    identity: str | None
    estate: Path
    trust: Path
    protected: tuple[Path, ...] = ()
    touched: tuple[Path, ...] | None
    euid: int
    takes_back: bool = False


@dataclass(frozen=True, slots=True)
class Authorization:
    """Work that may run now, once, on one database, as the bytes that `work` holds.

    `approvals` are the sha256 of the statements that allow it and that the run's intent must name,
    `plan` the digest of the files, `policy` that of the rules, `commit` where git has the files.
    `approvals` is empty where the policy asks for none. `identity` is the database's own, for which
    they hold; None for work that is of none.
    """

    work: Work
    manifest: Manifest
    approvals: tuple[str, ...]
    plan: str
    policy: str
    break_glass: bool
    commit: str
    identity: str | None


def authorize(
    order: AuthorizeOrder, policy: Policy, trust: TrustRoot, memory: Memory, now: datetime
) -> Authorization:
    """Return the leave to run the work that `order` names, at `now`.

    `Refused` otherwise, with the code of the first reason and all of them counted: `trust-…` and
    demo-outside for who can change the rules, `work-…` for the folder and for what git does not
    have, `manifest-…`, and the codes of `judge`. `NotFound` work-missing. Nothing is changed; see
    `see_statements` for what the ledger should know before.
    """
    check_rules_protected(order, policy)
    work = read_work(order.worktree, find_work(order.worktree, order.id))
    if work.kind is not order.kind:
        raise _refused(
            order, [Reason("work-kind", f"{order.id} is a {work.kind}, not a {order.kind}")]
        )
    commit = refuse_uncommitted(order.worktree, work)
    manifest = read_manifest(work)
    identities = _identities(order)
    judgement = judge(
        work,
        manifest,
        policy,
        trust,
        memory,
        identities,
        order.database,
        now,
        purpose_of(work, takes_back=order.takes_back),
    )
    if not judgement.complete:
        raise _refused(order, judgement.reasons)
    return Authorization(
        work=work,
        manifest=manifest,
        approvals=judgement.approvals,
        plan=work.plan,
        policy=policy.sha256,
        break_glass=judgement.break_glass,
        commit=commit,
        identity=order.identity,
    )


@contextmanager
def only_run(locks: Path, work_id: str) -> Iterator[None]:
    """No other process of this host runs this work meanwhile, nor is given leave to.

    To be held from reading the memory until the run's outcome is recorded: two runs at once would
    both find the approvals unused. `locks` is a directory of dbops' own. Raises `Unreachable`
    work-running; the lock ends with the process.
    """
    with try_lock(locks / f"work-{check_work_id(work_id)}.lock") as ours:
        if not ours:
            raise Unreachable(
                "work-running", f"{work_id} is being run already", hint="dbops audit log --last 5"
            )
        yield


def check_rules_protected(order: AuthorizeOrder, policy: Policy) -> None:
    """Nobody but root and dbops' account can change what decides, or all of it is a demo's."""
    decisive = (order.estate, order.trust, *order.protected)
    if policy.demo:
        if order.touched is None:
            raise Refused(
                "demo-outside",
                f"the policy is marked demo, and {order.id} writes to a server",
                hint="found an estate of its own for real data: dbops init",
            )
        demo_covers(order.estate, (*decisive, order.worktree, *order.touched))
    else:
        check_protected(decisive, outside=order.worktree, euid=order.euid)


def see_statements(
    work: Work, policy: Policy, memory: Memory, ledger: LedgerPort, trust: TrustRoot, now: datetime
) -> Memory:
    """Afterwards the ledger knows every statement in the folder that somebody really made.

    Each is recorded once, by the sha256 of its text, so that a rejection that is taken away is
    missed. Returns the memory with them; raises what the ledger raises where it cannot be written.
    """
    known = {(seen.work, seen.sha256) for seen in memory.seen}
    new: list[SeenStatement] = []
    for name in sorted(work.statements):
        try:
            found = verify_statement(work, name, policy, trust, now)
        except Refused:
            continue
        if (work.id, found.sha256) not in known:
            entry = ledger.append(_seen(work, found))
            decision = found.statement.decision
            seen = SeenStatement(work.id, found.principal, decision, found.sha256, entry.at)
            new.append(seen)
    return replace(memory, seen=(*memory.seen, *new))


def _seen(work: Work, found: Verified) -> Draft:
    statement = found.statement
    listed = "".join(f"{digest}  {path}\n" for path, digest in sorted(statement.files.items()))
    return Draft(
        event=Event.REVIEW_SEEN,
        work=work.id,
        names={
            Label.PRINCIPAL: found.principal,
            Label.DECISION: statement.decision.value,
            Label.KEY: found.key.fingerprint,
        },
        digests={
            DigestOf.STATEMENT: found.sha256,
            DigestOf.PLAN: hashlib.sha256(listed.encode()).hexdigest(),
        },
    )


def _identities(order: AuthorizeOrder) -> dict[str, str]:
    if order.database is None or order.identity is None:
        return {}
    return {order.database: order.identity}


_ASK: Final = frozenset({"purpose-differs", "purpose-unsaid", "request-missing"})
"""What a new request settles, and nothing else."""


def _refused(order: AuthorizeOrder, reasons: Sequence[Reason]) -> Refused:
    code, message = reasons[0].code, reasons[0].message
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    what = "be taken back" if order.takes_back else "run"
    hint = f"dbops review show {order.id}"
    used = order.takes_back and code == "approval-consumed"
    if (code in _ASK or used) and order.kind is Kind.CHANGE:
        back = " --revert" if order.takes_back else ""
        hint = f"have it asked for: dbops review request {order.id}{back} --key KEY"
    return Refused(code, f"{order.id} may not {what}: {message}{more}", hint=hint)
