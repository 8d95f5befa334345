"""`dbops backup`: a group of commands, each loaded when it is called."""

from __future__ import annotations

import click

from dbops.cli.root import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "run": ("dbops.cli.backup_run:run", "Take a backup of each database."),
        "list": ("dbops.cli.backup_list:list_backups", "List the backups there are."),
        "show": ("dbops.cli.backup_list:show", "Show one backup: tables, gaps, certificates."),
        "verify": ("dbops.cli.backup_verify:verify", "Prove backups by restoring them."),
        "expire": ("dbops.cli.backup_expire:expire", "Mark and delete what retention lets go."),
        "hold": ("dbops.cli.backup_hold:hold", "Keep a backup whatever retention says."),
        "release": ("dbops.cli.backup_hold:release", "Take a hold away."),
        "status": ("dbops.cli.backup_status:status", "Compare ages with RPO and RTO."),
    },
)
def backup() -> None:
    """Take, list, verify and expire backups."""
