"""Which commands the ledger hears of, and why it does not hear of the others."""

from __future__ import annotations

import inspect

import click
import pytest

from dbops.audit.entry import Event
from tests.cli.test_json import COMMANDS

# What each of these does is tried in `test_ledger_hooks.py`, `test_audit*.py`, `test_review*.py`.
RECORDED: dict[str, set[Event]] = {
    "audit anchor": {Event.LEDGER_ANCHOR},
    "audit close": {Event.LEDGER_CLOSE},
    "audit countersign": {Event.LEDGER_COUNTERSIGN},
    "audit export": {Event.LEDGER_EXPORT},
    "audit heartbeat": {Event.LEDGER_HEARTBEAT},
    "backup expire": {Event.BACKUP_EXPIRE},
    "backup hold": {Event.BACKUP_HOLD},
    "backup release": {Event.BACKUP_RELEASE},
    "backup run": {Event.BACKUP_RUN},
    "backup show": {Event.BACKUP_SHOW},
    "backup verify": {Event.BACKUP_VERIFY},
    "change drift": {Event.CHANGE_DRIFT},
    "change record": {Event.CHANGE_RECORD},
    "change rehearse": {Event.CHANGE_REHEARSE},
    "change resume": {Event.CHANGE_RESUME},
    "change revert": {Event.CHANGE_REVERT},
    "change run": {Event.CHANGE_RUN},
    "init": {Event.ESTATE_INIT},
    "keys drill record": {Event.KEYS_DRILL},
    "keys recipients sign": {Event.KEYS_RECIPIENTS},
    "repair bundle show": {Event.REPAIR_SHOW},
    "repair new": {Event.REPAIR_SHOW},
    "repair prepare": {Event.REPAIR_PREPARE},
    "repair rehearse": {Event.REPAIR_REHEARSE},
    "repair resume": {Event.REPAIR_RESUME},
    "repair run": {Event.REPAIR_RUN},
    "repair show": {Event.REPAIR_SHOW},
    "repair undo": {Event.REPAIR_UNDO},
    "repository create": {Event.REPOSITORY_CREATE},
    "restore run": {Event.RESTORE_RUN},
    "review approve": {Event.REVIEW_APPROVE},
    "review check": {Event.REVIEW_SEEN},
    "review confirm": {Event.REVIEW_CONFIRM},
    "review reject": {Event.REVIEW_REJECT},
    "review request": {Event.REVIEW_REQUEST},
    "review show": {Event.REPAIR_SHOW},
    "trust init": {Event.TRUST_INIT},
}
# The ledger writes these itself.
ITS_OWN = {Event.LEDGER_OPEN, Event.LEDGER_TORN}
SILENT = {
    "it reads envelopes, certificates and files in clear, and opens nothing": {
        "backup list",
        "backup status",
        "change list",
        "doctor",
        "keys drill headers",
        "keys list",
        "keys recipients show",
        "keys report",
        "playbook list",
        "playbook show",
        "repair bundle list",
        "repair list",
        "review list",
        "systems list",
        "trust lint",
        "trust show",
    },
    "it reads or signs the ledger itself": {
        "audit check-proof",
        "audit checkpoint",
        "audit log",
        "audit prove",
        "audit show",
        "audit verify",
    },
    "it needs no estate, so there is no ledger": {"demo", "keys drill answer", "keys new"},
    "it asks the catalogue for the shape of tables, and reads no row": {
        "change check",
        "change show",
        "repair check",
    },
    "it writes a proposal into a work tree; what is signed of it is recorded": {
        "change new",
        "review new recipients",
        "review new release",
        "review new restore",
    },
}


def test_every_command_is_known_to_be_recorded_or_not() -> None:
    """A command that is added must be put into one of the two, and every event has a command."""
    silent = [name for names in SILENT.values() for name in names]
    assert sorted([*RECORDED, *silent]) == sorted(COMMANDS)
    assert set().union(*RECORDED.values(), ITS_OWN) == set(Event)


@pytest.mark.parametrize("name", sorted({name for names in SILENT.values() for name in names}))
def test_a_silent_command_records_nothing(name: str) -> None:
    """The function behind it writes no entry; else it belongs to the others."""
    command = COMMANDS[name]
    assert isinstance(command, click.Command)
    assert command.callback is not None
    body = inspect.getsource(inspect.unwrap(command.callback))
    assert "recording(" not in body
    assert "ledger_of(" not in body
