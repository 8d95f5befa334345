"""`dbops backup run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import databases_argument, jobs_option, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.backup.night import NightResult
    from dbops.errors import DbopsError
    from dbops.repository.chain import Damage
    from dbops.repository.manifest import Envelope


@click.command()
@databases_argument
@jobs_option
@click.option("--to", "repository", metavar="REPOSITORY", help="Else what the database says.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something failed: for cron.")
@json_option
@click.pass_obj
def run(
    estate: str | None,
    names: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes options by name
    jobs: int | None,
    repository: str | None,
    quiet: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> int:
    """Take a backup of each database, sealed and durable when the command ends.

    One failing database does not stop the others. A good line for cron is:

    \b
        dbops --estate /etc/dbops/dbops.toml backup run --all --quiet

    \b
    Exit statuses: 0 all done, 3 some failed or the ledger could not record it, 1 all failed,
    4 all done but earlier backups are missing or damaged; for a single database 5 refused,
    10 not found, 11 locked or unreachable.
    """
    from dbops.backup.night import night_status, run_night
    from dbops.cli.progress import Progress
    from dbops.cli.tasks import repository_opener, take_backup
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    databases = {item.name: item for item in wiring.choose(names, every=every)}
    open_repository = repository_opener(wiring, repository)
    results: list[NightResult] = []
    unrecorded: list[DbopsError] = []

    def back_up(name: str) -> tuple[Envelope, tuple[Damage, ...]]:
        with Progress(name, quiet=quiet or as_json) as progress:
            return take_backup(
                wiring, databases[name], open_repository, progress, unrecorded.append, jobs
            )

    alone = len(databases) == 1
    for result in run_night(databases, back_up):
        results.append(result)
        if not quiet and not as_json:
            _show_line(result, alone=alone)
    status = night_status(results)
    if as_json:
        _show_json(results, unrecorded)
    else:
        _show_summary(results, alone=alone)
    _show_unrecorded(unrecorded)
    return ExitStatus.PARTLY if unrecorded and status is ExitStatus.DONE else status


def _show_line(result: NightResult, *, alone: bool) -> None:
    from dbops.cli.render import counted, say
    from dbops.wording import size

    if result.envelope is None:
        if result.error is not None and not alone:
            say(f"{result.database}: {result.error.message}")
        return
    totals = result.envelope.totals
    gaps = f", {counted(totals.gaps, 'gap')}" if totals.gaps else ""
    click.echo(
        f"{result.envelope.id}  {size(totals.bytes)} read, {size(totals.stored)} stored"
        f" in {result.seconds:.1f} s{gaps}"
    )


def _show_summary(results: Sequence[NightResult], *, alone: bool) -> None:
    from dbops.cli.render import show_error

    for result in results:
        for damage in result.damages:
            click.echo(f"error: {damage}", err=True)
        if result.damages:
            click.echo(f"hint: dbops backup verify {result.database} --each", err=True)
    failed = [result for result in results if result.error is not None]
    if not failed:
        return
    if alone and failed[0].error is not None:
        show_error(failed[0].error, as_json=False)
        return
    click.echo(f"error: {len(failed)} of {len(results)} databases have no backup", err=True)
    for result in failed:
        if result.error is not None:
            click.echo(f"  {result.database}: {result.error.message}", err=True)
            click.echo(f"    hint: {result.error.hint}", err=True)


def _show_unrecorded(faults: Sequence[DbopsError]) -> None:
    """A backup is worth more than its record; but nobody may overlook that there is none."""
    from dbops.cli.render import counted

    if faults:
        what = counted(len(faults), "backup")
        click.echo(f"error: the ledger could not record {what}: {faults[0].message}", err=True)
        click.echo(f"hint: {faults[0].hint}", err=True)


def _show_json(results: Sequence[NightResult], unrecorded: Sequence[DbopsError]) -> None:
    from dbops.cli.render import show_json

    show_json(
        {
            "databases": [
                {
                    "database": result.database,
                    "backup": str(result.envelope.id) if result.envelope else None,
                    "seconds": round(result.seconds, 3),
                    "totals": result.envelope.totals if result.envelope else None,
                    "error": _error(result.error),
                    "damages": result.damages,
                }
                for result in results
            ],
            "ledger": {
                "unrecorded": len(unrecorded),
                "error": _error(unrecorded[0] if unrecorded else None),
            },
        }
    )


def _error(error: DbopsError | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "hint": error.hint}
