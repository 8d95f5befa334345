"""What the ledger remembers of sign-offs: statements seen, approvals used, reviews done; pure.

A folder of git shows what somebody left in it. The ledger shows what was there: a rejection that
was taken away, an approval that already ran, a glass that was broken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dbops.audit.entry import DigestOf, Draft, Effect, Entry, Event, Label, Phase
from dbops.review.statement import Decision


@dataclass(frozen=True, slots=True)
class SeenStatement:
    """A statement whose signature was good when it was first seen, `at`; `work` is an id."""

    work: str
    principal: str
    decision: Decision
    sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Use:
    """One start of approved work: `approvals` are the statements that allowed it.

    `database` is None for work that has none; `effect` is UNKNOWN where no outcome was recorded;
    `takes_back` tells that a change went its way back.
    """

    work: str
    plan: str | None
    database: str | None
    approvals: tuple[str, ...]
    effect: Effect
    break_glass: bool
    at: datetime
    sequence: int
    takes_back: bool = False


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Somebody reviewed, afterwards, what a break-glass statement allowed."""

    work: str
    statement: str
    principal: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What the ledger holds about sign-offs, in its order."""

    seen: tuple[SeenStatement, ...] = ()
    uses: tuple[Use, ...] = ()
    confirmed: tuple[Confirmation, ...] = ()

    def consumed(self, sha256: str) -> frozenset[str | None]:
        """Return the databases on which a statement was used up: by a commit, or perhaps by one."""
        return frozenset(
            use.database
            for use in self.uses
            if sha256 in use.approvals and use.effect is not Effect.NONE
        )

    def unreviewed(self) -> tuple[Use, ...]:
        """Return the break-glass uses that may have had an effect and that nobody confirmed."""
        return tuple(
            use
            for use in self.uses
            if use.break_glass and use.effect is not Effect.NONE and not self._is_confirmed(use)
        )

    def overdue(self, within: timedelta, now: datetime) -> tuple[Use, ...]:
        """Return the break-glass uses that nobody confirmed `within` their time."""
        return tuple(use for use in self.unreviewed() if now - use.at > within)

    def _is_confirmed(self, use: Use) -> bool:
        return any(
            each.work == use.work
            and each.statement in use.approvals
            and each.sequence > use.sequence
            for each in self.confirmed
        )


class Outcomes:
    """What the outcomes of one ledger say about the effects of its intents."""

    def __init__(self) -> None:
        self._said: dict[int, set[Effect]] = {}

    def hear(self, outcome: Draft) -> None:
        """Take in what an outcome says of the intent that it answers.

        Only a look into the database itself settles what was unknown: its marker is there, or not.
        Of a change that was half done, a resume is the last word: it finishes it or takes it back.
        """
        if outcome.of is None:
            return
        said = self._said.setdefault(outcome.of, set())
        if outcome.event is Event.REPAIR_RESUME:
            said.discard(Effect.UNKNOWN)
        elif outcome.event is Event.CHANGE_RESUME:
            said.clear()
        said.add(outcome.effect or Effect.UNKNOWN)

    def effect_of(self, intent: int) -> Effect:
        """Return what all outcomes say of the intent; UNKNOWN without one, or where they differ."""
        said = self._said.get(intent, set())
        return next(iter(said)) if len(said) == 1 else Effect.UNKNOWN


def remember(entries: Iterable[Entry]) -> Memory:
    """Return what the entries of one ledger, in its order, say about sign-offs.

    Seen: records `review.seen` with work, the labels principal and decision, and the statement's
    digest. Uses: intents with work and approvals; the effect is the one of the outcome, UNKNOWN
    without one and where outcomes contradict each other (closing an intent is no outcome), unless
    a `repair.resume` or a `change.resume` asked the database afterwards; the label decision tells
    break-glass.
    Confirmed: records `review.confirm` with work and the digest of the break-glass statement.
    """
    seen: list[SeenStatement] = []
    confirmed: list[Confirmation] = []
    intents: list[Entry] = []
    outcomes = Outcomes()
    for entry in entries:
        draft = entry.draft
        if draft.event is Event.REVIEW_SEEN:
            seen.extend(_seen(entry))
        elif draft.event is Event.REVIEW_CONFIRM and draft.phase is not Phase.INTENT:
            confirmed.extend(_confirmed(entry))
        elif draft.phase is Phase.INTENT and draft.work is not None and draft.approvals:
            intents.append(entry)
        elif draft.phase is Phase.OUTCOME:
            outcomes.hear(draft)
    uses = tuple(_use(entry, outcomes.effect_of(entry.sequence)) for entry in intents)
    return Memory(tuple(seen), uses, tuple(confirmed))


def _seen(entry: Entry) -> Iterable[SeenStatement]:
    draft = entry.draft
    principal, decision = draft.names.get(Label.PRINCIPAL), draft.names.get(Label.DECISION)
    digest = draft.digests.get(DigestOf.STATEMENT)
    if draft.work is None or principal is None or digest is None or decision not in set(Decision):
        return
    yield SeenStatement(draft.work, principal, Decision(decision), digest, entry.at)


def _confirmed(entry: Entry) -> Iterable[Confirmation]:
    draft = entry.draft
    digest = draft.digests.get(DigestOf.STATEMENT)
    if draft.work is not None and digest is not None:
        principal = draft.names.get(Label.PRINCIPAL)
        yield Confirmation(draft.work, digest, principal, entry.sequence)


def _use(entry: Entry, effect: Effect) -> Use:
    draft = entry.draft
    return Use(
        work=draft.work or "",
        plan=draft.digests.get(DigestOf.PLAN),
        database=draft.target,
        approvals=draft.approvals,
        effect=effect,
        break_glass=draft.names.get(Label.DECISION) == Decision.BREAK_GLASS,
        at=entry.at,
        sequence=entry.sequence,
        takes_back=draft.event is Event.CHANGE_REVERT,
    )
