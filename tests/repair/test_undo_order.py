"""The order of an undo: foreign keys are never broken on the way, where that can be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.repair.table import Column, Reference, Row, Shape, TableName
from dbops.repair.undo_order import Action, Step, action_of, undo_steps, waves

INSERT, UPDATE, DELETE = Action.INSERT, Action.UPDATE, Action.DELETE


def table(name: str) -> TableName:
    return TableName("his", name)


def link(child: str, parent: str) -> Reference:
    return Reference(f"{child}_{parent}", table(child), ("up",), table(parent), ("id",))


def steps(*said: tuple[Action, str]) -> tuple[Step, ...]:
    return tuple(Step(action, table(name)) for action, name in said)


def every(names: Sequence[str]) -> tuple[Step, ...]:
    return steps(*((action, name) for name in names for action in Action))


def test_what_takes_a_change_back() -> None:
    """A deleted row is inserted, an inserted one deleted, any other updated."""
    assert action_of((b"1",), None) is INSERT
    assert action_of(None, (b"1",)) is DELETE
    assert action_of((b"1",), (b"2",)) is UPDATE


def test_parents_come_back_first_and_go_last() -> None:
    """With one reference: the parent's rows are there whenever a child's row points at them."""
    assert undo_steps(every(["bill", "visit"]), [link("bill", "visit")]) == steps(
        (DELETE, "bill"),
        (UPDATE, "visit"),
        (INSERT, "visit"),
        (UPDATE, "bill"),
        (INSERT, "bill"),
        (DELETE, "visit"),
    )


def test_a_table_alone_frees_its_unique_values_first() -> None:
    """Without references rows go before others change, and those before rows come back."""
    assert undo_steps(every(["visit"]), []) == steps(
        (DELETE, "visit"), (UPDATE, "visit"), (INSERT, "visit")
    )


def test_a_table_that_points_at_itself_keeps_its_rows_until_nothing_points_at_them() -> None:
    """Its rows come back before others point at them, and go after the others point elsewhere."""
    assert undo_steps(every(["ward"]), [link("ward", "ward")]) == steps(
        (INSERT, "ward"), (UPDATE, "ward"), (DELETE, "ward")
    )


def test_only_the_steps_that_are_asked_for() -> None:
    """A reference to a table that the undo does not write asks for nothing."""
    assert undo_steps(steps((INSERT, "bill")), [link("bill", "visit")]) == steps((INSERT, "bill"))
    assert undo_steps((), [link("bill", "visit")]) == ()


NAMES = ("a", "b", "c", "d")
GRAPHS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=7)
STEPS = st.sets(st.sampled_from(every(NAMES)))


@given(wanted=STEPS, graph=GRAPHS)
def test_every_step_comes_once_and_always_in_the_same_order(
    wanted: set[Step], graph: list[tuple[str, str]]
) -> None:
    """Whatever the foreign keys, circles included, nothing is lost, doubled or left to chance."""
    links = [link(child, parent) for child, parent in graph]
    found = undo_steps(wanted, links)
    assert sorted(found) == sorted(wanted)
    assert found == undo_steps(sorted(wanted, reverse=True), links[::-1])


@given(wanted=STEPS, graph=GRAPHS)
def test_no_reference_is_broken_where_there_is_no_circle(
    wanted: set[Step], graph: list[tuple[str, str]]
) -> None:
    """Parents are inserted before, and deleted after, whatever their children do."""
    links = [link(child, parent) for child, parent in graph if child > parent]
    place = {step: at for at, step in enumerate(undo_steps(wanted, links))}
    for one in links:
        for action in (INSERT, UPDATE):
            pair = Step(INSERT, one.target), Step(action, one.child)
            assert not place.keys() >= set(pair) or place[pair[0]] < place[pair[1]]
        for action in (DELETE, UPDATE):
            pair = Step(action, one.child), Step(DELETE, one.target)
            assert not place.keys() >= set(pair) or place[pair[0]] < place[pair[1]]


WARD = Shape(
    table=table("ward"),
    columns=(Column("id", "integer"), Column("up", "integer"), Column("name", "text")),
    key=(0,),
    outgoing=(link("ward", "ward"),),
)


def ward(number: int, up: int | None) -> Row:
    return str(number).encode(), None if up is None else str(up).encode(), b"x"


def test_waves_hold_parents_before_children() -> None:
    """A row's parent stands in an earlier wave, whatever the order of the rows."""
    rows = [ward(3, 2), ward(2, 1), ward(1, None), ward(5, 4), ward(4, 77), ward(6, 6)]
    assert waves(rows, WARD) == ((2, 4, 5), (1, 3), (0,))


def test_a_circle_of_rows_comes_together_at_the_end() -> None:
    """Rows that point at each other have no order, and none is lost."""
    assert waves([ward(1, 2), ward(2, 1), ward(3, None)], WARD) == ((2,), (0, 1))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows_of_a_table_that_does_not_point_at_itself_are_one_wave(count: int) -> None:
    """References to other tables are the business of the steps."""
    visit = Shape(table("visit"), WARD.columns, (0,), outgoing=(link("visit", "ward"),))
    rows = [ward(number, number + 1) for number in range(count)]
    assert waves(rows, visit) == ((tuple(range(count)),) if count else ())


@given(st.lists(st.integers(0, 30), max_size=30))
def test_waves_hold_every_row_once(parents: list[int]) -> None:
    """Any forest, any circle: each place comes in exactly one wave."""
    found = waves([ward(number, up) for number, up in enumerate(parents)], WARD)
    assert sorted(place for wave in found for place in wave) == list(range(len(parents)))
