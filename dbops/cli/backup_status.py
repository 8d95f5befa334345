"""`dbops backup status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from dbops.backup.status import DatabaseStatus
    from dbops.cli.tasks import Opener
    from dbops.cli.wiring import Wiring
    from dbops.errors import DbopsError
    from dbops.estate.values import Database
    from dbops.keys.drill import LastReceipt


@click.command()
@click.argument("names", metavar="[DB]...", nargs=-1)
@click.option(
    "--prometheus",
    "textfile",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the figures there for a node exporter, besides what is printed.",
)
@click.option("--quiet", is_flag=True, help="Show only what needs a person.")
@json_option
@click.pass_obj
def status(
    estate: str | None,
    names: tuple[str, ...],
    textfile: str | None,
    quiet: bool,  # noqa: FBT001 - click passes options by name
    as_json: bool,  # noqa: FBT001
) -> int:
    """Compare the age of each database's backups with its RPO, and its last restore with its RTO.

    The answer comes from the repository alone; no database is asked. A backup that was found
    damaged does not count. Below stands when the holders of keys last proved that they open
    backups (dbops keys drill).

    \b
    Example: dbops backup status --quiet
    Exit statuses: 0 all is well, 4 an RPO or RTO is missed or something is wrong, 10 not found,
    11 a repository cannot be reached.
    """
    from dbops.backup.status import prometheus_text
    from dbops.cli.render import show_json
    from dbops.cli.tasks import repository_opener
    from dbops.cli.wiring import open_wiring
    from dbops.errors import DbopsError, ExitStatus

    wiring = open_wiring(estate)
    opener = repository_opener(wiring)
    known: list[DatabaseStatus] = []
    errors: dict[str, DbopsError] = {}
    for database in wiring.choose(names, every=not names):
        try:
            known.append(_status(wiring, opener, database))
        except DbopsError as error:
            errors[database.name] = error
    if textfile is not None:
        _replace(Path(textfile), prometheus_text(known))
    wanted = [item for item in known if item.verdict.alarming] if quiet else known
    receipts = _receipts(wiring, opener)
    if as_json:
        show_json({"databases": wanted, "errors": _errors(errors), "receipts": receipts})
    else:
        _show(wanted, wiring.estate.zone)
        _show_receipts([] if quiet else receipts)
    for name, failure in errors.items():
        click.echo(f"error: {name}: {failure.message}", err=True)
        click.echo(f"hint: {failure.hint}", err=True)
    if any(item.verdict.alarming for item in known) or (errors and known):
        return ExitStatus.FINDING
    return next(iter(errors.values())).status if errors else ExitStatus.DONE


def _status(wiring: Wiring, opener: Opener, database: Database) -> DatabaseStatus:
    from dbops.backup.status import database_status

    history = wiring.history(opener(database.repository), database.name)
    return database_status(history, wiring.estate.systems[database.system], wiring.clock())


def _errors(errors: dict[str, DbopsError]) -> list[dict[str, str]]:
    return [
        {"database": name, "code": error.code, "message": error.message, "hint": error.hint}
        for name, error in errors.items()
    ]


def _receipts(wiring: Wiring, opener: Opener) -> list[LastReceipt]:
    """When the holder of each kind of key last proved that it opens backups."""
    from dbops.errors import DbopsError, Unreachable
    from dbops.keys.drill import last_receipts

    found: list[LastReceipt] = []
    for name in wiring.estate.repositories:
        try:
            found += last_receipts(opener(name).receipts(), wiring.clock())
        except Unreachable:
            continue  # said already of each database that needs it
        except DbopsError as error:
            click.echo(f"error: the receipts of key drills in {name}: {error.message}", err=True)
    return found


def _show_receipts(receipts: list[LastReceipt]) -> None:
    from dbops.cli.render import age

    for item in receipts:
        click.echo(
            f"key drill: {item.role} ({item.name}) opened {item.headers} headers"
            f" {age(item.age)} ago"
        )


def _show(known: list[DatabaseStatus], zone: ZoneInfo) -> None:
    from datetime import timedelta

    from dbops.cli.render import age, moment, show_table

    def seconds(count: float | None) -> str:
        return "-" if count is None else age(timedelta(seconds=count))

    rows = [
        (
            item.database,
            item.verdict.value,
            moment(item.last_backup_at, zone),
            seconds(item.age_seconds),
            seconds(item.rpo_seconds),
            moment(item.last_proven_at, zone),
            seconds(item.measured_restore_seconds),
            seconds(item.rto_seconds),
        )
        for item in known
    ]
    if rows:
        headers = ("database", "verdict", "backup", "age", "RPO", "proven", "restore", "RTO")
        show_table(rows, headers)
    for item in known:
        for text in (*item.damages, *item.findings):
            click.echo(f"error: {text}", err=True)


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all: a collector may read it at any time."""
    from dbops.errors import Failed

    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as failure:
        raise Failed(
            "file-unwritable",
            f"{path} cannot be written ({failure.strerror})",
            hint="check the directory's owner and room",
        ) from None
