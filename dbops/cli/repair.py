"""The `dbops repair` group."""

from __future__ import annotations

import click

from dbops.cli.root import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "new": ("dbops.cli.repair_new:new", "Draw up a repair, or the undo of one."),
        "check": ("dbops.cli.repair_check:check", "Hold manifest and script against the rules."),
        "prepare": ("dbops.cli.repair_prepare:prepare", "Make a database ready for repairs."),
        "rehearse": ("dbops.cli.repair_rehearse:rehearse", "Run it on a restored backup."),
        "show": ("dbops.cli.repair_show:show", "Show what it declares and its rows."),
        "run": ("dbops.cli.repair_run:run", "Run an approved repair."),
        "undo": ("dbops.cli.repair_run:undo", "Run an approved undo."),
        "list": ("dbops.cli.repair_list:list_", "List repairs, what is due, who must act."),
        "resume": ("dbops.cli.repair_resume:resume", "Find out what became of a broken run."),
        "bundle": ("dbops.cli.repair_bundle:bundle", "Look at sealed rows of runs."),
    },
)
def repair() -> None:
    """Repair wrong rows: reviewed, counted by the database itself, and taken back if need be."""
