"""`dbops review check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.cli.review_overview import Desk, Overview


@click.command()
@click.argument("work_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="All work that is not done yet.")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@click.option(
    "--changed-from",
    "base",
    metavar="COMMIT",
    help="Of --all only what differs between this commit and HEAD.",
)
@json_option
@click.pass_obj
def check(
    estate: str | None,
    work_id: str | None,
    every: bool,  # noqa: FBT001 - click passes options by name
    worktree: str | None,
    base: str | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Say what is still missing before work may run, each thing on its own line.

    Nothing is run and no key is needed. Databases that cannot be reached are taken for those that
    the statements name, and that is said; whoever runs the work looks again. Statements that were
    not seen before are recorded in this host's ledger, if it has one.

    \b
    Example: dbops review check 2026-117-lab
    Exit statuses: 0 nothing is missing, 2 usage, 5 something is, or it was done already, 10 no such
    work.
    """
    from dbops.cli.review_overview import Asked, State
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    _refuse_unclear(work_id, base, every=every)
    desk = open_desk(open_wiring(estate), worktree)
    folders = desk.folders(work_id)
    if base is not None:
        folders = _changed(desk, folders, base)
    found = [desk.look(folder, Asked.THERE) for folder in folders]
    if every:
        found = [each for each in found if each.state is not State.DONE]
    remarks = [*_unchecked(found), *_record_seen(desk, found)]
    _show(desk, found, remarks, as_json=as_json)
    return ExitStatus.REFUSED if any(map(_is_stopped, found)) else ExitStatus.DONE


def _is_stopped(overview: Overview) -> bool:
    return bool(overview.obstacles or overview.open_runs)


def _lines(overview: Overview) -> tuple[str, ...]:
    """What stands in the way; of what was run that instead, for its approvals are used up."""
    from dbops.cli.review_open import done_lines, open_lines

    said = (*open_lines(overview), *done_lines(overview))
    reasons = tuple(reason.message for reason in overview.obstacles)
    if said and (overview.is_used_up or not overview.open_runs):
        return said
    return (*said, *reasons) or ("complete",)


def _refuse_unclear(work_id: str | None, base: str | None, *, every: bool) -> None:
    from dbops.errors import UsageFault

    if every == (work_id is not None):
        raise UsageFault(
            "which-work",
            "name one piece of work or say --all, not both"
            if every
            else "name a piece of work, or say --all",
            hint="dbops review list shows the ids",
        )
    if base is not None and not every:
        raise UsageFault(
            "changed-from-alone",
            "--changed-from chooses among all work, so it needs --all",
            hint="dbops review check --all --changed-from COMMIT",
        )


def _changed(desk: Desk, folders: tuple[Path, ...], base: str) -> tuple[Path, ...]:
    """The folders that HEAD does not have exactly as the commit `base` has them."""
    from dbops.git import head_commit, list_tree

    before, head = _commit(desk.worktree, base), head_commit(desk.worktree)

    def differs(folder: Path) -> bool:
        name = folder.relative_to(desk.worktree).as_posix()
        trees = [
            {} if commit is None else list_tree(desk.worktree, commit, name)
            for commit in (before, head)
        ]
        return trees[0] != trees[1]

    return tuple(folder for folder in folders if differs(folder))


def _commit(worktree: Path, name: str) -> str:
    """The id of a commit that a person or a pipeline names."""
    from dbops.errors import Failed, NotFound
    from dbops.git import run_git

    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    try:
        return run_git(worktree, *words).decode("ascii").strip()
    except Failed:
        raise NotFound(
            "no-commit",
            f"the ops repository has no commit {name}",
            hint="fetch it: a pipeline needs the whole history, not its newest commit alone",
        ) from None


def _unchecked(found: list[Overview]) -> list[str]:
    return [
        f"{each.id}: {alias} is not in reach of this host; its identity is as the statements"
        " say, unchecked"
        for each in found
        for alias in each.identities.unchecked
    ]


def _record_seen(desk: Desk, found: list[Overview]) -> list[str]:
    """Afterwards the ledger has seen the statements; returns why not, where it has not."""
    from dbops.cli.reviewing import see_quietly

    works = [each.work for each in found if each.work is not None and each.work.statements]
    remark = see_quietly(desk.wiring, works, desk.policy, desk.memory, desk.now)
    return [] if remark is None else [remark]


def _show(desk: Desk, found: list[Overview], remarks: list[str], *, as_json: bool) -> None:
    from dbops.cli.render import say, show_json
    from dbops.cli.review_list import summary

    if as_json:
        works = [summary(each, desk.policy) for each in found]
        complete = not any(map(_is_stopped, found))
        show_json({"complete": complete, "work": works, "remarks": remarks})
        return
    for each in found:
        for line in _lines(each):
            click.echo(f"{each.id}: {line}")
    for remark in remarks:
        say(f"remark: {remark}")
    if not found:
        say("no work to check")
