"""`dbops backup expire`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import databases_argument, json_option, yes_option

if TYPE_CHECKING:
    from dbops.backup.expire import ExpiryPlan, ExpiryReport
    from dbops.cli.wiring import Wiring
    from dbops.estate.values import Database


@click.command()
@databases_argument
@click.option("--dry-run", is_flag=True, help="Show what would happen and why; change nothing.")
@yes_option
@json_option
@click.pass_obj
def expire(
    estate: str | None,
    names: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes options by name
    dry_run: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> int:
    """Mark the backups that no rule keeps, and delete those marked longer than the grace period.

    The newest backup, the last proven one and backups on hold always stay.

    \b
    Example: dbops backup expire --all --dry-run
    Exit statuses: 0 done, 2 --yes is missing without a terminal, 5 refused: a chain is not
    whole, 10 not found, 11 another run is working on a database.
    """
    from dbops.cli.render import show_json
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    databases = wiring.choose(names, every=every)
    plans = {database: _plan(wiring, database) for database in databases}
    if as_json and dry_run:
        show_json({"plans": [_plan_json(plan) for plan in plans.values()]})
        return 0
    if not as_json:
        for plan in plans.values():
            _show_plan(plan)
    work = [database for database, plan in plans.items() if plan.mark or plan.delete]
    if dry_run:
        return 0
    if work and not yes:
        _confirm(sum(len(plans[item].mark) for item in work), [plans[item] for item in work])
    reports = [_expire(wiring, database, plans[database]) for database in databases]
    if as_json:
        show_json({"reports": [_report_json(report) for report in reports]})
        return 0
    for report in reports:
        _show_report(report)
    return 0


def _plan(wiring: Wiring, database: Database) -> ExpiryPlan:
    from dbops.backup.expire import plan_expiry
    from dbops.backup.retention import Keep

    repository = wiring.repository(database.repository)
    history = wiring.history(repository, database.name)
    policy = wiring.policy(database)
    zone = wiring.estate.zone
    return plan_expiry(history, Keep.of(policy), policy.grace, wiring.clock(), zone)


def _expire(wiring: Wiring, database: Database, plan: ExpiryPlan) -> ExpiryReport:
    from dbops.backup.expire import expire as expire_backups

    repository = wiring.repository(database.repository)
    with wiring.state.lock(database.name):
        history = wiring.history(repository, database.name)
        return expire_backups(repository, history, plan, wiring.writer, wiring.clock)


def _confirm(marks: int, plans: list[ExpiryPlan]) -> None:
    from dbops.cli.options import confirm
    from dbops.cli.render import size

    deletions = sum(len(plan.delete) for plan in plans)
    freed = size(sum(plan.freed for plan in plans))
    confirm(f"mark {marks} backups as expiring, and delete {deletions} for good ({freed})?")


def _show_plan(plan: ExpiryPlan) -> None:
    for decision in plan.decisions:
        verdict = "keep  " if decision.kept else "expire"
        click.echo(f"{verdict} {decision.id}  {', '.join(decision.reasons)}")
    for waiting in plan.waiting:
        click.echo(
            f"wait   {waiting.id}  can be deleted from {waiting.until:%Y-%m-%d %H:%M} UTC on"
        )
    for spared in plan.spared:
        click.echo(f"spare  {spared.id}  {spared.reason}")
    for backup in plan.delete:
        click.echo(f"delete {backup.id}  its grace period is over")


def _show_report(report: ExpiryReport) -> None:
    from dbops.cli.render import size

    done = f"{len(report.marked)} marked, {len(report.deleted)} deleted, {size(report.freed)} freed"
    click.echo(f"{report.plan.database}: {done}")
    if report.garbage_left:
        click.echo(f"{report.plan.database}: garbage is left: {report.garbage_left}", err=True)


def _plan_json(plan: ExpiryPlan) -> dict[str, object]:
    return {
        "database": plan.database,
        "decisions": [
            {"backup": str(item.id), "kept": item.kept, "reasons": item.reasons}
            for item in plan.decisions
        ],
        "mark": [str(backup.id) for backup in plan.mark],
        "waiting": [{"backup": str(item.id), "until": item.until} for item in plan.waiting],
        "spared": [{"backup": str(item.id), "reason": item.reason} for item in plan.spared],
        "delete": [str(backup.id) for backup in plan.delete],
        "frees_bytes": plan.freed,
    }


def _report_json(report: ExpiryReport) -> dict[str, object]:
    return {
        "database": report.plan.database,
        "marked": [str(item) for item in report.marked],
        "deleted": [str(item) for item in report.deleted],
        "objects": report.objects,
        "garbage": report.garbage,
        "garbage_left": report.garbage_left,
        "freed_bytes": report.freed,
        "spools": report.spools,
    }
