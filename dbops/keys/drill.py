"""A key drill: the headers of packs go out, a signed receipt comes back. Pure.

age stanzas are anonymous: nothing in a pack shows that a certain key can open it. So the holder of
an identity, who may be offline, tries it on the headers. They hold nothing of the data, and a
receipt exists only where every one of them opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, StringConstraints

from dbops.crypto.age import Identity
from dbops.crypto.age_header import Header, opens, read_header
from dbops.errors import Failed, Finding, UsageFault
from dbops.keys.identities import public_half
from dbops.repository.codec import STRICT, Digest, Moment, decode, whole_second
from dbops.repository.layout import digest
from dbops.repository.recipients import Role
from dbops.repository.records import Receipt

BackupName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}@[0-9]{1,8}$")]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class DrillHeader:
    """The header of one sealed object: which backup needs it, and the whole object's digest."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    backup: BackupName
    kind: Literal["pack", "catalogue"]
    sha256: Digest
    header: str

    @property
    def text(self) -> bytes:
        """The header's exact bytes."""
        return self.header.encode()


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """Everything that the holder of an identity needs; it goes to them as a file of JSON."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["dbops-drill/1"]
    repository: str
    at: Moment
    backups: tuple[BackupName, ...]
    headers: tuple[DrillHeader, ...]


@dataclass(frozen=True, slots=True)
class LastReceipt:
    """The newest receipt of a role: whose, and how long ago."""

    role: str
    name: str
    recipient: str
    at: datetime
    age: timedelta
    headers: int


def read_request(data: bytes, title: str) -> DrillRequest:
    """The request in a file; raises Failed where it is none, or holds no header."""
    request = decode(DrillRequest, data, title)
    if not request.headers:
        raise Failed(
            "drill-empty", f"{title} holds no header", hint="dbops keys drill headers --help"
        )
    return request


def answer_request(
    request: DrillRequest,
    identities: Sequence[Identity],
    role: Role,
    name: str,
    now: datetime,
) -> Receipt:
    """The receipt of one identity that opens every header.

    Raises Finding, naming the backups, where none of the identities opens all of them, and Failed
    where a header is damaged.
    """
    headers = [(item, _parsed(item)) for item in request.headers]
    best: list[DrillHeader] | None = None
    for identity in identities:
        recipient = public_half(identity)
        if recipient is None:
            continue
        closed = [item for item, header in headers if not opens(identity, header)]
        if not closed:
            return _receipt(request, role, name, recipient, now)
        best = closed if best is None or len(closed) < len(best) else best
    if best is None:
        raise UsageFault(
            "identity-kind",
            "the identity does not tell its public key, so its receipt would say nothing",
            hint="use the age identity, or the ssh key without a passphrase",
        )
    raise _not_opened(request, best)


def _receipt(
    request: DrillRequest, role: Role, name: str, recipient: str, now: datetime
) -> Receipt:
    opened = sorted({digest(item.text) for item in request.headers})
    return Receipt(
        format="dbops-receipt/1",
        repository=request.repository,
        role=role.value,
        name=name,
        recipient=recipient,
        at=whole_second(now),
        headers=tuple(opened),
        opened=len(opened),
    )


def _parsed(item: DrillHeader) -> Header:
    title = f"the header of {item.kind} {item.sha256[:16]}"
    header = read_header(item.text, title)
    if header.text != item.text:
        raise Failed(
            "drill-header",
            f"{title} goes on after its end",
            hint="fetch the file of headers again: dbops keys drill headers",
        )
    return header


def _not_opened(request: DrillRequest, closed: Sequence[DrillHeader]) -> Finding:
    backups = sorted({item.backup for item in closed})
    shown = ", ".join(backups[:_SHOWN])
    more = f" and {len(backups) - _SHOWN} more" if len(backups) > _SHOWN else ""
    return Finding(
        "drill-not-opened",
        f"{len(closed)} of {len(request.headers)} packs and catalogues cannot be opened"
        f" by this identity: those of {shown}{more}",
        hint="find out what they are sealed to: dbops backup show "
        f"{backups[0]}; no receipt was written",
    )


def last_receipts(
    receipts: Iterable[tuple[Receipt, str]], now: datetime
) -> tuple[LastReceipt, ...]:
    """The newest receipt of each role, by role; takes what `Repository.receipts` returns."""
    newest: dict[str, Receipt] = {}
    for receipt, _ in receipts:
        known = newest.get(receipt.role)
        if known is None or receipt.at > known.at:
            newest[receipt.role] = receipt
    return tuple(
        LastReceipt(
            role,
            found.name,
            found.recipient,
            found.at,
            max(now - found.at, timedelta(0)),
            found.opened,
        )
        for role, found in sorted(newest.items())
    )
