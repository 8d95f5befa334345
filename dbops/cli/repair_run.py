"""`dbops repair run` and `dbops repair undo`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, json_option, yes_option
from dbops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from dbops.cli.repairing import ReadRepair
    from dbops.cli.wiring import Wiring
    from dbops.crypto.age import Identity
    from dbops.repair.judgement import Approved
    from dbops.repair.report import RunReport
    from dbops.repair.transaction import Stage
    from dbops.review.authorize import Authorization
    from dbops.review.policy import Policy


@click.command()
@click.argument("work_id", metavar="ID")
@identity_option
@yes_option
@json_option
@click.pass_obj
def run(
    estate: str | None,
    work_id: str,
    identities: tuple[str, ...],
    yes: bool,  # noqa: FBT001 - click passes options by name
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run the approved repair ID: exactly what was signed, or nothing.

    One transaction: the rows are read and locked, the script runs, the rows are read again, and
    unless the difference is what the manifest declares and what the database itself counted,
    everything is rolled back. The rows before and after are sealed before COMMIT.

    \b
    Example: dbops repair run 2026-117-visit-ward
    Exit statuses: 0 done, 1 failed and rolled back, 2 usage, 3 some batches only, or not recorded,
    5 not approved or not as declared: rolled back, 10 not found, 11 locked, unreachable or not
    known whether it took place, 12 no identity opens its sealed values.
    """
    _run(estate, work_id, identities, undo=False, yes=yes, as_json=as_json)


