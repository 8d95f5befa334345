"""The hospital's list of those who can open backups."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbops.crypto.age import Identity, Recipient
from dbops.errors import DbopsError, Refused
from dbops.repository.codec import encode
from dbops.repository.recipients import (
    RecipientEntry,
    RecipientList,
    Role,
    read_recipients,
)
from tests.fix_tools import require_tool

RECOVERY = RecipientEntry(Role.RECOVERY, "hospital", Identity.generate().recipient.text)
DRILL = RecipientEntry(Role.DRILL, "verifier", Identity.generate().recipient.text)
LISTED = RecipientList("dbops-recipients/1", datetime(2026, 11, 23, tzinfo=UTC), (RECOVERY, DRILL))


def refused(*entries: RecipientEntry) -> str:
    with pytest.raises(DbopsError) as caught:
        read_recipients(encode(replace(LISTED, recipients=entries)))
    return caught.value.message


def ssh_key(tmp_path: Path, kind: str) -> str:
    keygen = require_tool("ssh-keygen", "openssh-client")
    options = ["-q", "-t", kind, "-N", "", "-C", "someone@hospital", "-f", str(tmp_path / kind)]
    subprocess.run([str(keygen), *options], check=True)
    return (tmp_path / f"{kind}.pub").read_text().strip()


def test_a_list_is_read_as_written() -> None:
    """In the order of the document."""
    assert read_recipients(encode(LISTED)) == LISTED
    assert [key.text for key in LISTED.backup_keys] == [RECOVERY.recipient, DRILL.recipient]


def test_who_opens_what() -> None:
    """Backups: recovery, drill, escrow. Rows of repairs: never drill. Sealed values: all."""
    every = tuple(
        RecipientEntry(role, role.value, Identity.generate().recipient.text) for role in Role
    )
    listed = read_recipients(encode(replace(LISTED, recipients=every)))
    names = {entry.key: entry.name for entry in listed.recipients}

    def named(keys: tuple[Recipient, ...]) -> list[str]:
        return [names[key] for key in keys]

    assert named(listed.backup_keys) == ["recovery", "drill", "escrow"]
    assert [entry.name for entry in listed.openers] == ["recovery", "drill", "escrow"]
    assert named(listed.bundle_keys(runner=True)) == ["recovery", "escrow", "reviewer", "runner"]
    assert named(listed.bundle_keys(runner=False)) == ["recovery", "escrow", "reviewer"]
    assert named(listed.payload_keys(runner=True)) == [role.value for role in Role]
    assert named(listed.payload_keys(runner=False)) == ["recovery", "drill", "escrow", "reviewer"]


def test_a_list_without_recovery_is_refused() -> None:
    """A backup could outlive every key."""
    with pytest.raises(Refused) as caught:
        read_recipients(encode(replace(LISTED, recipients=(DRILL,))))
    assert caught.value.code == "recipients-refused"
    assert caught.value.message == (
        "the recipients document is refused: it names no recovery recipient"
    )
    assert refused() == caught.value.message


def test_holders_are_told_apart() -> None:
    """Neither a name nor a key stands there twice."""
    assert refused(RECOVERY, replace(DRILL, name="hospital")).endswith(
        ": two entries have the same name"
    )
    assert refused(RECOVERY, replace(DRILL, recipient=RECOVERY.recipient)).endswith(
        ": two entries have the same key"
    )


def test_a_key_with_another_comment_is_the_same_key(tmp_path: Path) -> None:
    """What stands behind an SSH key is no part of it."""
    line = ssh_key(tmp_path, "ed25519")
    bare = " ".join(line.split(" ")[:2])
    one, other = replace(RECOVERY, recipient=line), replace(DRILL, recipient=bare)
    assert refused(one, other).endswith(": two entries have the same key")


def test_a_key_that_backups_are_not_sealed_to_is_refused(tmp_path: Path) -> None:
    """age knows rsa as well; this version seals to X25519 and ssh-ed25519."""
    line = ssh_key(tmp_path, "rsa")
    message = refused(replace(RECOVERY, recipient=line))
    assert message == f"not an age recipient: {line[:24]}"


@pytest.mark.parametrize("text", ["", "age1", "AGE-SECRET-KEY-1", "ssh-ed25519 AAAA", "age1" * 10])
def test_what_is_no_key_is_refused(text: str) -> None:
    """Nothing could be sealed to it."""
    assert refused(replace(RECOVERY, recipient=text)).startswith("not an age recipient: ")
