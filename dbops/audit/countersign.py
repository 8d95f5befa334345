"""The hospital's signature under a month of the ledger: both parties confirm the same record.

What is signed is a small text that people can read. It names the month's entries and the root over
everything up to the last of them, so that one signature covers the whole past.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dbops.audit.scan import scan
from dbops.audit.segments import Segments, reading
from dbops.crypto.signed import open_document, sign_document
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot
from dbops.errors import Failed, NotFound, Refused, Unreachable, UsageFault
from dbops.publish import give_name, sync_directory

FIRST_LINE: Final = "dbops-countersign/v1"
FOLDER: Final = "countersigned"

_HEADERS: Final = ("origin", "month", "first", "last", "size", "root", "signer", "signed-at")
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_PLAIN: Final = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,300}")
_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_DOCUMENT_MOST: Final = 64 << 10  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersignature:
    """That `signer` confirms entries `first` to `last`, those of `month` (UTC, `2026-11`).

    `root` is the tree's over the first `size` entries, which is all up to `last`.
    """

    origin: str
    month: str
    first: int
    last: int
    size: int
    root: bytes
    signer: str
    signed_at: datetime

    @property
    def text(self) -> bytes:
        """What is signed."""
        values = (
            self.origin,
            self.month,
            str(self.first),
            str(self.last),
            str(self.size),
            base64.b64encode(self.root).decode("ascii"),
            self.signer,
            self.signed_at.astimezone(UTC).strftime(_MOMENT),
        )
        lines = [f"{name}: {value}\n" for name, value in zip(_HEADERS, values, strict=True)]
        return (FIRST_LINE + "\n" + "".join(lines)).encode()


def draw_up(segments: Segments, month: str, signer: str, now: datetime) -> Countersignature:
    """Return what the principal is to sign for the month, read from lines whose chain holds.

    Raises Failed `ledger-damaged`, UsageFault `countersign-month` for one that is not over at `now`
    or no month, and NotFound `countersign-empty` where it has no entries.
    """
    if not _MONTH.fullmatch(month) or month >= now.astimezone(UTC).strftime("%Y-%m"):
        raise UsageFault(
            "countersign-month",
            f"{month[:20]} is not a month that is over (by UTC)",
            hint="name one as 2026-11, after its last day",
        )
    seen = scan(segments)
    if seen.faults or seen.origin is None:
        raise Failed(
            "ledger-damaged",
            f"the ledger is damaged in {max(len(seen.faults), 1)} places: nobody confirms that",
            hint="see what is wrong with it: dbops audit verify",
        )
    found = next((each for each in seen.months if each.month == month), None)
    if found is None:
        raise NotFound(
            "countersign-empty",
            f"the ledger has no entries of {month}",
            hint="see which months it has: dbops audit log",
        )
    size = found.last + 1
    return Countersignature(
        origin=seen.origin,
        month=month,
        first=found.first,
        last=found.last,
        size=size,
        root=scan(segments, roots=[size]).roots[size],
        signer=signer,
        signed_at=now.astimezone(UTC).replace(microsecond=0),
    )


def countersign(directory: Path, drawn: Countersignature, signer: Signer) -> Path:
    """Afterwards the signed text is kept in the ledger's `directory`, durably; return its path.

    Raises what the signer raises, and `Refused` `countersign-exists`: a signature stays as it is.
    """
    document = sign_document(drawn.text, Namespace.COUNTERSIGN, signer)
    path = directory / FOLDER / f"{drawn.month}.{drawn.signer}.txt"
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(exist_ok=True)
        with partial.open("wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        give_name(partial, path)
        partial.unlink(missing_ok=True)
        sync_directory(path.parent)
    except FileExistsError:
        partial.unlink(missing_ok=True)
        raise Refused(
            "countersign-exists",
            f"{drawn.signer} has countersigned {drawn.month} already",
            hint=f"read it: cat {path}",
        ) from None
    except OSError as fault:
        raise Unreachable(
            "countersign-unwritable",
            f"the countersignature cannot be written ({type(fault).__name__})",
            hint=f"look at the directory: ls -ld {directory}",
        ) from None
    return path


def read_countersigned(
    directory: Path, trust: TrustRoot, now: datetime
) -> Iterator[Countersignature]:
    """Yield every countersignature of the ledger in `directory`, oldest month first, verified.

    Signed, by the principal that it and its name say, who may; raises `Refused` at the first that
    is not. Whether the ledger still is what was confirmed, `check_countersigned` tells.
    """
    with reading():
        paths = sorted((directory / FOLDER).glob("*.txt"))
    for path in paths:
        with reading(), path.open("rb") as file:
            data = file.read(_DOCUMENT_MOST)
        opened = open_document(data, Namespace.COUNTERSIGN, trust, now)
        found = parse_countersignature(opened.body)
        if found.signer != opened.principal or path.name != f"{found.month}.{found.signer}.txt":
            raise _refusal("signer", f"{path.name} is signed by {opened.principal}")
        yield found


def check_countersigned(segments: Segments, signed: Countersignature) -> None:
    """Raise Failed `ledger-damaged` unless the ledger still begins with what was confirmed."""
    seen = scan(segments, roots=[signed.size])
    if seen.origin != signed.origin or seen.roots.get(signed.size) != signed.root:
        raise Failed(
            "ledger-damaged",
            f"the ledger is not the one whose {signed.month} {signed.signer} confirmed",
            hint="see what is wrong with it: dbops audit verify",
        )


def parse_countersignature(body: bytes) -> Countersignature:
    """Return what a text says, or raise `Refused` `countersign-form`: one form, nothing else."""
    lines = body.decode("utf-8", "replace").split("\n")
    pairs = [line.partition(": ") for line in lines[1:-1]]
    if lines[0] != FIRST_LINE or tuple(pair[0] for pair in pairs) != _HEADERS:
        raise _refusal("form", "the text is not a countersignature")
    said = {name: value for name, _, value in pairs}
    try:
        found = Countersignature(
            origin=_matched(_PLAIN, said["origin"]),
            month=_matched(_MONTH, said["month"]),
            first=int(_matched(_NUMBER, said["first"])),
            last=int(_matched(_NUMBER, said["last"])),
            size=int(_matched(_NUMBER, said["size"])),
            root=base64.b64decode(said["root"], validate=True),
            signer=_matched(_PRINCIPAL, said["signer"]),
            signed_at=datetime.strptime(said["signed-at"], _MOMENT).replace(tzinfo=UTC),
        )
    except ValueError:
        found = None
    if found is None or found.text != body or not found.first <= found.last == found.size - 1:
        raise _refusal("form", "the countersignature holds a value that cannot be")
    return found


def _matched(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError
    return text


def _refusal(reason: str, message: str) -> Refused:
    return Refused(
        f"countersign-{reason}",
        message,
        hint="have the month countersigned again: dbops audit countersign --month YYYY-MM",
    )
