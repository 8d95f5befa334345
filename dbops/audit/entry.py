"""One line of the ledger as a value: who did what to which database, and how it ended; pure.

An entry has no room for patients' data. What it holds beside times and numbers is a name from a
closed list of labels, a count, or a digest; free text stands only where a person closes an
intent, and is refused where it looks like a number that belongs to somebody.

The line is JSON in one fixed order of keys without spaces, so that a reader that wants only the
chain need not parse the rest. Its bytes are the leaf of the tree: nothing is ever re-serialised.
See `FORMAT.md`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from dbops.errors import Failed, UsageFault

VERSION: Final = 1
LINE_MOST: Final = 60 << 10  # bytes; the tile format of C2SP holds entries below 64 KiB
NOTHING_BEFORE: Final = "0" * 64  # `prev` of the first entry

_NAME: Final = re.compile(
    r'[^\x00-\x1f\x7f-\x9f"\\\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]{1,300}'
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CODE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NUMBERED: Final = re.compile(r"\d{9}")
_LARGEST: Final = 1 << 63


class Event(StrEnum):
    """What was done. The part before the dot is the group that `audit log --event` also takes."""

    LEDGER_OPEN = "ledger.open"
    LEDGER_TORN = "ledger.torn"
    LEDGER_HEARTBEAT = "ledger.heartbeat"
    LEDGER_CLOSE = "ledger.close"
    LEDGER_ANCHOR = "ledger.anchor"
    LEDGER_COUNTERSIGN = "ledger.countersign"
    LEDGER_EXPORT = "ledger.export"
    ESTATE_INIT = "estate.init"
    REPOSITORY_CREATE = "repository.create"
    BACKUP_RUN = "backup.run"
    BACKUP_VERIFY = "backup.verify"
    BACKUP_SHOW = "backup.show"
    BACKUP_EXPIRE = "backup.expire"
    BACKUP_HOLD = "backup.hold"
    BACKUP_RELEASE = "backup.release"
    RESTORE_RUN = "restore.run"
    KEYS_RECIPIENTS = "keys.recipients"
    KEYS_DRILL = "keys.drill"
    TRUST_INIT = "trust.init"
    REVIEW_REQUEST = "review.request"
    REVIEW_APPROVE = "review.approve"
    REVIEW_REJECT = "review.reject"
    REVIEW_SEEN = "review.seen"
    REVIEW_CONFIRM = "review.confirm"
    REPAIR_PREPARE = "repair.prepare"
    REPAIR_REHEARSE = "repair.rehearse"
    REPAIR_RUN = "repair.run"
    REPAIR_UNDO = "repair.undo"
    REPAIR_RESUME = "repair.resume"
    REPAIR_SHOW = "repair.show"
    CHANGE_REHEARSE = "change.rehearse"
    CHANGE_RUN = "change.run"
    CHANGE_REVERT = "change.revert"
    CHANGE_RESUME = "change.resume"
    CHANGE_RECORD = "change.record"
    CHANGE_DRIFT = "change.drift"


class Phase(StrEnum):
    """Before the work, after it, or an entry of its own."""

    INTENT = "intent"
    OUTCOME = "outcome"
    RECORD = "record"


class Result(StrEnum):
    """How the work ended, as the exit statuses say it."""

    DONE = "done"
    PARTLY = "partly"
    FINDING = "finding"
    FAILED = "failed"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


class Effect(StrEnum):
    """Whether the thing that was approved took place: an unknown effect counts as one."""

    COMMITTED = "committed"
    NONE = "none"
    UNKNOWN = "unknown"


class Label(StrEnum):
    """What a name in an entry names."""

    ANCHOR = "anchor"
    BACKUP = "backup"
    CAUSE = "cause"  # the code of what stopped work that is half done
    COMMIT = "commit"  # where git has the files of a piece of work
    DECISION = "decision"
    DIRECTION = "direction"  # of a change: up or down
    IDENTITY = "identity"  # the engine's own identity of a database
    KEY = "key"  # a fingerprint
    LEVEL = "level"
    MONTH = "month"
    ORIGIN = "origin"
    PATH = "path"
    PRINCIPAL = "principal"
    REPOSITORY = "repository"
    RESUMES = "resumes"  # the id of the run that a resume brings to an end
    ROLE = "role"
    RUN = "run"  # the id that a repair's transaction leaves in the database
    SERVER = "server"
    UNDOES = "undoes"  # the work that an undo takes back


class Count(StrEnum):
    """What a number in an entry counts."""

    ATTEMPTS = "attempts"
    BACKUPS = "backups"
    BATCHES = "batches"
    BYTES = "bytes"
    DAMAGES = "damages"
    DELETED = "deleted"
    DIFFERENCES = "differences"  # objects of a schema
    FINDINGS = "findings"
    GAPS = "gaps"
    HEADERS = "headers"
    INSERTED = "inserted"  # rows
    LENGTH = "length"  # bytes of a torn tail
    MARKED = "marked"
    MILLISECONDS = "milliseconds"
    OFFSET = "offset"  # bytes before a torn tail in its segment
    PACKS = "packs"
    RECIPIENTS = "recipients"
    ROWS = "rows"
    SIZE = "size"  # entries of a ledger
    STEPS = "steps"  # statements of a change that are done
    STORED = "stored"  # bytes
    TABLES = "tables"
    UPDATED = "updated"  # rows


class DigestOf(StrEnum):
    """What a sha256 in an entry was taken of."""

    BUNDLE = "bundle"  # the sealed rows of a repair, before and after
    DOCUMENT = "document"
    EVIDENCE = "evidence"
    MANIFEST = "manifest"
    PLAN = "plan"  # the file list of a reviewed folder
    POLICY = "policy"  # the text of the rules that a run was judged by
    ROOT = "root"  # a tree's
    SCHEMA = "schema"  # a database's definitions, as canonical text
    SCRIPTS = "scripts"  # the file list of a change without what its rehearsals found
    STATEMENT = "statement"
    TORN = "torn"  # the bytes of a torn tail


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, as the host knows: `login` is who logged in, whatever `account` acts as.

    `login_uid` is the kernel's audit login (`/proc/self/loginuid`), None where it has none, as
    for services; `pid` and `started` (clock ticks after boot) tell whether the process still runs.
    """

    account: str
    uid: int
    login: str | None
    login_uid: int | None
    sudo: str | None
    pid: int
    started: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a caller says; the ledger adds the rest. `of` is the intent that this answers.

    `target` is a database's or target's alias, `work` the id of a reviewed folder, `approvals` the
    sha256 of the statements that allowed it.
    """

    event: Event
    phase: Phase = Phase.RECORD
    of: int | None = None
    target: str | None = None
    work: str | None = None
    ticket: str | None = None
    names: Mapping[Label, str] = field(default_factory=dict)
    counts: Mapping[Count, int] = field(default_factory=dict)
    digests: Mapping[DigestOf, str] = field(default_factory=dict)
    approvals: tuple[str, ...] = ()
    result: Result | None = None
    effect: Effect | None = None
    code: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        _check_draft(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. `previous` is the leaf hash of the line before, 64 hex digits; `at` is in UTC.

    `at` is a claim of the host's clock; the order is `sequence`. `offset` is the local time's
    distance from UTC in minutes, `boot` the kernel's id of this start of the machine.
    """

    sequence: int
    previous: str
    at: datetime
    offset: int
    host: str
    boot: str
    actor: Actor
    tool: str
    draft: Draft