@click.command()
@click.argument("work_id", metavar="ID")
@identity_option
@yes_option
@json_option
@click.pass_obj
def undo(
    estate: str | None,
    work_id: str,
    identities: tuple[str, ...],
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run the approved undo ID: every row as it was before the run, or nothing.

    ID is work of its own (dbops repair new --undo). A row that anybody changed since the run
    makes the whole undo be refused; there is no force.

    \b
    Example: dbops repair undo 2026-117-visit-ward-undo
    Exit statuses: 0 done, 1 failed and rolled back, 2 usage, 3 done but not recorded, 5 not
    approved, or a row was changed since: nothing was changed, 10 not found, 11 locked, unreachable
    or not known whether it took place, 12 no identity opens the bundle.
    """
    _run(estate, work_id, identities, undo=True, yes=yes, as_json=as_json)


def _run(
    estate: str | None,
    work_id: str,
    named: Sequence[str],
    *,
    undo: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from dbops.cli.options import confirm
    from dbops.cli.repairing import read_repair, refuse_undo
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    found = read_repair(wiring, work_id)
    refuse_undo(found.repair, wanted=undo)
    wiring.database(found.repair.database)
    try:
        if not yes:
            # Nobody is asked about what may not be done.
            refuse_unapproved(wiring, found, undo=undo)
            confirm(_question(found))
        approved, reports = run_reviewed(wiring, found, named, undo=undo)
    except Refused as fault:
        raise _with_resume(wiring, work_id, fault) from None
    _show(approved, reports, as_json=as_json)


def _with_resume(wiring: Wiring, work_id: str, fault: Refused) -> Refused:
    """The refusal; of an approval that a run with an unknown end used up, with what settles it."""
    from dbops.audit.entry import Effect
    from dbops.cli.repair_list import recorded

    if fault.code != "approval-consumed":
        return fault
    if not any(each.work == work_id and each.effect is Effect.UNKNOWN for each in recorded(wiring)):
        return fault
    hint = f"nobody knows yet whether that run took place: dbops repair resume {work_id}"
    return Refused(fault.code, fault.message, hint=hint)


def run_reviewed(
    wiring: Wiring, found: ReadRepair, named: Sequence[str] = (), *, undo: bool
) -> tuple[ReadRepair, tuple[RunReport, ...]]:
    """Afterwards the approved repair, or with `undo` the approved undo, has committed.

    `found` is what a person was asked about, `named` the files of further identities. Returns what
    ran, and the report of each of its transactions. Raises as the gate and as the run do.
    """
    from dbops.cli.repairing import parsed, refuse_undo, row_identities

    with _allowed(wiring, found, undo=undo) as allowed:
        # What runs is the bytes that were judged, not those that were read for the question.
        approved = found if allowed is None else parsed(allowed.work)
        refuse_undo(approved.repair, wanted=undo)
        opening = row_identities(wiring, named)
        return approved, run_recorded(wiring, approved, allowed, opening)


def refuse_unapproved(wiring: Wiring, found: ReadRepair, *, undo: bool) -> None:
    """Raise as the gate does; afterwards the repair could run now, and nothing has begun."""
    with _allowed(wiring, found, undo=undo):
        pass


def _allowed(
    wiring: Wiring, found: ReadRepair, *, undo: bool
) -> AbstractContextManager[Authorization | None]:
    from dbops.audit.entry import Event
    from dbops.cli.gates import gate
    from dbops.review.work import Kind

    repair, event = found.repair, Event.REPAIR_UNDO if undo else Event.REPAIR_RUN
    return gate(wiring, Kind.REPAIR, repair.database, repair.id, event=event)


def run_recorded(
    wiring: Wiring,
    found: ReadRepair,
    allowed: Authorization | None,
    identities: Sequence[Identity],
) -> tuple[RunReport, ...]:
    """Afterwards the repair or the undo has committed, and the ledger says so.

    To be called inside the gate. Returns the report of each of its transactions.
    """
    from dbops.cli.ledger import recording
    from dbops.cli.repair_entries import follow, ran, run_intent
    from dbops.cli.repair_lint import refuse_blocked

    run_id = secrets.token_hex(16)
    with recording(wiring, run_intent(found.repair, run_id, allowed)) as account:
        observe = follow(account)
        refuse_blocked(wiring, found)
        identity = _judged(wiring, found, allowed)
        if found.repair.undo_of is None:
            reports = _repair(wiring, found, run_id, identity, identities, observe)
        else:
            reports = (_undo(wiring, found, run_id, identity, identities, observe),)
        ran(account, reports)
    return reports


def _judged(wiring: Wiring, found: ReadRepair, allowed: Authorization | None) -> str:
    """The identity of the database that the approvals were judged for.

    It is not asked for again: the name may lead to another server by now.
    """
    if allowed is not None and allowed.identity is not None:
        return allowed.identity
    return wiring.engine(wiring.database(found.repair.database)).identity()


def _repair(
    wiring: Wiring,
    found: ReadRepair,
    run_id: str,
    identity: str,
    identities: Sequence[Identity],
    observe: Callable[[Stage], None],
) -> tuple[RunReport, ...]:
    from dbops.cli.repairing import bundle_place, payload_of, readers_of_rows, sealed_scratch
    from dbops.cli.reviewing import policy_of
    from dbops.repair.batches import run_batches
    from dbops.repair.run import run_repair
    from dbops.repair.run_order import RunOrder

    repair, policy = found.repair, policy_of(wiring)
    database = wiring.database(repair.database)
    order = RunOrder(
        repair=repair,
        script=found.script,
        payload=payload_of(found.work, identities),
        plan=found.work.plan,
        run=run_id,
        database=repair.database,
        identity=identity,
        recipients=readers_of_rows(wiring, policy),
        key=secrets.token_hex(32),
        scratch=sealed_scratch(wiring),
        approved=_approved(found, policy, identities),
    )
    engine, place = wiring.repair_engine(database), bundle_place(wiring)
    if repair.batch is not None:
        return run_batches(order, engine, place, observe).batches
    return (run_repair(order, engine, place, observe),)


def _approved(
    found: ReadRepair, policy: Policy, identities: Sequence[Identity]
) -> tuple[Approved, ...]:
    """What the rehearsal came to, where the policy wants the run to come to the same."""
    from dbops.repair.rehearsed import must_come_again
    from dbops.review.work import Kind

    repair = found.repair
    if not policy.must_reproduce(Kind.REPAIR, (repair.database,), repair.risk):
        return ()
    return must_come_again(found.work, identities)


def _undo(
    wiring: Wiring,
    found: ReadRepair,
    run_id: str,
    identity: str,
    identities: Sequence[Identity],
    observe: Callable[[Stage], None],
) -> RunReport:
    from dbops.cli.repairing import bundle_place, readers_of_rows, undone_bundles
    from dbops.cli.reviewing import policy_of
    from dbops.repair.run_order import UndoOrder
    from dbops.repair.undo import undo_repair

    repair, place = found.repair, bundle_place(wiring)
    database = wiring.database(repair.database)
    order = UndoOrder(
        repair=repair,
        plan=found.work.plan,
        run=run_id,
        database=repair.database,
        identity=identity,
        recipients=readers_of_rows(wiring, policy_of(wiring)),
        key=secrets.token_hex(32),
    )
    bundles = undone_bundles(wiring, repair, identities)
    return undo_repair(order, bundles, wiring.repair_engine(database), place, observe)


def _question(found: ReadRepair) -> str:
    repair = found.repair
    if repair.undo_of is not None:
        return f"take {repair.undo_of.work} back on {repair.database}?"
    tables = ", ".join(f"{watch.table} ({watch.expect})" for watch in repair.watches)
    return f"run {repair.id} on {repair.database}: {tables}?"


def _show(found: ReadRepair, reports: Sequence[RunReport], *, as_json: bool) -> None:
    from dbops.cli.render import counted, say, show_json

    repair = found.repair
    if as_json:
        show_json(
            {"work": repair.id, "database": repair.database, "runs": list(map(_json, reports))}
        )
        return
    from dbops.sql.written import Written

    ops = sum((effect.ops for report in reports for effect in report.tables), Written())
    done = "is repaired" if repair.undo_of is None else "is as it was"
    click.echo(f"{repair.database} {done}: {counted(ops.total, 'row')} ({ops})")
    for report in reports:
        for table, rows in report.appended.items():
            click.echo(f"triggers appended {counted(rows, 'row')} to {table}")
        if report.sequences:
            say(f"remark: these sequences advanced and stay so: {', '.join(report.sequences)}")
    names = ", ".join(report.bundle.name for report in reports[:3])
    click.echo(f"rows before and after are sealed in {names}{' …' if len(reports) > 3 else ''}")


def _json(report: RunReport) -> dict[str, object]:
    return {
        "run": report.run,
        "batch": report.batch,
        "server": report.server,
        "began": report.began,
        "strength": report.strength,
        "counted_by": report.counted_by,
        "tables": {
            str(effect.table): {
                "inserted": effect.ops.inserted,
                "updated": effect.ops.updated,
                "deleted": effect.ops.deleted,
                "columns": dict(effect.columns),
            }
            for effect in report.tables
        },
        "side_effects": {str(table): rows for table, rows in report.appended.items()},
        "sequences": report.sequences,
        "bundle": report.bundle,
        "sha256": report.sha256,
        "rows": report.rows,
        "attempts": report.attempts,
        "seconds": round(report.seconds, 3),
    }
