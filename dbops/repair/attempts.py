"""What one host's ledger says of repairs: which runs there were, and which nobody knows the end of.

Pure: the entries are given. A run is an intent `repair.run` or `repair.undo` with the id that its
transaction leaves in the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from dbops.audit.entry import Effect, Entry, Event, Label, Phase
from dbops.repair.ports import MarkerKind
from dbops.repair.progress import Attempt
from dbops.repair.resume import OpenRun
from dbops.review.memory import Outcomes


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run as the ledger has it; `sequence` is its intent, `undoes` the work it takes back.

    `identity` is that of the database, in the form of a ledger; None where no approval was asked.
    """

    sequence: int
    at: datetime
    run: str
    work: str
    database: str
    kind: MarkerKind
    undoes: str | None
    effect: Effect
    identity: str | None = None

    @property
    def open_run(self) -> OpenRun:
        """The same, to be asked about at the database."""
        return OpenRun(self.sequence, self.run, self.work, self.kind)


def recorded_runs(entries: Iterable[Entry]) -> tuple[RecordedRun, ...]:
    """Return the runs of repairs in the ledger's order, with what is known of their effects.

    A run whose process is still at work is UNKNOWN, as is one that broke off.
    """
    outcomes = Outcomes()
    intents = []
    for entry in entries:
        if entry.draft.phase is Phase.OUTCOME:
            outcomes.hear(entry.draft)
        elif entry.draft.phase is Phase.INTENT and entry.draft.event in _KINDS:
            intents.append(entry)
    return tuple(_runs(intents, outcomes))


def _runs(intents: Iterable[Entry], outcomes: Outcomes) -> Iterator[RecordedRun]:
    for entry in intents:
        draft = entry.draft
        run, work, database = draft.names.get(Label.RUN), draft.work, draft.target
        if run is not None and work is not None and database is not None:
            yield RecordedRun(
                sequence=entry.sequence,
                at=entry.at,
                run=run,
                work=work,
                database=database,
                kind=_KINDS[draft.event],
                undoes=draft.names.get(Label.UNDOES),
                effect=outcomes.effect_of(entry.sequence),
                identity=draft.names.get(Label.IDENTITY),
            )


_KINDS = {Event.REPAIR_RUN: MarkerKind.REPAIR, Event.REPAIR_UNDO: MarkerKind.UNDO}


def attempts_at(runs: Iterable[RecordedRun], work: str) -> tuple[Attempt, ...]:
    """Return the attempts to run this work, be it a repair or an undo."""
    return tuple(Attempt(run.effect, run.at) for run in runs if run.work == work)


def attempts_to_undo(runs: Iterable[RecordedRun], work: str) -> tuple[Attempt, ...]:
    """Return the attempts to take this work back, by whatever undo."""
    return tuple(Attempt(run.effect, run.at) for run in runs if run.undoes == work)
