"""One piece of work as a reviewer looks at it: read once, judged, with what the ledger knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from functools import cached_property
from pathlib import Path

from dbops.audit.entry import Effect, Entry
from dbops.change.attempts import RecordedChange, recorded_changes
from dbops.cli.ledger import segments_of
from dbops.cli.reviewing import identity_of, memory_of, policy_of
from dbops.cli.wiring import Wiring
from dbops.errors import DbopsError, Refused
from dbops.estate.values import SqliteAddress
from dbops.review.folder import find_work, list_work, read_work, refuse_uncommitted
from dbops.review.grounds import Reason
from dbops.review.judge import Judgement, judge
from dbops.review.memory import Memory, Use
from dbops.review.policy import Person, Policy
from dbops.review.purpose import Purpose, purposes_of
from dbops.review.statement import Decision, Statement
from dbops.review.verified import verify_statement
from dbops.review.work import Kind, Manifest, Work, read_manifest


class State(StrEnum):
    """How far a piece of work has come."""

    MALFORMED = "malformed"
    DRAFT = "draft"  # its author has not signed
    WAITING = "waiting"
    REJECTED = "rejected"
    FORBIDDEN = "forbidden"  # by something else than a missing signature
    APPROVED = "approved"
    FREE = "free"  # the policy asks nothing
    DONE = "done"
    HALF = "half done"  # of a change, whose run ended before its end
    UNKNOWN = "unknown"  # it was run, and nobody knows what came of it
    UNREVIEWED = "unreviewed"  # a glass was broken for it


class Asked(Enum):
    """Which databases are asked who they are.

    A file that is not there may be one that a restore will make, or one of another host: only an
    author, who works where the databases are, means the former.
    """

    NOBODY = auto()
    THERE = auto()
    THERE_OR_TO_BE = auto()


_NOT_ASKED = "request-missing"
_AT_REST = frozenset({State.MALFORMED, State.APPROVED, State.FREE, State.DONE})


@dataclass(frozen=True, slots=True)
class Identities:
    """The engines' own identities by alias, as far as they can be asked here; and who cannot."""

    known: Mapping[str, str]
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overview:
    """What there is to say of one folder. `fault` says why it cannot be read as work.

    `request` is what the author signed last, whether or not it still counts; None where nobody's
    signature vouches for it. `open_runs` are those of a change that have not come to an end,
    whatever lies in its folder by now.
    """

    folder: Path
    work: Work | None
    manifest: Manifest | None
    request: Statement | None
    judgement: Judgement | None
    identities: Identities
    uncommitted: DbopsError | None
    uses: tuple[Use, ...]
    unreviewed: tuple[Use, ...]
    fault: DbopsError | None
    open_runs: tuple[RecordedChange, ...] = ()

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def purpose(self) -> Purpose | None:
        """What is to be done with a change; None where nobody has asked, and for other work."""
        if self.request is not None:
            return self.request.purpose
        purposes = () if self.work is None or self.fault is not None else purposes_of(self.work)
        return purposes[0] if len(purposes) == 1 else None

    @property
    def state(self) -> State:
        """The most telling state; work that was run and is approved again counts as approved."""
        if self.judgement is None:
            return State.MALFORMED
        if self.open_runs:
            return State.HALF if all(run.is_half for run in self.open_runs) else State.UNKNOWN
        if self.unreviewed:
            return State.UNREVIEWED
        if self.judgement.complete:
            return State.APPROVED if self.judgement.asked else State.FREE
        return self._used_state or self._open_state

    @property
    def _used_state(self) -> State | None:
        if self.author_asks:
            return None  # once more
        effects = {use.effect for use in self.uses}
        if Effect.UNKNOWN in effects:
            return State.UNKNOWN
        return State.DONE if Effect.COMMITTED in effects else None

    @property
    def _open_state(self) -> State:
        faults = self.judgement.faults if self.judgement else ()
        if {reason.code for reason in faults} & {"rejected", "rejection-removed"}:
            return State.REJECTED
        if self.judgement is None or faults:
            return State.FORBIDDEN
        return State.WAITING if self.author_asks else State.DRAFT

    @property
    def author_asks(self) -> bool:
        """Whether the author's request counts: others are to answer it."""
        missing = self.judgement.missing if self.judgement else ()
        return not any(each.role is None for each in missing)

    @property
    def due(self) -> datetime | None:
        """Until when what is signed so far counts, in UTC; None where nothing is, or it is done."""
        if self.state is State.DONE:
            return None
        counted = self.judgement.counted if self.judgement else ()
        return min((each.not_after for each in counted), default=None)

    @property
    def obstacles(self) -> tuple[Reason, ...]:
        """Everything that stands in the way, each once; empty where the work may run."""
        if self.fault is not None:
            return (Reason(self.fault.code, self.fault.message),)
        reasons = () if self.judgement is None else self.judgement.reasons
        found = [each for each in reasons if not (self._was_asked and each.code == _NOT_ASKED)]
        if self.uncommitted is not None:
            found.append(Reason(self.uncommitted.code, self.uncommitted.message))
        return tuple(dict.fromkeys(found))

    @property
    def is_used_up(self) -> bool:
        """Whether it was run, perhaps not to its end, and nobody asks anew: nobody is to sign."""
        return self.state in {State.HALF, State.UNKNOWN} and not self.author_asks

    @property
    def _was_asked(self) -> bool:
        """Whether the author's request is there, and was used for a run of these very files."""
        if self.work is None or self.manifest is None:
            return False
        signed = self.work.statements.get(self.manifest.author)
        return signed is not None and any(signed.sha256 in use.approvals for use in self.uses)


