"""What others made by hand stays where a change that broke off is finished or taken back."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.going import Observe
from dbops.change.lock_plan import unrehearsed_locks
from dbops.change.ports import Lock
from dbops.change.resume import Onward
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.stage import Moment, Stage
from dbops.change.standing import State
from dbops.change.step import Direction, Part, Step
from dbops.change.touch import Touch, parse_touch, touches_of
from dbops.errors import Partly, Refused
from dbops.review.policy_document import FailedVerify
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, Bench, Died
from tests.change.two_parts import ROOMS_DOWN, ROOMS_UP, TOUCHES, VERIFY, onward, two
from tests.engines.postgresql.change_database import PgChangeSite


def bed_by_hand(bench: Bench) -> None:
    """Somebody makes, by the name of what the next part is to make, a table with rows."""
    make = "CREATE TABLE {bed} (patient varchar(40))"
    bench.site.run(bench.say(make), bench.say("INSERT INTO {bed} VALUES ('a')"))


def watched(bench: Bench, order: ChangeRun, observe: Observe) -> None:
    """It has run, and somebody looks on."""
    run_change(order, bench.site.engine, observe, bench.slept.append)


def without_ends(order: ChangeRun) -> ChangeRun:
    """As evidence was that an older dbops wrote."""
    assert order.rehearsed is not None
    return replace(order, rehearsed=replace(order.rehearsed, ends={}))


def test_half_a_change_stays_where_no_rehearsal_saw_its_half(bench: Bench) -> None:
    """Nobody can say what of the schema is its own: finishing it is what is left."""
    order = without_ends(two(bench))
    assert bench.killed_at(5, order)
    bed_by_hand(bench)
    with pytest.raises(Refused) as caught:
        onward(bench, order, Onward.REVERT)
    assert (caught.value.message, caught.value.hint) == (
        "c-1 is half done on this database: 1 step of up.sql, and no rehearsal saw how the schema"
        " is then: what others made since would go with the way back",
        "finish it: dbops change resume c-1",
    )
    assert bench.has("bed")


def unrehearsed(bench: Bench) -> ChangeRun:
    """Its second part fails where it is judged, and the policy has it taken back."""
    up = "-- part: rows\nINSERT INTO {visit} (id, ward) VALUES (9, 'NONE');\n-- part: beds"
    steps = ROOMS_UP.replace("-- part: beds", up)
    return bench.order(steps, ROOMS_DOWN, VERIFY, TOUCHES, failed=FailedVerify.DOWN)


def test_the_policys_way_back_leaves_it_without_a_rehearsal(bench: Bench) -> None:
    """What is there is compared with what was there when the last part had ended."""
    once: list[Moment] = []

    def observe(moment: Moment) -> None:
        bench.observe(moment)
        if moment.stage is Stage.COMMITTED and not once:
            once.append(moment)
            bed_by_hand(bench)

    with pytest.raises(Partly) as caught:
        watched(bench, unrehearsed(bench), observe)
    assert "; and it was not taken back" in caught.value.message
    assert bench.has("bed")
    assert bench.state() is State.HALF


def test_the_policys_way_back_goes_where_nobody_was(bench: Bench) -> None:
    """Without a rehearsal as well: what was seen between the parts is enough."""
    before = bench.schema()
    with pytest.raises(Refused, match=r"was taken back by down\.sql"):
        bench.run(unrehearsed(bench))
    assert (bench.state(), bench.changed(before)) == (State.NOTHING, [])
    assert bench.stages[-1] is Stage.TAKEN_BACK


def test_a_column_that_is_added_while_the_way_back_waits_stays(postgresql_bench: Bench) -> None:
    """The tables that are to be dropped are locked, and then looked at, rehearsed or not."""
    bench = postgresql_bench
    order = bench.order()
    limits = replace(order.change.limits, lock_wait=timedelta(seconds=5))
    order = replace(order, change=replace(order.change, limits=limits))
    bench.run(order)
    assert isinstance(bench.site, PgChangeSite)
    with bench.site.connect() as other:
        other.execute(b"BEGIN")
        other.execute(b"ALTER TABLE his.room ADD COLUMN hand text")

        def observe(moment: Moment) -> None:
            if moment.stage is Stage.BEGUN:
                threading.Timer(0.3, other.execute, (b"COMMIT",)).start()

        with pytest.raises(Refused) as caught:
            revert_change(replace(order, run="c" * 32), bench.site.engine, observe)
    assert caught.value.code == "change-altered"
    assert bench.has("room")


@pytest.mark.parametrize(
    ("touches", "direction", "sql", "tables"),
    [
        (
            ("create table his.room", "create column his.visit.bed"),
            Direction.DOWN,
            "DROP TABLE his.room; ALTER TABLE Visit DROP COLUMN bed",
            ("his.room", "his.visit"),
        ),
        (("create table his.room",), Direction.DOWN, "DROP TABLE his.rooms, his.room_2", ()),
        (("create table his.room", "create index his.i"), Direction.UP, "room i", ()),
        (
            ("drop column his.visit.bed", "drop column his.visit.ward"),
            Direction.UP,
            "ALTER TABLE visit DROP COLUMN bed, DROP COLUMN ward",
            ("his.visit",),
        ),
        (('drop column his."a.b"."c.d"',), Direction.UP, 'his."a.b"', ('his."a.b"',)),
        (("alter column his.visit.bed (type)",), Direction.UP, "visit bed", ()),
    ],
)
def test_what_is_locked_without_a_rehearsal(
    touches: tuple[str, ...], direction: Direction, sql: str, tables: tuple[str, ...]
) -> None:
    """The tables that go, and those that lose columns, where the part names them; each once."""
    part = Part((Step(1, "step 1", sql, 1),), alone=False)
    found = unrehearsed_locks([_touch(line) for line in touches], direction, part)
    assert found == tuple(Lock(table, "AccessExclusiveLock", "reads") for table in tables)


def _touch(line: str) -> Touch:
    touch = parse_touch(line)
    assert touch is not None
    return touch


def test_an_index_of_others_is_not_noted_as_the_steps_own(postgresql_bench: Bench) -> None:
    """It has its name, and other columns; once it is gone the step runs."""
    bench = postgresql_bench
    seen = bench.rehearsed(APART_UP)
    order = bench.order(APART_UP, APART_DOWN, touches=APART_TOUCHES, rehearsed=seen)

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.ALONE:
            raise Died

    with suppress(Died):
        watched(bench, order, observe)
    bench.site.run(bench.say("CREATE INDEX visit_note ON {visit} (ward)"))
    with pytest.raises(Partly, match="is not what c-1 was rehearsed to"):
        onward(bench, order, Onward.FINISH)
    bench.site.run(bench.say("DROP INDEX {visit_note}"))
    onward(bench, order, Onward.FINISH)
    assert bench.state() is State.WHOLE


def test_a_way_back_keeps_its_parts_once_all_is_done(postgresql_bench: Bench) -> None:
    """A change whose end was refused is taken back as down.sql says: in one go it could not."""
    bench = postgresql_bench
    up = (
        "ALTER TABLE {visit} ADD COLUMN bed varchar(9);\n"
        "CREATE INDEX CONCURRENTLY visit_note ON {visit} (bed);"
    )
    down = (
        "INSERT INTO {ward} VALUES ('TMP', 't'); UPDATE {visit} SET ward = 'TMP' WHERE id = 1;\n"
        "-- part: the column\nALTER TABLE {visit} DROP COLUMN bed;"
    )
    touches = ("create column {visit}.bed", "create index {visit_note}")
    order = bench.order(up, down, "SELECT false;", touches, rehearsed=bench.rehearsed(up))
    with pytest.raises(Partly):
        bench.run(order)
    onward(bench, order, Onward.REVERT)
    assert bench.state() is State.NOTHING


def test_a_detached_partition_comes_back(postgresql_bench: Bench) -> None:
    """To clean up half of it is to finish it: so it is done, and down.sql takes it back."""
    bench = postgresql_bench
    bench.site.run(
        "CREATE TABLE his.log (n integer) PARTITION BY LIST (n)",
        "CREATE TABLE his.log_1 PARTITION OF his.log FOR VALUES IN (1)",
        "INSERT INTO his.log VALUES (1)",
    )
    up = "ALTER TABLE his.log DETACH PARTITION his.log_1 CONCURRENTLY;"
    down = (
        "ALTER TABLE his.log ATTACH PARTITION his.log_1 FOR VALUES IN (1);"
        " ALTER TABLE his.log_1 DROP CONSTRAINT IF EXISTS log_1_n_check;"
    )
    seen = bench.rehearsed(up.replace(" CONCURRENTLY", ""))
    touches = [touch.line for touch in touches_of(seen.differences)]
    order = bench.order(up, down, "SELECT true;", touches, rehearsed=seen)

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.WAITING:
            raise Died

    assert isinstance(bench.site, PgChangeSite)
    with bench.site.connect() as reader:
        reader.execute(b"BEGIN")
        reader.execute(b"SELECT * FROM his.log")
        with suppress(Died):
            watched(bench, order, observe)
        reader.execute(b"ROLLBACK")
    onward(bench, order, Onward.REVERT)
    assert bench.state() is State.NOTHING
    assert bench.site.rows("SELECT n FROM his.log") == [(1,)]


def test_a_connection_that_is_lost_before_the_way_back_leaves_half(
    postgresql_bench: Bench,
) -> None:
    """It is not said that nothing took place."""
    bench = postgresql_bench
    order = two(bench, "SELECT false;", failed=FailedVerify.DOWN)

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.ROLLED_BACK:
            bench.site.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    with pytest.raises(Partly) as caught:
        watched(bench, order, observe)
    assert caught.value.code == "change-partly"
