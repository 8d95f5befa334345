"""Who can open backups, and the rows of repairs: the list that the hospital signs.

* A host refuses a list that the hospital did not sign.
* There is at least one `recovery` recipient: without it a backup could outlive every key.
* Two entries never share a key: a lost token would then count as two holders, and a reviewer
  would read backups.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import ConfigDict

from dbops.crypto.age import Recipient
from dbops.errors import Refused
from dbops.repository.codec import STRICT, Moment, Name, decode

RECIPIENTS_FORMAT: Literal["dbops-recipients/1"] = "dbops-recipients/1"


class Role(StrEnum):
    """What an identity is for: the first three open backups, the last two rows of repairs only."""

    RECOVERY = "recovery"  # the hospital's, offline
    DRILL = "drill"  # on the verifying host only
    ESCROW = "escrow"  # sealed in an envelope
    REVIEWER = "reviewer"  # reads the rows that a repair touches
    RUNNER = "runner"  # on the host that runs repairs

    @property
    def opens_backups(self) -> bool:
        """Whether backups are sealed to it."""
        return self in {Role.RECOVERY, Role.DRILL, Role.ESCROW}


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
    def openers(self) -> tuple[RecipientEntry, ...]:
        """Those whom backups are sealed to."""
        return tuple(entry for entry in self.recipients if entry.role.opens_backups)

    @property
    def backup_keys(self) -> tuple[Recipient, ...]:
        """What backups are sealed to: recovery, drill and escrow."""
        return tuple(entry.key for entry in self.openers)

    def bundle_keys(self, *, runner: bool) -> tuple[Recipient, ...]:
        """What the rows of a repair, before and after it, are sealed to.

        Recovery, escrow and the reviewers; the host that runs repairs only with `runner`.
        """
        return self._of(_readers_of_rows(runner=runner))

    def payload_keys(self, *, runner: bool) -> tuple[Recipient, ...]:
        """What the sealed values of a repair are sealed to: the same, and drill to rehearse it."""
        return self._of({Role.DRILL, *_readers_of_rows(runner=runner)})

    def _of(self, roles: Collection[Role]) -> tuple[Recipient, ...]:
        return tuple(entry.key for entry in self.recipients if entry.role in roles)


def read_recipients(body: bytes) -> RecipientList:
    """The list in a document's body; refuses one that breaks the rules above."""
    listed = decode(RecipientList, body, "the recipients document")
    roles = {entry.role for entry in listed.recipients}
    if Role.RECOVERY not in roles:
        raise _refused("it names no recovery recipient")
    if len({entry.name for entry in listed.recipients}) != len(listed.recipients):
        raise _refused("two entries have the same name")
    if len({entry.key for entry in listed.recipients}) != len(listed.recipients):
        raise _refused("two entries have the same key")
    return listed


def _readers_of_rows(*, runner: bool) -> frozenset[Role]:
    readers = frozenset({Role.RECOVERY, Role.ESCROW, Role.REVIEWER})
    return readers | {Role.RUNNER} if runner else readers


def _refused(reason: str) -> Refused:
    return Refused(
        "recipients-refused",
        f"the recipients document is refused: {reason}",
        hint="write a new one and have the hospital sign it: dbops keys recipients --help",
    )
