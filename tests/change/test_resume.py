"""Whatever a run died of: what became of it is told as it is, and it is finished or taken back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from dbops.change.fate import Fate
from dbops.change.ports import CommitUnknown, Remains
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Stage
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.errors import Refused
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, Bench, Deaf, Died

HALF = "c-1 is half done on this database: 1 step of up.sql"


def onward(bench: Bench, order: ChangeRun, where: Onward) -> Fate:
    """What was found before it was brought there, by a run of its own."""
    anew = replace(order, run="a" * 32)
    became, _ = resume_change(anew, bench.site.engine, where, bench.observe, bench.slept.append)
    return became.fate


def told(bench: Bench, order: ChangeRun, before: Schema) -> Fate:
    """What became of it; the schema says the same."""
    fate = what_became(order, bench.site.engine).fate
    done, most = len(bench.changed(before)), len(order.change.touches)
    assert fate is {0: fate, most: fate}.get(done, Fate.HALF)
    assert (done == most) is (fate is Fate.WHOLE)
    assert done == 0 or fate in {Fate.HALF, Fate.WHOLE}
    return Fate.NOTHING if fate is Fate.RETURNED else fate


def brought(bench: Bench, order: ChangeRun, before: Schema, where: Onward) -> None:
    """It is brought there; then the database is as every test finds it."""
    fate = onward(bench, order, where)
    whole = fate is Fate.WHOLE or (fate is Fate.HALF and where is Onward.FINISH)
    assert bench.state() is (State.WHOLE if whole else State.NOTHING)
    assert (bench.schema() == before) is not whole
    bench.rebuild()


def test_dying_at_every_moment(sqlite_bench: Bench) -> None:
    """One transaction took place or did not; the journal and the schema agree."""
    bench = sqlite_bench
    before, order = bench.schema(), bench.order(rehearsed=bench.rehearsed())
    fates: list[Fate] = []
    while bench.killed_at(len(fates), order):
        fates.append(told(bench, order, before))
        brought(bench, order, before, Onward.FINISH)
    assert fates == [Fate.NOTHING] * 5 + [Fate.WHOLE]


AGAIN = [
    *((Onward.FINISH, number) for number in (1, 4)),
    *((Onward.REVERT, number) for number in (4, 5, 9)),
]


@pytest.mark.parametrize(("where", "number"), AGAIN)
def test_the_one_who_resumes_dies_as_well(
    postgresql_bench: Bench, where: Onward, number: int
) -> None:
    """Whenever that is, somebody else brings it to the same end, and the third finds it there."""
    bench = postgresql_bench
    before, order = bench.schema(), _apart(bench)
    assert bench.killed_at(5, order)  # one part is done, and one step has begun
    dies = bench.dies_at(number)
    with pytest.raises(Died):
        resume_change(order, bench.site.engine, where, dies, bench.slept.append)
    assert told(bench, order, before) is Fate.HALF
    assert onward(bench, order, where) is Fate.HALF
    brought(bench, order, before, where)


def test_the_answer_to_commit_is_lost(bench: Bench) -> None:
    """What committed without an answer is known to have, and does not run again."""
    order = bench.order(rehearsed=bench.rehearsed())
    with pytest.raises(CommitUnknown) as caught:
        run_change(order, Deaf(bench.site.engine), bench.observe, bench.slept.append)
    assert caught.value.code == "commit-unknown"
    assert caught.value.message == (
        "the connection to lab was lost, and nobody knows whether the last part of c-1 took place"
    )
    assert caught.value.hint.endswith("dbops change resume c-1")
    assert bench.stages[-1] is Stage.COMMITTING
    assert what_became(order, bench.site.engine).fate is Fate.WHOLE
    assert onward(bench, order, Onward.REVERT) is Fate.WHOLE
    assert bench.has("room")


@pytest.mark.parametrize("where", Onward)
@pytest.mark.parametrize("remains", Remains)
def test_a_step_that_nobody_saw_end(
    postgresql_bench: Bench, remains: Remains, where: Onward
) -> None:
    """The catalogue says whether it is done, half done, or not there at all."""
    bench = postgresql_bench
    before, order = bench.schema(), _apart(bench)
    assert bench.killed_at(5, order)  # the journal says that the index began
    note = bench.say("INDEX CONCURRENTLY visit_note ON {visit}")
    if remains is Remains.DONE:
        bench.site.run(f"CREATE {note} (note)")
    elif remains is Remains.HALF:
        with suppress(Exception):
            bench.site.run(f"CREATE UNIQUE {note} (note)")
    became = what_became(order, bench.site.engine)
    assert (became.fate, became.done, became.steps) == (Fate.HALF, 1, 3)
    assert (became.began, became.remains) == (order.up[1], remains)
    brought(bench, order, before, where)


def test_a_step_that_left_nothing_is_nothing(postgresql_bench: Bench) -> None:
    """Where the first step began and nothing is there, the change may run again."""
    bench = postgresql_bench
    up = "CREATE INDEX CONCURRENTLY visit_note ON {visit} (note);"
    order = bench.order(
        up, "DROP INDEX {visit_note};", "SELECT true;", ["create index {visit_note}"]
    )
    assert bench.killed_at(1, order)
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert caught.value.code == "change-half-done"
    assert onward(bench, order, Onward.FINISH) is Fate.NOTHING
    assert bench.run(order).differences


def test_a_way_back_that_is_written_for_all_of_it(postgresql_bench: Bench) -> None:
    """Where down.sql could not know what is done, only finishing is left."""
    bench = postgresql_bench
    order = _apart(bench, APART_DOWN.replace("IF EXISTS ", ""))
    assert bench.killed_at(5, order)
    with pytest.raises(Refused) as caught:
        onward(bench, order, Onward.REVERT)
    assert caught.value.message == f"{HALF}, and down.sql takes back a whole one only"
    assert caught.value.hint == "finish it: dbops change resume c-1"
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert bench.state() is State.WHOLE


def test_a_revert_that_died_is_finished(postgresql_bench: Bench) -> None:
    """What was being taken back is taken back, whatever is asked."""
    bench = postgresql_bench
    before, order = bench.schema(), _apart(bench)
    bench.run(order)
    with suppress(Died):
        revert_change(order, bench.site.engine, bench.dies_at(5), bench.slept.append)
    became = what_became(order, bench.site.engine)
    assert (became.fate, became.direction) == (Fate.HALF, Direction.DOWN)
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert what_became(order, bench.site.engine).fate is Fate.RETURNED
    assert bench.schema() == before


def test_nothing_ever_ran(bench: Bench) -> None:
    """A change that the journal does not know did not take place."""
    order = bench.order()
    assert what_became(order, bench.site.engine).fate is Fate.NOTHING
    assert onward(bench, order, Onward.FINISH) is Fate.NOTHING
    assert bench.journal() == ()


def _apart(bench: Bench, down: str = APART_DOWN) -> ChangeRun:
    """A change of three parts, the second of which stands alone."""
    rehearsed = bench.rehearsed(APART_UP)
    order = bench.order(APART_UP, down, touches=APART_TOUCHES, rehearsed=rehearsed)
    assert [bench.site.engine.is_alone(step) for step in order.up] == [False, True, False]
    return order
