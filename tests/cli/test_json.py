"""Every command that reports speaks JSON, and no command is forgotten here."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from dbops.cli.root import main

REPORTING = {
    "audit check-proof",
    "audit log",
    "audit show",
    "audit verify",
    "backup expire",
    "backup list",
    "backup run",
    "backup show",
    "backup status",
    "backup verify",
    "change check",
    "change drift",
    "change list",
    "change rehearse",
    "change resume",
    "change revert",
    "change run",
    "change show",
    "demo",
    "doctor",
    "keys list",
    "keys recipients show",
    "keys report",
    "playbook list",
    "playbook show",
    "repair bundle list",
    "repair bundle show",
    "repair check",
    "repair list",
    "repair rehearse",
    "repair resume",
    "repair run",
    "repair show",
    "repair undo",
    "restore run",
    "review check",
    "review list",
    "review show",
    "systems list",
    "trust lint",
    "trust show",
}
# They change something and say in one line that they did, or print what the next command reads.
ACTING = {
    "audit anchor",
    "audit checkpoint",
    "audit close",
    "audit countersign",
    "audit export",
    "audit heartbeat",
    "audit prove",
    "backup hold",
    "backup release",
    "change new",
    "change record",
    "init",
    "keys drill answer",
    "keys drill headers",
    "keys drill record",
    "keys new",
    "keys recipients sign",
    "repair new",
    "repair prepare",
    "repository create",
    "review approve",
    "review confirm",
    "review new recipients",
    "review new release",
    "review new restore",
    "review reject",
    "review request",
    "trust init",
}


def _commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(_commands(main))


def test_every_command_is_known_to_report_or_to_act() -> None:
    """A command that is added must be put into one of the two sets."""
    assert set(COMMANDS) == REPORTING | ACTING


@pytest.mark.parametrize("name", sorted(REPORTING))
def test_a_command_that_reports_has_json(name: str) -> None:
    """It takes `--json`, a flag."""
    found = [each for each in COMMANDS[name].params if "--json" in each.opts]
    assert [isinstance(each, click.Option) and each.is_flag for each in found] == [True]