def check_reason(reason: str) -> str:
    """Return the reason, if it is one line of text that names nobody; raises UsageFault."""
    if not _NAME.fullmatch(reason) or not reason.strip():
        raise UsageFault(
            "ledger-reason",
            "a reason is one line of at most 300 characters",
            hint='for example: --reason "the host lost power; the backup was taken again"',
        )
    if _NUMBERED.search(reason):
        raise UsageFault(
            "ledger-reason-number",
            "the reason holds a number of nine digits or more, which may belong to a patient",
            hint="name the ticket instead; the ledger can never be changed",
        )
    return reason


def encode(entry: Entry) -> bytes:
    """Return the entry's line, without the newline; raises Failed where it is over `LINE_MOST`."""
    draft = entry.draft
    head: dict[str, object] = {
        "v": VERSION,
        "seq": entry.sequence,
        "prev": entry.previous,
        "at": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "event": draft.event.value,
        "phase": draft.phase.value,
    }
    rest: dict[str, object] = {
        "of": draft.of,
        "target": draft.target,
        "work": draft.work,
        "ticket": draft.ticket,
        "names": _sorted(draft.names),
        "counts": _sorted(draft.counts),
        "digests": _sorted(draft.digests),
        "approvals": list(draft.approvals),
        "result": draft.result,
        "effect": draft.effect,
        "code": draft.code,
        "reason": draft.reason,
    }
    actor = {name: getattr(entry.actor, name) for name in Actor.__slots__}
    tail: dict[str, object] = {
        "offset": entry.offset,
        "host": entry.host,
        "boot": entry.boot,
        "actor": {name: value for name, value in actor.items() if value is not None},
        "tool": entry.tool,
    }
    given = {key: value for key, value in rest.items() if value not in (None, {}, [])}
    line = json.dumps(head | given | tail, ensure_ascii=False, separators=(",", ":")).encode()
    if len(line) > LINE_MOST:
        raise Failed(
            "ledger-entry-long",
            f"an entry of {len(line)} bytes is over the limit of {LINE_MOST}",
            hint="name fewer databases in one command",
        )
    return line


