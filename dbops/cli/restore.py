"""`dbops restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, jobs_option, json_option, review_option

if TYPE_CHECKING:
    from dbops.backup.restore import RestoreReport
    from dbops.cli.wiring import Wiring
    from dbops.estate.values import Address, Database
    from dbops.repository.chain import Backup, History


@click.group()
def restore() -> None:
    """Put a backup back."""


@restore.command()
@click.argument("name", metavar="DB")
@click.option("--backup", "backup_id", metavar="ID", help="DATABASE@NUMBER; else the newest.")
@click.option("--at", metavar="TIME", help='The newest at that time: ISO or "yesterday 03:00".')
@click.option("--to", "target", required=True, metavar="TARGET", help="A target, or a new file.")
@click.option("--table", "tables", multiple=True, metavar="T", help="Only this table; repeatable.")
@click.option("--prove", "compare", is_flag=True, help="Read the target again and compare.")
@click.option("--overwrite", metavar="TARGET", help="Replace what the target holds: name it again.")
@review_option
@identity_option
@jobs_option
@json_option
@click.pass_obj
def run(
    estate: str | None,
    name: str,
    backup_id: str | None,
    at: str | None,
    target: str,
    tables: tuple[str, ...],
    compare: bool,  # noqa: FBT001 - click passes options by name
    overwrite: str | None,
    work_id: str | None,
    identities: tuple[str, ...],
    jobs: int | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Restore a backup of DB into TARGET, which must be empty; or add single tables to it.

    TARGET is a name under [targets] or [databases] of dbops.toml; for SQLite also the path of a
    new file. Nothing is replaced unless --overwrite names the target a second time. Where the
    hospital's policy wants a restore approved, --review names the approved work, which says the
    same source, target, tables and overwriting as the command.

    \b
    Example: dbops restore run lab --at "yesterday 03:00" --to lab-restored --prove
    Exit statuses: 0 done, 1 failed, 3 done but not recorded, 4 the restored copy differs or other
    backups are damaged, 5 not approved, the target is not empty or the newest backup is in doubt,
    10 not found, 11 unreachable, 12 no identity opens it.
    """
    from dbops.backup.ports import RestoreOrder
    from dbops.cli.gates import gate
    from dbops.cli.progress import Progress
    from dbops.cli.restoring import Restoration, restore_recorded
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus
    from dbops.review.work import Kind

    wiring = open_wiring(estate)
    name, backup_id = _split(name, backup_id)
    database = wiring.database(name)
    address = _target(wiring, database, target)
    _refuse_misnamed(target, overwrite)
    _refuse_comma(tables, work_id)
    repository = wiring.repository(database.repository)
    history = wiring.history(repository, database.name)
    _refuse_doubtful(history, named=backup_id is not None)
    backup = _choose(wiring, history, backup_id, at)
    _refuse_found_wrong(backup, named=backup_id is not None)
    source = str(backup.id) if backup_id or at else database.name
    path = Path(target).absolute() if "/" in target else None
    place = str(path or target)
    settings = _settings(source, place, tables, overwrite=overwrite is not None)
    opening = wiring.identities(identities)
    with (
        gate(wiring, Kind.RESTORE, place, work_id, settings) as allowed,
        Progress(str(backup.id), quiet=as_json) as progress,
    ):
        progress.expect(backup.envelope.totals.bytes)
        report = restore_recorded(
            wiring,
            Restoration(address, target, path, repository, backup, opening, allowed),
            RestoreOrder(tables or None, jobs or 2, progress.advance),
            overwrite=overwrite is not None,
            compare=compare,
        )
    _show(report, history, as_json=as_json)
    return ExitStatus.FINDING if report.differences or history.damages else ExitStatus.DONE


def _settings(
    source: str, target: str, tables: tuple[str, ...], *, overwrite: bool
) -> dict[str, str]:
    """What was typed, as a reviewed restore says it."""
    typed = {"source": source, "target": target, "overwrite": "yes" if overwrite else "no"}
    return typed | ({"tables": ", ".join(tables)} if tables else {})


def _split(name: str, backup_id: str | None) -> tuple[str, str | None]:
    """`lab@12` means the database lab and its backup 12."""
    from dbops.cli.tasks import parse_backup_id

    found = parse_backup_id(name)
    return (found.database, backup_id or name) if found else (name, backup_id)


