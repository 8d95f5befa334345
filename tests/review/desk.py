"""A desk with one complete, valid, approved repair on it: real keys, real signatures, real git."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from dbops.audit.entry import Actor, Draft, Entry, Event, Label, Phase
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustedSigner, TrustRoot, format_signer, load_trust_root
from dbops.errors import Refused
from dbops.review.authorize import Authorization, AuthorizeOrder, authorize
from dbops.review.folder import find_work, read_work
from dbops.review.judge import Judgement, judge
from dbops.review.memory import Memory
from dbops.review.ownership import PERSONS_FROM
from dbops.review.policy import Policy, parse_policy
from dbops.review.statement import Decision, Statement, encode_statement
from dbops.review.work import Kind, Risk, read_manifest
from tests.support.ops_tree import OpsTree, made_tree

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SIGNED = NOW - timedelta(hours=1)
ID = "2026-117-ward"
DATABASE = "lab"
IDENTITY = "postgresql:7444512345678901234:16401"
FOLDER = f"repairs/{ID}"
AUTHOR, LI, ZHAO = "wang.fang@site", "li.na@hospital", "zhao.lei@hospital"
ENGINEER = 4711  # an account that is neither root's nor dbops'

POLICY = """\
dbops = "policy/v1"

[persons.wang-fang]
name = "王芳"
principals = ["wang.fang@site", "wang.second@site"]

[persons.li-na]
name = "李娜"
principals = ["li.na@hospital", "li.laptop@hospital"]

[persons.zhao-lei]
name = "赵磊"
principals = ["zhao.lei@hospital"]

[persons.chen-yi]
name = "陈怡"
principals = ["chen.yi@site"]

[persons.sun-jie]
name = "孙杰"
principals = ["sun.jie@hospital"]

[roles]
engineer = ["wang-fang", "chen-yi"]
it-department = ["li-na", "zhao-lei"]
ward = ["chen-yi"]
break-glass = ["sun-jie", "wang-fang"]

[[rules]]
kinds = ["repair"]
databases = ["lab", "ris"]
author = "engineer"
quorum = { it-department = 1 }
evidence = true
evidence_age = "3d"

[[rules]]
kinds = ["repair"]
risk = "high"
author = "engineer"
quorum = { it-department = 2 }
longest = "7d"

[break_glass]
role = "break-glass"
review_within = "72h"
"""

MANIFEST = f"""\
dbops: repair/v1
id: {ID}
title: 38 visits booked to the closed ward
author: wang.fang@site
ticket: LAB-4812
risk: high
databases: [{DATABASE}]
limits:
  rows: 50
  lock_wait: 5s
