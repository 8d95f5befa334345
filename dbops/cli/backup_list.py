"""`dbops backup list` and `dbops backup show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, json_option

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from dbops.repository.chain import Backup
    from dbops.repository.manifest import Catalogue


@click.command("list")
@click.argument("names", metavar="[DB]...", nargs=-1)
@click.option("--to", "repository", metavar="REPOSITORY", help="Else what each database says.")
@json_option
@click.pass_obj
def list_backups(
    estate: str | None,
    names: tuple[str, ...],
    repository: str | None,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> int:
    """List the backups there are, newest last; without a name, of all databases.

    Whatever is wrong with a chain of backups is said on standard error, and the command then
    ends with 4.

    \b
    Example: dbops backup list lab
    Exit statuses: 0 done, 4 a chain is not whole, 10 not found, 11 unreachable.
    """
    from dbops.cli.render import show_json, show_table
    from dbops.cli.tasks import repository_opener
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    open_repository = repository_opener(wiring, repository)
    histories = [
        wiring.history(open_repository(database.repository), database.name)
        for database in wiring.choose(names, every=not names)
    ]
    backups = [backup for history in histories for backup in history.backups]
    damages = [damage for history in histories for damage in history.damages]
    if as_json:
        show_json({"backups": [summary(backup) for backup in backups], "damages": damages})
    elif backups:
        headers = ("backup", "taken", "read", "stored", "gaps", "level", "")
        show_table([_row(backup, wiring.estate.zone) for backup in backups], headers)
    else:
        click.echo("no backups yet; take one with: dbops backup run --all", err=True)
    for damage in damages if not as_json else ():
        click.echo(f"error: {damage}", err=True)
    return ExitStatus.FINDING if damages else ExitStatus.DONE


def summary(backup: Backup) -> dict[str, object]:
    """What JSON says of a backup."""
    envelope = backup.envelope
    return {
        "backup": str(backup.id),
        "database": backup.id.database,
        "sequence": backup.sequence,
        "snapshot": envelope.snapshot,
        "finished": envelope.finished,
        "server": envelope.server,
        "totals": envelope.totals,
        "level": backup.level,
        "proven_at": backup.proven_at,
        "held": backup.held,
        "expiring": backup.tombstone is not None,
        "findings": backup.findings,
    }


def _row(backup: Backup, zone: ZoneInfo) -> tuple[object, ...]:
    from dbops.cli.render import counted, moment
    from dbops.wording import size

    totals = backup.envelope.totals
    notes = [f"on hold: {backup.hold_reason}"] if backup.held else []
    notes += ["expiring"] if backup.tombstone else []
    notes += [counted(len(backup.findings), "finding")] if backup.findings else []
    return (
        backup.id,
        moment(backup.envelope.snapshot, zone),
        size(totals.bytes),
        size(totals.stored),
        totals.gaps or "-",
        "damaged" if backup.findings else backup.level.label if backup.level else "-",
        ", ".join(notes),
    )


@click.command()
@click.argument("backup_id", metavar="ID")
@identity_option
@json_option
@click.pass_obj
def show(
    estate: str | None,
    backup_id: str,
    identities: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show one backup: when, by whom, its tables, its gaps, its certificates.

    ID is DATABASE@NUMBER, or a database's name for its newest. Tables stand in the sealed
    catalogue, which this host's own catalogue key opens; the ledger says that it was opened.

    \b
    Example: dbops backup show lab@12
    Exit statuses: 0 done, 10 not found, 11 the ledger cannot be written, 12 no identity opens
    the catalogue.
    """
    from dbops.audit.entry import Event
    from dbops.cli.entries import of_backup
    from dbops.cli.ledger import recording
    from dbops.cli.render import show_json
    from dbops.cli.tasks import each_named, pick_backup
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    ((database, wanted),) = each_named(wiring, (backup_id,), every=False)
    repository = wiring.repository(database.repository)
    backup = pick_backup(wiring.history(repository, database.name), wanted)
    opening = (*wiring.catalogue_identities, *wiring.identities(identities))
    with recording(wiring, of_backup(Event.BACKUP_SHOW, backup)):
        catalogue = repository.catalogue(backup.envelope, opening)
        if as_json:
            show_json(_details(backup, catalogue))
        else:
            _show_text(backup, catalogue, wiring.estate.zone)


def _details(backup: Backup, catalogue: Catalogue) -> dict[str, object]:
    return summary(backup) | {
        "signer": backup.signer,
        "sealed_to": backup.envelope.sealed_to,
        "tables": {
            name: {"rows": proof.records, "bytes": proof.bytes}
            for name, proof in sorted(catalogue.named_tables.items())
        },
        "gaps": catalogue.gaps,
        "certificates": backup.certificates,
    }


def _level(backup: Backup) -> str:
    if backup.findings:
        return f"damaged (reached {backup.level.label})"
    return backup.level.label if backup.level else "not verified"


def _show_text(backup: Backup, catalogue: Catalogue, zone: ZoneInfo) -> None:
    from dbops.cli.render import counted, moment, show_table
    from dbops.wording import size

    envelope = backup.envelope
    sealed = ", ".join(f"{entry.role} {entry.name}" for entry in envelope.sealed_to)
    rows = [
        ("backup", backup.id),
        ("instant", moment(envelope.snapshot, zone)),
        ("source", envelope.server),
        ("signed by", backup.signer),
        ("sealed to", sealed),
        ("level", _level(backup)),
        ("stored", f"{size(envelope.totals.stored)} in {counted(len(envelope.packs), 'pack')}"),
    ]
    if backup.held:
        rows.append(("on hold", backup.hold_reason))
    for name, value in rows:
        click.echo(f"{name:<10} {value}")
    click.echo()
    proofs = sorted(catalogue.named_tables.items())
    show_table(
        [(name, proof.records, size(proof.bytes)) for name, proof in proofs],
        ("table", "rows", "bytes"),
    )
    for gap in catalogue.gaps:
        click.echo(f"gap: {gap.object}: {gap.reason}")
    for item in sorted(backup.certificates, key=lambda item: item.at):
        found = counted(len(item.findings), "finding") if item.findings else "nothing wrong"
        click.echo(f"verified {moment(item.at, zone)}: reached {item.reached}, {found}")
        for finding in item.findings:
            click.echo(f"  {finding}")
