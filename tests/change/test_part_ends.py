"""Where a part of a change ends all is as it was rehearsed, or nothing follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbops.change.fate import Fate
from dbops.change.manifest import DataLoss
from dbops.change.resume import Onward, resume_change
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.stage import Moment, Stage
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.errors import Partly, Refused
from dbops.review.policy_document import FailedVerify
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, Bench, Died, up_and_down
from tests.change.bench import UP as ROOM
from tests.change.two_parts import ROOMS_DOWN, ROOMS_UP, VERIFY, onward
from tests.change.two_parts import TOUCHES as ROOMS

UP, DOWN = Direction.UP, Direction.DOWN
THREE_UP = f"{ROOMS_UP}-- part: phones\nALTER TABLE {{ward}} ADD COLUMN phone varchar(20);\n"
THREE_DOWN = f"ALTER TABLE {{ward}} DROP COLUMN phone;\n-- part: beds{ROOMS_DOWN}"
TOUCHES = (*ROOMS, "create column {ward}.phone")
OTHER = "c-1 came to something else than when it was rehearsed: "
SINCE = "what differs is not what c-1 was rehearsed to, by it or by others since: "
LOOK = "look at it, and bring back what others altered; then: dbops change resume c-1"


def three(bench: Bench, failed: FailedVerify = FailedVerify.STOP) -> ChangeRun:
    """A change of three parts, rehearsed in both directions."""
    seen = bench.rehearsed(THREE_UP, THREE_DOWN)
    return bench.order(THREE_UP, THREE_DOWN, VERIFY, TOUCHES, rehearsed=seen, failed=failed)


def by_hand(bench: Bench) -> None:
    """Somebody alters another table."""
    bench.site.run(bench.say("ALTER TABLE {visit} ADD COLUMN hand integer"))


def by_hand_once(bench: Bench) -> Callable[[Moment], None]:
    """An observer in whose sight that happens once the first part is committed."""

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.COMMITTED and Stage.COMMITTED not in bench.stages:
            by_hand(bench)
        bench.observe(moment)

    return observe


def hand(bench: Bench) -> str:
    """What is said of it."""
    return f"not rehearsed: column `hand` of `{bench.site.full('visit')}` is new: {integer(bench)}"


def integer(bench: Bench) -> str:
    """As the engine prints it."""
    return "integer" if bench.site.engine.traits.schemas else "INTEGER"


def test_a_part_that_comes_to_something_else_is_rolled_back(bench: Bench) -> None:
    """Before anything of the change is committed, and not first when all of it is."""
    before, seen = bench.schema(), bench.rehearsed(THREE_UP)
    up = THREE_UP.replace("code varchar", "kind integer, code varchar")
    with pytest.raises(Refused) as caught:
        bench.run(bench.order(up, THREE_DOWN, VERIFY, TOUCHES, rehearsed=seen))
    assert caught.value.code == "change-effect"
    assert caught.value.message.startswith(f"c-1 was rolled back: {OTHER}not rehearsed: column")
    assert (bench.journal(), bench.changed(before)) == ((), [])


def test_what_others_alter_between_two_parts_stops_the_next(bench: Bench) -> None:
    """It is rolled back, though it is not the last; the one after it never begins."""
    with pytest.raises(Partly) as caught:
        run_change(three(bench), bench.site.engine, by_hand_once(bench), bench.slept.append)
    assert caught.value.message == f"c-1 is half done on lab: {OTHER}{hand(bench)}"
    assert caught.value.hint == (
        "look at it, and bring back what others altered; then finish it: dbops change resume c-1,"
        " or take it back: dbops change resume c-1 --revert"
    )
    assert up_and_down(bench.journal()) == [(UP, 1)]
    assert (bench.has("room"), bench.has("bed")) == (True, False)


def test_what_others_alter_is_not_taken_back_with_it(sqlite_bench: Bench) -> None:
    """Where the policy has half a change taken back, that is tried and told as it went."""
    bench = sqlite_bench
    order = three(bench, FailedVerify.DOWN)
    with pytest.raises(Partly) as caught:
        run_change(order, bench.site.engine, by_hand_once(bench), bench.slept.append)
    told = f"c-1 is half done on lab: {OTHER}{hand(bench)}; and it was not taken back"
    assert caught.value.message == told
    assert bench.state() is State.HALF


def test_resume_writes_nothing_behind_what_others_altered(bench: Bench) -> None:
    """Once that is brought back, it goes on."""
    order = three(bench)
    assert bench.killed_at(5, order)  # in the second part
    by_hand(bench)
    with pytest.raises(Partly) as caught:
        onward(bench, order, Onward.FINISH)
    fault = caught.value
    assert (fault.code, fault.hint) == ("change-partly", LOOK)
    assert fault.message == f"c-1 is half done on lab: {SINCE}{hand(bench)}"
    assert bench.moments == []
    bench.site.run(bench.say("ALTER TABLE {visit} DROP COLUMN hand"))
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert bench.state() is State.WHOLE


def test_a_table_by_hand_under_a_name_of_the_change_is_not_taken_back(bench: Bench) -> None:
    """Its rows are not those of the change, which never came to it, and would go unseen."""
    order = three(bench)
    assert bench.killed_at(5, order)  # before the beds are made
    bench.site.run(
        *map(bench.say, ("CREATE TABLE {bed} (n integer)", "INSERT INTO {bed} VALUES (1)"))
    )
    with pytest.raises(Partly) as caught:
        onward(bench, order, Onward.REVERT)
    assert SINCE in caught.value.message
    assert caught.value.hint == f"{LOOK} --revert"
    assert bench.site.rows(bench.say("SELECT n FROM {bed}")) == [(1,)]
    assert up_and_down(bench.journal()) == [(UP, 1)]


def test_nothing_follows_a_step_outside_of_a_transaction_either(postgresql_bench: Bench) -> None:
    """What it came to can be compared only once it is there; then nothing more is begun."""
    bench = postgresql_bench
    seen = bench.rehearsed(APART_UP)
    order = bench.order(APART_UP, APART_DOWN, touches=APART_TOUCHES, rehearsed=seen)
    with pytest.raises(Partly) as caught:
        run_change(order, bench.site.engine, by_hand_once(bench), bench.slept.append)
    assert caught.value.message == f"c-1 is half done on lab: {OTHER}{hand(bench)}"
    assert up_and_down(bench.journal()) == [(UP, 1), (UP, 2), (UP, 2)]
    assert bench.stages[-2:] == [Stage.ALONE, Stage.COMMITTED]


def test_the_way_back_is_compared_where_its_parts_end(bench: Bench) -> None:
    """With what the change touched; whatever else was altered since is nobody's concern."""
    order = three(bench)
    bench.run(order)
    by_hand(bench)
    alter = bench.say("ALTER TABLE {room} ADD COLUMN hand integer")

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.COMMITTED and moment.direction is DOWN:
            bench.site.run(alter)

    with pytest.raises(Partly) as caught:
        revert_change(order, bench.site.engine, observe, bench.slept.append)
    told = f"1 difference: column `hand` of `{bench.site.full('room')}` is new: {integer(bench)}"
    altered = "lab was altered by others while c-1 was on its way"
    assert caught.value.message == f"c-1 is half done on lab: {altered}: {told}"
    assert up_and_down(bench.journal())[-1] == (DOWN, 1)
    bench.site.run(bench.say("ALTER TABLE {room} DROP COLUMN hand"))
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert bench.changed(order.rehearsed.source) == [  # type: ignore[union-attr] # it was
        f"create column {bench.site.full('visit')}.hand"
    ]


