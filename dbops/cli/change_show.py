"""`dbops change show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.change.manifest import Change
    from dbops.change.progress import Place
    from dbops.cli.changing import ReadChange
    from dbops.cli.lint_shown import Looked
    from dbops.cli.wiring import Wiring


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--offline", is_flag=True, help="Do not ask the database about its tables.")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@json_option
@click.pass_obj
def show(
    estate: str | None,
    work_id: str,
    offline: bool,  # noqa: FBT001 - click passes options by name
    worktree: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show what a reviewer needs of the change ID: what differs, SQL, lint, locks and times.

    Differences, locks, times, rows and sizes are those of the rehearsal on the restored backup, of
    each database; what rules say of tables comes from the database of the last ring. "dbops review
    show" says who signed, and "dbops review approve" signs.

    \b
    Example: dbops change show 2026-031-visit-ward-fk
    Exit statuses: 0 done, 2 usage, 5 the change is not as it should be, 10 no such work.
    """
    from dbops.change.progress import ChangeState, places_of
    from dbops.change.schema_text import SOURCE
    from dbops.cli.change_check import looked_at
    from dbops.cli.change_ground import remark_other_schema
    from dbops.cli.change_list import places_set_aside, recorded_on
    from dbops.cli.change_rehearsed import show_rehearsal
    from dbops.cli.change_scripts import scripts_json, show_scripts
    from dbops.cli.changing import read_change
    from dbops.cli.lint_shown import show_one
    from dbops.cli.render import show_json
    from dbops.cli.repair_show import remark_unattested
    from dbops.cli.review_schema import baseline_json, schema_words
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    found = read_change(wiring, work_id, worktree)
    remark_unattested(wiring, found.work)
    places = places_of(found.change, recorded_on(wiring))
    if _set_aside(found.change):
        uses = open_desk(wiring, worktree).memory.uses
        places = places_set_aside(places, [use for use in uses if use.work == work_id])
    waiting = {ChangeState.PENDING, ChangeState.REVERTED}
    remark_other_schema(
        wiring, found.work, [each.database for each in places if each.state in waiting]
    )
    looked = looked_at(wiring, found, ask=not offline)
    if as_json:
        baseline = baseline_json(open_desk(wiring, worktree), found.work)
        show_json(
            _json(found, places, looked) | scripts_json(wiring, found) | {"baseline": baseline}
        )
        return
    for name, value in _facts(found.change):
        click.echo(f"{name:<10} {value}")
    _show_places(wiring, places)
    show_scripts(wiring, found)
    if found.change.records is not None:
        words = schema_words(open_desk(wiring, worktree), found.work)
        click.echo("\n" + "\n".join(words.get(SOURCE, [])))
    click.echo()
    show_one(looked)
    for database in () if _set_aside(found.change) else found.change.databases:
        show_rehearsal(found, database)


def _facts(change: Change) -> Iterator[tuple[str, str]]:
    """What stands above everything: names, limits and what may differ."""
    from dbops.durations import duration_text

    yield "change", change.id
    yield "title", change.title
    if change.why is not None:
        yield "why", change.why
    if change.ticket is not None:
        yield "ticket", change.ticket
    yield "author", change.author
    yield "risk", change.risk.value
    if change.requires:
        yield "requires", ", ".join(change.requires)
    for ring in change.rings:
        if ring.soak:
            yield "soak", f"ring {ring.name} waits {duration_text(ring.soak)} after the one before"
    if change.window is not None:
        yield "window", change.window.words
    if _set_aside(change):
        return
    limits = change.limits
    yield (
        "limits",
        f"waits {duration_text(limits.lock_wait)} for a lock, {limits.attempts} attempts;"
        f" a step takes {duration_text(limits.statement)} at most",
    )
    yield "data loss", change.data_loss.value
    for number, touch in enumerate(change.touches):
        yield ("touches" if number == 0 else ""), touch.line


def _set_aside(change: Change) -> bool:
    """Whether another command runs it: it has no limits of its own and is not rehearsed."""
    return change.prepares is not None or change.records is not None


def _show_places(wiring: Wiring, places: tuple[Place, ...]) -> None:
    from dbops.cli.render import moment, show_table

    zone = wiring.estate.zone
    click.echo()
    show_table(
        [
            (
                place.ring,
                place.database,
                place.state.value,
                moment(place.at, zone) if place.at else "",
            )
            for place in places
        ],
        ("ring", "database", "state", "since"),
    )


def _json(found: ReadChange, places: tuple[Place, ...], looked: Looked) -> dict[str, object]:
    from dbops.cli.change_rehearsed import rehearsal_json
    from dbops.cli.lint_shown import looked_json

    change = found.change
    rehearsals = {database: rehearsal_json(found, database) for database in change.databases}
    return {
        "id": change.id,
        "title": change.title,
        "why": change.why,
        "ticket": change.ticket,
        "author": change.author,
        "risk": change.risk,
        "touches": [touch.line for touch in change.touches],
        "data_loss": change.data_loss,
        "databases": places,
        "lint": looked_json(looked),
        "rehearsals": {name: each for name, each in rehearsals.items() if each is not None},
    }
