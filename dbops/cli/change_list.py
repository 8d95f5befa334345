"""`dbops change list`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from dbops.audit.entry import Entry
    from dbops.change.attempts import RecordedChange
    from dbops.change.progress import Place
    from dbops.cli.changing import ReadChange
    from dbops.cli.review_overview import Desk, Overview
    from dbops.cli.wiring import Wiring
    from dbops.review.memory import Use
    from dbops.review.purpose import Purpose


@click.command("list")
@click.option("--ticket", metavar="TICKET", help="Only those of this ticket.")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@json_option
@click.pass_obj
def list_(
    estate: str | None,
    ticket: str | None,
    worktree: str | None,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> int:
    """List changes: on which databases each ran, its ticket, and who must act.

    Where a change ran is what this host's ledger says; what a run that broke off came to is found
    out by "dbops change resume". A draft that nobody signed yet may be unfinished; any other that
    cannot be read is a finding, and so is one whose folder is gone while a run of it is open.

    \b
    Example: dbops change list
    Exit statuses: 0 done, 2 no ops repository, 4 one cannot be read that is no draft, or is gone.
    """
    from dbops.change.progress import places_of
    from dbops.cli.changing import every_change
    from dbops.cli.render import say, show_json
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    desk = open_desk(wiring, worktree)
    found = every_change(desk, {run.work for run in desk.changes})
    drafts = found.drafts if ticket is None else ()  # nobody knows whose they are
    listed = [
        _look(desk, each, places_of(each.change, desk.changes))
        for each in found.read
        if ticket in {None, each.change.ticket}
    ]
    others = _without_files(desk, {each.change.id for each in found.read})
    listed += (each for each in others if ticket in {None, each.ticket})
    faults = (*found.faults, *_gone(desk, listed))
    if as_json:
        told = list(map(_json, listed))
        show_json({"changes": told, "drafts": drafts, "faults": faults})
    elif listed or drafts:
        _show(listed, drafts, wiring.estate.zone)
    elif not faults:
        say("no change" if ticket is None else f"no change of ticket {ticket}")
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    return ExitStatus.FINDING if faults else ExitStatus.DONE


@dataclass(frozen=True, slots=True)
class _Listed:
    """A change, how it stands on each database, and who must act next.

    `title` and `author` are None where no manifest says them.
    """

    id: str
    title: str | None
    ticket: str | None
    author: str | None
    places: tuple[Place, ...]
    next: tuple[str, ...]


def _without_files(desk: Desk, read: Collection[str]) -> Iterator[_Listed]:
    """Yield the changes that are gone, or cannot be read, while a run of them is open."""
    from dbops.change.progress import open_places

    last = {run.work: run for run in desk.open_runs if run.work not in read}
    for work, run in last.items():
        tickets = (each.draft.ticket for each in desk.entries if each.sequence == run.sequence)
        files = f"check out the commit that ran (dbops audit show {run.sequence})"
        onward = f"{files}, then: dbops change resume {work}"
        yield _Listed(work, None, next(tickets), None, open_places(work, desk.changes), (onward,))


def _gone(desk: Desk, listed: Iterable[_Listed]) -> tuple[str, ...]:
    """Why those have no folder of which a run is open."""
    there = {folder.name for folder in desk.folders(None)}
    return tuple(
        f"{each.id}: a run of it on {', '.join(place.database for place in each.places)} has not"
        " come to an end, and its folder is gone"
        for each in listed
        if each.id not in there
    )


def _look(desk: Desk, found: ReadChange, places: tuple[Place, ...]) -> _Listed:
    """The change with its places, and what comes next: who signs, or the command that runs it."""
    from dbops.cli.review_overview import State, waits_for

    seen = desk.look(desk.worktree / found.work.folder)
    if found.change.prepares is not None or found.change.records is not None:
        places = places_set_aside(places, seen.uses)
    waits = waits_for(seen, desk.policy)
    ready = not waits and seen.state in {State.APPROVED, State.FREE}
    command = _command(found, places, seen.purpose) if ready else ()
    onward = _resumed(seen, places) or _rehearsed(seen) or (command if ready else waits)
    change = found.change
    return _Listed(change.id, change.title, change.ticket, change.author, places, onward)


def places_set_aside(places: tuple[Place, ...], uses: Sequence[Use]) -> tuple[Place, ...]:
    """How it stands with a change that another command runs: the ledger has its uses."""
    from dbops.audit.entry import Effect
    from dbops.change.progress import ChangeState

    done = {use.database: use for use in uses if use.effect is Effect.COMMITTED}
    return tuple(
        replace(place, state=ChangeState.RUN, at=use.at, entry=use.sequence)
        if (use := done.get(place.database)) is not None
        else place
        for place in places
    )


def _resumed(seen: Overview, places: tuple[Place, ...]) -> tuple[str, ...]:
    """The command that settles a run that broke off; its approvals are used, so nobody signs."""
    from dbops.change.progress import ChangeState

    broken = any(place.state in {ChangeState.UNKNOWN, ChangeState.HALF} for place in places)
    return (f"dbops change resume {seen.id}",) if seen.open_runs or broken else ()


def _rehearsed(seen: Overview) -> tuple[str, ...]:
    """The command that makes the evidence that the policy asks for, once the author has asked.

    What else forbids the run comes first; so does the author, whose request it is rehearsed for.
    """
    from dbops.review.purpose import Purpose

    judgement = seen.judgement
    if judgement is None or not seen.author_asks or seen.purpose is not Purpose.RUN:
        return ()
    lacking = judgement.evidence and judgement.faults == judgement.evidence
    return (f"dbops change rehearse {seen.id}",) if lacking else ()


def _command(
    found: ReadChange, places: tuple[Place, ...], purpose: Purpose | None
) -> tuple[str, ...]:
    """The command for the first database on which the change has not run; or the last that has it.

    The latter where it is to be taken back.
    """
    from dbops.change.progress import ChangeState
    from dbops.review.purpose import Purpose

    change = found.change
    if purpose is Purpose.TAKE_BACK:
        there = [each.database for each in places if each.state is ChangeState.RUN]
        return tuple(f"dbops change revert {change.id} --database {name}" for name in there[-1:])
    for place in places:
        if place.state in {ChangeState.PENDING, ChangeState.REVERTED}:
            if change.prepares is not None:
                return (f"dbops repair prepare {place.database} --review {change.id}",)
            if change.records is not None:
                return (f"dbops change record {place.database} --review {change.id}",)
            ring = f" --ring {place.ring}" if len(change.rings) > 1 else ""
            return (f"dbops change run {change.id}{ring}",)
    return ()


def _show(listed: Sequence[_Listed], drafts: Sequence[str], zone: ZoneInfo) -> None:
    """A table that fits a screen, and below it what comes next: commands are whole lines."""
    from dbops.cli.render import show_table

    rows = [row for each in listed for row in _rows(each, zone)]
    rows += [(name, "", "", "", "draft", "") for name in drafts]
    show_table(rows, ("change", "ticket", "ring", "database", "state", "since"))
    waits = [(each.id, "; ".join(each.next)) for each in listed if each.next]
    waits += [(name, f"dbops change check {name}") for name in drafts]
    if waits:
        click.echo("\nnext:")
    for name, what in waits:
        click.echo(f"  {name}: {what}")


def _rows(listed: _Listed, zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    from dbops.cli.render import moment

    head = (listed.id, listed.ticket or "")
    for number, place in enumerate(listed.places):
        since = moment(place.at, zone) if place.at else ""
        own = head if number == 0 else ("", "")
        yield (*own, place.ring, place.database, place.state.value, since)


def _json(listed: _Listed) -> dict[str, object]:
    return {
        "id": listed.id,
        "title": listed.title,
        "ticket": listed.ticket,
        "author": listed.author,
        "databases": listed.places,
        "next": listed.next,
    }


def recorded_on(wiring: Wiring) -> tuple[RecordedChange, ...]:
    """The runs of changes that this host's ledger knows of; none where it has no ledger."""
    from dbops.change.attempts import recorded_changes

    return recorded_changes(entries_of_work(wiring))


def entries_of_work(wiring: Wiring) -> Iterator[Entry]:
    """All that this host's ledger says about pieces of work; nothing where it has no ledger."""
    from dbops.audit.links import entries_about_work
    from dbops.cli.ledger import segments_of

    segments = segments_of(wiring)
    if segments.exist:
        yield from entries_about_work(segments)
