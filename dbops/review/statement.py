"""The text that people sign: one page that says what, where, how far and until when; pure.

    dbops-approval/v1
    decision: approve
    kind: repair
    id: 2026-117-ward
    signer: li.na@hospital
    role: it-department
    risk: low
    request: <sha256 of the author's statement>
    signed-at: 2026-11-23T01:12:00Z
    not-before: 2026-11-23T12:00:00Z
    not-after: 2026-11-30T10:00:00Z
    nonce: <32 hex digits>
    note: checked the ward list with the ward
    databases:
      lab  sqlite:0:lab
    limits:
      rows: 50
    files:
    <sha256>  repair.sql
    <sha256>  repair.yml

Headers stand in this order, each once; `role`, `request`, `not-before` and `note` only where there
is something to say, and of a change `purpose: take the change back (down.sql)`, or what else is
asked for, below its id; the three lists are always there, and the last one is as `sha256sum` writes
it. Bytes are signed and nothing is canonicalised: there is one way to write a statement, and a
text that is written in another is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import plain_text
from dbops.errors import Refused
from dbops.review.purpose import Purpose
from dbops.review.work import Kind, Risk, is_plain_path, is_work_id

STATEMENT_MOST: Final = 1 << 18  # bytes

_HEADERS: Final = (
    "decision",
    "kind",
    "id",
    "purpose",
    "signer",
    "role",
    "risk",
    "request",
    "signed-at",
    "not-before",
    "not-after",
    "nonce",
    "note",
)
_OPTIONAL: Final = frozenset({"purpose", "role", "request", "not-before", "note"})
_LISTS: Final = ("databases", "limits", "files")
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "signer": re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}"),
    "role": re.compile(r"[a-z0-9][a-z0-9-]{0,62}"),
    "request": re.compile(r"[0-9a-f]{64}"),
    "nonce": re.compile(r"[0-9a-f]{32}"),
    "note": re.compile(r"\S(.{0,298}\S)?"),
}
_ALIAS: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LINE: Final = re.compile(r"\S(.{0,298}\S)?")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def is_note(text: str) -> bool:
    """Whether a note may be that: one line of at most 300 characters, with no blank at an end."""
    return _FORMS["note"].fullmatch(text) is not None


class Decision(StrEnum):
    """What a statement decides."""

    REQUEST = "request"
    APPROVE = "approve"
    REJECT = "reject"
    BREAK_GLASS = "break-glass"

    @property
    def namespace(self) -> Namespace:
        """What the statement's signature is for."""
        return _NAMESPACES[self]

    @property
    def heading(self) -> str:
        """The statement's first line."""
        return _TITLES[self]


