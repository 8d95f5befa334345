"""The second half of the demo: a repair is signed and then changed, a ledger is edited."""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from dbops.audit.actor import boot_id, still_runs
from dbops.audit.findings import LedgerFinding, LedgerPolicy, LedgerReport
from dbops.audit.known import kept_checkpoints
from dbops.audit.segments import Segments
from dbops.audit.verify import verify_ledger
from dbops.cli.ledger import ledger_of, require_checkpoint_signer
from dbops.cli.ops import make_work_tree
from dbops.cli.reviewing import identity_of, memory_of, policy_of
from dbops.cli.wiring import Wiring
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.trust import read_trust_file
from dbops.git import Access, run_git
from dbops.review.decide import DecideOrder, approve_work, request_work
from dbops.review.folder import read_work, refuse_uncommitted
from dbops.review.grounds import Reason
from dbops.review.judge import judge
from dbops.review.policy import parse_policy
from dbops.review.trust_init import NewPerson, add_persons, add_signers, signs_for
from dbops.review.work import read_manifest

WORK = "2026-117-lab"
DATABASE = "lab"
ENGINEER = "zhang.wei@vendor"

_MANIFEST = f"""\
dbops: repair/v1
id: {WORK}
title: 标本状态重复登记
author: {ENGINEER}
ticket: T-2026-117
risk: low
databases:
  - {DATABASE}
limits:
  rows: "12"
"""
_SCRIPT = "UPDATE sample SET status = 2 WHERE status = 3 AND received < '2026-01-01';\n"


@dataclass(frozen=True, slots=True)
class SignOff:
    """A repair of the demo: whether it was approved, and why not after one byte changed."""

    work: str
    approved: bool
    refused: Reason | None


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """The ledger of the demo, and a copy of it in which entry number `edited` was changed."""

    entries: int
    whole: bool
    edited: int
    found: LedgerFinding | None

    @property
    def caught(self) -> bool:
        """Whether the right line was named."""
        return self.found is not None and self.found.sequence == self.edited


def sign_off(wiring: Wiring, directory: Path) -> SignOff | None:
    """A repair is requested by an engineer and approved by the hospital; then a byte changes.

    None where git is not installed: what is signed lies in a git repository.
    """
    worktree = directory / "ops"
    if not make_work_tree(worktree):
        return None
    engineer = _add_engineer(wiring, directory)
    folder = worktree / "repairs" / WORK
    folder.mkdir(parents=True)
    (folder / "repair.yml").write_text(_MANIFEST, "utf-8")
    (folder / "repair.sql").write_text(_SCRIPT, "utf-8")
    _commit(worktree, "Ask for a repair")
    for key in (engineer, directory / "hospital" / "signing"):
        _decide(wiring, folder, KeyFileSigner.load(key), asks=key == engineer)
        _commit(worktree, "Sign it")
    approved = not _obstacles(wiring, folder)
    (folder / "repair.sql").write_text(_SCRIPT.replace("= 3", "= 4"), "utf-8")
    _commit(worktree, "Change one byte")
    return SignOff(WORK, approved, next(iter(_obstacles(wiring, folder)), None))


def _add_engineer(wiring: Wiring, directory: Path) -> Path:
    """Afterwards the trust root knows an engineer; returns the path of the private key."""
    place = directory / "engineer"
    place.mkdir(mode=0o700)
    public = generate_signing_key(place / "signing", ENGINEER)
    person = NewPerson("zhang-wei", "张伟", ENGINEER, public, ("engineer",))
    signers, policy = (wiring.estate.trust / name for name in ("allowed_signers", "policy.toml"))
    text = read_trust_file(policy) or ""
    known = parse_policy(text, str(policy))
    lines, _ = add_signers(
        read_trust_file(signers) or "",
        [person],
        lambda each: signs_for(known, each, frozenset()),
        source=str(signers),
        zone=wiring.estate.zone,
    )
    signers.write_text(lines, "utf-8")
    policy.write_text(add_persons(text, [person], source=str(policy)), "utf-8")
    return place / "signing"


def _decide(wiring: Wiring, folder: Path, signer: KeyFileSigner, *, asks: bool) -> None:
    """Afterwards the signer's request or approval lies beside the repair."""
    seen, worktree = _fresh(wiring), folder.parents[1]
    identities = {DATABASE: identity_of(seen, DATABASE)}
    order = DecideOrder(worktree=worktree, work=read_work(worktree, folder), identities=identities)
    decide = request_work if asks else approve_work
    decide(order, policy_of(seen), seen.trust, signer, seen.clock(), secrets.token_hex(16))


def _obstacles(wiring: Wiring, folder: Path) -> tuple[Reason, ...]:
    """What `dbops review check` says of the repair."""
    seen = _fresh(wiring)
    work = read_work(folder.parents[1], folder)
    refuse_uncommitted(folder.parents[1], work)
    identities = {DATABASE: identity_of(seen, DATABASE)}
    policy, memory = policy_of(seen), memory_of(seen)
    manifest, now = read_manifest(work), seen.clock()
    return judge(work, manifest, policy, seen.trust, memory, identities, DATABASE, now).reasons


def _fresh(wiring: Wiring) -> Wiring:
    """As a new process would see it: the trust root has changed meanwhile."""
    return Wiring(wiring.estate, wiring.environ, wiring.clock)


def _commit(worktree: Path, message: str) -> None:
    for arguments in (
        ("config", "user.name", "demo"),
        ("config", "user.email", "demo@example.invalid"),
        ("add", "--all"),
        ("commit", "--quiet", f"--message={message}"),
    ):
        run_git(worktree, *arguments, access=Access.WRITE)


def check_ledger(wiring: Wiring, directory: Path) -> LedgerCheck:
    """The ledger is verified, and so is a copy in which one figure of one line was changed."""
    ledger_of(wiring).checkpoint(require_checkpoint_signer(wiring))
    place = wiring.estate.audit.directory
    report = _verify(wiring, place)
    copy = directory / "edited-ledger"
    shutil.copytree(place, copy)
    edited = _edit(copy)
    findings = _verify(wiring, copy).findings
    return LedgerCheck(report.size, report.ok, edited, next(iter(findings), None))


def _edit(copy: Path) -> int:
    """Afterwards a backup of the copy has read another number of bytes; returns its entry."""
    segment = min((copy / "seg").iterdir())
    lines = segment.read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if b'"bytes":' in line)
    lines[number] = re.sub(
        rb'"bytes":(\d)', lambda found: b'"bytes":%d' % ((int(found[1]) % 9) + 1), lines[number]
    )
    segment.write_bytes(b"".join(lines))
    return number


def _verify(wiring: Wiring, place: Path) -> LedgerReport:
    audit = wiring.estate.audit
    segments = Segments(place)
    return verify_ledger(
        segments,
        known=tuple(kept_checkpoints(segments)),
        trust=wiring.trust,
        policy=LedgerPolicy(audit.heartbeat, audit.anchor_within, anchors=False),
        now=wiring.clock(),
        running=still_runs,
        boot=boot_id(),
    )
