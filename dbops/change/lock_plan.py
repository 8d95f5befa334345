"""Which locks a transaction of a change will need, as its rehearsal saw them; pure.

They are taken before its first step, in one wait: a step that finds its own lock only once it
begins lets others queue behind all that the steps before it have locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dbops.change.ports import Lock
from dbops.change.step import Direction, Part

RehearsedLocks = Mapping[tuple[Direction, int], tuple[Lock, ...]]
"""The locks that each step added when it was rehearsed, by its direction and number."""


def lock_plan(seen: RehearsedLocks, direction: Direction, part: Part) -> tuple[Lock, ...]:
    """Return the locks of all steps of a transaction: of each object the strongest.

    A step adds to what is held already, so the last lock that was seen of an object is the
    strongest. Of steps that no rehearsal saw none are known.
    """
    steps = (seen.get((direction, step.number), ()) for step in part.steps)
    return tuple(_last(lock for locks in steps for lock in locks))


def _last(locks: Iterable[Lock]) -> Iterable[Lock]:
    return {lock.object: lock for lock in locks}.values()
