"""How far a run has come, as whoever looks on was told."""

from __future__ import annotations

import pytest

from dbops.change.stage import Moment, SoFar, Stage
from dbops.change.step import Direction, Step

UP, DOWN = Direction.UP, Direction.DOWN
STEP = Step(number=2, name="step 2", sql="SELECT 1", line=1)

PART = [Stage.BEGUN, Stage.STEP, Stage.STEP, Stage.COMMITTING]
TOLD = [
    ([], SoFar()),
    ([Stage.JUDGED, Stage.WAITING], SoFar()),
    (PART[:3], SoFar(begun=True, ran=2)),
    (PART, SoFar(effect=None, doubtful=True, begun=True, ran=2)),
    ([*PART, Stage.COMMITTED], SoFar(effect=True, steps=2, begun=True)),
    ([*PART[:3], Stage.ROLLED_BACK], SoFar(begun=True)),
    ([*PART[:3], Stage.ROLLED_BACK, Stage.WAITING, *PART[:2]], SoFar(begun=True, ran=1)),
]


@pytest.mark.parametrize(("stages", "so_far"), TOLD)
def test_a_part(stages: list[Stage], so_far: SoFar) -> None:
    """Its steps count once it is committed; until the answer comes nobody knows."""
    assert heard(stages) == so_far


def heard(stages: list[Stage], direction: Direction = UP, found: SoFar | None = None) -> SoFar:
    found = found or SoFar()
    for stage in stages:
        found = found.after(Moment(stage, direction))
    return found


def test_a_step_that_stands_alone() -> None:
    """It counts by itself, and is in doubt from its beginning to its end."""
    begun = heard([*PART, Stage.COMMITTED]).after(Moment(Stage.ALONE, UP, STEP))
    assert (begun.effect, begun.doubtful, begun.steps) == (True, True, 2)
    done = begun.after(Moment(Stage.COMMITTED, UP, STEP))
    assert (done.effect, done.doubtful, done.steps) == (True, False, 3)
    gone = begun.after(Moment(Stage.CLEANED, UP, STEP))
    assert (gone.effect, gone.doubtful, gone.steps) == (True, False, 2)


def test_the_way_back_is_counted_anew() -> None:
    """Steps are those of the direction that was told last."""
    up = heard([*PART, Stage.COMMITTED])
    down = heard([Stage.BEGUN, Stage.STEP, Stage.COMMITTED], DOWN, up)
    assert (down.direction, down.steps, down.effect) == (DOWN, 1, True)