_Choice = TypeVar("_Choice", bound=StrEnum)
_NAMESPACES: Final = {
    Decision.REQUEST: Namespace.REQUEST,
    Decision.APPROVE: Namespace.APPROVAL,
    Decision.REJECT: Namespace.APPROVAL,
    Decision.BREAK_GLASS: Namespace.BREAKGLASS,
}
_TITLES: Final = {
    Decision.REQUEST: "dbops-request/v1",
    Decision.APPROVE: "dbops-approval/v1",
    Decision.REJECT: "dbops-approval/v1",
    Decision.BREAK_GLASS: "dbops-breakglass/v1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person signs about one revision of one piece of work.

    `purpose` is what a change is signed for, None for other work; a change's statement without one
    can be read and counts for nothing. `databases` are the engines' own identities by alias;
    `request` is the sha256 of the author's statement that this one answers, None in that one
    itself; times are in UTC to the second; `nonce` is 32 random hex digits; `files` are sha256 by
    path.
    """

    decision: Decision
    kind: Kind
    id: str
    signer: str
    purpose: Purpose | None = None
    role: str | None = None
    databases: Mapping[str, str]
    limits: tuple[str, ...]
    risk: Risk
    request: str | None = None
    not_before: datetime | None = None
    not_after: datetime
    signed_at: datetime
    nonce: str
    note: str | None = None
    files: Mapping[str, str]


def encode_statement(statement: Statement) -> bytes:
    """Return the statement's text; raises Refused `statement-…` where it would not read back."""
    values = {
        "decision": statement.decision.value,
        "kind": statement.kind.value,
        "id": statement.id,
        "purpose": None if statement.purpose is None else statement.purpose.value,
        "signer": statement.signer,
        "role": statement.role,
        "risk": statement.risk.value,
        "request": statement.request,
        "signed-at": _time_text(statement.signed_at),
        "not-before": None if statement.not_before is None else _time_text(statement.not_before),
        "not-after": _time_text(statement.not_after),
        "nonce": statement.nonce,
        "note": statement.note,
    }
    lines = [
        statement.decision.heading,
        *(f"{name}: {values[name]}" for name in _HEADERS if values[name] is not None),
        "databases:",
        *(f"  {alias}  {identity}" for alias, identity in sorted(statement.databases.items())),
        "limits:",
        *(f"  {limit}" for limit in statement.limits),
        "files:",
        *(f"{digest}  {path}" for path, digest in sorted(statement.files.items())),
    ]
    data = ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")
    if _read(data) != statement:
        raise _refusal("form", "the statement would not read back as what was meant")
    return data


def parse_statement(data: bytes) -> Statement:
    """Return what the text says; raises Refused with a `statement-…` or `text-…` code.

    The signature is not asked here. A text that says the same in other bytes is refused too.
    """
    statement = _read(data)
    if encode_statement(statement) != data:
        raise _refusal("form", "the statement is not written in the one form that it has")
    return statement


def _read(data: bytes) -> Statement:
    if len(data) > STATEMENT_MOST:
        raise _refusal("long", f"the statement has over {STATEMENT_MOST} bytes")
    lines = plain_text(data, "the statement").splitlines()
    if not lines or lines[0] not in _TITLES.values():
        raise _refusal("version", f"the statement does not begin with {_listed_titles()}")
    headers, at = _read_headers(lines)
    lists = _read_lists(lines, at)
    decision = _choice(Decision, headers, "decision")
    if decision.heading != lines[0]:
        raise _refusal("decision", f"a statement {lines[0]} cannot decide {decision.value}")
    if not is_work_id(headers["id"]):
        raise _refusal("value", "id is malformed in the statement")
    for name, form in _FORMS.items():
        if name in headers and not form.fullmatch(headers[name]):
            raise _refusal("value", f"{name} is malformed in the statement")
    statement = Statement(
        decision=decision,
        kind=_choice(Kind, headers, "kind"),
        id=headers["id"],
        purpose=_choice(Purpose, headers, "purpose") if "purpose" in headers else None,
        signer=headers["signer"],
        role=headers.get("role"),
        databases=_read_databases(lists["databases"]),
        limits=_read_limits(lists["limits"]),
        risk=_choice(Risk, headers, "risk"),
        request=headers.get("request"),
        not_before=_time(headers, "not-before") if "not-before" in headers else None,
        not_after=_time(headers, "not-after"),
        signed_at=_time(headers, "signed-at"),
        nonce=headers["nonce"],
        note=headers.get("note"),
        files=_read_files(lists["files"]),
    )
    _check_sense(statement)
    return statement


def _read_headers(lines: list[str]) -> tuple[dict[str, str], int]:
    """Return the headers, and where the first list begins."""
    headers: dict[str, str] = {}
    at = 1
    while at < len(lines) and lines[at] != f"{_LISTS[0]}:":
        name, colon, value = lines[at].partition(": ")
        if name in headers:
            raise _refusal("duplicate", f"the statement has the header {name} twice")
        if not colon or name not in _HEADERS:
            raise _refusal("header", f"line {at + 1} of the statement is no header of it")
        if headers and _HEADERS.index(name) < _HEADERS.index(next(reversed(headers))):
            raise _refusal("order", f"the header {name} is not in its place in the statement")
        headers[name] = value
        at += 1
    missing = [name for name in _HEADERS if name not in headers and name not in _OPTIONAL]
    if missing:
        raise _refusal("missing", f"the statement lacks the header {missing[0]}")
    return headers, at


def _read_lists(lines: list[str], at: int) -> dict[str, list[str]]:
    """Return the lines below each list's name; those above the files are indented."""
    lists: dict[str, list[str]] = {}
    for name, following in zip(_LISTS, (*_LISTS[1:], None), strict=True):
        if at >= len(lines) or lines[at] != f"{name}:":
            raise _refusal("missing", f"the statement lacks the list {name}")
        end = len(lines) if following is None else _index(lines, f"{following}:", at)
        lists[name] = lines[at + 1 : end]
        at = end
    return lists


def _index(lines: list[str], line: str, start: int) -> int:
    try:
        return lines.index(line, start)
    except ValueError:
        return len(lines)


def _read_databases(lines: list[str]) -> dict[str, str]:
    databases: dict[str, str] = {}
    for line in lines:
        alias, _, identity = _indented(line, "databases").partition("  ")
        if not _ALIAS.fullmatch(alias) or not _LINE.fullmatch(identity):
            raise _refusal("list", "a line of databases is not: alias  identity")
        if alias in databases:
            raise _refusal("duplicate", f"the statement names the database {alias} twice")
        databases[alias] = identity
    return databases


def _read_limits(lines: list[str]) -> tuple[str, ...]:
    limits = tuple(_indented(line, "limits") for line in lines)
    if len({limit.partition(":")[0] for limit in limits}) != len(limits):
        raise _refusal("duplicate", "the statement names a limit twice")
    return limits


def _indented(line: str, name: str) -> str:
    text = line.removeprefix("  ")
    if text == line or not _LINE.fullmatch(text):
        raise _refusal("list", f"a line of {name} is not indented by two spaces")
    return text


def _read_files(lines: list[str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for line in lines:
        digest, _, path = line.partition("  ")
        if not _DIGEST.fullmatch(digest) or not is_plain_path(path):
            raise _refusal("list", "a line of files is not: sha256  path")
        if path in files:
            raise _refusal("duplicate", f"the statement lists the file {path} twice")
        files[path] = digest
    if not files:
        raise _refusal("list", "the statement lists no file")
    return files


def _check_sense(statement: Statement) -> None:
    """Refuse what no signer can have meant."""
    decision = statement.decision
    if statement.purpose is not None and statement.kind is not Kind.CHANGE:
        raise _refusal("purpose", "only the statement of a change says its purpose")
    if (statement.request is None) != (decision is Decision.REQUEST):
        raise _refusal("request", "a request answers none, and every other statement answers one")
    if decision is not Decision.REQUEST and statement.role is None:
        raise _refusal("missing", "the statement lacks the header role")
    if decision in {Decision.REJECT, Decision.BREAK_GLASS} and statement.note is None:
        raise _refusal("note", f"a statement that decides {decision.value} lacks its reason (note)")
    begin = max(statement.signed_at, statement.not_before or statement.signed_at)
    if statement.not_after <= begin:
        raise _refusal("time", "the statement's not-after is not after its other times")


def _choice(kind: type[_Choice], headers: Mapping[str, str], name: str) -> _Choice:
    try:
        return kind(headers[name])
    except ValueError:
        raise _refusal("value", f"{name} is none that the statement can have") from None


def _time(headers: Mapping[str, str], name: str) -> datetime:
    try:
        time = datetime.strptime(headers[name], _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise _refusal("time", f"{name} of the statement is not YYYY-MM-DDThh:mm:ssZ") from None
    if not 2000 <= time.year <= 9998:
        raise _refusal("time", f"{name} of the statement is not between the years 2000 and 9998")
    return time


def _time_text(time: datetime) -> str:
    return time.astimezone(UTC).strftime(_TIME)


def _listed_titles() -> str:
    return ", ".join(sorted(set(_TITLES.values())))


def _refusal(reason: str, message: str) -> Refused:
    return Refused(
        f"statement-{reason}",
        message,
        hint="have it written and signed again: dbops review approve ID --key KEY",
    )
