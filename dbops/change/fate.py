"""What became of a change on a database, and what that says of the runs of it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dbops.audit.entry import Effect
from dbops.change.attempts import RecordedChange
from dbops.change.ports import Remains
from dbops.change.step import Direction, Step


class Fate(StrEnum):
    """What became of a change on a database."""

    NOTHING = "nothing"  # it did not take place
    WHOLE = "whole"  # it ran to its end, and was judged
    RETURNED = "returned"  # it was taken back
    HALF = "half"


@dataclass(frozen=True, slots=True)
class Became:
    """How far a change has come. `done` of `steps` in the direction that began last are done.

    `began` is a step outside of a transaction that nobody saw end, and `remains` what the
    catalogue says of it. `run` is the id of the run that wrote last; None where none did. `wrote`
    are the ids of all that wrote of the change, `ended` those whose steps are in a direction that
    came to its end.
    """

    fate: Fate
    direction: Direction
    done: int
    steps: int
    began: Step | None = None
    remains: Remains | None = None
    run: str | None = None
    wrote: frozenset[str] = frozenset()
    ended: frozenset[tuple[str, Direction]] = frozenset()

    @property
    def is_at_its_end(self) -> bool:
        """Whether nothing is to be done: neither run, nor noted of a step that only began."""
        return self.fate is not Fate.HALF and self.began is None


def stands_since(became: Became, brought: Direction | None) -> Direction:
    """Return up where the change stands now, down where it is gone.

    `brought` is the direction in which a half done one was brought to its end since; None where
    that was not to be done, or nothing but remains were cleaned up.
    """
    if brought is not None:
        return brought
    return Direction.UP if became.fate is Fate.WHOLE else Direction.DOWN


def effect_of(run: RecordedChange, became: Became, brought: Direction | None) -> Effect:
    """Return whether what was approved took place: the run up, or the way back.

    A resume of the run counts as the run. What another one came to, as one of another host, is none
    of its effect. `brought` is as in `stands_since`.
    """
    if run.foreign:
        return foreign_effect(became)
    if brought is not None:
        took_place = brought is run.direction
    else:
        ids = (run.run, *(each.run for each in run.resumes))
        took_place = any((each, run.direction) in became.ended for each in ids)
    return Effect.COMMITTED if took_place else Effect.NONE


def is_gone_without_trace(run: RecordedChange, became: Became) -> bool:
    """Return whether the ledger has some of the run done of which the journal has nothing."""
    return became.fate is Fate.NOTHING and run.effect is Effect.COMMITTED


def foreign_effect(became: Became) -> Effect:
    """Return whether any of what began under another ledger took place."""
    return Effect.NONE if became.fate is Fate.NOTHING else Effect.COMMITTED
