"""`dbops change resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.change.resume import Onward
    from dbops.cli.change_settling import Settled
    from dbops.cli.change_unsettled import Unsettled
    from dbops.cli.stopping import Stopping
    from dbops.cli.wiring import Wiring


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
    and no other bytes are taken. Of an ID that this host's ledger has nothing open of, the journals
    of its databases are asked: another host may have begun it.

    \b
    Example: dbops change resume 2026-031-visit-ward-fk
    Exit statuses: 0 all is settled, 1 failed, 2 usage, 3 it is half done still, 5 the files are
    others by now, what is there cannot be judged, or ID is open on another database than DB, 10 no
    such work or database, 11 the database is out of reach: still not known, 130 stopped: it says
    what is there now.
    """
    from dbops.change.resume import Onward
    from dbops.cli.change_unsettled import unsettled_here
    from dbops.cli.render import show_json
    from dbops.cli.stopping import stopping
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    onward = Onward.REVERT if revert else Onward.FINISH
    here = unsettled_here(wiring)
    left = [
        each for each in here if work_id in {None, each.work} and database in {None, each.database}
    ]
    if not left:
        left = _asked(wiring, here, work_id, database)
    found: list[tuple[Unsettled, Settled]] = []
    with stopping() as stops:
        for each, one in _settled(wiring, left, onward, stops):
            found.append((each, one))
            if not as_json:  # what fails next does not hide it
                click.echo(_sentence(each, one))
    if as_json:
        show_json([_json(*each) for each in found])
    elif not found:
        _say_nothing_is_open(work_id, database)
    return 0


def _say_nothing_is_open(work_id: str | None, database: str | None) -> None:
    from dbops.cli.render import say

    on = "" if database is None else f" on {database}"
    if work_id is None:
        say(
            f"nothing is open: every run{on} in this host's ledger has a known end\n"
            "hint: what began on another host is asked of the database: dbops change resume ID"
        )
    else:
        say(
            f"nothing is open: every run of {work_id}{on} in this host's ledger has a known end,"
            " and no journal says otherwise"
        )


def _asked(
    wiring: Wiring, here: Sequence[Unsettled], work_id: str | None, database: str | None
) -> list[Unsettled]:
    """What the journals have half done of a work that the ledger has nothing open of.

    Raises where the wrong words were typed: NotFound `no-database`, and `work-missing` where
    neither the work tree nor the ledger knows the work, `change-not-of` where it is not of the
    database; Refused `change-open-elsewhere` where it is open on another one.
    """
    from dbops.cli.change_list import recorded_on
    from dbops.cli.change_unsettled import left_by_others
    from dbops.cli.reviewing import open_desk
    from dbops.errors import NotFound, Refused

    if database is not None:
        wiring.database(database)
    if work_id is None:
        return []
    if not any(run.work == work_id for run in recorded_on(wiring)):
        try:
            open_desk(wiring, None).folders(work_id)
        except NotFound as fault:
            raise NotFound(fault.code, fault.message, hint="dbops change list") from None
    found = left_by_others(wiring, work_id, database)
    elsewhere = dict.fromkeys(each.database for each in here if each.work == work_id)
    if elsewhere and not found:
        commands = "; ".join(
            f"dbops change resume {work_id} --database {name}" for name in elsewhere
        )
        raise Refused(
            "change-open-elsewhere",
            f"nothing of {work_id} is open on {database}",
            hint=f"open on {', '.join(elsewhere)}: {commands}",
        )
    if database is not None and not found:
        _refuse_not_of(wiring, work_id, database)
    return list(found)


def _refuse_not_of(wiring: Wiring, work_id: str, database: str) -> None:
    """Raise NotFound `change-not-of` where the change lies here, and is not of the database."""
    from dbops.change.step import Direction
    from dbops.cli.changing import databases_of, read_change
    from dbops.errors import NotFound

    try:
        change = read_change(wiring, work_id).change
    except NotFound:
        return  # the ledger knew it, and on that database it has a known end
    databases_of(change, None, database, Direction.UP)


def _settled(
    wiring: Wiring, left: Sequence[Unsettled], onward: Onward, stops: Stopping
) -> Iterator[tuple[Unsettled, Settled]]:
    """Yield each that is settled, as soon as it is.

    Once all runs of a change on a database are, its journal is asked whether another host made it
    stand otherwise since.
    """
    from dbops.cli.change_unsettled import left_by_others

    waiting = list(left)
    while waiting:
        each = waiting.pop(0)
        one = _settle_one(wiring, each, onward, stops)
        if one is not None:
            yield each, one
        place = (each.work, each.database)
        more = any((later.work, later.database) == place for later in waiting)
        if each.recorded is not None and not more:
            waiting[:0] = left_by_others(wiring, *place)


def _settle_one(wiring: Wiring, left: Unsettled, onward: Onward, stops: Stopping) -> Settled | None:
    """As `settle`; raises Interrupted where somebody stops it."""
    from dbops.change.resume import Onward
    from dbops.cli.change_settling import settle
    from dbops.cli.stopping import resume_interrupted

    try:
        stops.begin()
        return settle(wiring, left, onward, stops.observe)
    except KeyboardInterrupt:
        back = onward is Onward.REVERT
        raise resume_interrupted(left.work, left.database, stops.so_far, back=back) from None


def _sentence(left: Unsettled, settled: Settled) -> str:
    from dbops.change.fate import Fate, is_gone_without_trace
    from dbops.change.step import Direction

    became, report = settled.became, settled.report
    known = "not in this host's ledger"
    if left.recorded is not None:
        known = f"ledger entry {left.recorded.sequence}"
    what = f"{left.work} on {left.database} ({known})"
    match became.fate:
        case Fate.WHOLE:
            return f"{what}: it took place, to its end"
        case Fate.NOTHING:
            compared = "; nothing that it makes is there" if settled.compared else ""
            if left.recorded is not None and is_gone_without_trace(left.recorded, became):
                return (
                    f"{what}: by the ledger some of it was done; it is gone, and so is what the"
                    " journal had of it: others took it away"
                )
            return f"{what}: it did not take place{compared}"
        case Fate.RETURNED:
            return f"{what}: it was taken back; the schema is as it was"
        case Fate.HALF:
            done = f"{became.done} of {became.steps} steps were done"
            if report is not None and report.direction is Direction.UP:
                return f"{what}: {done}; now all are, and it was judged"
            if became.direction is Direction.DOWN:
                return f"{what}: {done} of the way back; now all are, and the schema is as it was"
            return f"{what}: {done}; they are taken back"


def _json(left: Unsettled, settled: Settled) -> dict[str, object]:
    from dbops.cli.change_report import names_json

    run, became, kept = left.recorded, settled.became, settled.kept
    return {
        "work": left.work,
        "database": left.database,
        "run": became.run if run is None else run.run,
        "entry": None if run is None else run.sequence,
        "fate": became.fate,
        "done": became.done,
        "steps": became.steps,
        "direction": None if settled.report is None else settled.report.direction,
        "drift": None if kept is None else names_json(kept.drift),
    }
