"""The connection of a run of two transactions is cut between them: whoever asks is told the truth.

The process lives on, and says what it knows; the database is asked over a new connection.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbops.change.fate import Fate
from dbops.change.resume import Onward, what_became
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.stage import Moment
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.errors import Partly
from tests.change.bench import Bench, up_and_down
from tests.change.two_parts import onward, two
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.test_change_lost import cut

UP, DOWN = Direction.UP, Direction.DOWN
# What the session would have done next, at the moment of this number: see test_dying_in_parts.
BETWEEN, WITHIN = (4, "pinning settings"), (7, "committing c-1")
BACK = "take it back: dbops change resume c-1 --revert"
ONWARD = f"finish it: dbops change resume c-1, or {BACK}"


@pytest.mark.parametrize(("moment", "where"), [(BETWEEN, Onward.FINISH), (WITHIN, Onward.REVERT)])
def test_a_run_that_is_cut_is_half_done(
    postgresql_bench: Bench, moment: tuple[int, str], where: Onward
) -> None:
    """The first part stays, nothing of the second one is there; then it is finished or not."""
    bench, (number, doing) = postgresql_bench, moment
    before, order = bench.schema(), two(bench)
    with pytest.raises(Partly) as caught:
        run_change(order, bench.site.engine, cut_at(bench, number), bench.slept.append)
    _assert_told(caught.value, doing, ONWARD)
    assert up_and_down(bench.journal()) == [(UP, 1)]
    assert (bench.has("room"), bench.has("bed")) == (True, False)
    assert onward(bench, order, where) is Fate.HALF
    assert bench.state() is (State.WHOLE if where is Onward.FINISH else State.NOTHING)
    assert (bench.schema() == before) is (where is Onward.REVERT)


@pytest.mark.parametrize(("moment", "where"), [(BETWEEN, Onward.REVERT), (WITHIN, Onward.FINISH)])
def test_a_way_back_that_is_cut_is_half_done(
    postgresql_bench: Bench, moment: tuple[int, str], where: Onward
) -> None:
    """The first part of down.sql stays, and whatever is asked, the rest of it is done."""
    bench, (number, doing) = postgresql_bench, moment
    before, order = bench.schema(), two(bench)
    bench.run(order)
    with pytest.raises(Partly) as caught:
        revert_change(order, bench.site.engine, cut_at(bench, number), bench.slept.append)
    _assert_told(caught.value, doing, BACK)
    became = what_became(order, bench.site.engine)
    assert (became.fate, became.direction, became.done) == (Fate.HALF, DOWN, 1)
    assert (bench.has("room"), bench.has("bed")) == (True, False)
    assert onward(bench, order, where) is Fate.HALF
    assert bench.state() is State.NOTHING
    assert bench.schema() == before


def cut_at(bench: Bench, number: int) -> Callable[[Moment], None]:
    """An observer in whose presence the server ends the session, at the moment of this number."""
    assert isinstance(bench.site, PgChangeSite)
    site, left = bench.site, [number]

    def observe(_moment: Moment) -> None:
        left[0] -= 1
        if left[0] == -1:
            cut(site)

    return observe


def _assert_told(error: Partly, doing: str, hint: str) -> None:
    assert error.code == "change-partly"
    assert error.message == (f"c-1 is half done on lab: {doing}: the connection was lost (57P01)")
    assert error.hint == hint
