"""`dbops repair rehearse`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, jobs_option, json_option

if TYPE_CHECKING:
    from dbops.cli.rehearsing import Rehearsing
    from dbops.cli.wiring import Wiring
    from dbops.repair.evidence import RepairEvidence
    from dbops.repair.rehearsal import Rehearsal


@click.command()
@click.argument("work_id", metavar="ID")
@click.option(
    "--on",
    "place",
    type=click.Choice(["scratch", "production-readonly"]),
    default="scratch",
    show_default=True,
    help="A restored backup; or only count the watched rows of the database itself.",
)
@identity_option
@jobs_option
@json_option
@click.pass_obj
def rehearse(
    estate: str | None,
    work_id: str,
    place: str,
    identities: tuple[str, ...],
    jobs: int | None,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Run the repair ID and its undo on the last proven backup, and sign what was found.

    For the verifying host, and only with the author's signature on the files as they are. The
    backup is restored into scratch; the repair runs there as the role that repairs, then its undo,
    then a second undo that must be refused. The folder gets evidence.yml (counts only), its
    signature, and rows.age, the rows before and after sealed to the reviewers. Commit them, and
    have the author request the work again.

    \b
    Example: dbops repair rehearse 2026-117-visit-ward
    Exit statuses: 0 done, 1 failed, 2 this host signs no evidence, 3 done but not recorded,
    5 refused as it would be on the database, or not requested, 10 no such work or no proven backup,
    11 unreachable, 12 no identity opens the backup.
    """
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    if place == "production-readonly":
        from dbops.cli.repair_preview import preview

        preview(wiring, work_id, identities, as_json=as_json)
        return
    from dbops.cli.rehearsing import plan_rehearsal

    plan = plan_rehearsal(wiring, work_id, identities)
    found = rehearse_recorded(wiring, plan, jobs=jobs or 1, quiet=as_json)
    _show(found.evidence, sorted(found.files), as_json=as_json)
    _remark_unread(wiring)


def _remark_unread(wiring: Wiring) -> None:
    """Say so where those who are to approve could not open the rows."""
    from dbops.cli.render import say
    from dbops.repository.recipients import Role

    listed, _ = wiring.recipients
    if not any(entry.role is Role.REVIEWER for entry in listed.recipients):
        say(
            "remark: the recipients document names no reviewer, so nobody who approves can open"
            " the rows: dbops keys recipients sign --add reviewer:NAME:RECIPIENT"
        )


def rehearse_recorded(wiring: Wiring, plan: Rehearsing, *, jobs: int, quiet: bool) -> Rehearsal:
    """Afterwards the evidence is in the work's folder, and the ledger says so."""
    from dbops.cli.ledger import recording
    from dbops.cli.progress import Progress
    from dbops.cli.rehearsing import rehearse_work
    from dbops.cli.repair_entries import rehearsal_intent, rehearsed

    with (
        recording(wiring, rehearsal_intent(plan.work, plan.repair, plan.backup)) as account,
        Progress(str(plan.backup.id), quiet=quiet) as progress,
    ):
        progress.expect(plan.backup.envelope.totals.bytes)
        found = rehearse_work(wiring, plan, advance=progress.advance, jobs=jobs)
        rehearsed(account, found.evidence, found.files)
    return found


def _show(evidence: RepairEvidence, files: list[str], *, as_json: bool) -> None:
    from dbops.cli.render import counted, show_json

    if as_json:
        show_json({"evidence": _json(evidence), "files": files})
        return
    click.echo(f"rehearsed on {evidence.backup} ({evidence.proof}, {evidence.server})")
    for table, found in sorted(evidence.tables.items()):
        columns = ", ".join(f"{name} {count}" for name, count in sorted(found.columns.items()))
        click.echo(f"{table}: {found.ops}{f' (columns: {columns})' if columns else ''}")
    for table, rows in sorted(evidence.side_effects.items()):
        click.echo(f"{table}: triggers appended {counted(rows, 'row')}")
    click.echo(
        f"undo restored {counted(evidence.undo.restored, 'row')}; a second one was refused"
        f" ({evidence.undo.again}); counted by {evidence.counted_by} ({evidence.strength})"
    )
    then = f"dbops review request {evidence.id} --key KEY"
    click.echo(f"wrote {', '.join(files)}: commit them, then {then}")


def _json(evidence: RepairEvidence) -> dict[str, object]:
    from dbops.cli.render import plain

    return {
        "id": evidence.id,
        "database": evidence.database,
        "backup": evidence.backup,
        "proof": evidence.proof,
        "server": evidence.server,
        "strength": evidence.strength,
        "tables": {
            str(table): {"ops": plain(found.ops), "columns": dict(found.columns)}
            for table, found in evidence.tables.items()
        },
        "side_effects": {str(table): rows for table, rows in evidence.side_effects.items()},
        "sequences": evidence.sequences,
        "undo": plain(evidence.undo),
        "milliseconds": evidence.took,
    }
