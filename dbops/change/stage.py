"""How far a run has come, told to whoever looks on; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dbops.change.step import Direction, Step


class Stage(StrEnum):
    """What is done. An observer is told before the next thing is begun."""

    JUDGED = "judged"  # all that can be known before the first write was looked at
    BEGUN = "begun"  # a part's transaction is open
    STEP = "step"  # a step of it has run
    COMMITTING = "committing"  # the part is judged, the journal written; what follows is COMMIT
    COMMITTED = "committed"  # a part is done for good
    ROLLED_BACK = "rolled back"  # nothing of the part happened, for sure
    ALONE = "alone"  # the journal says so; what follows is a step outside of any transaction
    CLEANED = "cleaned"  # what such a step left half done is gone again
    WAITING = "waiting"  # a lock was not to be had; after a pause all of the part is tried again


@dataclass(frozen=True, slots=True)
class Moment:
    """A stage, on the way up or down, and the step that it is of where it is of one."""

    stage: Stage
    direction: Direction
    step: Step | None = None


def took_place(so_far: bool | None, moment: Moment) -> bool | None:  # noqa: FBT001
    """Return whether anything took place for good, None where nobody knows, given the last word.

    Begin with False. What one part committed stays, whatever becomes of the next.
    """
    if so_far or moment.stage is Stage.COMMITTED:
        return True
    if moment.stage in {Stage.COMMITTING, Stage.ALONE}:
        return None
    return False if moment.stage in {Stage.ROLLED_BACK, Stage.CLEANED} else so_far
