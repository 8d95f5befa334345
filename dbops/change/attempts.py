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
class RecordedChange:
    """One run as the ledger has it; `sequence` is its intent, `ended` when its end was recorded.

    `plan` is the digest of the files that ran, None where no approval was asked, `scripts` that of
    those which no rehearsal makes. `schema` is the digest of the schema afterwards, where that was
    recorded. `identity` is that of the database, in the form of a ledger. `judged` says that it
    came to its end, or that a resume asked the journal since: the change is whole or gone.
    `foreign` says that it began under another ledger: then `direction` is how it stands since, and
    its effect is unknown until a resume has brought it to an end. `resumes` are the ids in the
    journal of all who were to bring it to one.
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
    resumes: tuple[str, ...] = ()

    @property
    def is_half(self) -> bool:
        """Whether it committed, and nobody judged it to the end or brought it there since."""
        return self.effect is Effect.COMMITTED and not self.judged

    @property
    def is_open(self) -> bool:
        """Whether nobody knows its effect, or it is half done."""
        return self.effect is Effect.UNKNOWN or self.is_half


@dataclass(frozen=True, slots=True)
class OpenResume:
    """A resume that has no outcome; `sequence` is its intent, `run` the id of its journal rows.

    `scripts` is the digest of the files that it went by, but for those that a rehearsal makes.
    """

    sequence: int
    work: str
    database: str
    run: str
    scripts: str | None = None


def open_resumes(entries: Iterable[Entry]) -> tuple[OpenResume, ...]:
    """Return the resumes of this ledger's runs without an end: they are at work, or died."""
    found: dict[int, OpenResume] = {}
    for entry in entries:
        draft = entry.draft
        if draft.of is not None:
            found.pop(draft.of, None)
        run, work, database = draft.names.get(Label.RUN), draft.work, draft.target
        if not _is_resume(entry) or _is_foreign(entry):
            continue
        if run is not None and work is not None and database is not None:
            scripts = draft.digests.get(DigestOf.SCRIPTS)
            found[entry.sequence] = OpenResume(entry.sequence, work, database, run, scripts)
    return tuple(found.values())


def recorded_changes(entries: Iterable[Entry]) -> tuple[RecordedChange, ...]:
    """Return the runs of changes in the ledger's order, with what is known of their effects.

    A run whose process is still at work is UNKNOWN, as is one that broke off.
    """
    outcomes = Outcomes()
    answers: dict[int, Entry] = {}
    intents = []
    resumes: dict[str, list[str]] = {}
    for entry in entries:
        draft = entry.draft
        if draft.phase is Phase.OUTCOME:
            outcomes.hear(draft)
            if draft.of is not None:
                answers[draft.of] = entry
        elif draft.phase is Phase.INTENT and (draft.event in _DIRECTIONS or _is_foreign(entry)):
            intents.append(entry)
        elif _is_resume(entry):
            of = draft.names[Label.RESUMES]
            resumes.setdefault(of, []).append(draft.names.get(Label.RUN, ""))
    return tuple(_changes(intents, outcomes, answers, resumes))


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


def _changes(
    intents: Iterable[Entry],
    outcomes: Outcomes,
    answers: dict[int, Entry],
    resumes: dict[str, list[str]],
) -> Iterator[RecordedChange]:
    for entry in intents:
        draft, answer = entry.draft, answers.get(entry.sequence)
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
                effect=_effect(entry, answer, outcomes),
                plan=draft.digests.get(DigestOf.PLAN),
                scripts=draft.digests.get(DigestOf.SCRIPTS),
                schema=None if answer is None else answer.draft.digests.get(DigestOf.SCHEMA),
                identity=draft.names.get(Label.IDENTITY),
                judged=_is_judged(answer),
                foreign=_is_foreign(entry),
                resumes=tuple(resumes.get(run, ())),
            )


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
