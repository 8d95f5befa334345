"""`dbops repair check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.cli.lint_shown import Looked
    from dbops.cli.wiring import Wiring


@click.command()
@click.argument("work_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Every repair of the ops repository.")
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
    """Hold the manifest and the script of a repair against its grammar and the rules REP-*.

    An error stops the repair unless the manifest accepts the rule, with a reason. What could not
    be read, and what needs a database that does not answer, is said.

    \b
    Example: dbops repair check 2026-117-visit-ward
    Exit statuses: 0 nothing stops it, 2 usage, 4 something does, 10 no such work.
    """
    from dbops.cli.lint_shown import show_looked
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus, UsageFault

    if every == (work_id is not None):
        raise UsageFault(
            "which-work",
            "name one repair or say --all, not both" if every else "name a repair, or say --all",
            hint="dbops repair list shows the ids",
        )
    wiring = open_wiring(estate)
    desk = open_desk(wiring, worktree)
    folders = [each for each in desk.folders(work_id) if each.parent.name == "repairs" or work_id]
    looked = [_look(wiring, desk.worktree, folder, ask=not offline) for folder in folders]
    show_looked(looked, nothing="no repair to check", as_json=as_json)
    return ExitStatus.FINDING if any(each.stops for each in looked) else ExitStatus.DONE


def _look(wiring: Wiring, worktree: Path, folder: Path, *, ask: bool) -> Looked:
    from dbops.cli.lint_shown import Looked
    from dbops.cli.repair_lint import lint_repair
    from dbops.cli.repair_list import deadlines_of
    from dbops.cli.repairing import parsed
    from dbops.errors import NotFound, Refused
    from dbops.repair.rules.lint import blocking
    from dbops.review.finding import Report
    from dbops.review.folder import read_work

    try:
        found = parsed(read_work(worktree, folder))
        wiring.database(found.repair.database)
        deadlines_of(wiring, found.repair)
        if found.repair.undo_of is not None:
            return Looked(folder.name, Report((), ()))
        report = lint_repair(wiring, found, ask=ask)
    except (Refused, NotFound) as fault:
        return Looked(folder.name, fault=fault)
    whys = {entry.rule: entry.why for entry in found.repair.accepted}
    accepted = {each: whys[each.rule] for each in report.findings if each.rule in whys}
    blocked = blocking(report, found.repair.accepted)
    return Looked(folder.name, report, blocked=blocked, accepted=accepted)
