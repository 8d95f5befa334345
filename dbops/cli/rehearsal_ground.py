"""What every rehearsal stands on: work that its author asks for, a proven backup, who signs."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dbops.errors import DbopsError, NotFound, UsageFault
from dbops.repository.records import ProofLevel

if TYPE_CHECKING:
    from dbops.cli.wiring import Wiring
    from dbops.crypto.signing import KeyFileSigner
    from dbops.estate.values import Database
    from dbops.repository.chain import Backup
    from dbops.repository.reader import Repository
    from dbops.review.policy import Policy
    from dbops.review.work import Work

_LOG: Final = "the server's log has its words"
_NO_LOG: Final = "its words went with the server of the rehearsal: try the statement in psql"


@dataclass(frozen=True, slots=True)
class Ground:
    """The work as it lies in the work tree, and the policy, which nobody else can change."""

    work: Work
    policy: Policy
    worktree: Path


def ground_of(wiring: Wiring, work_id: str) -> Ground:
    """Return the work that is to be rehearsed, whoever signed it or not.

    Raises NotFound where there is no such work, and Refused where others can change the rules.
    """
    from dbops.cli.reviewing import check_trust_files, policy_of, worktree_of
    from dbops.review.folder import find_work, read_work

    policy, worktree = policy_of(wiring), worktree_of(wiring)
    check_trust_files(wiring, policy)
    return Ground(read_work(worktree, find_work(worktree, work_id)), policy, worktree)


def refuse_unasked(wiring: Wiring, ground: Ground, found_by_rehearsal: Collection[str]) -> None:
    """Raise Refused unless the author has signed the files as they are.

    `found_by_rehearsal` are files that an earlier rehearsal left: nobody needs to have signed them.
    """
    from dbops.review.requested import refuse_unrequested

    now = wiring.clock()
    refuse_unrequested(ground.work, ground.policy, wiring.trust, now, found_by_rehearsal)


def proven_backup(wiring: Wiring, repository: Repository, database: Database) -> Backup:
    """Return the newest backup that was found equal; raises NotFound `no-proven-backup`."""
    for backup in reversed(wiring.history(repository, database.name).living):
        if backup.level is ProofLevel.PROVEN:
            return backup
    raise NotFound(
        "no-proven-backup",
        f"no backup of {database.name} was restored and found equal, so there is nothing to "
        "rehearse on",
        hint=f"dbops backup verify {database.name} --level proven",
    )


def evidence_signer(wiring: Wiring) -> KeyFileSigner:
    """Return the key by which this host signs evidence; raises UsageFault `no-host-key`."""
    if wiring.verifier is None:
        raise UsageFault(
            "no-host-key",
            "this host signs no evidence: dbops.toml has no host.verifier_key",
            hint="run the command on the verifying host, or add the key there",
        )
    return wiring.verifier


def rehearsal_directory(wiring: Wiring) -> AbstractContextManager[Path]:
    """A directory for files that are sealed to nobody who lives on, gone afterwards.

    Killed meanwhile, it is gone after the next command of dbops on this host.
    """
    from dbops.locks import private_directory

    return private_directory(wiring.state.scratch(), "rehearsal")


def of_copy(fault: DbopsError, database: str) -> DbopsError:
    """Return the fault of a rehearsal, without a hint at the log of a server that went with it."""
    if _LOG not in fault.hint:
        return fault
    return type(fault)(fault.code, fault.message, hint=f"{_NO_LOG} on a copy of {database}")
