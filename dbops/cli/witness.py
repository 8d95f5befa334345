"""Databases that know themselves what became of an intent without an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.errors import NotFound, Refused

if TYPE_CHECKING:
    from dbops.audit.entry import Draft
    from dbops.audit.scan import OpenIntent
    from dbops.cli.wiring import Wiring


def witness_hint(intent: Draft) -> str | None:
    """How the database is asked what became of it; None of what only a person can know."""
    from dbops.audit.entry import Event, Label
    from dbops.change.step import Direction

    asked = "the database knows what became of it:"
    if intent.event in {Event.REPAIR_RUN, Event.REPAIR_UNDO}:
        return f"{asked} dbops repair resume {intent.work}"
    if intent.event in {Event.CHANGE_RUN, Event.CHANGE_REVERT, Event.CHANGE_RESUME}:
        back = intent.names.get(Label.DIRECTION) == Direction.DOWN
        flag = " --revert" if intent.event is Event.CHANGE_RESUME and back else ""
        return f"{asked} dbops change resume {intent.work}{flag}"
    return None


def refuse_witnessed(wiring: Wiring, intent: OpenIntent) -> None:
    """Raise Refused `close-witness` where the database can be asked what became of the intent.

    It can while it is in the estate; of a change the folder is needed as well. Where either is
    gone, only a person can say.
    """
    from dbops.audit.links import entry_at
    from dbops.cli.ledger import segments_of

    hint = witness_hint(entry_at(segments_of(wiring), intent.sequence).draft)
    if hint is None or intent.work is None:
        return
    changed = _changes(wiring) if _lies_here(wiring, intent.work) else frozenset[int]()
    if intent.sequence in changed | _repairs(wiring):
        raise Refused(
            "close-witness",
            f"entry {intent.sequence} is not for a person to explain: {intent.target} can be asked"
            f" what became of {intent.work}",
            hint=hint,
        )


def _changes(wiring: Wiring) -> frozenset[int]:
    """The entries of which a resume of changes finds out how they ended."""
    from dbops.cli.open_runs import open_runs

    runs = open_runs(wiring)
    resumes = (each.sequence for run in runs for each in run.resumes)
    return frozenset({run.sequence for run in runs} | set(resumes))


def _repairs(wiring: Wiring) -> frozenset[int]:
    """The entries of which a resume of repairs does."""
    from dbops.audit.entry import Effect
    from dbops.cli.open_runs import is_there
    from dbops.cli.repair_list import recorded

    return frozenset(
        run.sequence
        for run in recorded(wiring)
        if run.effect is Effect.UNKNOWN and is_there(wiring, run.database, run.identity)
    )


def _lies_here(wiring: Wiring, work_id: str) -> bool:
    from dbops.cli.reviewing import open_desk

    try:
        open_desk(wiring, None).folders(work_id)
    except NotFound:
        return False
    return True
