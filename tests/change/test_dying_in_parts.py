"""A run of two transactions that dies at any moment is told as it is, and brought to an end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from dbops.change.fate import Fate
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.revert import revert_change
from dbops.change.run_order import ChangeRun
from dbops.change.standing import State
from dbops.change.step import Direction
from tests.change.bench import Bench, Died, up_and_down
from tests.change.two_parts import onward, two

UP, DOWN = Direction.UP, Direction.DOWN
FATES = [Fate.NOTHING] * 4 + [Fate.HALF] * 4 + [Fate.WHOLE]


@pytest.mark.parametrize("where", Onward)
def test_dying_at_every_moment(sqlite_bench: Bench, where: Onward) -> None:
    """Between the parts and in each of them; then it is finished, or taken back."""
    bench = sqlite_bench
    order = two(bench)
    reached = 0
    while _died(bench, order, reached, where):
        reached += 1
        bench.rebuild()
    assert reached == len(FATES)


@pytest.mark.parametrize(
    ("number", "where"), [(3, Onward.FINISH), (4, Onward.REVERT), (7, Onward.FINISH)]
)
def test_dying_around_the_first_commit(postgresql_bench: Bench, number: int, where: Onward) -> None:
    """Before COMMIT nothing is there; from then on until the last one it is half."""
    assert _died(postgresql_bench, two(postgresql_bench), number, where)


@pytest.mark.sweep
@pytest.mark.parametrize("where", Onward)
@pytest.mark.parametrize("number", range(len(FATES)))
def test_dying_at_every_moment_on_postgresql(
    postgresql_bench: Bench, number: int, where: Onward
) -> None:
    """As on SQLite."""
    assert _died(postgresql_bench, two(postgresql_bench), number, where)


def _died(bench: Bench, order: ChangeRun, number: int, where: Onward) -> bool:
    """Whether a run that dies at that moment got there; it is told as it is, and ended."""
    before = bench.schema()
    if not bench.killed_at(number, order):
        return False
    fate = what_became(order, bench.site.engine).fate
    assert fate is FATES[number]
    done = {Fate.NOTHING: [], Fate.HALF: [1], Fate.WHOLE: [1, 2, 0]}[fate]
    assert up_and_down(bench.journal()) == [(UP, step) for step in done]
    assert (bench.has("room"), bench.has("bed")) == (1 in done, 2 in done)
    assert onward(bench, order, where) is fate
    whole = fate is Fate.WHOLE or (fate is Fate.HALF and where is Onward.FINISH)
    assert bench.state() is (State.WHOLE if whole else State.NOTHING)
    assert (bench.schema() == before) is not whole
    return True


def test_dying_at_every_moment_of_the_way_back(sqlite_bench: Bench) -> None:
    """Parts of down.sql that are committed stay so; whoever resumes ends it, whatever is asked."""
    bench = sqlite_bench
    reached = 0
    while _died_back(bench, reached):
        reached += 1
        bench.rebuild()
    assert reached == len(FATES)


@pytest.mark.parametrize("number", [4, 7])
def test_dying_between_the_parts_of_the_way_back(postgresql_bench: Bench, number: int) -> None:
    """As on SQLite."""
    assert _died_back(postgresql_bench, number)


@pytest.mark.sweep
@pytest.mark.parametrize("number", range(len(FATES)))
def test_dying_at_every_moment_of_the_way_back_on_postgresql(
    postgresql_bench: Bench, number: int
) -> None:
    """As on SQLite."""
    assert _died_back(postgresql_bench, number)


def _died_back(bench: Bench, number: int) -> bool:
    """Whether taking it back, which dies at that moment, got there; it is told, and ended."""
    before, order = bench.schema(), two(bench)
    bench.run(order)
    if not _died_reverting(bench, order, number):
        return False
    became = what_became(order, bench.site.engine)
    assert became.fate is {0: Fate.WHOLE, 1: Fate.HALF, 2: Fate.RETURNED}[number // 4]
    assert (bench.has("bed"), bench.has("room")) == (number < 4, number < 8)
    if became.fate is Fate.HALF:
        assert (became.direction, became.done, became.steps) == (DOWN, 1, 2)
    onward(bench, order, list(Onward)[number % 2])
    assert (bench.schema() == before) is (became.fate is not Fate.WHOLE)
    return True


def _died_reverting(bench: Bench, order: ChangeRun, number: int) -> bool:
    """Whether taking it back died at that moment, rather than come to its end."""
    with suppress(Died):
        revert_change(order, bench.site.engine, bench.dies_at(number), bench.slept.append)
        return False
    return True


@pytest.mark.parametrize("where", Onward)
def test_the_one_who_resumes_dies_as_well(sqlite_bench: Bench, where: Onward) -> None:
    """Whenever that is, the next one brings it to the same end."""
    bench = sqlite_bench
    before, order = bench.schema(), two(bench)
    for number in range(12):
        assert bench.killed_at(5, order)
        with suppress(Died):
            engine, dies = bench.site.engine, bench.dies_at(number)
            resume_change(order, engine, where, dies, bench.slept.append)
            assert number == {Onward.FINISH: 4, Onward.REVERT: 5}[where]
            break
        onward(bench, order, where)
        assert bench.state() is (State.WHOLE if where is Onward.FINISH else State.NOTHING)
        assert (bench.schema() == before) is (where is Onward.REVERT)
        bench.rebuild()
