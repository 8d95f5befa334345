"""`dbops change resume`."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.audit.entry import Effect
    from dbops.change.attempts import RecordedChange
    from dbops.change.going import Observe
    from dbops.change.report import ChangeReport
    from dbops.change.resume import Became, Onward
    from dbops.change.run_order import ChangeRun
    from dbops.cli.baselines import Kept
    from dbops.cli.stopping import Stopping
    from dbops.cli.wiring import Wiring
    from dbops.review.work import Work


@click.command()
@click.argument("work_id", metavar="[ID]", required=False)
@click.option("--database", metavar="DB", help="Only this database.")
@click.option("--revert", is_flag=True, help="Take back what is done, instead of finishing it.")
@json_option
@click.pass_obj
def resume(
    estate: str | None,
    work_id: str | None,
    database: str | None,
    revert: bool,  # noqa: FBT001 - click passes options by name
    as_json: bool,  # noqa: FBT001
) -> int:
    """Find out what became of runs that broke off, and finish them or take them back.

    After a crash or a lost connection: the journal in the database says which steps are done. A
    run that did not take place leaves its approvals valid. Of one that is half done the rest of the
    very files that were approved is run, or with --revert their down.sql; no new approval is asked,
    and no other bytes are taken.

    \b
    Example: dbops change resume 2026-031-visit-ward-fk
    Exit statuses: 0 all is settled, 1 failed, 2 usage, 3 it is half done still, 5 the files are
    others by now, what is there cannot be judged, or ID is open on another database than DB, 10 no
    such work or database, 11 the database is out of reach: still not known, 130 stopped: it says
    what is there now.
    """
    from dbops.change.resume import Onward
    from dbops.cli.change_list import recorded_on
    from dbops.cli.render import say, show_json
    from dbops.cli.stopping import stopping
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    onward = Onward.REVERT if revert else Onward.FINISH
    recorded = recorded_on(wiring)
    runs = _unsettled(recorded, work_id, database)
    if not runs:
        _refuse_not_meant(wiring, recorded, work_id, database)
    with stopping() as stops:
        found = [(run, *_settle_one(wiring, run, onward, stops)) for run in runs]
    if as_json:
        show_json([_json(*each) for each in found])
    elif not found:
        of = "" if work_id is None else f" of {work_id}"
        on = "" if database is None else f" on {database}"
        say(f"nothing is open: every run{of}{on} in this host's ledger has a known end")
    else:
        for run, became, report, _ in found:
            click.echo(_sentence(run, became, report))
    return 0


def _unsettled(
    runs: Sequence[RecordedChange], work_id: str | None, database: str | None
) -> list[RecordedChange]:
    """Those without a known end, of this work and this database where they are named."""
    return [
        run
        for run in runs
        if work_id in {None, run.work} and database in {None, run.database} and run.is_open
    ]


def _refuse_not_meant(
    wiring: Wiring, recorded: Sequence[RecordedChange], work_id: str | None, database: str | None
) -> None:
    """Raise where nothing is open because the wrong words were typed.

    NotFound `no-database`, and `work-missing` where neither the work tree nor the ledger knows the
    work; Refused `change-open-elsewhere` where it is open on another database.
    """
    from dbops.cli.reviewing import open_desk
    from dbops.errors import NotFound, Refused

    if database is not None:
        wiring.database(database)
    if work_id is None:
        return
    elsewhere = dict.fromkeys(run.database for run in _unsettled(recorded, work_id, None))
    if elsewhere:
        commands = "; ".join(
            f"dbops change resume {work_id} --database {name}" for name in elsewhere
        )
        raise Refused(
            "change-open-elsewhere",
            f"nothing of {work_id} is open on {database}",
            hint=f"open on {', '.join(elsewhere)}: {commands}",
        )
    if any(run.work == work_id for run in recorded):
        return
    try:
        open_desk(wiring, None).folders(work_id)
    except NotFound as fault:
        raise NotFound(fault.code, fault.message, hint="dbops change list") from None


def _settle_one(
    wiring: Wiring, run: RecordedChange, onward: Onward, stops: Stopping
) -> tuple[Became, ChangeReport | None, Kept | None]:
    """As `settle`; raises Interrupted where somebody stops it."""
    from dbops.cli.stopping import resume_interrupted

    try:
        stops.begin()
        return settle(wiring, run, onward, stops.observe)
    except KeyboardInterrupt:
        raise resume_interrupted(run.work, run.database, stops.so_far) from None


def settle(
    wiring: Wiring, run: RecordedChange, onward: Onward, watch: Observe = lambda _: None
) -> tuple[Became, ChangeReport | None, Kept | None]:
    """Afterwards the run has a known end, which the ledger knows too; `watch` is told each moment.

    Returns what was found, what was done about it, and what is recorded now. Raises where the
    database cannot be asked, and Refused `change-plan` where the files are not those that ran.
    """
    from dbops.change.rehearsed_files import own_files
    from dbops.change.resume import resume_change
    from dbops.cli.change_run import order_of
    from dbops.cli.changing import read_change
    from dbops.cli.render import say
    from dbops.review.authorize import only_run

    # Who is at it holds the lock of the work; what is not decided yet must not be recorded.
    with only_run(wiring.state.locks, run.work):
        found = read_change(wiring, run.work)
        _refuse_other_files(run, own_files(found.work))
        _refuse_unsigned(wiring, run, found.work)
        engine = wiring.change_engine(wiring.database(run.database))
        _refuse_other(run, engine.identity())
        order = replace(
            order_of(wiring, found, run.database, secrets.token_hex(16), None),
            identity=engine.identity(),
        )
        became, report = resume_change(order, engine, onward, watch, wiring.sleep)
        kept = _record(wiring, run, became, report, order)
    for remark in () if kept is None else kept.remarks:
        say(f"remark: {remark}")
    return became, report, kept


def _refuse_other_files(run: RecordedChange, scripts: str) -> None:
    from dbops.errors import Refused

    if run.scripts not in {None, scripts}:
        raise Refused(
            "change-plan",
            f"the files of {run.work} are not those that ran on {run.database}",
            hint=f"check out the commit that ran: dbops audit show {run.sequence}",
        )


def _refuse_unsigned(wiring: Wiring, run: RecordedChange, work: Work) -> None:
    """Raise Refused where what was rehearsed is neither what ran nor signed by who rehearses.

    What the schema is compared with, and recorded as, comes from these files.
    """
    from dbops.errors import Refused
    from dbops.review.evidence import attested_by

    if run.plan in {None, work.plan}:
        return
    try:
        attested_by(work, wiring.trust, wiring.clock())
    except Refused as fault:
        raise Refused(
            "change-plan",
            f"what was rehearsed of {run.work} is not what ran on {run.database}, and nobody"
            f" vouches for it: {fault.message}",
            hint=f"check out the commit that ran: dbops audit show {run.sequence}",
        ) from None


def _refuse_other(run: RecordedChange, identity: str) -> None:
    """Raise Refused where the alias leads to another database than then: it knows nothing."""
    from dbops.cli.entries import fit
    from dbops.errors import Refused

    if run.identity not in {None, fit(identity)}:
        raise Refused(
            "change-database",
            f"{run.database} is another database now than the one that {run.work} ran on",
            hint="let the name in dbops.toml lead to that one, and ask again",
        )


def _record(
    wiring: Wiring,
    run: RecordedChange,
    became: Became,
    report: ChangeReport | None,
    order: ChangeRun,
) -> Kept | None:
    from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase, Result
    from dbops.cli.ledger import checkpoint_quietly, ledger_of

    kept = _kept(wiring, became, report, order)
    digests = {} if kept is None else {DigestOf.SCHEMA: kept.digest}
    ledger_of(wiring).append(
        Draft(
            event=Event.CHANGE_RESUME,
            phase=Phase.OUTCOME,
            of=run.sequence,
            target=run.database,
            work=run.work,
            names={Label.RUN: run.run},
            counts={} if report is None else {Count.STEPS: len(report.steps)},
            digests=digests,
            result=Result.DONE,
            effect=_effect(run, became, report),
        )
    )
    checkpoint_quietly(wiring)
    return kept


def _kept(
    wiring: Wiring, became: Became, report: ChangeReport | None, order: ChangeRun
) -> Kept | None:
    """The schema that the database is to have now; None where nobody can vouch for it."""
    from dbops.change.resume import Fate
    from dbops.change.settled import made_before, made_by_report
    from dbops.cli.baselines import has_baseline, record_run
    from dbops.cli.change_drift import live_schema

    if report is not None:
        made = made_by_report(order, became, report)
        return record_run(wiring, order.database, made.before, made.after)
    if became.fate is Fate.NOTHING or order.rehearsed is None:
        return None
    live = live_schema(wiring, order.database)
    found = made_before(order, became.fate, live)
    if found is None or not (found.is_live or has_baseline(wiring, order.database)):
        return None
    return record_run(wiring, order.database, found.before, found.after, live)


def _effect(run: RecordedChange, became: Became, report: ChangeReport | None) -> Effect:
    """Whether what was approved took place: the run up, or the way back."""
    from dbops.audit.entry import Effect
    from dbops.change.resume import Fate
    from dbops.change.step import Direction

    stands = became.fate is Fate.WHOLE
    if became.fate is Fate.HALF:
        stands = report is not None and report.direction is Direction.UP
    wanted = run.direction is Direction.UP
    return Effect.COMMITTED if stands is wanted else Effect.NONE


def _sentence(run: RecordedChange, became: Became, report: ChangeReport | None) -> str:
    from dbops.change.resume import Fate
    from dbops.change.step import Direction

    what = f"{run.work} on {run.database} (ledger entry {run.sequence})"
    match became.fate:
        case Fate.WHOLE:
            return f"{what}: it took place, to its end"
        case Fate.NOTHING:
            return f"{what}: it did not take place; the schema is as it was"
        case Fate.RETURNED:
            return f"{what}: it was taken back; the schema is as it was"
        case Fate.HALF:
            done = f"{became.done} of {became.steps} steps were done"
            if report is not None and report.direction is Direction.UP:
                return f"{what}: {done}; now all are, and it was judged"
            if became.direction is Direction.DOWN:
                return f"{what}: {done} of the way back; now all are, and the schema is as it was"
            return f"{what}: {done}; they are taken back"


def _json(
    run: RecordedChange, became: Became, report: ChangeReport | None, kept: Kept | None
) -> dict[str, object]:
    from dbops.cli.change_report import names_json

    return {
        "work": run.work,
        "database": run.database,
        "run": run.run,
        "entry": run.sequence,
        "fate": became.fate,
        "done": became.done,
        "steps": became.steps,
        "direction": None if report is None else report.direction,
        "drift": None if kept is None else names_json(kept.drift),
    }
