"""Who can open backups: the list that the hospital signs.

* A host refuses a list that the hospital did not sign.
* There is at least one `recovery` recipient: without it a backup could outlive every key.
* Two entries never share a key: a lost token would then count as two holders.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import ConfigDict

from dbops.crypto.age import Recipient
from dbops.errors import Refused
from dbops.repository.codec import STRICT, Moment, Name, decode

RECIPIENTS_FORMAT: Literal["dbops-recipients/1"] = "dbops-recipients/1"


class Role(StrEnum):
    """What an identity is for."""

    RECOVERY = "recovery"  # the hospital's, offline
    DRILL = "drill"  # on the verifying host only
    ESCROW = "escrow"  # sealed in an envelope


@dataclass(frozen=True, slots=True)
class RecipientEntry:
    """One holder of an identity."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    role: Role
    name: Name
    recipient: str

    @property
    def key(self) -> Recipient:
        return Recipient.parse(self.recipient)


@dataclass(frozen=True, slots=True)
class RecipientList:
    """The signed list, in the order of the document."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["dbops-recipients/1"]
    issued: Moment
    recipients: tuple[RecipientEntry, ...]

    @property
    def keys(self) -> tuple[Recipient, ...]:
        return tuple(entry.key for entry in self.recipients)


def read_recipients(body: bytes) -> RecipientList:
    """The list in a document's body; refuses one that breaks the rules above."""
    listed = decode(RecipientList, body, "the recipients document")
    roles = {entry.role for entry in listed.recipients}
    if Role.RECOVERY not in roles:
        raise _refused("it names no recovery recipient")
    if len({entry.name for entry in listed.recipients}) != len(listed.recipients):
        raise _refused("two entries have the same name")
    if len(set(listed.keys)) != len(listed.recipients):
        raise _refused("two entries have the same key")
    return listed


def _refused(reason: str) -> Refused:
    return Refused(
        "recipients-refused",
        f"the recipients document is refused: {reason}",
        hint="write a new one and have the hospital sign it: dbops keys recipients --help",
    )
