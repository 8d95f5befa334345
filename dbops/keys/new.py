"""Make a new key: an age identity for one of the roles, or an OpenSSH key that signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dbops.crypto.signing import generate_signing_key
from dbops.errors import UsageFault
from dbops.estate.names import NAME_RULE, is_name
from dbops.founding import write_identity


class KeyPurpose(StrEnum):
    """What a new key is for: the roles of recipients, the host's catalogues, or signatures."""

    RECOVERY = "recovery"
    DRILL = "drill"
    ESCROW = "escrow"
    REVIEWER = "reviewer"
    RUNNER = "runner"
    CATALOGUE = "catalogue"
    SIGNING = "signing"

    @property
    def is_recipient(self) -> bool:
        """Whether its public half belongs into the recipients document."""
        return self not in {KeyPurpose.CATALOGUE, KeyPurpose.SIGNING}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that has just been written. `public` is what may be shown to everybody."""

    purpose: KeyPurpose
    path: Path
    name: str
    public: str


def make_key(purpose: KeyPurpose, path: Path, name: str, now: datetime) -> NewKey:
    """Afterwards a fresh key stands in the file, mode 0600; a signing key has `.pub` beside it.

    Raises UsageFault for a name that the recipients document could not hold, Refused where the
    file is there already, Failed where it cannot be written.
    """
    if purpose is KeyPurpose.SIGNING:
        return NewKey(purpose, path, name, f"{generate_signing_key(path, name).line} {name}")
    if not is_name(name):
        raise UsageFault(
            "key-name", "the name of the key is not a name", hint=f"--name takes {NAME_RULE}"
        )
    made = write_identity(path, f"{purpose.value} ({name})", now)
    return NewKey(purpose, path, name, made.text)
