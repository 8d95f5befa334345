"""Whose turn it is: what one host's ledger says of runs decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from dbops.audit.entry import Effect
from dbops.change.attempts import RecordedChange
from dbops.change.manifest import Change, Ring
from dbops.change.progress import ChangeState, places_of
from dbops.change.rings import refuse_out_of_turn
from dbops.change.step import Direction
from dbops.errors import Refused
from dbops.review.work import Risk

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TEST = Ring("test", ("his-test",))
PROD = Ring("prod", ("his", "lab"), soak=timedelta(hours=24))
CHANGE = Change(id="2026-31", title="t", author="wei@contractor", risk=Risk.LOW, rings=(TEST, PROD))
PLAN = "a" * 64


def ran(
    database: str = "his-test",
    *,
    ended: datetime | None = NOON,
    direction: Direction = Direction.UP,
    effect: Effect = Effect.COMMITTED,
    scripts: str | None = PLAN,
    schema: str | None = "b" * 64,
) -> RecordedChange:
    """A run that the ledger knows."""
    return RecordedChange(
        sequence=1,
        at=NOON,
        ended=ended,
        run="r",
        work=CHANGE.id,
        database=database,
        direction=direction,
        effect=effect,
        scripts=scripts,
        schema=schema,
        judged=schema is not None,
    )


def refused(changes: Sequence[RecordedChange], now: datetime) -> tuple[str, str]:
    """Why it is not the turn of the second ring."""
    with pytest.raises(Refused) as caught:
        refuse_out_of_turn(CHANGE, PROD, changes, PLAN, now)
    return caught.value.message, caught.value.hint


def test_the_first_ring_waits_for_nobody() -> None:
    """Nothing need have run before."""
    refuse_out_of_turn(CHANGE, TEST, (), PLAN, NOON)


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (ran("another"),),
        (ran(effect=Effect.UNKNOWN),),
        (ran(effect=Effect.NONE),),
        (ran(scripts="c" * 64),),
        (ran(schema=None),),
        (ran(), ran(direction=Direction.DOWN)),
    ],
    ids=["never", "elsewhere", "unknown", "rolled back", "other files", "half", "taken back"],
)
def test_a_ring_waits_for_the_one_before(changes: tuple[RecordedChange, ...]) -> None:
    """Only a run to its end, of these very files, that still stands, counts."""
    assert refused(changes, NOON + timedelta(days=9)) == (
        "2026-31 has not run on his-test of ring test, as it is now",
        "dbops change run 2026-31 --ring test",
    )


def test_a_ring_waits_until_the_one_before_has_soaked() -> None:
    """From the end of the last run there; the hint says how much longer."""
    assert refused((ran(),), NOON + timedelta(hours=23)) == (
        "ring test of 2026-31 has not soaked for 1d",
        "run it again in 1h",
    )
    refuse_out_of_turn(CHANGE, PROD, (ran(),), PLAN, NOON + timedelta(hours=24))


def test_the_last_run_that_may_have_had_an_effect_says_how_it_stands() -> None:
    """One that was rolled back changes nothing; one of which nobody knows is said."""
    changes = (
        ran(),
        ran("his", effect=Effect.UNKNOWN),
        ran("lab"),
        ran("lab", direction=Direction.DOWN),
        ran("lab", effect=Effect.NONE),
    )
    states = {each.database: each.state for each in places_of(CHANGE, changes)}
    assert states == {
        "his-test": ChangeState.RUN,
        "his": ChangeState.UNKNOWN,
        "lab": ChangeState.REVERTED,
    }
    (half, *_) = places_of(CHANGE, (ran(schema=None),))
    assert half.state is ChangeState.HALF
