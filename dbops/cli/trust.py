"""`dbops trust`: a group of commands, each loaded when it is called."""

from __future__ import annotations

import click

from dbops.cli.root import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "init": ("dbops.cli.trust_init:init", "Add persons and their roles; write the policy."),
        "lint": ("dbops.cli.trust_lint:lint", "Look for what is wrong in the trust root."),
        "show": ("dbops.cli.trust_show:show", "Show who may sign what, and what is asked for."),
    },
)
def trust() -> None:
    """Say, check and show whose signatures count."""