@dataclass(frozen=True)
class Desk:
    """Everything that looking at work needs, read once for all of it."""

    wiring: Wiring
    worktree: Path
    now: datetime

    @cached_property
    def policy(self) -> Policy:
        return policy_of(self.wiring)

    @cached_property
    def memory(self) -> Memory:
        """What the ledger remembers; nothing on a host that has none, such as a laptop."""
        return memory_of(self.wiring) if segments_of(self.wiring).exist else Memory()

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What this host's ledger says about work."""
        from dbops.cli.change_list import entries_of_work  # it looks at desks

        return tuple(entries_of_work(self.wiring))

    @cached_property
    def changes(self) -> tuple[RecordedChange, ...]:
        """The runs of changes that this host's ledger knows of."""
        return recorded_changes(self.entries)

    @cached_property
    def open_runs(self) -> tuple[RecordedChange, ...]:
        """Those of them that have no end, and that nobody has closed."""
        return tuple(run for run in self.changes if run.is_awaited)

    def folders(self, work_id: str | None) -> tuple[Path, ...]:
        """The folder of that id, or of everything."""
        if work_id is not None:
            return (find_work(self.worktree, work_id),)
        return list_work(self.worktree)

    def look(self, folder: Path, asked: Asked = Asked.NOBODY) -> Overview:
        """What there is to say of the folder; what is wrong with it is said, not raised."""
        work = manifest = judgement = uncommitted = fault = None
        identities = Identities({})
        try:
            work = read_work(self.worktree, folder)
            manifest = read_manifest(work)
        except Refused as failure:
            fault = failure
        if work is not None and manifest is not None:
            identities = self.identities(manifest.databases, asked)
            judgement = self.judge(work, manifest, identities.known)
            uncommitted = self._uncommitted(work)
        uses = [use for use in self.memory.uses if use.work == folder.name]
        plan = None if work is None else work.plan
        return Overview(
            folder=folder,
            work=work,
            manifest=manifest,
            request=None if work is None or manifest is None else self._request(work, manifest),
            judgement=judgement,
            identities=identities,
            uncommitted=uncommitted,
            uses=tuple(use for use in uses if use.plan == plan and use.effect is not Effect.NONE),
            unreviewed=tuple(use for use in self.memory.unreviewed() if use.work == folder.name),
            fault=fault,
            open_runs=self._open_runs(folder),
        )

    def _open_runs(self, folder: Path) -> tuple[RecordedChange, ...]:
        if folder.parent.name != Kind.CHANGE.folder:
            return ()
        return tuple(run for run in self.open_runs if run.work == folder.name)

    def _request(self, work: Work, manifest: Manifest) -> Statement | None:
        if manifest.author not in work.statements:
            return None
        trust = self.wiring.trust
        try:
            found = verify_statement(work, manifest.author, self.policy, trust, self.now)
        except Refused:
            return None
        return found.statement if found.statement.decision is Decision.REQUEST else None

    def judge(self, work: Work, manifest: Manifest, known: Mapping[str, str]) -> Judgement:
        """Whether it is complete, with the identities that are known here."""
        trust = self.wiring.trust
        return judge(work, manifest, self.policy, trust, self.memory, known, None, self.now)

    def identities(self, aliases: Iterable[str], asked: Asked) -> Identities:
        """Who the databases are, as far as they can be asked here."""
        if asked is Asked.NOBODY:
            return Identities({})
        known: dict[str, str] = {}
        unchecked = []
        for alias in aliases:
            found = self._identity(alias, asked)
            if found is None:
                unchecked.append(alias)
            else:
                known[alias] = found
        return Identities(known, tuple(unchecked))

    def _identity(self, alias: str, asked: Asked) -> str | None:
        """Who the database is; None where it is not in reach of this host."""
        try:
            address = self.wiring.target(alias)
            absent = isinstance(address, SqliteAddress) and not address.path.exists()
            if absent and (asked is Asked.THERE or alias in self.wiring.estate.databases):
                return None
            return identity_of(self.wiring, alias)
        except (DbopsError, OSError):
            return None

    def _uncommitted(self, work: Work) -> DbopsError | None:
        try:
            refuse_uncommitted(self.worktree, work)
        except DbopsError as failure:
            return failure
        return None


def kind_words(overview: Overview) -> str:
    """The kind of the work, and of a change which way it is to go."""
    if overview.work is None:
        return "-"
    kind = overview.work.kind
    words = {
        Purpose.TAKE_BACK: "change, taken back",
        Purpose.RECORD: "change, records a schema",
        Purpose.PREPARE: "change, prepares repairs",
    }
    purpose = overview.purpose
    return kind.value if purpose is None else words.get(purpose, kind.value)


def waits_for(overview: Overview, policy: Policy) -> tuple[str, ...]:
    """Who is to sign next: persons by role, the author by principal."""
    if overview.unreviewed:
        return ("a review after break-glass",)
    if overview.judgement is None or overview.manifest is None or overview.state in _AT_REST:
        return ()
    if overview.is_used_up:
        return ()
    author = policy.person_of(overview.manifest.author)
    waiting = []
    for each in overview.judgement.missing:
        if each.role is None:
            waiting.append(f"author {overview.manifest.author}")
            continue
        able = ", ".join(_able(policy, each.role, author, overview.judgement)) or "nobody"
        waiting.append(f"{each.count} of {each.role} ({able})")
    return tuple(waiting)


def _able(policy: Policy, role: str, author: Person | None, found: Judgement) -> list[str]:
    """Who has the role, is not the author, and has not signed yet."""
    signed = {each.person.id for each in found.counted}
    barred = signed | ({author.id} if author else set())
    return sorted(policy.roles.get(role, frozenset()) - barred)
