"""Which locks a transaction takes first: those that its steps took when they were rehearsed."""

from __future__ import annotations

from dbops.change.lock_plan import lock_plan
from dbops.change.ports import Lock
from dbops.change.step import Direction, Part, Step

WEAK, STRONG = (Lock("his.visit", mode, "") for mode in ("ShareLock", "AccessExclusiveLock"))
WARD = Lock("his.ward", "ShareRowExclusiveLock", "writes")
SEEN = {
    (Direction.UP, 1): (WEAK,),
    (Direction.UP, 2): (WARD, STRONG),
    (Direction.UP, 3): (Lock("his.bed", "ShareLock", "writes"),),
    (Direction.DOWN, 1): (WARD,),
}


def part(*numbers: int) -> Part:
    """A transaction of these steps."""
    return Part(tuple(Step(number, "s", "SELECT", number) for number in numbers), alone=False)


def test_the_last_lock_of_an_object_counts() -> None:
    """A step adds to what is held, so it is the strongest; other parts' locks are not taken."""
    assert lock_plan(SEEN, Direction.UP, part(1, 2)) == (STRONG, WARD)
    assert lock_plan(SEEN, Direction.UP, part(1)) == (WEAK,)
    assert lock_plan(SEEN, Direction.DOWN, part(1)) == (WARD,)


def test_of_what_was_not_rehearsed_no_lock_is_known() -> None:
    """Neither of a step that nobody saw, nor of a part without one."""
    assert lock_plan(SEEN, Direction.DOWN, part(2)) == ()
    assert lock_plan(SEEN, Direction.UP, part()) == ()
    assert lock_plan({}, Direction.UP, part(1, 2, 3)) == ()
