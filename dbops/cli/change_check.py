"""`dbops change check`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.cli.changing import ReadChange
    from dbops.cli.lint_shown import Looked
    from dbops.cli.review_overview import Desk
    from dbops.cli.wiring import Wiring


@click.command()
@click.argument("work_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Every change of the ops repository.")
@click.option("--offline", is_flag=True, help="Do not ask the databases about their tables.")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@json_option
@click.pass_obj
def check(
    estate: str | None,
    work_id: str | None,
    every: bool,  # noqa: FBT001 - click passes options by name
    offline: bool,  # noqa: FBT001
    worktree: str | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Hold the manifest and the scripts of a change against its grammar and the rules.

    An error stops the change unless the manifest accepts the rule, with a reason. Findings have
    the rows and sizes of the tables in the database of the last ring. What could not be read, and
    what needs a database that does not answer, is said. Where squawk is installed (pip install
    'dbops[squawk]'), what it finds in PostgreSQL's SQL is shown as warnings SQUAWK-….

    \b
    Example: dbops change check --all --offline
    Exit statuses: 0 nothing stops it, 2 usage, 4 something does, 10 no such work.
    """
    from dbops.cli.lint_shown import show_looked
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus, UsageFault
    from dbops.review.work import Kind

    if every == (work_id is not None):
        raise UsageFault(
            "which-work",
            "name one change or say --all, not both" if every else "name a change, or say --all",
            hint="dbops change list shows the ids",
        )
    wiring = open_wiring(estate)
    desk = open_desk(wiring, worktree)
    folders = [
        each
        for each in desk.folders(work_id)
        if each.parent.name == Kind.CHANGE.folder or work_id is not None
    ]
    looked = [_look(wiring, desk, folder, ask=not offline) for folder in folders]
    show_looked(looked, nothing="no change to check", as_json=as_json)
    return ExitStatus.FINDING if any(each.stops for each in looked) else ExitStatus.DONE


def _look(wiring: Wiring, desk: Desk, folder: Path, *, ask: bool) -> Looked:
    from dbops.cli.change_open import refuse_requiring_unknown
    from dbops.cli.changing import parsed_change
    from dbops.cli.lint_shown import Looked
    from dbops.errors import NotFound, Refused
    from dbops.review.folder import read_work

    looked = Looked(folder.name)
    try:
        found = parsed_change(read_work(desk.worktree, folder))
        looked = looked_at(wiring, found, ask=ask)
        refuse_requiring_unknown(wiring, desk, found)
    except (Refused, NotFound) as fault:
        return replace(looked, fault=fault)
    return looked


def looked_at(wiring: Wiring, found: ReadChange, *, ask: bool) -> Looked:
    """What the rules say of a change that could be read; nothing for one that runs nothing.

    Raises NotFound `no-database` where the estate does not know one of its databases.
    """
    from dbops.change.rules.lint import accepts, blocking
    from dbops.cli.change_lint import lint_change
    from dbops.cli.lint_shown import Looked
    from dbops.review.finding import Report

    change = found.change
    for name in change.databases:
        wiring.database(name)
    if not found.up:
        return Looked(change.id, Report((), ()))
    report = lint_change(wiring, found, ask=ask, squawk=True)
    accepted = {
        finding: entry.why
        for finding in report.findings
        for entry in change.accepted
        if accepts(entry, finding)
    }
    blocked = blocking(report, change.accepted)
    return Looked(change.id, report, blocked=blocked, accepted=accepted)
