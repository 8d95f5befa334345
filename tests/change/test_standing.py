"""What the journal says of a change, and which parts are left; pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pytest

from dbops.change.parts import judged_last, parts_of, remaining
from dbops.change.ports import (
    ChangeSession,
    ChangeTraits,
    JournalEntry,
    Progress,
    SessionOrder,
)
from dbops.change.standing import Author, State, refuse_altered, standing_of
from dbops.change.step import Direction, Part, Step
from dbops.errors import Refused

PLAN = "p" * 64
AUTHOR = Author("r-1", "c-1", PLAN)
UP, DOWN = Direction.UP, Direction.DOWN
BEGAN, DONE = Progress.BEGAN, Progress.DONE
STEPS = tuple(Step(n, f"step {n}", f"statement {n}", n) for n in (1, 2, 3))
Entry = tuple[Direction, int, Progress]


@dataclass(frozen=True)
class Kind:
    """As much of an engine as parts ask for: which steps stand alone."""

    transactional: bool
    alone: frozenset[int] = frozenset()

    @property
    def traits(self) -> ChangeTraits:
        return ChangeTraits(self.transactional, "sqlite", schemas=False, locks=False)

    def identity(self) -> str:
        return "of no database"

    def is_alone(self, step: Step) -> bool:
        return step.number in self.alone

    def session(self, order: SessionOrder) -> AbstractContextManager[ChangeSession]:
        raise AssertionError(f"parts are found without a session of {order.work}")


def journal(*entries: Entry) -> tuple[JournalEntry, ...]:
    """These entries, in their order; step 0 is the end of a direction."""
    found = []
    for number, (direction, step, progress) in enumerate(entries, 1):
        whole = AUTHOR.whole(direction)
        entry = AUTHOR.entry(direction, STEPS[step - 1], progress) if step else whole
        found.append(replace(entry, sequence=number))
    return tuple(found)


STANDINGS: list[tuple[Sequence[Entry], State, set[int], int | None]] = [
    ([], State.NOTHING, set(), None),
    ([(UP, 1, BEGAN)], State.HALF, set(), 1),
    ([(UP, 1, BEGAN), (UP, 1, DONE)], State.HALF, {1}, None),
    ([(UP, 1, DONE), (UP, 2, BEGAN)], State.HALF, {1}, 2),
    ([(UP, 1, DONE), (UP, 2, DONE), (UP, 3, DONE)], State.HALF, {1, 2, 3}, None),
    ([(UP, 1, DONE), (UP, 0, DONE)], State.WHOLE, {1}, None),
    ([(UP, 1, DONE), (UP, 0, DONE), (DOWN, 1, BEGAN)], State.HALF, set(), 1),
    ([(UP, 1, DONE), (UP, 0, DONE), (DOWN, 1, BEGAN), (UP, 0, DONE)], State.WHOLE, set(), None),
    ([(UP, 1, DONE), (UP, 0, DONE), (DOWN, 2, DONE), (DOWN, 0, DONE)], State.NOTHING, {2}, None),
    ([(UP, 1, BEGAN), (DOWN, 0, DONE)], State.NOTHING, set(), None),
    ([(UP, 0, DONE), (DOWN, 0, DONE), (UP, 3, DONE)], State.HALF, {3}, None),
]


@pytest.mark.parametrize(("entries", "state", "done", "began"), STANDINGS)
def test_how_a_change_stands(
    entries: Sequence[Entry], state: State, done: set[int], began: int | None
) -> None:
    """The direction that began last counts, and it is whole where its end was written."""
    found = standing_of(reversed(journal(*entries)), PLAN)
    assert (found.state, set(found.done), found.began) == (state, done, began)


def test_entries_of_other_plans_do_not_count() -> None:
    """Each revision has its own standing."""
    assert standing_of(journal((UP, 1, DONE)), "q" * 64).state is State.NOTHING


def test_entries_that_are_of_no_step() -> None:
    """Whoever wrote those was not dbops, or another script lay there."""
    scripts = {UP: STEPS, DOWN: STEPS[:1]}
    good = journal((UP, 3, DONE), (UP, 0, DONE), (DOWN, 1, DONE))
    refuse_altered(good, PLAN, scripts)
    for entry in (
        replace(good[0], step=2),
        replace(good[0], direction=DOWN),
        replace(good[0], sha256="0" * 64),
        replace(good[1], sha256="0" * 64),
    ):
        with pytest.raises(Refused) as caught:
            refuse_altered([entry], PLAN, scripts)
        assert caught.value.code == "change-journal"
        refuse_altered([replace(entry, plan="q" * 64)], PLAN, scripts)


PARTS = [
    (Kind(transactional=True), [((1, 2, 3), False)]),
    (Kind(True, frozenset({2})), [((1,), False), ((2,), True), ((3,), False)]),
    (Kind(True, frozenset({1, 2})), [((1,), True), ((2,), True), ((3,), False)]),
    (Kind(True, frozenset({3})), [((1, 2), False), ((3,), True), ((), False)]),
    (Kind(transactional=False), [((1,), True), ((2,), True), ((3,), True), ((), False)]),
]


@pytest.mark.parametrize(("kind", "expected"), PARTS)
def test_parts(kind: Kind, expected: list[tuple[tuple[int, ...], bool]]) -> None:
    """What can be rolled back together is one; the end can always be judged and rolled back."""
    found = judged_last(parts_of(STEPS, kind))
    assert [(tuple(step.number for step in part.steps), part.alone) for part in found] == expected


def test_what_remains() -> None:
    """Steps that are done in this direction are left out; one that only began is not done."""
    parts = (Part(STEPS[:1], alone=False), Part(STEPS[1:2], alone=True))
    entries = journal((UP, 1, DONE), (UP, 2, BEGAN))
    assert remaining(parts, entries, PLAN, UP) == parts[1:]
    assert remaining(parts, entries, PLAN, DOWN) == parts
    assert remaining(parts, entries, "q" * 64, UP) == parts
    assert remaining((), entries, PLAN, UP) == ()