def test_without_a_rehearsal_parts_are_not_compared(sqlite_bench: Bench) -> None:
    """Nothing says what they are to come to; the end is compared with `touches` alone."""
    bench = sqlite_bench
    order = bench.order(THREE_UP, THREE_DOWN, VERIFY, TOUCHES)
    report = bench.run(order)
    assert (report.ends, bench.state()) == ({}, State.WHOLE)


def test_what_others_add_to_what_goes_is_found_before_it_goes(bench: Bench) -> None:
    """Between the look and the way back: else it would be dropped, and no comparison would tell."""
    order = bench.order(rehearsed=bench.rehearsed())
    bench.run(order)
    alter = bench.say("ALTER TABLE {room} ADD COLUMN hand integer")

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.JUDGED:
            bench.site.run(alter)

    with pytest.raises(Refused) as caught:
        revert_change(order, bench.site.engine, observe, bench.slept.append)
    told = f"column `hand` of `{bench.site.full('room')}` is new: {integer(bench)}"
    assert (caught.value.code, caught.value.message) == (
        "change-altered",
        "down.sql of c-1 was rolled back: lab was altered by others while c-1 was on its way:"
        f" 1 difference: {told}",
    )
    assert (bench.state(), bench.has("room")) == (State.WHOLE, True)


