"""One restore, wired and recorded: what the command and the demo call."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dbops.audit.entry import Effect
from dbops.backup.contents import open_contents
from dbops.backup.ports import RestoreOrder
from dbops.backup.restore import RestoreReport, Step, restore_backup
from dbops.cli.entries import allowed_by, restore_intent, restored
from dbops.cli.ledger import recording
from dbops.cli.wiring import Wiring
from dbops.crypto.age import Identity
from dbops.errors import NoIdentity, NotFound, Unreachable
from dbops.estate.values import Address
from dbops.repository.chain import Backup
from dbops.repository.reader import Repository

if TYPE_CHECKING:
    from dbops.review.authorize import Authorization


# A table that is named and not there is seen before anything is written.
_BEFORE_LOADING: Final = frozenset({"no-table", "table-not-in-backup"})


@dataclass(frozen=True, slots=True)
class Restoration:
    """Which backup goes where; `target` is what the person called the place.

    `path` is the file that was named by its path, None where the estate knows the target.
    """

    address: Address
    target: str
    path: Path | None
    repository: Repository
    backup: Backup
    identities: tuple[Identity, ...] = field(repr=False)
    allowed: Authorization | None = None


def restore_recorded(
    wiring: Wiring, work: Restoration, order: RestoreOrder, *, overwrite: bool, compare: bool
) -> RestoreReport:
    """Afterwards the target holds the backup, and the ledger says how that ended.

    See `restore_backup`. A restore that broke off has an unknown effect, unless it was refused
    before anything changed.
    """
    draft = restore_intent(work.backup, None if work.path else work.target, work.path)
    with recording(wiring, allowed_by(draft, work.allowed)) as account:
        contents = open_contents(work.repository, work.backup.envelope, work.identities)
        begun: list[Step] = []

        def begin(step: Step) -> None:
            begun.append(step)
            if step is Step.CLEAR:
                account.effect(Effect.UNKNOWN)

        try:
            report = restore_backup(
                wiring.engine(work.address),
                work.target,
                contents,
                order,
                overwrite=overwrite,
                compare=compare,
                advance=order.advance,
                begin=begin,
            )
        except (Unreachable, NoIdentity, NotFound) as failure:
            # A server, a pack or a key that is missing half way is not one that was never there.
            if begun and failure.code not in _BEFORE_LOADING:
                account.effect(Effect.UNKNOWN)
            raise
        account.effect(Effect.COMMITTED)
        restored(account, report)
    return report
