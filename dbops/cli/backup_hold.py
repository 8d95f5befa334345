"""`dbops backup hold` and `dbops backup release`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dbops.cli.options import review_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dbops.audit.entry import Event
    from dbops.cli.wiring import Wiring
    from dbops.crypto.signing import Signer
    from dbops.repository.chain import Backup
    from dbops.repository.reader import Repository
    from dbops.repository.records import Hold
    from dbops.review.authorize import Authorization

    Write = Callable[
        [Repository, Backup, str, str, Signer, Callable[[], datetime]],
        Hold,
    ]


@click.command()
@click.argument("backup_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")
@click.pass_obj
def hold(estate: str | None, backup_id: str, reason: str) -> None:
    """Keep the backup ID (DATABASE@NUMBER) whatever retention says.

    \b
    Example: dbops backup hold lab@12 --reason "inquiry of March 2026"
    Exit statuses: 0 done, 2 no reason, 5 it is on hold already, 10 not found, 11 the repository
    or the ledger cannot be used.
    """
    from dbops.audit.entry import Event
    from dbops.backup.hold import place_hold
    from dbops.cli.wiring import open_wiring

    _write(open_wiring(estate), _Order(Event.BACKUP_HOLD, backup_id, reason, place_hold))
    click.echo(f"{backup_id} is on hold: {reason}")


@click.command()
@click.argument("backup_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")
@review_option
@click.pass_obj
def release(estate: str | None, backup_id: str, reason: str, work_id: str | None) -> None:
    """Take the hold of the backup ID (DATABASE@NUMBER) away.

    Where the hospital's policy wants that approved, --review names the approved work, which says
    the same backup and the same reason.

    \b
    Example: dbops backup release lab@12 --reason "the inquiry is closed" --review 2026-031-lab
    Exit statuses: 0 done, 2 no reason, 5 it is not on hold or not approved, 10 not found, 11 the
    repository or the ledger cannot be used.
    """
    from dbops.audit.entry import Event
    from dbops.backup.hold import release_hold
    from dbops.cli.gates import gate
    from dbops.cli.tasks import require_backup_id
    from dbops.cli.wiring import open_wiring
    from dbops.review.work import Kind

    wiring = open_wiring(estate)
    database = require_backup_id(backup_id).database
    settings = {"backup": backup_id, "reason": reason}
    with gate(wiring, Kind.RELEASE, database, work_id, settings) as allowed:
        _write(wiring, _Order(Event.BACKUP_RELEASE, backup_id, reason, release_hold, allowed))
    click.echo(f"{backup_id} is no longer on hold: {reason}")


@dataclass(frozen=True, slots=True)
class _Order:
    """What to write about which backup, and what allowed it."""

    event: Event
    backup_id: str
    reason: str
    write: Write
    allowed: Authorization | None = None


def _write(wiring: Wiring, order: _Order) -> None:
    from dbops.audit.entry import Effect
    from dbops.cli.entries import allowed_by, of_backup
    from dbops.cli.ledger import recording
    from dbops.cli.tasks import pick_backup, require_backup_id
    from dbops.errors import Unreachable

    wanted = require_backup_id(order.backup_id)
    database = wiring.database(wanted.database)
    repository = wiring.repository(database.repository)
    with wiring.state.lock(database.name):
        backup = pick_backup(wiring.history(repository, database.name), wanted)
        # The reason stands in the signed document: free text stays out of the ledger.
        draft = allowed_by(of_backup(order.event, backup), order.allowed)
        with recording(wiring, draft) as account:
            try:
                order.write(
                    repository, backup, order.reason, wiring.actor, wiring.writer, wiring.clock
                )
            except Unreachable:
                # A storage that went away may have kept the document all the same.
                account.effect(Effect.UNKNOWN)
                raise
