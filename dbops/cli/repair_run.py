"""`dbops repair run` and `dbops repair undo`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, json_option, yes_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.cli.repairing import ReadRepair
    from dbops.cli.wiring import Wiring
    from dbops.crypto.age import Identity
    from dbops.repair.bundle import Bundle
    from dbops.repair.judgement import Approved
    from dbops.repair.report import RunReport
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
    Exit statuses: 0 done, 1 failed and rolled back, 2 usage, 3 done but not recorded, 5 not approved
    or not as declared: rolled back, 10 not found, 11 locked, unreachable or not known whether it
    took place, 12 no identity opens its sealed values.
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
    Exit statuses: 0 done, 1 failed and rolled back, 2 usage, 3 done but not recorded, 5 not approved,
    or a row was changed since: nothing was changed, 10 not found, 11 locked, unreachable or not
    known whether it took place, 12 no identity opens the bundle.
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
    from dbops.audit.entry import Event
    from dbops.cli.gates import gate
    from dbops.cli.options import confirm
    from dbops.cli.repairing import parsed, read_repair, refuse_undo, row_identities
    from dbops.cli.wiring import open_wiring
    from dbops.review.work import Kind

    wiring = open_wiring(estate)
    found = read_repair(wiring, work_id)
    refuse_undo(found.repair, wanted=undo)
    wiring.database(found.repair.database)
    if not yes:
        confirm(_question(found))
    event = Event.REPAIR_UNDO if undo else Event.REPAIR_RUN
    with gate(wiring, Kind.REPAIR, found.repair.database, work_id, event=event) as allowed:
        # What runs is the bytes that were judged, not those that were read for the question.
        approved = found if allowed is None else parsed(allowed.work)
        refuse_undo(approved.repair, wanted=undo)
        opening = row_identities(wiring, named)
        reports = run_recorded(wiring, approved, allowed, opening)
    _show(approved, reports, as_json=as_json)


def run_recorded(
    wiring: Wiring,
    found: ReadRepair,
    allowed: Authorization | None,
    identities: Sequence[Identity],
) -> tuple[RunReport, ...]:
    """Afterwards the repair or the undo has committed, and the ledger says so.

    To be called inside the gate. Returns the report of each of its transactions.
    """
    from dbops.audit.entry import DigestOf
    from dbops.cli.ledger import recording
    from dbops.cli.repair_entries import follow, ran, run_intent

    run_id = secrets.token_hex(16)
    with recording(wiring, run_intent(found.repair, run_id, allowed)) as account:
        observe = follow(account)
        reports: list[RunReport] = []
        try:
            for report in _transactions(wiring, found, run_id, identities, observe):
                reports.append(report)
        finally:
            ran(account, reports)
    assert DigestOf.BUNDLE
    return tuple(reports)
