"""`dbops review list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from dbops.cli.review_overview import Overview
    from dbops.review.policy import Policy


def worktree_option_text() -> str:
    return "A checkout of the ops repository, instead of review.repository."


@click.command("list")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@json_option
@click.pass_obj
def list_work(estate: str | None, worktree: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List the work of the ops repository: how far it has come, and what waits for whom.

    \b
    Example: dbops review list
    Exit statuses: 0 done, 2 no ops repository or a malformed policy, 5 the trust root is
    malformed, 10 there is no policy.
    """
    from dbops.cli.render import say, show_json, show_table
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    desk = open_desk(wiring, worktree)
    found = [desk.look(folder) for folder in desk.folders(None)]
    if as_json:
        show_json({"work": [summary(each, desk.policy) for each in found]})
    elif found:
        headers = ("id", "kind", "title", "author", "databases", "state", "waits for", "due")
        show_table([_row(each, desk.policy, wiring.estate.zone) for each in found], headers)
        _show_next(found)
    else:
        say(
            "there is no work yet; ask for some with: dbops change new --help, dbops repair new"
            " --help or dbops review new --help"
        )


def summary(overview: Overview, policy: Policy) -> dict[str, object]:
    """What the listing and `review show --json` say of one piece of work."""
    from dbops.cli.review_open import open_lines
    from dbops.cli.review_overview import waits_for

    manifest = overview.manifest
    return {
        "id": overview.id,
        "kind": overview.work.kind if overview.work else None,
        "purpose": overview.purpose,
        "title": manifest.title if manifest else None,
        "author": manifest.author if manifest else None,
        "databases": manifest.concerns if manifest else (),
        "state": overview.state,
        "waits_for": waits_for(overview, policy),
        "due": overview.due,
        "next": open_lines(overview),
        "missing": [
            {"code": reason.code, "message": reason.message} for reason in overview.obstacles
        ],
    }


def _show_next(found: Sequence[Overview]) -> None:
    """What comes next of changes without an end; the commands are whole lines."""
    from dbops.cli.review_open import open_lines

    lines = [f"  {each.id}: {line}" for each in found for line in open_lines(each)]
    if lines:
        click.echo("\n".join(("\nnext:", *lines)))


def _row(overview: Overview, policy: Policy, zone: ZoneInfo) -> tuple[str, ...]:
    from dbops.cli.render import moment
    from dbops.cli.review_overview import kind_words, waits_for

    manifest = overview.manifest
    return (
        overview.id,
        kind_words(overview),
        manifest.title if manifest else "-",
        manifest.author if manifest else "-",
        ", ".join(manifest.concerns) or "-" if manifest else "-",
        overview.state.value,
        ", ".join(waits_for(overview, policy)) or "-",
        moment(overview.due, zone) if overview.due else "-",
    )
