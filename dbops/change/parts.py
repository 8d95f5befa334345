"""Which steps take place together, and which of them are still to be done; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dbops.change.ports import ChangeEngine, JournalEntry
from dbops.change.standing import standing_of
from dbops.change.step import Direction, Part, Step


def parts_of(steps: Sequence[Step], engine: ChangeEngine) -> tuple[Part, ...]:
    """Return the steps as parts, in their order.

    Where DDL is transactional, consecutive steps are one part up to the next that begins another,
    and each step that the engine runs only outside of a transaction is a part of its own. Where it
    is not, each step is.
    """
    return tuple(_parts(steps, engine))


def remaining(
    parts: Iterable[Part], journal: Iterable[JournalEntry], plan: str, direction: Direction
) -> tuple[Part, ...]:
    """Return what of the parts is not done yet, as the journal says it.

    A part in one transaction is done or not; a step that stands alone and only began is not done.
    """
    standing = standing_of(journal, plan)
    done = standing.done if standing.direction is direction else frozenset()
    left = (
        Part(tuple(step for step in part.steps if step.number not in done), part.alone)
        for part in parts
    )
    return tuple(part for part in left if part.steps)


def judged_last(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts with an end that can be judged and rolled back.

    Where the last one stands alone, or there is none, that is a transaction without a step.
    """
    if parts and not parts[-1].alone:
        return tuple(parts)
    return (*parts, Part((), alone=False))


def _parts(steps: Sequence[Step], engine: ChangeEngine) -> Iterator[Part]:
    together: list[Step] = []
    for step in steps:
        alone = not engine.traits.transactional_ddl or engine.is_alone(step)
        if together and (alone or step.begins):
            yield Part(tuple(together), alone=False)
            together = []
        if alone:
            yield Part((step,), alone=True)
        else:
            together.append(step)
    if together:
        yield Part(tuple(together), alone=False)
