"""`dbops audit`: a group of commands, each loaded when it is called."""

from __future__ import annotations

import click

from dbops.cli.root import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "log": ("dbops.cli.audit_log:log", "List what was done, by whom, and how it ended."),
        "show": ("dbops.cli.audit_log:show", "Show one entry in full."),
        "verify": ("dbops.cli.audit_verify:verify", "Say whether the ledger is whole."),
        "heartbeat": (
            "dbops.cli.audit_checkpoint:heartbeat",
            "Record that this host lives, and anchor it: the line for cron.",
        ),
        "checkpoint": ("dbops.cli.audit_checkpoint:checkpoint", "Sign and print a checkpoint."),
        "anchor": ("dbops.cli.audit_checkpoint:anchor", "Publish a checkpoint to the anchors."),
        "prove": ("dbops.cli.audit_prove:prove", "Write a file that proves one entry."),
        "check-proof": ("dbops.cli.audit_prove:check_proof_file", "Check such a file anywhere."),
        "close": ("dbops.cli.audit_close:close", "Explain an intent that has no outcome."),
        "countersign": (
            "dbops.cli.audit_countersign:countersign",
            "Have the hospital confirm a month.",
        ),
        "export": ("dbops.cli.audit_close:export", "Copy the ledger for somebody else to check."),
    },
)
def audit() -> None:
    """Read, verify and anchor the ledger: what dbops did on this host.

    Every command that changes something or opens sealed data writes an intent before its work and
    an outcome after it. An entry holds names, counts and digests, never a row value.
    """
