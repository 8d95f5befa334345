"""What one host's ledger says of changes: where and when each ran or was taken back.

Pure: the entries are given. A run is an intent `change.run` or `change.revert` with the id that its
journal rows have; or `change.resume` of a run that this ledger does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dbops.audit.entry import DigestOf, Effect, Entry, Event, Label, Phase, Result
from dbops.change.step import Direction
from dbops.review.memory import Outcomes

_DIRECTIONS: Final = {Event.CHANGE_RUN: Direction.UP, Event.CHANGE_REVERT: Direction.DOWN}


@dataclass(frozen=True, slots=True)
class Resume:
    """Who was to bring a run to its end; `sequence` is the intent, `run` the id in the journal.

    `is_open` says that it has no outcome: it is at work, or died.
    """

    sequence: int
    run: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """One run as the ledger has it; `sequence` is its intent, `ended` when its end was recorded.

    `plan` is the digest of the files that ran, None where no approval was asked, `scripts` that of
    those which no rehearsal makes. `schema` is the digest of the schema afterwards, where that was
    recorded. `identity` is that of the database, in the form of a ledger. `judged` says that it
    came to its end, or that a resume asked the journal since: the change is whole or gone.
    `foreign` says that it began under another ledger: then `direction` is how it stands since, and
    its effect is unknown until a resume has brought it to an end. `resumes` are all who were to
    bring it to one. `closed` says that a person explained it.
    """

    sequence: int
    at: datetime
    ended: datetime | None
    run: str
    work: str
    database: str
    direction: Direction
    effect: Effect
    plan: str | None = None
    schema: str | None = None
    scripts: str | None = None
    identity: str | None = None
    judged: bool = False
    foreign: bool = False
    resumes: tuple[Resume, ...] = ()
    closed: bool = False

    @property
    def is_half(self) -> bool:
        """Whether it committed, and nobody judged it to the end or brought it there since."""
        return self.effect is Effect.COMMITTED and not self.judged

    @property
    def is_open(self) -> bool:
        """Whether nobody knows its effect, or it is half done."""
        return self.effect is Effect.UNKNOWN or self.is_half

    @property
    def is_awaited(self) -> bool:
        """Whether it is open, and no person has explained it."""
        return self.is_open and not self.closed


def recorded_changes(entries: Iterable[Entry]) -> tuple[RecordedChange, ...]:
    """Return the runs of changes in the ledger's order, with what is known of their effects.

    A run whose process is still at work is UNKNOWN, as is one that broke off.
    """
    heard = _Heard()
    for entry in entries:
        heard.hear(entry)
    return tuple(heard.changes())


def standing_on(
    changes: Iterable[RecordedChange], work: str, database: str
) -> RecordedChange | None:
    """Return the last run of the work on the database that had an effect, or may have had one."""
    found = [
        each
        for each in changes
        if each.work == work and each.database == database and each.effect is not Effect.NONE
    ]
    return found[-1] if found else None


def _is_resume(entry: Entry) -> bool:
    return entry.draft.event is Event.CHANGE_RESUME and entry.draft.phase is Phase.INTENT


def _is_foreign(entry: Entry) -> bool:
    """Whether it is a resume of what began under another ledger."""
    return _is_resume(entry) and Label.RESUMES not in entry.draft.names


def _is_judged(answer: Entry | None) -> bool:
    return answer is not None and answer.draft.result is Result.DONE


def _direction(entry: Entry, answer: Entry | None) -> Direction:
    if not _is_foreign(entry):
        return _DIRECTIONS[entry.draft.event]
    said = entry if answer is None else answer
    return Direction(said.draft.names.get(Label.DIRECTION, Direction.UP))


def _effect(entry: Entry, answer: Entry | None, outcomes: Outcomes) -> Effect:
    if _is_foreign(entry) and not _is_judged(answer):
        return Effect.UNKNOWN  # it may be half done, whatever this one did of it
    return outcomes.effect_of(entry.sequence)


class _Heard:
    """The entries of one ledger that speak of runs: what was to be done, and what came of it."""

    def __init__(self) -> None:
        self._intents: list[Entry] = []
        self._resumes: dict[str, list[tuple[int, str]]] = {}
        self._answers: dict[int, Entry] = {}
        self._answered: set[int] = set()
        self._closed: set[int] = set()
        self._outcomes = Outcomes()

    def hear(self, entry: Entry) -> None:
        """Take in what an entry says; those of a ledger come in its order."""
        draft = entry.draft
        if draft.of is not None:
            self._answered.add(draft.of)
            if draft.event is Event.LEDGER_CLOSE:
                self._closed.add(draft.of)
        if draft.phase is Phase.OUTCOME:
            self._outcomes.hear(draft)
            if draft.of is not None:
                self._answers[draft.of] = entry
        elif draft.phase is Phase.INTENT and (draft.event in _DIRECTIONS or _is_foreign(entry)):
            self._intents.append(entry)
        elif _is_resume(entry) and Label.RUN in draft.names:
            of = self._resumes.setdefault(draft.names[Label.RESUMES], [])
            of.append((entry.sequence, draft.names[Label.RUN]))

    def changes(self) -> Iterator[RecordedChange]:
        """Yield what was heard, run by run."""
        for entry in self._intents:
            draft, answer = entry.draft, self._answers.get(entry.sequence)
            run, work, database = draft.names.get(Label.RUN), draft.work, draft.target
            if run is not None and work is not None and database is not None:
                yield RecordedChange(
                    sequence=entry.sequence,
                    at=entry.at,
                    ended=None if answer is None else answer.at,
                    run=run,
                    work=work,
                    database=database,
                    direction=_direction(entry, answer),
                    effect=_effect(entry, answer, self._outcomes),
                    plan=draft.digests.get(DigestOf.PLAN),
                    scripts=draft.digests.get(DigestOf.SCRIPTS),
                    schema=None if answer is None else answer.draft.digests.get(DigestOf.SCHEMA),
                    identity=draft.names.get(Label.IDENTITY),
                    judged=_is_judged(answer),
                    foreign=_is_foreign(entry),
                    resumes=self._resumed(run),
                    closed=entry.sequence in self._closed,
                )

    def _resumed(self, run: str) -> tuple[Resume, ...]:
        return tuple(
            Resume(sequence, own, sequence not in self._answered)
            for sequence, own in self._resumes.get(run, ())
        )
