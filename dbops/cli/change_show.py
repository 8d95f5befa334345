"""`dbops change show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.change.evidence import ChangeEvidence, StepEvidence
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

    The differences, locks and times are those of the rehearsal on the restored backup, of each
    database; sizes come from the database of the last ring. "dbops review show" says who signed,
    and "dbops review approve" signs.

    \b
    Example: dbops change show 2026-031-visit-ward-fk
    Exit statuses: 0 done, 2 usage, 5 the change is not as it should be, 10 no such work.
    """
    from dbops.change.progress import places_of
    from dbops.change.schema_text import SOURCE
    from dbops.cli.change_check import looked_at
    from dbops.cli.change_list import places_set_aside, recorded_on
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
    looked = looked_at(wiring, found, ask=not offline)
    if as_json:
        baseline = baseline_json(open_desk(wiring, worktree), found.work)
        show_json(_json(found, places, looked) | {"baseline": baseline})
        return
    for name, value in _facts(found.change):
        click.echo(f"{name:<10} {value}")
    _show_places(wiring, places)
    _show_scripts(found)
    if found.change.records is not None:
        words = schema_words(open_desk(wiring, worktree), found.work)
        click.echo("\n" + "\n".join(words.get(SOURCE, [])))
    click.echo()
    show_one(looked)
    for database in () if _set_aside(found.change) else found.change.databases:
        _show_rehearsal(found, database)


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


def _show_scripts(found: ReadChange) -> None:
    from dbops.change.step import VERIFY
    from dbops.change.words import printable
    from dbops.review.work import DOWN, UP

    for name in (UP, DOWN, VERIFY):
        data = found.work.files.get(name)
        if data is None:
            continue
        click.echo(f"\n{name}:")
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            click.echo(f"{number:4d}  {printable(line)}")


def _show_rehearsal(found: ReadChange, database: str) -> None:
    from dbops.change.evidence import read_evidence
    from dbops.cli.changing import rehearsed_of, told_in_full
    from dbops.cli.fitted import show_fitted

    evidence, rehearsed = read_evidence(found.work, database), rehearsed_of(found.work, database)
    if evidence is None or rehearsed is None:
        click.echo(f"\n{database} was not rehearsed: dbops change rehearse {found.change.id}")
        return
    click.echo(f"\n{database}, rehearsed on {evidence.backup} ({evidence.proof})")
    for line in told_in_full(rehearsed.differences):
        click.echo(f"  {line}")
    for touch in evidence.unseen:
        click.echo(f"  remark: touches names it, and nothing differs: {touch.line}")
    click.echo()
    heads = ("", "step", "takes", "locks", "blocks others'", "written anew")
    show_fitted([_step_row(each) for each in evidence.steps], heads)
    counts = list(_row_counts(evidence))
    if counts:
        click.echo()
        show_fitted(counts, ("table", "rows before", "after up", "after down"))
    click.echo(f"\ndown: {down_words(evidence)}")


def _step_row(step: StepEvidence) -> tuple[str, ...]:
    from dbops.change.words import printable

    return (
        step.direction.value,
        f"{step.number} {printable(step.name)}",
        f"{step.milliseconds} ms",
        ", ".join(f"{lock.object} ({lock.mode})" for lock in step.locks),
        ", ".join(sorted({lock.blocks for lock in step.locks if lock.blocks})),
        ", ".join(step.rewritten),
    )


def _row_counts(evidence: ChangeEvidence) -> Iterator[tuple[str, ...]]:
    """Those tables whose rows differ, and those that were touched."""
    touched = {touch.written for touch in evidence.touched}
    for table, rows in sorted(evidence.rows.items()):
        counts = (rows.before, rows.after, rows.down)
        if len(set(counts)) > 1 or table in touched:
            yield (table, *("" if count is None else str(count) for count in counts))


def down_words(evidence: ChangeEvidence) -> str:
    """How the way back went, in words."""
    down = evidence.down
    if down is None:
        return "there is none"
    if down.equal:
        return "the schema was exactly as before"
    order = f"; these columns came back last: {', '.join(down.order)}" if down.order else ""
    return f"the schema was as before, but for the declared loss ({down.lost.value}){order}"


def _json(found: ReadChange, places: tuple[Place, ...], looked: Looked) -> dict[str, object]:
    from dbops.change.evidence import read_evidence
    from dbops.cli.changing import rehearsed_of, told
    from dbops.cli.lint_shown import looked_json

    change = found.change
    rehearsals = {}
    for database in change.databases:
        evidence, rehearsed = (
            read_evidence(found.work, database),
            rehearsed_of(found.work, database),
        )
        if evidence is not None and rehearsed is not None:
            rehearsals[database] = {
                "backup": evidence.backup,
                "words": told(rehearsed.differences),
                "milliseconds": sum(each.milliseconds for each in evidence.steps),
                "steps": evidence.steps,
                "down": down_words(evidence),
            }
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
        "rehearsals": rehearsals,
    }