def _target(wiring: Wiring, database: Database, text: str) -> Address:
    """A path means a SQLite file; everything else is a name of the estate."""
    from dbops.errors import UsageFault
    from dbops.estate.values import SqliteAddress

    if "/" in text:
        if not isinstance(database, SqliteAddress):
            raise UsageFault(
                "target-kind",
                f"{database.name} is not SQLite: it cannot be restored into a file",
                hint="add a target to dbops.toml: [targets.NAME]",
            )
        return SqliteAddress(name=database.name, path=Path(text).absolute())
    address = wiring.target(text)
    if address.engine is not database.engine:
        raise UsageFault(
            "target-kind",
            f"{database.name} is {database.engine.value}, the target {text} is not",
            hint="dbops systems list shows the engines",
        )
    return address


def _refuse_misnamed(target: str, overwrite: str | None) -> None:
    from dbops.errors import UsageFault

    if overwrite is not None and overwrite != target:
        raise UsageFault(
            "overwrite-other",
            f"--overwrite names {overwrite}, but the target is {target}",
            hint="name the target twice to replace what it holds",
        )


def _refuse_comma(tables: tuple[str, ...], work_id: str | None) -> None:
    """A comma stands between the tables of what was approved, so none can be in a name."""
    from dbops.errors import UsageFault

    if work_id is not None and any("," in table for table in tables):
        raise UsageFault(
            "table-comma",
            "approved work names no table with a comma",
            hint="name each table by a --table of its own",
        )


def _refuse_doubtful(history: History, *, named: bool) -> None:
    """Which backup is the newest is not known of a damaged chain: then a person says which."""
    from dbops.errors import Refused

    if history.damages and not named:
        first, more = history.damages[0], len(history.damages) - 1
        raise Refused(
            "chain-doubtful",
            f"the backups of {history.database} are not whole, so the newest is not known: {first}"
            + (f" (and {more} more)" if more else ""),
            hint=f"choose one: dbops backup list {history.database}, then add --backup ID",
        )


def _refuse_found_wrong(backup: Backup, *, named: bool) -> None:
    from dbops.cli.render import counted
    from dbops.errors import Refused

    if backup.findings and not named:
        raise Refused(
            "backup-found-wrong",
            f"a verification of {backup.id} found {counted(len(backup.findings), 'thing')} wrong",
            hint=f"dbops backup show {backup.id}; to restore it all the same, add --backup",
        )


def _choose(wiring: Wiring, history: History, backup_id: str | None, at: str | None) -> Backup:
    from dbops.cli.tasks import pick_backup, require_backup_id
    from dbops.errors import UsageFault
    from dbops.estate.times import parse_moment
    from dbops.repository.reader import find_backup

    if backup_id and at:
        raise UsageFault(
            "backup-or-time", "--backup and --at exclude each other", hint="give one of them"
        )
    if at is None:
        return pick_backup(history, require_backup_id(backup_id) if backup_id else None)
    zone = wiring.estate.zone
    moment = parse_moment(at, wiring.clock(), zone)
    return find_backup(
        history,
        lambda backup: backup.envelope.snapshot <= moment,
        f"of {history.database} was taken by {moment.astimezone(zone):%Y-%m-%d %H:%M}",
    )


def _show(report: RestoreReport, history: History, *, as_json: bool) -> None:
    from dbops.cli.render import counted, show_json

    if as_json:
        show_json(
            {
                "backup": str(report.backup),
                "target": report.target,
                "tables": report.tables,
                "seconds": round(report.seconds, 3),
                "proven": None if report.differences is None else not report.differences,
                "differences": report.differences,
                "left_out": report.left_out,
                "damages": history.damages,
            }
        )
        return
    proof = ", and it is equal" if report.differences == () else ""
    click.echo(
        f"{report.backup} is in {report.target}: {counted(report.tables, 'table')}"
        f" in {report.seconds:.1f} s{proof}"
    )
    for damage in history.damages:
        click.echo(f"error: {damage}", err=True)
    for item in report.left_out:
        click.echo(f"left out: {item}", err=True)
    for difference in report.differences or ():
        click.echo(f"error: {difference}", err=True)