def decode(line: bytes) -> Entry:
    """Return the entry of a line; raises ValueError unless it is exactly what `encode` writes."""
    entry = _decode(line)
    if encode(entry) != line:
        raise ValueError("the line is not in the form that is written")
    return entry


def _decode(line: bytes) -> Entry:
    try:
        value = json.loads(line.decode("utf-8"))
        actor = value["actor"]
        return Entry(
            sequence=_count(value["seq"]),
            previous=_matched(_DIGEST, value["prev"]),
            at=datetime.strptime(value["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
            offset=int(value["offset"]),
            host=value["host"],
            boot=value["boot"],
            actor=Actor(**{name: actor.get(name) for name in Actor.__slots__}),
            tool=value["tool"],
            draft=Draft(
                event=Event(value["event"]),
                phase=Phase(value["phase"]),
                of=value.get("of"),
                target=value.get("target"),
                work=value.get("work"),
                ticket=value.get("ticket"),
                names={Label(key): text for key, text in value.get("names", {}).items()},
                counts={Count(key): number for key, number in value.get("counts", {}).items()},
                digests={DigestOf(key): text for key, text in value.get("digests", {}).items()},
                approvals=tuple(value.get("approvals", ())),
                result=Result(value["result"]) if "result" in value else None,
                effect=Effect(value["effect"]) if "effect" in value else None,
                code=value.get("code"),
                reason=value.get("reason"),
            ),
        )
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeError) as fault:
        raise ValueError(f"the line is not an entry: {type(fault).__name__}") from None


def _check_draft(draft: Draft) -> None:
    """Raise ValueError where something that is not a name, count or digest would get in."""
    texts = [draft.target, draft.work, draft.ticket, draft.reason, *draft.names.values()]
    for text in texts:
        if text is not None:
            _matched(_NAME, text)
    for number in (*draft.counts.values(), *(() if draft.of is None else (draft.of,))):
        _count(number)
    for digest in (*draft.digests.values(), *draft.approvals):
        _matched(_DIGEST, digest)
    if draft.code is not None:
        _matched(_CODE, draft.code)
    answers = draft.of is not None
    if answers != (draft.phase is Phase.OUTCOME or draft.event is Event.LEDGER_CLOSE):
        raise ValueError("an outcome or a closing answers an intent, and nothing else does")


def _matched(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError("a text of an entry has characters or a length that it may not have")
    return text


def _count(number: int) -> int:
    if type(number) is not int or not 0 <= number < _LARGEST:
        raise ValueError("a number of an entry is not a count")
    return number


def _sorted(values: Mapping[Label, str] | Mapping[Count, int] | Mapping[DigestOf, str]) -> object:
    return {key.value: value for key, value in sorted(values.items())}
