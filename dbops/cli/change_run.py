"""`dbops change run` and `dbops change revert`."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option, yes_option
from dbops.errors import DbopsError, Interrupted, Partly, Refused

if TYPE_CHECKING:
    from dbops.change.going import Observe
    from dbops.change.report import ChangeReport
    from dbops.change.run_order import ChangeRun
    from dbops.change.stage import Moment
    from dbops.change.step import Direction
    from dbops.cli.changing import ReadChange
    from dbops.cli.stopping import Stopping
    from dbops.cli.wiring import Wiring
    from dbops.review.authorize import Authorization


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--ring", metavar="NAME", help="Only the databases of this ring.")
@click.option("--database", metavar="DB", help="Only this database.")
@yes_option
@json_option
@click.pass_obj
def run(
    estate: str | None,
    work_id: str,
    ring: str | None,
    database: str | None,
    yes: bool,  # noqa: FBT001 - click passes options by name
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run the approved change ID on the databases of a ring: exactly what was signed.

    Only in its window, when every ring before is done and has soaked, with a fresh proven backup,
    and where the schema is as it was when the change was rehearsed. In one transaction where the
    database can, but for "-- part: name", which begins another: verify.sql must be true and nothing
    may differ that "touches" does not name, or it is rolled back. A lock that is not to be had ends
    an attempt; there are a few of them.

    \b
    Example: dbops change run 2026-031-visit-ward-fk --ring test
    Exit statuses: 0 done, 1 failed and rolled back, 2 usage, 3 some databases or parts only, or
    not recorded, 5 not approved, not its turn, drift, or not as declared, 10 not found, 11 locked,
    unreachable or not known whether it took place, 130 stopped: it says what is there now.
    """
    from dbops.change.step import Direction

    _run(estate, work_id, ring, database, Direction.UP, yes=yes, as_json=as_json)


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--ring", metavar="NAME", help="Only the databases of this ring.")
@click.option("--database", metavar="DB", help="Only this database.")
@yes_option
@json_option
@click.pass_obj
def revert(
    estate: str | None,
    work_id: str,
    ring: str | None,
    database: str | None,
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Take the change ID back with its down.sql, where nobody built on it since.

    Needs an approval of its own: the run used the first one up. What the change touched must be as
    it left it, and is afterwards as it was before.

    \b
    Example: dbops change revert 2026-031-visit-ward-fk --database his-test
    Exit statuses: 0 done, 1 failed and rolled back, 2 usage, 3 some databases only, or not
    recorded, 5 not approved, or something was changed since, 10 not found, 11 locked, unreachable
    or not known whether it took place, 130 stopped: it says what is there now.
    """
    from dbops.change.step import Direction

    _run(estate, work_id, ring, database, Direction.DOWN, yes=yes, as_json=as_json)


def _run(
    estate: str | None,
    work_id: str,
    ring: str | None,
    only: str | None,
    direction: Direction,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    from dbops.change.step import Direction
    from dbops.cli.change_asked import before_asking
    from dbops.cli.change_report import report_json, show_report
    from dbops.cli.changing import databases_of, read_change, refuse_set_aside
    from dbops.cli.options import confirm
    from dbops.cli.render import show_json
    from dbops.cli.stopping import stopping
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    found = read_change(wiring, work_id)
    refuse_set_aside(found.change)
    names = databases_of(found.change, ring, only, direction)
    for name in names:
        wiring.database(name)
    if not yes:
        # Nobody is asked about what may not be done.
        for name in names:
            _refuse_unapproved(wiring, found, name, direction)
        word = "run" if direction is Direction.UP else "take back"
        above = before_asking(wiring, found, names, direction)
        confirm(f"{word} {work_id} on {', '.join(names)}?", above)
    reports: list[ChangeReport] = []
    with stopping() as stops:
        for name in names:
            try:
                reports.append(_run_one(wiring, found, name, direction, stops))
            except DbopsError as fault:
                told = _with_resume(wiring, work_id, name, fault)
                if not reports:
                    raise told from None
                raise _some(work_id, reports, name, told) from None
            if not as_json:
                show_report(reports[-1])
    if as_json:
        show_json({"work": work_id, "runs": list(map(report_json, reports))})


def _run_one(
    wiring: Wiring, found: ReadChange, database: str, direction: Direction, stops: Stopping
) -> ChangeReport:
    """As `run_reviewed_change`; raises Interrupted where somebody stops it."""
    from dbops.change.step import Direction
    from dbops.cli.stopping import run_interrupted

    try:
        stops.begin()
        return run_reviewed_change(wiring, found, database, direction, stops.observe)
    except KeyboardInterrupt:
        so_far = stops.so_far
        if not so_far.begun:
            so_far = replace(so_far, direction=direction)
        scripts = {Direction.UP: found.up, Direction.DOWN: found.down}
        steps = len(scripts[so_far.direction])
        raise run_interrupted(found.change.id, database, so_far, steps) from None


def _with_resume(wiring: Wiring, work_id: str, database: str, fault: DbopsError) -> DbopsError:
    """The fault; of an approval that a run without a known end used up, with what settles it."""
    from dbops.change.progress import ChangeState, places_of
    from dbops.cli.change_list import recorded_on
    from dbops.cli.changing import read_change

    if fault.code in {"change-already", "change-returned"}:
        return _by_others(wiring, work_id, database, fault)
    if fault.code != "approval-consumed":
        return fault
    places = places_of(read_change(wiring, work_id).change, recorded_on(wiring))
    open_ends = {ChangeState.UNKNOWN, ChangeState.HALF}
    if not any(each.database == database and each.state in open_ends for each in places):
        return fault
    hint = f"that run has not come to an end: dbops change resume {work_id}"
    return Refused(fault.code, fault.message, hint=hint)


def _by_others(wiring: Wiring, work_id: str, database: str, fault: DbopsError) -> DbopsError:
    """The fault; where this host's ledger knows nothing of it, with what takes that over."""
    from dbops.cli.change_unsettled import left_by_others

    if not left_by_others(wiring, work_id, database):
        return fault
    hint = f"another host did that; have this host's ledger know it: dbops change resume {work_id}"
    return Refused(fault.code, fault.message, hint=hint)


def _some(
    work_id: str, reports: list[ChangeReport], database: str, fault: DbopsError
) -> DbopsError:
    """What is said where some databases are done, and the next one stops the rest."""
    done = ", ".join(report.database for report in reports)
    message = f"{work_id} is done on {done}, and not on {database}: {fault.message}"
    if isinstance(fault, Interrupted):
        return Interrupted(fault.code, message, hint=fault.hint)
    return Partly("change-some", message, hint=fault.hint)


def run_reviewed_change(
    wiring: Wiring,
    found: ReadChange,
    database: str,
    direction: Direction,
    watch: Observe = lambda _: None,
) -> ChangeReport:
    """Afterwards the approved change has run on the database, or was taken back, to its end.

    `found` is what a person was asked about; `watch` is told each moment once the ledger's account
    has it. Raises as the gate does, and as the run.
    """
    from dbops.cli.changing import parsed_change, refuse_set_aside

    with _allowed(wiring, found, database, direction) as allowed:
        # What runs is the bytes that were judged, not those that were read for the question.
        approved = found if allowed is None else parsed_change(allowed.work)
        refuse_set_aside(approved.change)
        _refuse_open(wiring, approved.change.id, database)
        return _recorded(wiring, approved, database, direction, allowed, watch)


def _allowed(
    wiring: Wiring, found: ReadChange, database: str, direction: Direction
) -> AbstractContextManager[Authorization | None]:
    """The gate of this run: inside it the change may be made, by nobody else meanwhile."""
    from dbops.audit.entry import Event
    from dbops.change.step import Direction
    from dbops.cli.gates import gate
    from dbops.review.work import Kind

    event = Event.CHANGE_RUN if direction is Direction.UP else Event.CHANGE_REVERT
    return gate(wiring, Kind.CHANGE, database, found.change.id, event=event)


def _refuse_unapproved(
    wiring: Wiring, found: ReadChange, database: str, direction: Direction
) -> None:
    """Raise Refused as the run would, which judges again; the ledger has the attempt."""
    try:
        with _allowed(wiring, found, database, direction):
            _refuse_open(wiring, found.change.id, database)
            refuse_not_now(wiring, found, database, direction)
    except Refused as fault:
        raise _with_resume(wiring, found.change.id, database, fault) from None


def _refuse_open(wiring: Wiring, work_id: str, database: str) -> None:
    """Raise Refused where an earlier run may have taken place: what this one does would be its."""
    from dbops.audit.entry import Effect
    from dbops.cli.change_list import recorded_on
    from dbops.cli.open_runs import without_end

    for run in recorded_on(wiring):
        mine = run.work == work_id and run.database == database
        if mine and run.effect is Effect.UNKNOWN:
            raise without_end(run)


def _recorded(
    wiring: Wiring,
    found: ReadChange,
    database: str,
    direction: Direction,
    allowed: Authorization | None,
    watch: Observe,
) -> ChangeReport:
    """Afterwards it has run, the ledger says so, and what it made is what the database is to have.

    What was altered by hand before is not.
    """
    from dbops.change.revert import revert_change
    from dbops.change.run import run_change
    from dbops.change.step import Direction
    from dbops.cli.baselines import record_run, recorded_alone
    from dbops.cli.change_entries import change_intent, changed, follow_change
    from dbops.cli.changing import required_by
    from dbops.cli.ledger import recording
    from dbops.cli.render import say

    run_id = secrets.token_hex(16)
    intent = change_intent(found.work, database, run_id, direction, allowed)
    with recorded_alone(wiring, database), recording(wiring, intent) as account:
        observe = _saying_waits(follow_change(account), database, watch)
        refuse_not_now(wiring, found, database, direction)
        order = order_of(wiring, found, database, run_id, allowed)
        if direction is Direction.DOWN:
            order = replace(order, required_by=required_by(wiring, found.change.id, database))
        engine = wiring.change_engine(wiring.database(database))
        does = run_change if direction is Direction.UP else revert_change
        report = does(order, engine, observe, wiring.sleep)
        kept = record_run(wiring, database, report.before, report.after)
        changed(account, report, kept.digest)
    for remark in kept.remarks:
        say(f"remark: {remark}")
    return replace(report, drift=kept.drift)


def _saying_waits(observe: Observe, database: str, watch: Observe) -> Observe:
    """The same observer, and whoever sits there hears that it waits and does not hang."""
    from dbops.change.stage import Stage
    from dbops.cli.render import say

    def heard(moment: Moment) -> None:
        observe(moment)
        if moment.stage is Stage.WAITING:
            say(f"remark: {database}: a lock was not to be had; it is tried again after a pause")
        watch(moment)

    return heard


def refuse_not_now(wiring: Wiring, found: ReadChange, database: str, direction: Direction) -> None:
    """Raise Refused where the change may run, but not now: window, turn, backup, lint.

    Taking back waits for no ring and no backup.
    """
    from dbops.change.rehearsed_files import own_files
    from dbops.change.rings import refuse_out_of_turn
    from dbops.change.step import Direction
    from dbops.cli.change_lint import refuse_blocked_change
    from dbops.cli.change_list import recorded_on

    change, now = found.change, wiring.clock()
    if change.window is not None and not change.window.is_open(now):
        raise Refused(
            "change-window",
            f"{change.id} may run in its window only: {change.window.words}",
            hint="run it then; whoever changes the window needs new approvals",
        )
    if direction is Direction.DOWN:
        return
    ring = change.ring_of(database)
    if ring is not None:
        refuse_out_of_turn(change, ring, recorded_on(wiring), own_files(found.work), now)
    _refuse_stale_backup(wiring, found, database)
    refuse_blocked_change(wiring, found)


def _refuse_stale_backup(wiring: Wiring, found: ReadChange, database: str) -> None:
    """Raise Refused `change-backup` where the last proven backup is older than the policy wants."""
    from dbops.cli.rehearsal_ground import proven_backup
    from dbops.cli.reviewing import policy_of
    from dbops.durations import duration_text
    from dbops.review.work import Kind

    age = policy_of(wiring).backup_age(Kind.CHANGE, (database,), found.change.risk)
    if age is None:
        return
    place = wiring.database(database)
    backup = proven_backup(wiring, wiring.repository(place.repository), place)
    if wiring.clock() - backup.envelope.snapshot > age:
        raise Refused(
            "change-backup",
            f"the last proven backup of {database} is older than the {duration_text(age)} of the"
            " policy",
            hint=f"dbops backup run {database} && dbops backup verify {database} --level proven",
        )


def order_of(
    wiring: Wiring, found: ReadChange, database: str, run_id: str, allowed: Authorization | None
) -> ChangeRun:
    """What is to be run on the database, by the identity that the approvals were judged for.

    Raises Refused `change-unrehearsed` where the policy wants a rehearsal, and there is none of
    this database.
    """
    from dbops.change.rehearsed_files import own_files
    from dbops.change.run_order import ChangeRun
    from dbops.cli.changing import rehearsed_of
    from dbops.cli.reviewing import policy_of
    from dbops.review.work import Kind

    policy, identity = policy_of(wiring), None if allowed is None else allowed.identity
    rehearsed = rehearsed_of(found.work, database)
    wanted = policy.wants_evidence(Kind.CHANGE, (database,), found.change.risk)
    if rehearsed is None and wanted:
        raise Refused(
            "change-unrehearsed",
            f"the policy wants {found.change.id} to be rehearsed, and it was not on a backup of"
            f" {database}",
            hint=f"on the verifying host: dbops change rehearse {found.change.id}",
        )
    return ChangeRun(
        change=found.change,
        up=found.up,
        down=found.down,
        verify=found.verify,
        plan=own_files(found.work),
        run=run_id,
        database=database,
        identity=identity or wiring.engine(wiring.database(database)).identity(),
        rehearsed=rehearsed,
        approval=allowed.approvals[0] if allowed is not None and allowed.approvals else "",
        on_failed_verify=policy.failed_verify,
    )
