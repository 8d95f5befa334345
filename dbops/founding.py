"""Found an estate: its keys, its trust root, its first recipients document, its repository.

Everything is made new and nothing is replaced. On a first machine all three parties' keys come
into being together; two of them then move away: `hospital/` to the hospital's offline medium, and
`verifier/` to the verifying host, if that is another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dbops.crypto.age import Identity, Recipient
from dbops.crypto.signed import sign_document
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.crypto.trust import TrustedSigner, format_signer
from dbops.errors import Failed, Refused
from dbops.estate.template import estate_template
from dbops.repository.codec import encode, whole_second
from dbops.repository.ports import Store
from dbops.repository.reader import create_repository
from dbops.repository.recipients import (
    RECIPIENTS_FORMAT,
    RecipientEntry,
    RecipientList,
    Role,
)
from dbops.review.policy import Person
from dbops.review.policy_default import default_policy_text

HOSPITAL_MAY = (
    Namespace.RECIPIENTS,
    Namespace.HOLD,
    Namespace.RECEIPT,
    Namespace.APPROVAL,
    Namespace.BREAKGLASS,
    Namespace.COUNTERSIGN,
)
WRITER_MAY = (Namespace.MANIFEST, Namespace.EXPIRY, Namespace.HOLD)
VERIFIER_MAY = (Namespace.CERTIFICATE, Namespace.RECEIPT, Namespace.EVIDENCE)
LEDGER_MAY = (Namespace.CHECKPOINT,)
FOLDERS = ("keys", "hospital", "verifier", "trust", "secrets", "ops")
LATER = ("backups", "audit")  # the repository is made by its store, the ledger by its first entry

_FREE_IN_A_DEMO = 'kinds = ["restore", "release", "recipients"]\n'
_ONE_AGREES = "quorum = { it-department = 1 }\n"


@dataclass(frozen=True, slots=True)
class Founding:
    """What to found. `repository_id` is random, 32 hex digits.

    `text` is the estate file to write; None means the commented template. With `demo` the policy
    asks nothing for restores, releases and recipients, and counts in this directory only.
    With `reviewer` the hospital also gets `hospital/reviewer`, an identity that opens the rows of
    repairs and no backup.
    """

    directory: Path
    hospital: str
    zone: str
    host: str
    repository_id: str
    text: str | None = None
    demo: bool = False
    reviewer: bool = False


def found_estate(founding: Founding, open_store: Callable[[Path], Store], now: datetime) -> Path:
    """Afterwards the directory holds a working estate; returns the path of its `dbops.toml`.

    Raises Refused where anything of it is there already. A crash leaves an estate without
    `dbops.toml`, which is written last.
    """
    place = founding.directory
    configuration = place / "dbops.toml"
    _refuse_existing(place)
    for folder in FOLDERS:
        _make_directory(place / folder)
    hospital = generate_signing_key(place / "hospital" / "signing", f"hospital@{founding.host}")
    writer = generate_signing_key(place / "keys" / "writer", f"writer@{founding.host}")
    verifier = generate_signing_key(place / "verifier" / "signing", f"verifier@{founding.host}")
    ledger = generate_signing_key(place / "keys" / "ledger", f"ledger@{founding.host}")
    write_identity(place / "keys" / "catalogue", "catalogue", now)
    recovery = write_identity(place / "hospital" / "recovery", "recovery", now)
    drill = write_identity(place / "verifier" / "drill", "drill", now)
    runner = write_identity(place / "keys" / "runner", "runner", now)
    readers = [RecipientEntry(Role.RUNNER, "runner", runner.text)]
    if founding.reviewer:
        reviewer = write_identity(place / "hospital" / "reviewer", "reviewer", now)
        readers.append(RecipientEntry(Role.REVIEWER, "reviewer", reviewer.text))
    signers = _signers(founding.host, hospital, writer, verifier, ledger)
    _write(place / "trust" / "allowed_signers", signers)
    _write(place / "trust" / "policy.toml", policy_text(demo=founding.demo).encode())
    listed = RecipientList(
        RECIPIENTS_FORMAT,
        whole_second(now),
        (
            RecipientEntry(Role.RECOVERY, "hospital", recovery.text),
            RecipientEntry(Role.DRILL, "verifier", drill.text),
            *readers,
        ),
    )
    signer = KeyFileSigner.load(place / "hospital" / "signing")
    document = sign_document(encode(listed), Namespace.RECIPIENTS, signer)
    _write(place / "trust" / "recipients", document)
    create_repository(open_store(place / "backups"), founding.repository_id)
    template = estate_template(founding.hospital, founding.zone, founding.host)
    text = template if founding.text is None else founding.text
    _write(configuration, text.encode())
    return configuration


def policy_text(*, demo: bool) -> str:
    """Return the policy of a new estate: the hospital's IT department approves, and breaks glass.

    Who asks and who works on the databases is added by name later. A `demo` asks nothing for
    restores, releases and recipients.
    """
    hospital = Person("hospital", "信息科", ("hospital",))
    roles = {"it-department": (hospital.id,), "break-glass": (hospital.id,)}
    text = default_policy_text((hospital,), roles, demo=demo)
    return text.replace(f"{_FREE_IN_A_DEMO}{_ONE_AGREES}", _FREE_IN_A_DEMO) if demo else text


def write_identity(path: Path, purpose: str, now: datetime) -> Recipient:
    """Afterwards a fresh age identity stands in the file, mode 0600; returns its public half."""
    identity = Identity.generate()
    lines = (
        f"# dbops {purpose} identity, made {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        f"# public key: {identity.recipient.text}",
        identity.secret,
    )
    _write(path, ("\n".join(lines) + "\n").encode(), mode=0o600)
    return identity.recipient


def _signers(
    host: str, hospital: PublicKey, writer: PublicKey, verifier: PublicKey, ledger: PublicKey
) -> bytes:
    rows: Iterable[tuple[str, PublicKey, tuple[Namespace, ...]]] = (
        ("hospital", hospital, HOSPITAL_MAY),
        (f"writer@{host}", writer, WRITER_MAY),
        (f"verifier@{host}", verifier, VERIFIER_MAY),
        (f"ledger@{host}", ledger, LEDGER_MAY),
    )
    return "".join(
        format_signer(TrustedSigner(principal, key, frozenset(may))) for principal, key, may in rows
    ).encode()


def _refuse_existing(place: Path) -> None:
    found = [part for part in ("dbops.toml", *FOLDERS, *LATER) if os.path.lexists(place / part)]
    if found:
        raise Refused(
            "estate-exists",
            f"{place} holds {', '.join(found)} already; nothing was changed",
            hint="name an empty directory: dbops init DIRECTORY",
        )


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True)
    except OSError as failure:
        raise Failed(
            "file-unwritable",
            f"{path} cannot be made ({failure.strerror})",
            hint="check the directory's owner and room",
        ) from None


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Refused(
            "file-exists", f"{path} exists already; nothing was changed", hint="name another file"
        ) from None
    except OSError as failure:
        raise Failed(
            "file-unwritable",
            f"{path} cannot be written ({failure.strerror})",
            hint="check the directory's owner and room",
        ) from None
