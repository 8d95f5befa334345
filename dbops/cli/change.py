"""The `dbops change` group."""

from __future__ import annotations

import click

from dbops.cli.root import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "new": ("dbops.cli.change_new:new", "Draw up a change of a schema."),
        "check": ("dbops.cli.change_check:check", "Hold manifest and scripts against the rules."),
        "rehearse": (
            "dbops.cli.change_rehearse:rehearse",
            "Run it and take it back on a restored backup.",
        ),
        "show": ("dbops.cli.change_show:show", "Show what a reviewer needs."),
        "run": ("dbops.cli.change_run:run", "Run an approved change."),
        "revert": ("dbops.cli.change_run:revert", "Take an approved change back."),
        "resume": ("dbops.cli.change_resume:resume", "Settle a run that broke off."),
        "list": ("dbops.cli.change_list:list_", "List changes, where they ran, who must act."),
        "drift": ("dbops.cli.change_drift:drift", "Compare a schema with the recorded one."),
        "record": ("dbops.cli.change_record:record", "Accept a schema as the recorded one."),
    },
)
def change() -> None:
    """Change tables, views and procedures: rehearsed, signed by the IT department, then run."""
