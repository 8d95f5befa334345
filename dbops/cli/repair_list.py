"""`dbops repair list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from dbops.cli.review_overview import Desk
    from dbops.cli.wiring import Wiring
    from dbops.repair.attempts import RecordedRun
    from dbops.repair.clocks import Deadline
    from dbops.repair.manifest import Repair
    from dbops.repair.progress import Progress, SignOff


@click.command("list")
@click.option("--overdue", "late", is_flag=True, help="Only those that are overdue; 4 if any are.")
@click.option("--ticket", metavar="TICKET", help="Only those of this ticket.")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@json_option
@click.pass_obj
def list_(
    estate: str | None,
    late: bool,  # noqa: FBT001 - click passes options by name
    ticket: str | None,
    worktree: str | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """List repairs: how far each has come, its ticket, when it is due, and who must act.

    Due dates run by the clocks of dbops.toml from the day the ticket was opened; one beyond the
    known calendar is provisional, and alarms go by the earliest day that it may be. Which repairs
    were run is what this host's ledger says.

    \b
    Example: dbops repair list --overdue
    Exit statuses: 0 done, 2 no ops repository, 4 with --overdue: there are some, or one cannot be
    read.
    """
    from dbops.cli.render import say, show_json, show_table
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus
    from dbops.repair.progress import without_given_up

    wiring = open_wiring(estate)
    desk = open_desk(wiring, worktree)
    runs = recorded(wiring)
    read = [_look(wiring, desk, folder, runs) for folder in _repairs(desk)]
    found = [
        each
        for each in without_given_up(one for one in read if not isinstance(one, str))
        if (not late or each.overdue) and ticket in {None, each.ticket}
    ]
    faults = [one for one in read if isinstance(one, str)]
    zone = wiring.estate.zone
    if as_json:
        show_json({"repairs": found, "faults": faults})
    elif found:
        heads = ("repair", "ticket", "database", "state", "due", "next")
        show_table([_row(each, zone) for each in found], heads)
    elif not faults:
        say(_nothing(ticket, late=late))
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    # One that cannot be read may be overdue as well.
    return ExitStatus.FINDING if late and (found or faults) else ExitStatus.DONE


def recorded(wiring: Wiring) -> tuple[RecordedRun, ...]:
    """The runs that this host's ledger knows of; none where it has no ledger."""
    from dbops.audit.links import entries_about_work
    from dbops.cli.ledger import segments_of
    from dbops.repair.attempts import recorded_runs

    segments = segments_of(wiring)
    return recorded_runs(entries_about_work(segments)) if segments.exist else ()


def deadlines_of(wiring: Wiring, repair: Repair) -> tuple[Deadline, ...]:
    """Until when the ticket of the repair is due, by each of its clocks.

    A repair that names no clock has the estate's clock `data-error`, if there is one; one that
    takes a run back repairs nothing, and has none.
    """
    from dbops.cli.calendars import calendar_of, clock_of
    from dbops.errors import NotFound
    from dbops.repair.clocks import deadlines

    known = wiring.estate.clocks
    own = () if repair.undo_of else tuple(name for name in known if name == "data-error")
    names = repair.clocks or own
    missing = [name for name in names if name not in known]
    if missing:
        raise NotFound(
            "no-clock",
            f"{repair.id} names the clock {missing[0]}, and dbops.toml has none of that name",
            hint=f"there are: {', '.join(known) or 'none'}; see [clocks.NAME] of dbops.toml",
        )
    if repair.opened is None or not names:
        return ()
    estate = wiring.estate
    clocks = [clock_of(known[name]) for name in names]
    return deadlines(clocks, repair.opened, calendar_of(estate.calendar), estate.zone)


def _repairs(desk: Desk) -> list[Path]:
    from dbops.review.work import Kind

    return [each for each in desk.folders(None) if each.parent.name == Kind.REPAIR.folder]


def _look(wiring: Wiring, desk: Desk, folder: Path, runs: Sequence[RecordedRun]) -> Progress | str:
    """How far the repair of that folder has come, or why nobody can say."""
    from dbops.cli.repairing import parsed
    from dbops.errors import DbopsError
    from dbops.repair.attempts import attempts_at, attempts_to_undo
    from dbops.repair.progress import progress
    from dbops.review.folder import read_work

    try:
        repair = parsed(read_work(desk.worktree, folder)).repair
        due = deadlines_of(wiring, repair)
    except DbopsError as fault:
        return f"{folder.name}: {fault.message}"
    own = attempts_at(runs, repair.id)
    return progress(
        repair, _sign_off(desk, folder), own, attempts_to_undo(runs, repair.id), due, desk.now
    )


def _sign_off(desk: Desk, folder: Path) -> SignOff:
    from dbops.cli.review_overview import State, waits_for
    from dbops.repair.progress import SignOff

    seen = desk.look(folder)
    judgement = seen.judgement
    missing = () if judgement is None else judgement.missing
    evidence = () if judgement is None else judgement.evidence
    signed = judgement is not None and judgement.complete
    faults = () if judgement is None else judgement.faults
    obstacles = [each.code for each in faults if each not in evidence]
    if signed and seen.uncommitted is not None:
        obstacles.append(seen.uncommitted.code)
    return SignOff(
        requested=not any(each.role is None for each in missing),
        rehearsed=not evidence,
        complete=signed and seen.uncommitted is None,
        rejected=seen.state is State.REJECTED,
        waits_for=waits_for(seen, desk.policy),
        obstacles=tuple(dict.fromkeys(obstacles)),
    )


def _nothing(ticket: str | None, *, late: bool) -> str:
    if ticket is not None:
        return f"no repair of the ticket {ticket}{' is overdue' if late else ''}"
    return "no repair is overdue" if late else "there is no repair yet: dbops repair new --help"


def _row(found: Progress, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        found.id,
        found.ticket or "-",
        found.database,
        found.state.value + (", overdue" if found.overdue else ""),
        "\n".join(_due(each, zone) for each in found.deadlines) or "-",
        "\n".join(found.next) or "-",
    )


def _due(deadline: Deadline, zone: ZoneInfo) -> str:
    from dbops.cli.render import moment

    mark = " (provisional)" if deadline.provisional else ""
    return f"{deadline.clock} {moment(deadline.at, zone)}{mark}"