"""

PERSONAL = {Namespace.REQUEST, Namespace.APPROVAL, Namespace.BREAKGLASS}
MAY: Mapping[str, set[Namespace]] = {
    "wang.fang@site": PERSONAL,
    "wang.second@site": PERSONAL,
    "li.na@hospital": PERSONAL,
    "li.laptop@hospital": PERSONAL,
    "zhao.lei@hospital": PERSONAL | {Namespace.EVIDENCE},
    "chen.yi@site": PERSONAL,
    "sun.jie@hospital": PERSONAL,
    "verifier@host": {Namespace.EVIDENCE},
    "git@host": {Namespace.MANIFEST},
}


@cache
def key_directory() -> Path:
    """Where the key files are: made once, and gone when this process ends."""
    made = Path(tempfile.mkdtemp(prefix="dbops-keys-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def signer_of(name: str) -> KeyFileSigner:
    """The signer of a key file of this name."""
    path = key_directory() / name
    generate_signing_key(path, name)
    return KeyFileSigner.load(path)


def sha256(data: bytes) -> str:
    """The digest in hex."""
    return hashlib.sha256(data).hexdigest()


def evidence_of(files: Mapping[str, bytes], *, at: datetime = SIGNED, id_: str = ID) -> bytes:
    """The evidence of a rehearsal of these files."""
    lines = [
        "dbops: evidence/v1",
        f"id: {id_}",
        f"at: {at:%Y-%m-%dT%H:%M:%SZ}",
        "files:",
        *(f"  {path}: {sha256(data)}" for path, data in sorted(files.items())),
        "effect: {update: 38}",
    ]
    return ("\n".join(lines) + "\n").encode()


@dataclass(slots=True)
class Desk:
    """Everything that the judgement rests on, as files and values that an attack may change."""

    place: Path
    tree: OpsTree
    signers: dict[str, TrustedSigner] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    identities: dict[str, str] = field(default_factory=lambda: {DATABASE: IDENTITY})
    database: str | None = DATABASE
    now: datetime = NOW
    kind: Kind = Kind.REPAIR
    trust: Path = Path()
    estate: Path = Path()
    protected: tuple[Path, ...] = ()
    touched: tuple[Path, ...] = ()
    euid: int = field(default_factory=os.geteuid)

    @property
    def folder(self) -> Path:
        """The work's folder."""
        return self.tree.path / FOLDER

    @property
    def allowed(self) -> Path:
        """The file of the keys that count."""
        return self.trust / "allowed_signers"

    @property
    def policy(self) -> Path:
        """The file of the policy."""
        return self.trust / "policy.toml"

    def files(self) -> dict[str, bytes]:
        """The files that a statement lists."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.parent.name != "approvals"
        }

    def write(self, name: str, data: bytes | str) -> None:
        """Afterwards the file of the folder has this content."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that must be in a file of the folder."""
        text = (self.folder / name).read_bytes().decode()
        assert old in text
        self.write(name, text.replace(old, new))

    def text_of(self, principal: str) -> bytes:
        """The text of a statement."""
        return (self.folder / "approvals" / f"{principal}.txt").read_bytes()

    def statement(self, principal: str, decision: Decision = Decision.APPROVE) -> Statement:
        """What a person would sign of the folder as it now is."""
        asked = self.folder / "approvals" / "wang.fang@site.txt"
        request = decision is Decision.REQUEST
        return Statement(
            decision=decision,
            kind=Kind.REPAIR,
            id=ID,
            signer=principal,
            role="engineer" if request else "it-department",
            databases={DATABASE: IDENTITY},
            limits=("rows: 50", "lock_wait: 5s"),
            risk=Risk.HIGH,
            request=None if request else sha256(asked.read_bytes()),
            not_after=SIGNED + timedelta(days=5),
            signed_at=SIGNED,
            nonce=sha256(f"{principal}{decision}".encode())[:32],
            note=None if request else "looked at the ward list",
            files={path: sha256(data) for path, data in self.files().items()},
        )

    def sign(
        self,
        principal: str,
        decision: Decision = Decision.APPROVE,
        change: Callable[[Statement], Statement] = lambda statement: statement,
        *,
        key: str | None = None,
        namespace: Namespace | None = None,
        name: str | None = None,
    ) -> None:
        """Write and sign a statement, with the principal's own key unless another is named."""
        statement = change(self.statement(principal, decision))
        self.put(
            name or principal,
            encode_statement(statement),
            namespace or statement.decision.namespace,
            key or principal,
        )

    def put(self, name: str, text: bytes, namespace: Namespace, key: str) -> None:
        """Write any text as a statement, signed with a key."""
        self.write(f"approvals/{name}.txt", text)
        self.write(f"approvals/{name}.txt.sig", signer_of(key).sign(text, namespace))

    def remove(self, principal: str) -> None:
        """Take a statement away."""
        for suffix in (".txt", ".txt.sig"):
            (self.folder / "approvals" / f"{principal}{suffix}").unlink()

    def break_glass(
        self, principal: str, *, hours: int = 4, namespace: Namespace | None = None
    ) -> None:
        """Write and sign a break-glass statement."""
        self.sign(
            principal,
            Decision.BREAK_GLASS,
            lambda statement: replace(
                statement, role="break-glass", not_after=SIGNED + timedelta(hours=hours)
            ),
            namespace=namespace,
        )

    def sign_all(self) -> None:
        """Request and approvals of the folder as it now is."""
        self.sign("wang.fang@site", Decision.REQUEST)
        self.sign("li.na@hospital")
        self.sign("zhao.lei@hospital")

    def rehearse(self, key: str = "verifier@host", *, at: datetime = SIGNED) -> None:
        """Evidence of the folder as it now is, signed."""
        own = {"evidence.yml", "evidence.yml.sig"}
        files = {path: data for path, data in self.files().items() if path not in own}
        data = evidence_of(files, at=at)
        self.write("evidence.yml", data)
        self.write("evidence.yml.sig", signer_of(key).sign(data, Namespace.EVIDENCE))

    def write_trust(self) -> None:
        """The signers of this desk are those of the file."""
        lines = [format_signer(signer) for signer in self.signers.values()]
        self.allowed.write_text("".join(lines))

    def change_signer(
        self, principal: str, change: Callable[[TrustedSigner], TrustedSigner]
    ) -> None:
        """The line of a principal says something else."""
        self.signers[principal] = change(self.signers[principal])
        self.write_trust()

    def trust_root(self) -> TrustRoot:
        """The trust root as its files say."""
        return load_trust_root(self.trust, UTC)

    def read_policy(self) -> Policy:
        """The policy as its file says."""
        return parse_policy(self.policy.read_text(), "policy.toml")

    def judged(self) -> Judgement:
        """The judgement of the folder as it lies there."""
        work = read_work(self.tree.path, find_work(self.tree.path, ID))
        return judge(
            work,
            read_manifest(work),
            self.read_policy(),
            self.trust_root(),
            self.memory,
            self.identities,
            self.database,
            self.now,
        )

    def authorized(self) -> Authorization:
        """The leave to run, as the commands ask for it; Refused where there is none."""
        order = AuthorizeOrder(
            worktree=self.tree.path,
            id=ID,
            kind=self.kind,
            database=self.database,
            identity=self.identities.get(self.database or ""),
            estate=self.estate,
            trust=self.trust,
            protected=self.protected,
            touched=self.touched,
            euid=self.euid,
        )
        return authorize(order, self.read_policy(), self.trust_root(), self.memory, self.now)

    def refused(self) -> str | None:
        """The code with which the run is refused; None where it may start."""
        try:
            self.authorized()
        except Refused as fault:
            return fault.code
        return None


