"""Change who can open backups and repairs: a new list, signed by the hospital, for the old one.

Only backups to come are sealed to a new list; those that exist stay sealed as they are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dbops.crypto.age import Recipient
from dbops.crypto.signed import open_document, sign_document
from dbops.crypto.signing import KeyFileSigner, Signer, SshKeygenSigner
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot
from dbops.errors import Failed, NotFound, Refused, UsageFault
from dbops.estate.names import NAME_RULE, is_name
from dbops.keys.identities import canonical
from dbops.publish import sync_directory
from dbops.repository.codec import encode, whole_second
from dbops.repository.recipients import (
    RECIPIENTS_FORMAT,
    RecipientEntry,
    RecipientList,
    Role,
    read_recipients,
)

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class SignedRecipients:
    """A list and who signed it."""

    listed: RecipientList
    principal: str
    fingerprint: str


def parse_entry(text: str) -> RecipientEntry:
    """The entry that `ROLE:NAME:RECIPIENT` means; raises UsageFault where it is none."""
    parts = text.split(":", 2)
    if len(parts) != 3:
        raise _not_an_entry("it is not ROLE:NAME:RECIPIENT")
    role, name, recipient = parts
    if role not in {known.value for known in Role}:
        raise _not_an_entry(f"its role is none of {', '.join(known.value for known in Role)}")
    if not is_name(name):
        raise _not_an_entry(f"its name is not {NAME_RULE}")
    return RecipientEntry(Role(role), name, canonical(Recipient.parse(recipient).text))


def _not_an_entry(reason: str) -> UsageFault:
    return UsageFault(
        "recipient-entry",
        f"--add does not say who: {reason}",
        hint="write: --add recovery:hospital:age1…",
    )


def read_signed_recipients(path: Path, trust: TrustRoot, now: datetime) -> SignedRecipients:
    """The list that stands at `path`; raises NotFound, or Refused unless the hospital signed it."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST)
    except FileNotFoundError:
        raise NotFound(
            "no-recipients",
            f"there is no recipients document {path}",
            hint="write one: dbops keys recipients sign --help",
        ) from None
    except OSError as failure:
        raise Failed(
            "recipients-unreadable",
            f"the recipients document {path} cannot be read ({failure.strerror})",
            hint=f"ls -l {path}",
        ) from None
    return open_recipients(data, trust, now)


def open_recipients(data: bytes, trust: TrustRoot, now: datetime) -> SignedRecipients:
    """The list in a signed document, its rules kept and its signer trusted at `now`."""
    opened = open_document(data, Namespace.RECIPIENTS, trust, now)
    return SignedRecipients(read_recipients(opened.body), opened.principal, opened.key.fingerprint)


def change_list(
    current: RecipientList | None,
    added: Sequence[RecipientEntry],
    removed: Sequence[str],
    now: datetime,
) -> RecipientList:
    """The list without those removed and with those added, in that order; pure.

    Raises NotFound for a name to remove that is not there, and Refused where the new list would
    break a rule: a recovery recipient, no name twice, no key twice.
    """
    entries = current.recipients if current is not None else ()
    missing = sorted(set(removed) - {entry.name for entry in entries})
    if missing:
        raise NotFound(
            "no-recipient",
            f"the recipients document has no {', '.join(missing)}",
            hint="dbops keys recipients show",
        )
    kept = tuple(entry for entry in entries if entry.name not in removed)
    changed = RecipientList(RECIPIENTS_FORMAT, whole_second(now), (*kept, *added))
    return read_recipients(encode(changed))


def load_signer(path: Path) -> Signer:
    """The signer for a private key file, or through `ssh-keygen` for a `.pub` file."""
    return SshKeygenSigner(path) if path.suffix == ".pub" else KeyFileSigner.load(path)


def sign_list(listed: RecipientList, signer: Signer, trust: TrustRoot, now: datetime) -> bytes:
    """The signed document; raises Refused where this host would refuse it."""
    document = sign_document(encode(listed), Namespace.RECIPIENTS, signer)
    open_recipients(document, trust, now)
    return document


def replace_document(path: Path, document: bytes, now: datetime) -> Path | None:
    """Afterwards the document stands at `path`, and the old one as `NAME.<UTC stamp>`.

    Returns the path of the old one, None where there was none. Mode and owner stay as they were.
    A crash leaves the old document in place, or the new one; beside it may lie a second name of
    the old one and a file `.NAME.new`.
    """
    fresh = path.with_name(f".{path.name}.new")
    kept = path.with_name(f"{path.name}.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    try:
        before = _status(path)
        fresh.unlink(missing_ok=True)
        _create(fresh, document, before)
        if before is not None:
            os.link(path, kept)
        fresh.replace(path)
        sync_directory(path.parent)
    except FileExistsError:
        fresh.unlink(missing_ok=True)
        raise Refused(
            "file-exists", f"{kept} exists already; nothing was changed", hint="run it once more"
        ) from None
    except OSError as failure:
        raise _unwritable(path, failure) from None
    return kept if before is not None else None


def create_document(path: Path, document: bytes) -> None:
    """Afterwards the new file holds the document; raises Refused where one is there already."""
    try:
        _create(path, document, None)
        sync_directory(path.parent)
    except FileExistsError:
        raise Refused(
            "file-exists", f"{path} exists already; nothing was changed", hint="name another file"
        ) from None
    except OSError as failure:
        raise _unwritable(path, failure) from None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _create(path: Path, data: bytes, like: os.stat_result | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        if like is not None:
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            if os.geteuid() == 0:
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unwritable(path: Path, failure: OSError) -> Failed:
    return Failed(
        "file-unwritable",
        f"{path} cannot be written ({failure.strerror})",
        hint="check the directory's owner and room",
    )
