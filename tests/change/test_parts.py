"""Changes of two transactions, as `-- part:` says: one after the other, each of them whole.

Whatever becomes of the second, what the first one committed is told, finished or taken back.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbops.change.fate import Fate
from dbops.change.resume import Onward, what_became
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.stage import Moment, SoFar, Stage
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.errors import ExitStatus, Partly, Refused
from dbops.review.policy_document import FailedVerify
from tests.change.bench import Bench, up_and_down
from tests.change.two_parts import FALSE, ROOMS_DOWN, ROOMS_UP, TOUCHES, VERIFY, onward, two

UP, DOWN = Direction.UP, Direction.DOWN
HALF = "c-1 is half done on lab: "
ONWARD = "finish it: dbops change resume c-1, or take it back: dbops change resume c-1 --revert"
PART = [Stage.BEGUN, Stage.STEP, Stage.COMMITTING, Stage.COMMITTED]


def between(bench: Bench, act: Callable[[], None]) -> Callable[[Moment], None]:
    """An observer in whose sight something happens once the first part is committed."""

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.COMMITTED and Stage.COMMITTED not in bench.stages:
            act()
        bench.observe(moment)

    return observe


def test_two_transactions_run_one_after_the_other(bench: Bench) -> None:
    """The journal has the steps of both and one end; others see and write what the first made."""
    order, seen = two(bench), list[tuple[State, bool, bool]]()

    def look() -> None:
        bench.site.run(bench.say("INSERT INTO {room} VALUES ('R1')"))
        seen.append((bench.state(), bench.has("room"), bench.has("bed")))

    report = run_change(order, bench.site.engine, between(bench, look), bench.slept.append)
    assert seen == [(State.HALF, True, False)]
    assert bench.stages == [Stage.JUDGED, *PART, *PART]
    assert up_and_down(bench.journal()) == [(UP, 1), (UP, 2), (UP, 0)]
    assert [(each.part, each.alone) for each in report.steps] == [(1, False), (2, False)]
    assert (bench.has("bed"), bench.state()) == (True, State.WHOLE)


def test_a_change_is_taken_back_in_its_parts(bench: Bench) -> None:
    """In the order of down.sql, and all is as before."""
    before, order = bench.schema(), two(bench)
    bench.run(order)
    bench.moments.clear()
    report = revert_change(order, bench.site.engine, bench.observe, bench.slept.append)
    assert bench.stages == [Stage.JUDGED, *PART, *PART]
    assert [each.part for each in report.steps] == [1, 2]
    assert up_and_down(bench.journal())[3:] == [(DOWN, 1), (DOWN, 2), (DOWN, 0)]
    assert bench.schema() == before


def test_steps_before_the_next_part_are_one_transaction(sqlite_bench: Bench) -> None:
    """The mark before the first step of all begins nothing that would not begin anyway."""
    bench = sqlite_bench
    more = "ALTER TABLE {ward} ADD COLUMN phone varchar(20);"
    up = "-- part: first\n" + more + ROOMS_UP + more.replace("{ward}", "{audit}")
    touches = (*TOUCHES, "create column {ward}.phone", "create column {audit}.phone")
    report = bench.run(bench.order(up, ROOMS_DOWN, VERIFY, touches))
    assert [each.part for each in report.steps] == [1, 1, 3, 3]
    assert bench.stages.count(Stage.BEGUN) == 2


def test_a_second_part_that_fails_leaves_the_first(bench: Bench) -> None:
    """That is said with the status that says partly; once mended, it is finished."""
    order = two(bench)

    def spoil() -> None:
        bench.site.run(bench.say("CREATE TABLE {bed} (n integer)"))

    with pytest.raises(Partly) as caught:
        run_change(order, bench.site.engine, between(bench, spoil), bench.slept.append)
    fault = caught.value
    assert (fault.code, fault.status, fault.hint) == ("change-partly", ExitStatus.PARTLY, ONWARD)
    assert fault.message.startswith(HALF)
    assert up_and_down(bench.journal()) == [(UP, 1)]
    so_far = SoFar()
    for moment in bench.moments:
        so_far = so_far.after(moment)
    assert (so_far.effect, so_far.doubtful, so_far.steps) == (True, False, 1)
    bench.site.run(bench.say("DROP TABLE {bed}"))
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert up_and_down(bench.journal()) == [(UP, 1), (UP, 2), (UP, 0)]


def test_a_failed_verify_leaves_the_first_part_by_policy(bench: Bench) -> None:
    """With `stop`: the second is rolled back, and a person decides."""
    order = two(bench, FALSE)
    with pytest.raises(Partly) as caught:
        bench.run(order)
    assert caught.value.status is ExitStatus.PARTLY
    assert caught.value.message == f"{HALF}not true after c-1: beds (verify.sql line 2)"
    assert caught.value.hint == ONWARD
    assert (bench.has("room"), bench.has("bed")) == (True, False)
    assert bench.state() is State.HALF
    assert onward(bench, order, Onward.REVERT) is Fate.HALF
    assert (bench.has("room"), bench.state()) == (False, State.NOTHING)


def test_a_failed_verify_takes_the_first_part_back_by_policy(bench: Bench) -> None:
    """With `down`: what took place is run back, in as many transactions as down.sql has."""
    before, order = bench.schema(), two(bench, FALSE, failed=FailedVerify.DOWN)
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert (caught.value.code, caught.value.message) == (
        "change-verify",
        "c-1 was taken back by down.sql: not true after c-1: beds (verify.sql line 2)",
    )
    assert bench.schema() == before
    assert up_and_down(bench.journal()) == [(UP, 1), (DOWN, 1), (DOWN, 2), (DOWN, 0)]
    assert what_became(order, bench.site.engine).fate is Fate.RETURNED


def test_rows_are_judged_at_the_end_of_each_part(bench: Bench) -> None:
    """What the second would have mended is refused in the first, and nothing took place."""
    before = bench.schema()
    up = "UPDATE {visit} SET ward = 'NEW' WHERE id = 1;\n-- part: b\n"
    up += "INSERT INTO {ward} VALUES ('NEW');"
    with pytest.raises(Refused) as caught:
        bench.run(bench.order(up, "SELECT 1;", "SELECT 1 = 1;", []))
    code = "change-step" if bench.site.engine.traits.schemas else "change-constraints"
    assert (caught.value.code, caught.value.status) == (code, ExitStatus.REFUSED)
    assert caught.value.message.startswith("c-1 was rolled back: ")
    assert bench.stages == [Stage.JUDGED, Stage.BEGUN, Stage.STEP, Stage.ROLLED_BACK]
    assert bench.journal() == ()
    assert bench.schema() == before


def test_the_schema_is_judged_at_the_end_of_all(sqlite_bench: Bench) -> None:
    """What the first makes and the second drops need not be declared, and verify.sql is not asked
    before the second."""
    bench = sqlite_bench
    up = (
        ROOMS_UP + "CREATE TABLE {audit}_help (n integer);\n-- part: gone\nDROP TABLE {audit}_help;"
    )
    report = bench.run(bench.order(up, ROOMS_DOWN, VERIFY, TOUCHES))
    assert {each.part for each in report.steps} == {1, 2, 4}
    assert bench.state() is State.WHOLE


def test_what_is_not_declared_is_found_at_the_end(sqlite_bench: Bench) -> None:
    """By then the first part stands: it is half done, and said to be."""
    bench = sqlite_bench
    with pytest.raises(Partly) as caught:
        bench.run(bench.order(ROOMS_UP, ROOMS_DOWN, VERIFY, TOUCHES[1:]))
    assert caught.value.message == (
        f"{HALF}c-1 changes what its touches do not name: 2 differences: column `code` of `room`"
        " is new: varchar(20); table `room` is new"
    )
    assert bench.has("room")


def test_a_way_back_that_fails_half_way(sqlite_bench: Bench) -> None:
    """Its first part stays, that is said, and resume ends it."""
    bench = sqlite_bench
    before, order = bench.schema(), two(bench)
    bench.run(order)
    bench.moments.clear()

    def spoil() -> None:
        bench.site.run("DROP TABLE room", "CREATE VIEW room AS SELECT 1 AS code")

    with pytest.raises(Partly) as caught:
        revert_change(order, bench.site.engine, between(bench, spoil), bench.slept.append)
    back = "take it back: dbops change resume c-1 --revert"
    assert (caught.value.code, caught.value.hint) == ("change-partly", back)
    altered = "lab was altered by others while c-1 was on its way: 3 differences: "
    assert caught.value.message.startswith(f"{HALF}{altered}")
    bench.site.run("DROP VIEW room")
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert up_and_down(bench.journal())[3:] == [(DOWN, 1), (DOWN, 2), (DOWN, 0)]
    assert bench.schema() == before


def test_what_others_altered_meanwhile_is_not_laid_to_the_change(
    sqlite_bench: Bench,
) -> None:
    """Who resumes is told what differs and what to do, both ways; once it is gone, it goes on."""
    bench = sqlite_bench
    before, order = bench.schema(), two(bench)
    assert bench.killed_at(5, order)
    bench.site.run(bench.say("CREATE VIEW {visit_note} AS SELECT 1 AS n"))
    view, since = bench.say("view `{visit_note}` is new"), "by it or by others since"
    what = f"what differs is not what c-1 was rehearsed to, {since}: not rehearsed: {view}"
    for where, flag in {Onward.FINISH: "", Onward.REVERT: " --revert"}.items():
        with pytest.raises(Partly) as caught:
            onward(bench, order, where)
        assert caught.value.message.startswith(f"{HALF}{what}")
        assert caught.value.hint == (
            "look at it, and bring back what others altered; then: dbops change resume c-1" + flag
        )
    bench.site.run(bench.say("DROP VIEW {visit_note}"))
    assert onward(bench, order, Onward.REVERT) is Fate.HALF
    assert (bench.schema(), bench.state()) == (before, State.NOTHING)


def test_a_way_back_of_parts_that_asks_for_all_of_it(sqlite_bench: Bench) -> None:
    """Without IF EXISTS its first part would find nothing: only finishing is left."""
    bench = sqlite_bench
    order = two(bench, down=ROOMS_DOWN.replace("IF EXISTS ", ""))
    assert bench.killed_at(5, order)
    with pytest.raises(Refused) as caught:
        onward(bench, order, Onward.REVERT)
    assert (caught.value.code, caught.value.message) == (
        "change-half-done",
        "c-1 is half done on this database: 1 step of up.sql, and down.sql takes back a whole one"
        " only",
    )
    assert bench.has("room")
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert bench.state() is State.WHOLE


LOG = (
    "CREATE TABLE his.log (n integer) PARTITION BY LIST (n)",
    "CREATE TABLE his.log_1 PARTITION OF his.log FOR VALUES IN (1)",
)
INDEX = "CREATE INDEX log_n ON ONLY his.log (n);\n-- part: partition\n"
ATTACHED = (
    "CREATE INDEX log_1_n ON his.log_1 (n); ALTER INDEX his.log_n ATTACH PARTITION his.log_1_n;"
)
LOG_TOUCHES = ("create index his.log_n", "create index his.log_1_n")


def test_a_first_part_may_leave_an_index_for_the_next_to_end(postgresql_bench: Bench) -> None:
    """One of a partitioned table is not valid until its partitions have theirs."""
    bench = postgresql_bench
    bench.site.run(*LOG)
    bench.run(bench.order(INDEX + ATTACHED, "DROP INDEX his.log_n;", "SELECT true;", LOG_TOUCHES))
    assert bench.state() is State.WHOLE


def test_the_last_part_may_not(postgresql_bench: Bench) -> None:
    """What no part ended is named, and the first part stays."""
    bench = postgresql_bench
    bench.site.run(*LOG)
    left = INDEX + "ALTER TABLE his.ward ADD COLUMN phone text;"
    with pytest.raises(Partly) as caught:
        bench.run(bench.order(left, "DROP INDEX his.log_n;", "SELECT true;", LOG_TOUCHES))
    assert caught.value.message == (
        f"{HALF}c-1 would leave behind: index his.log_n is not valid: not"
        " every partition has one that is attached to it"
    )
