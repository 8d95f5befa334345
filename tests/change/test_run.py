"""A change that runs: what was declared comes of it, or nothing; the journal says which."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.diff import compare_schemas
from dbops.change.ports import Progress
from dbops.change.run import run_change
from dbops.change.stage import Moment, Stage, took_place
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.change.touch import touches_of
from dbops.errors import ExitStatus, Failed, Refused, Unreachable
from tests.change.bench import LIMITS, TOUCHES, UP, VERIFY, Bench, up_and_down
from tests.engines.change_suite_site import CANARY

LATER = ("CREATE TABLE {bed} (n integer);", "DROP TABLE {bed};", "SELECT 1 = 1;")


def test_a_change_runs(bench: Bench) -> None:
    """Steps are done in their order, judged and noted, and the report says what came of them."""
    before = bench.schema()
    report = bench.run(bench.order(rehearsed=bench.rehearsed()))
    assert bench.changed(before) == sorted(map(bench.say, reversed(TOUCHES)))
    assert [each.step.name for each in report.steps] == ["rooms", "phones"]
    assert (report.attempts, report.unseen, report.before) == (1, (), before)
    assert report.digest == bench.schema().digest
    assert report.differences == compare_schemas(before, bench.schema())
    up = Direction.UP
    assert up_and_down(bench.journal()) == [(up, 1), (up, 2), (up, 0)]
    assert {entry.run for entry in bench.journal()} == {report.run}
    assert bench.state() is State.WHOLE
    assert bench.stages == [
        Stage.JUDGED,
        Stage.BEGUN,
        Stage.STEP,
        Stage.STEP,
        Stage.COMMITTING,
        Stage.COMMITTED,
    ]


def test_a_touch_that_is_not_seen_is_told(sqlite_bench: Bench) -> None:
    """A difference that is declared and does not come is no fault, and is said."""
    bench = sqlite_bench
    report = bench.run(bench.order(touches=[*TOUCHES, "drop view {open_visit}"]))
    assert report.unseen == (bench.touch("drop view {open_visit}"),)


def test_drift_is_refused_in_words(bench: Bench) -> None:
    """A database that is not as it was rehearsed on is not written at all."""
    order = bench.order(rehearsed=bench.rehearsed())
    bench.site.run(bench.say("ALTER TABLE {visit} ADD COLUMN by_hand varchar(8)"))
    with pytest.raises(Refused) as caught:
        bench.run(order)
    visit = bench.site.full("visit")
    assert caught.value.code == "change-drift"
    assert caught.value.message.startswith(
        "lab is not as c-1 was rehearsed on: 1 difference:"
        f" column `by_hand` of `{visit}` is new: varchar(8)"
    )
    assert caught.value.hint.endswith("or bring the database back")
    assert bench.journal() == ()
    assert bench.moments == []


def test_without_a_rehearsal_touches_alone_decide(sqlite_bench: Bench) -> None:
    """Where no evidence is asked for, what the schema was before is not asked either."""
    bench = sqlite_bench
    bench.site.run(bench.say("ALTER TABLE {visit} ADD COLUMN by_hand varchar(8)"))
    bench.run(bench.order())
    assert bench.has("room")


BREACHES = [
    pytest.param(
        UP + "CREATE INDEX by_note ON {visit} (note);",
        VERIFY,
        "change-undeclared",
        "c-1 was rolled back: c-1 changes what its touches do not name: 1 difference: index",
        id="undeclared",
    ),
    pytest.param(
        UP,
        "SELECT 1 = 1;\n-- step: no wards\nSELECT count(*) = 0 FROM {ward};",
        "change-verify",
        "c-1 was rolled back: not true after c-1: no wards (verify.sql line 3)",
        id="verify",
    ),
    pytest.param(
        UP, "SELECT 1 FROM {bed};", "change-step", "c-1 was rolled back: ", id="verify-broken"
    ),
    pytest.param(
        UP + "INSERT INTO {ward} (code) VALUES ('" + CANARY + "'), ('" + CANARY + "');",
        VERIFY,
        "change-step",
        "",
        id="step",
    ),
    pytest.param(
        UP.replace("(20);", "(30);"),
        VERIFY,
        "change-effect",
        "c-1 was rolled back: c-1 came to something else than when it was rehearsed:",
        id="effect",
    ),
]


@pytest.mark.parametrize(("up", "verify", "code", "begins"), BREACHES)
def test_what_is_not_as_declared_is_rolled_back(
    bench: Bench, up: str, verify: str, code: str, begins: str
) -> None:
    """Nothing is left of it, of the journal neither; a value of a row is never told."""
    before = bench.schema()
    order = bench.order(up, verify=verify, rehearsed=bench.rehearsed())
    with pytest.raises((Refused, Failed)) as caught:
        bench.run(order)
    assert caught.value.code == code
    assert caught.value.message.startswith(begins)
    assert CANARY not in f"{caught.value.message} {caught.value.hint}"
    assert bench.schema() == before
    assert bench.journal() == ()
    assert bench.stages[-1] is Stage.ROLLED_BACK


def test_rows_that_constraints_do_not_allow_are_rolled_back(bench: Bench) -> None:
    """What a constraint would only say at COMMIT is asked before it."""
    order = bench.order(UP + "INSERT INTO {visit} (id, ward) VALUES (9, 'NONE');")
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert caught.value.code in {"change-constraints", "change-step"}
    assert caught.value.message.startswith("c-1 was rolled back: ")
    assert not bench.has("room")


def test_a_lock_is_waited_for_and_then_reported(bench: Bench) -> None:
    """Each attempt gives up, the pauses double, and at the end nothing was changed."""
    before = bench.schema()
    order = bench.order(rehearsed=bench.rehearsed())
    with bench.site.holding("ward"), pytest.raises(Unreachable) as caught:
        bench.run(order)
    assert caught.value.code == "change-locked"
    assert caught.value.message.startswith(
        "c-1 waited 3 times for a lock, 0.1s each, with 30s of pauses, and did not get it: "
    )
    assert bench.slept == [10.0, 20.0]
    assert bench.stages.count(Stage.WAITING) == 2
    assert bench.schema() == before
    assert bench.journal() == ()


def test_a_lock_that_is_let_go_costs_an_attempt(bench: Bench) -> None:
    """The whole part is done again, once whoever held the lock is gone."""
    held = bench.site.holding("ward")
    held.__enter__()

    def passes(seconds: float) -> None:
        bench.slept.append(seconds)
        held.__exit__(None, None, None)

    report = run_change(bench.order(), bench.site.engine, bench.observe, passes)
    assert bench.slept == [10.0]
    assert report.attempts == (2 if bench.site.engine.traits.locks else 1)
    assert bench.has("room")


def test_one_attempt_may_be_all(sqlite_bench: Bench) -> None:
    """A change that waits once says so."""
    bench = sqlite_bench
    limits = replace(LIMITS, attempts=1, lock_wait=timedelta(milliseconds=50))
    with bench.site.holding("ward"), pytest.raises(Unreachable) as caught:
        bench.run(bench.order(limits=limits))
    assert caught.value.message.startswith("c-1 waited once for a lock, 0.05s each, and did not")
    assert bench.slept == []


def test_a_second_run_is_refused(sqlite_bench: Bench) -> None:
    """What has run does not run again: neither these files nor another revision of them."""
    bench = sqlite_bench
    bench.run(bench.order())
    for plan, where in (("p" * 64, ""), ("q" * 64, " in another revision")):
        with pytest.raises(Refused) as caught:
            bench.run(bench.order(plan=plan))
        assert caught.value.code == "change-already"
        assert caught.value.message == f"c-1 has run on this database already{where}"
        assert caught.value.status is ExitStatus.REFUSED


def test_what_a_change_requires_must_have_run(sqlite_bench: Bench) -> None:
    """The journal of this database says whether it has."""
    bench = sqlite_bench
    needing = bench.order(
        *LATER, ["create table {bed}"], plan="q" * 64, id="c-2", requires=("c-1",)
    )
    with pytest.raises(Refused) as caught:
        bench.run(needing)
    assert caught.value.code == "change-requires"
    assert caught.value.message == (
        "c-2 requires c-1, and the journal of this database does not have it done"
    )
    assert not bench.has("bed")
    bench.run(bench.order())
    bench.run(needing)
    assert bench.has("bed")


def test_nothing_runs_beside_a_half_done_change(sqlite_bench: Bench) -> None:
    """While one change is half done nobody can say how the schema is to be."""
    bench = sqlite_bench
    order = bench.order(plan="q" * 64, id="c-2")
    with bench.site.engine.session(order.session()) as session:
        session.note([order.author.entry(Direction.UP, order.up[0], Progress.BEGAN)])
    with pytest.raises(Refused) as caught:
        bench.run(bench.order())
    assert caught.value.code == "change-half-done"
    assert caught.value.message == "c-2 is half done on this database: 0 steps of up.sql"
    assert (
        caught.value.hint
        == "finish it: dbops change resume c-2, or take it back: dbops change resume c-2 --revert"
    )


def test_two_do_not_run_at_once(bench: Bench) -> None:
    """Whoever comes second is told so, and changes nothing."""
    order = bench.order()
    with bench.site.engine.session(order.session()) as session:
        session.hold_work()
        with pytest.raises(Unreachable) as caught:
            bench.run(order)
    assert caught.value.code == "change-running"
    assert not bench.has("room")


def test_another_database_is_refused(bench: Bench) -> None:
    """What was approved for one database does not run on another under its name."""
    with pytest.raises(Refused) as caught:
        bench.run(replace(bench.order(), identity="another"))
    assert caught.value.code == "change-database"
    assert not bench.has("room")


def test_a_journal_that_was_written_by_hand_is_not_believed(sqlite_bench: Bench) -> None:
    """An entry of this plan whose step is not of its scripts stops everything."""
    bench = sqlite_bench
    order = bench.order()
    entry = replace(order.author.entry(Direction.UP, order.up[0], Progress.DONE), sha256="0" * 64)
    with bench.site.engine.session(order.session()) as session:
        session.note([entry])
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert caught.value.code == "change-journal"
    assert not bench.has("room")


def test_objects_that_stand_on_others_follow(bench: Bench) -> None:
    """A view is made anew and a trigger goes: both come as they were rehearsed."""
    engine = bench.site.engine
    on = " ON {visit}" if engine.traits.schemas else ""
    up = (
        "DROP VIEW {open_visit}; CREATE VIEW {open_visit} AS SELECT id, ward, note FROM {visit};"
        f" DROP TRIGGER noted{on};"
    )
    rehearsed = bench.rehearsed(up)
    touches = [touch.line for touch in touches_of(rehearsed.differences)]
    assert any(line.startswith("drop trigger") for line in touches)
    assert any("open_visit" in line for line in touches)
    report = bench.run(bench.order(up, "", "SELECT 1 = 1;", touches, rehearsed=rehearsed))
    assert report.differences == rehearsed.differences


def test_what_is_known_of_the_effect_follows_the_moments() -> None:
    """Nobody knows between COMMITTING and COMMITTED; what one part committed stays."""

    def told(*stages: Stage) -> bool | None:
        so_far: bool | None = False
        for stage in stages:
            so_far = took_place(so_far, Moment(stage, Direction.UP))
        return so_far

    assert told(Stage.JUDGED, Stage.BEGUN, Stage.STEP) is False
    assert told(Stage.COMMITTING) is None
    assert told(Stage.COMMITTING, Stage.ROLLED_BACK) is False
    assert told(Stage.ALONE) is None
    assert told(Stage.ALONE, Stage.CLEANED) is False
    assert told(Stage.COMMITTED, Stage.COMMITTING, Stage.ROLLED_BACK) is True