def entries_of(*drafts: Draft, at: datetime = SIGNED) -> tuple[Entry, ...]:
    """A ledger's entries, one minute apart from `at` on."""
    actor = Actor("dbops", 990, "wang", 1001, None, 4711, 99)
    return tuple(
        Entry(
            sequence=number,
            previous="0" * 64,
            at=at + timedelta(minutes=number),
            offset=480,
            host="backup-1",
            boot="2f1c7a34-9d0e-4c55-8a0b-7d2f6a3b1c90",
            actor=actor,
            tool="dbops 0.1",
            draft=draft,
        )
        for number, draft in enumerate(drafts)
    )


def run_of(desk: Desk, *, target: str = DATABASE, broken: bool = False) -> Draft:
    """The intent of a run on everything that is signed in the folder."""
    texts = sorted((desk.folder / "approvals").glob("*.txt"))
    return Draft(
        event=Event.RESTORE_RUN,
        phase=Phase.INTENT,
        target=target,
        work=ID,
        approvals=tuple(sha256(path.read_bytes()) for path in texts),
        names={Label.DECISION: Decision.BREAK_GLASS.value} if broken else {},
    )


def made_desk(place: Path) -> Desk:
    """A desk whose work may run."""
    desk = Desk(place, made_tree(place / "ops"))
    desk.trust, desk.estate = place / "trust", place / "dbops.toml"
    desk.signers = {
        principal: TrustedSigner(principal, signer_of(principal).public_key, frozenset(may))
        for principal, may in MAY.items()
    }
    desk.trust.mkdir()
    # Who logs in is nobody to keep rules from himself: without root, the desk is a demo's.
    desk.policy.write_text(f"demo = {str(desk.euid >= PERSONS_FROM).lower()}\n{POLICY}")
    desk.estate.write_text("[estate]\n")
    desk.write_trust()
    desk.write("repair.yml", MANIFEST)
    desk.write("repair.sql", "UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD'\n")
    desk.rehearse()
    desk.sign_all()
    desk.tree.commit()
    return desk


def copied(desk: Desk, place: Path) -> Desk:
    """The same desk again, on files of its own at a new place."""
    shutil.copytree(desk.place, place)
    return replace(
        desk,
        place=place,
        tree=OpsTree(place / "ops"),
        trust=place / "trust",
        estate=place / "dbops.toml",
        signers=dict(desk.signers),
        identities=dict(desk.identities),
    )


Attack = Callable[[Desk], None]
