"""`dbops keys`: a group of commands, each loaded when it is called."""

from __future__ import annotations

import click

from dbops.cli.root import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "new": ("dbops.cli.keys_new:new", "Make a new key; prints its public half."),
        "list": ("dbops.cli.keys_list:list_keys", "List recipients and this host's keys."),
        "recipients": ("dbops.cli.keys_recipients:recipients", "Show and sign who opens backups."),
        "report": ("dbops.cli.keys_list:report", "Say until when each key must be kept."),
        "drill": ("dbops.cli.keys_drill:drill", "Show that offline keys still open backups."),
    },
)
def keys() -> None:
    """Make, list and drill keys. Nothing here ever shows a secret half."""