def test_what_is_dropped_for_good_is_looked_at_as_well(bench: Bench) -> None:
    """A change that declares a loss declares that of what was there when it was looked at."""
    down = bench.say("CREATE TABLE {audit} (visit integer, what varchar(20));")
    gone = ("drop table {audit}",)
    if bench.site.engine.traits.schemas:
        bench.site.run("DROP TRIGGER noted ON his.visit")
    else:
        bench.site.run("DROP TRIGGER noted")
    alter = bench.say("ALTER TABLE {audit} ADD COLUMN hand integer")

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.JUDGED:
            bench.site.run(alter)

    drop, loss = "DROP TABLE {audit};", DataLoss.RECOVERABLE
    order = bench.order(drop, down, "SELECT 1 = 1;", gone, data_loss=loss)
    with pytest.raises(Refused) as caught:
        run_change(order, bench.site.engine, observe, bench.slept.append)
    assert caught.value.code == "change-altered"
    assert (bench.state(), bench.has("audit")) == (State.NOTHING, True)


def test_half_a_way_back_is_compared_with_all_that_was_rehearsed(postgresql_bench: Bench) -> None:
    """Where steps stand outside of transactions, others can alter something between them."""
    bench = postgresql_bench
    seen = bench.rehearsed(APART_UP)
    order = bench.order(APART_UP, APART_DOWN, touches=APART_TOUCHES, rehearsed=seen)
    assert bench.killed_at(6, order)  # the index is there

    def dies(moment: Moment) -> None:
        if moment.stage is Stage.COMMITTED and moment.direction is DOWN:
            raise Died

    with pytest.raises(Died):
        resume_change(order, bench.site.engine, Onward.REVERT, dies, bench.slept.append)
    assert up_and_down(bench.journal())[-1][0] is DOWN
    bench.site.run("ALTER TABLE his.room ADD COLUMN hand integer")
    with pytest.raises(Partly) as caught:
        onward(bench, order, Onward.REVERT)
    told = f"{SINCE}not rehearsed: column `hand` of `his.room` is new: integer"
    assert caught.value.message == f"c-1 is half done on lab: {told}"
    assert bench.has("room")
    bench.site.run("ALTER TABLE his.room DROP COLUMN hand")
    assert onward(bench, order, Onward.REVERT) is Fate.HALF
    assert (bench.state(), bench.has("room")) == (State.NOTHING, False)


def test_resume_compares_with_the_end_of_the_last_part_that_is_done(sqlite_bench: Bench) -> None:
    """Not with that of an earlier one: nobody altered anything, so it goes on."""
    bench = sqlite_bench
    order = three(bench)
    assert bench.killed_at(8, order)  # in the third part
    assert bench.journal()[-1].step == 2
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert bench.state() is State.WHOLE


def test_a_part_of_two_steps_is_compared_behind_the_second(sqlite_bench: Bench) -> None:
    """The rehearsal knows its end by the number of its last step."""
    bench = sqlite_bench
    up = f"{ROOM}-- part: beds\nCREATE TABLE {{bed}} (n integer);\n"
    order = bench.order(
        up.replace("code varchar", "kind integer, code varchar"),
        THREE_DOWN,
        VERIFY,
        TOUCHES,
        rehearsed=bench.rehearsed(up),
    )
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert (caught.value.code, bench.journal()) == ("change-effect", ())
