"""`dbops backup expire`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from dbops.cli.options import databases_argument, json_option, yes_option

if TYPE_CHECKING:
    from dbops.backup.expire import ExpiryPlan, ExpiryReport
    from dbops.cli.wiring import Wiring
    from dbops.errors import DbopsError, ExitStatus
    from dbops.estate.values import Database

Done = TypeVar("Done")


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
    Exit statuses: 0 done, 2 --yes is missing without a terminal, 3 some databases failed,
    5 refused: a chain is not whole, 10 not found, 11 another run is working on a database, or
    the ledger cannot be written.
    """
    from dbops.cli.render import show_json
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    databases = wiring.choose(names, every=every)
    errors: list[tuple[Database, DbopsError]] = []
    plans = dict(_each(databases, lambda database: _plan(wiring, database), errors))
    if not as_json:
        for plan in plans.values():
            _show_plan(plan)
    reports: list[ExpiryReport] = []
    if not dry_run:
        _agree([plan for plan in plans.values() if plan.mark or plan.delete], yes=yes)
        done = _each(plans, lambda database: _expire(wiring, database, plans[database]), errors)
        reports += [report for _, report in done]
    if as_json:
        shown = [_plan_json(plan) for plan in plans.values()]
        show_json(
            {
                "plans": shown,
                "reports": [_report_json(report) for report in reports],
                "errors": [_error_json(database, error) for database, error in errors],
            }
        )
    for report in reports if not as_json else ():
        _show_report(report)
    return _status(databases, errors)


def _each(
    databases: Iterable[Database],
    work: Callable[[Database], Done],
    errors: list[tuple[Database, DbopsError]],
) -> Iterator[tuple[Database, Done]]:
    """Work on each database; what fails at one does not stop the others."""
    from dbops.errors import DbopsError

    for database in databases:
        try:
            yield database, work(database)
        except DbopsError as error:
            errors.append((database, error))
            click.echo(f"error: {error.message}", err=True)
            click.echo(f"hint: {error.hint}", err=True)


def _status(
    databases: Sequence[Database], errors: Sequence[tuple[Database, DbopsError]]
) -> ExitStatus:
    from dbops.errors import ExitStatus

    if not errors:
        return ExitStatus.DONE
    return errors[0][1].status if len(errors) == len(databases) else ExitStatus.PARTLY


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
    from dbops.cli.entries import expire_intent, expired
    from dbops.cli.ledger import recording

    with recording(wiring, expire_intent(plan)) as account:
        repository = wiring.repository(database.repository)
        with wiring.state.lock(database.name):
            history = wiring.history(repository, database.name)
            report = expire_backups(repository, history, plan, wiring.writer, wiring.clock)
        expired(account, report)
    return report


def _agree(plans: Sequence[ExpiryPlan], *, yes: bool) -> None:
    from dbops.cli.options import confirm
    from dbops.wording import size

    if yes or not plans:
        return
    marks = sum(len(plan.mark) for plan in plans)
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
    from dbops.wording import size

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


def _error_json(database: Database, error: DbopsError) -> dict[str, str]:
    return {
        "database": database.name,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
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
