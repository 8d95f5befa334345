"""`dbops backup hold` and `dbops backup release`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dbops.crypto.signing import Signer
    from dbops.repository.chain import Backup
    from dbops.repository.reader import Repository
    from dbops.repository.records import Hold

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
    Exit statuses: 0 done, 2 no reason, 5 it is on hold already, 10 not found.
    """
    from dbops.backup.hold import place_hold

    _write(estate, backup_id, reason, place_hold)
    click.echo(f"{backup_id} is on hold: {reason}")


@click.command()
@click.argument("backup_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")
@click.pass_obj
def release(estate: str | None, backup_id: str, reason: str) -> None:
    """Take the hold of the backup ID (DATABASE@NUMBER) away.

    \b
    Example: dbops backup release lab@12 --reason "the inquiry is closed"
    Exit statuses: 0 done, 2 no reason, 5 it is not on hold, 10 not found.
    """
    from dbops.backup.hold import release_hold

    _write(estate, backup_id, reason, release_hold)
    click.echo(f"{backup_id} is no longer on hold: {reason}")


def _write(estate: str | None, backup_id: str, reason: str, write: Write) -> None:
    from dbops.cli.tasks import pick_backup, require_backup_id
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    wanted = require_backup_id(backup_id)
    database = wiring.database(wanted.database)
    repository = wiring.repository(database.repository)
    with wiring.state.lock(database.name):
        backup = pick_backup(wiring.history(repository, database.name), wanted)
        write(repository, backup, reason, wiring.actor, wiring.writer, wiring.clock)
