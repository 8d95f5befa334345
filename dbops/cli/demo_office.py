"""Where the demo's people work: an engineer asks, the hospital answers, git has what they sign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dbops.cli.ops import make_work_tree
from dbops.cli.review_sign import decide_recorded
from dbops.cli.reviewing import open_desk
from dbops.cli.wiring import Wiring
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.trust import read_trust_file
from dbops.git import Access, run_git
from dbops.review.policy import parse_policy
from dbops.review.statement import Decision
from dbops.review.trust_init import NewPerson, add_persons, add_signers, signs_for

ENGINEER = "zhang.wei@vendor"


@dataclass(frozen=True, slots=True)
class Office:
    """The work tree, and the keys of the two who sign: an engineer, and the hospital's IT."""

    wiring: Wiring
    worktree: Path
    engineer: KeyFileSigner
    hospital: KeyFileSigner

    def request(self, work_id: str) -> None:
        """Afterwards the engineer asks for the work as it lies there, and git has that."""
        self._decide(work_id, Decision.REQUEST, self.engineer)

    def approve(self, work_id: str) -> None:
        """Afterwards the hospital agrees, and git has that."""
        self._decide(work_id, Decision.APPROVE, self.hospital)

    def approved(self, work_id: str) -> bool:
        """Whether nothing stands in the way, as `dbops review check` says."""
        desk = open_desk(self.wiring)
        (folder,) = desk.folders(work_id)
        return not desk.look(folder).obstacles

    def commit(self, message: str) -> None:
        """Afterwards git has everything in the work tree."""
        for arguments in (
            ("add", "--all"),
            ("commit", "--quiet", f"--message={message}"),
        ):
            run_git(self.worktree, *arguments, access=Access.WRITE)

    def _decide(self, work_id: str, decision: Decision, signer: KeyFileSigner) -> None:
        decide_recorded(open_desk(self.wiring), work_id, decision, signer)
        self.commit(f"{decision.value} {work_id}")


def open_office(wiring: Wiring, directory: Path) -> Office | None:
    """Afterwards there is a work tree, and the trust root knows an engineer.

    None where git is not installed: what is signed lies in a git repository.
    """
    worktree = directory / "ops"
    if not make_work_tree(worktree):
        return None
    for arguments in (("user.name", "demo"), ("user.email", "demo@example.invalid")):
        run_git(worktree, "config", *arguments, access=Access.WRITE)
    engineer = KeyFileSigner.load(_add_engineer(wiring, directory))
    hospital = KeyFileSigner.load(directory / "hospital" / "signing")
    # As a new process would see it: the trust root has changed.
    fresh = Wiring(wiring.estate, wiring.environ, wiring.clock)
    return Office(fresh, worktree, engineer, hospital)


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
