"""How far a run has come, told to whoever looks on; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    TAKEN_BACK = "taken back"  # the parts that were committed are undone, and that was judged
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

    Begin with False. What one part committed stays, whatever becomes of the next, unless all of it
    was taken back.
    """
    if moment.stage is Stage.TAKEN_BACK:
        return False
    if so_far or moment.stage is Stage.COMMITTED:
        return True
    if moment.stage in {Stage.COMMITTING, Stage.ALONE}:
        return None
    return False if moment.stage in {Stage.ROLLED_BACK, Stage.CLEANED} else so_far


@dataclass(frozen=True, slots=True)
class SoFar:
    """How far a run has come, as it was told: begin with `SoFar()`, go on with `after`.

    `effect` is as in `took_place`. `doubtful` says that nobody knows how the last part ended,
    `steps` how many steps of the `direction` are done for good, `begun` whether anything was begun.
    """

    effect: bool | None = False
    doubtful: bool = False
    direction: Direction = Direction.UP
    steps: int = 0
    begun: bool = False
    ran: int = 0  # in the part that is under way

    def after(self, moment: Moment) -> SoFar:
        """Return how far it has come once this is told."""
        same = moment.direction is self.direction
        found = self if same else replace(self, direction=moment.direction, steps=0, ran=0)
        found = replace(found, effect=took_place(self.effect, moment))
        match moment.stage:
            case Stage.BEGUN:
                return replace(found, begun=True, ran=0)
            case Stage.STEP:
                return replace(found, ran=found.ran + 1)
            case Stage.COMMITTING | Stage.ALONE:
                return replace(found, begun=True, doubtful=True)
            case Stage.COMMITTED:
                done = found.ran if moment.step is None else 1
                return replace(found, doubtful=False, steps=found.steps + done, ran=0)
            case Stage.TAKEN_BACK:
                return SoFar(begun=True)
            case Stage.ROLLED_BACK | Stage.CLEANED:
                return replace(found, doubtful=False, ran=0)
            case _:
                return found
