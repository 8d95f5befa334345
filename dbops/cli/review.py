"""`dbops review`: a group of commands, each loaded when it is called."""

from __future__ import annotations

import click

from dbops.cli.root import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "list": ("dbops.cli.review_list:list_work", "List the work, and what waits for whom."),
        "show": ("dbops.cli.review_show:show", "Show everything a reviewer needs to know."),
        "new": ("dbops.cli.review_new:new", "Write the manifest of new work."),
        "request": ("dbops.cli.review_sign:request", "Sign work as its author."),
        "approve": ("dbops.cli.review_sign:approve", "Sign that the work may be done."),
        "reject": ("dbops.cli.review_sign:reject", "Sign that it may not."),
        "check": ("dbops.cli.review_check:check", "Say what is still missing; for pipelines."),
        "confirm": ("dbops.cli.review_confirm:confirm_use", "Review what broke the glass."),
    },
)
def review() -> None:
    """Request, look at and approve work on databases.

    Work lies in the ops repository beside the signatures of those who agreed to it.
    """
