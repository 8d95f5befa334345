"""Whoever takes a change back and is stopped between two parts is told how to go on with that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.change.fate import Fate
from dbops.change.resume import Onward
from dbops.change.revert import revert_change
from dbops.change.run_order import ChangeRun
from dbops.change.stage import Moment, Stage
from dbops.change.step import Direction
from dbops.errors import Partly
from tests.change.bench import Bench, Died, up_and_down
from tests.change.two_parts import ROOMS_DOWN, ROOMS_UP, VERIFY, onward
from tests.change.two_parts import TOUCHES as ROOMS

DOWN = Direction.DOWN
UP_SQL = f"{ROOMS_UP}ALTER TABLE {{ward}} ADD COLUMN phone integer;\n"
DOWN_SQL = f"ALTER TABLE {{ward}} DROP COLUMN phone;\n-- part: beds{ROOMS_DOWN}"
TOUCHES = (*ROOMS, "create column {ward}.phone")
SINCE = "what differs is not what c-1 was rehearsed to, by it or by others since: "
LOOK = "look at it, and bring back what others altered; then: dbops change resume c-1"


def ordered(bench: Bench, rehearsed: str = DOWN_SQL) -> ChangeRun:
    """The change, whose way back was that one when it was rehearsed."""
    seen = bench.rehearsed(UP_SQL, rehearsed)
    return bench.order(UP_SQL, DOWN_SQL, VERIFY, TOUCHES, rehearsed=seen)


def dies(moment: Moment) -> None:
    """The process ends behind the first part that is committed."""
    if moment.stage is Stage.COMMITTED:
        raise Died


def test_a_way_back_that_goes_on_is_told_as_one(sqlite_bench: Bench) -> None:
    """Where a part of it came to something else, the hint names the way back; nothing follows."""
    bench = sqlite_bench
    other = "ALTER TABLE {room} ADD COLUMN gone integer"
    order = ordered(bench, DOWN_SQL.replace("DROP TABLE IF EXISTS {bed}", other))
    right = replace(order, rehearsed=bench.rehearsed(UP_SQL, DOWN_SQL))
    bench.run(order)
    with pytest.raises(Died):
        revert_change(order, bench.site.engine, dies, bench.slept.append)
    with pytest.raises(Partly) as caught:
        onward(bench, order, Onward.REVERT)
    fault = caught.value
    assert (fault.code, fault.hint) == ("change-partly", f"{LOOK} --revert")
    assert fault.message.startswith(f"c-1 is half done on lab: {SINCE}rehearsed")
    assert up_and_down(bench.journal())[-1] == (DOWN, 1)
    assert (bench.has("room"), bench.has("bed")) == (True, True)
    assert onward(bench, right, Onward.REVERT) is Fate.HALF
    assert (bench.has("room"), bench.has("bed")) == (False, False)
