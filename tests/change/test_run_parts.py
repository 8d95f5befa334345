"""Changes of several parts, on PostgreSQL: an index that is built aside may end half built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dbops.change.fate import Fate
from dbops.change.ports import Progress
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.stage import Stage
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.errors import ExitStatus, Failed, Partly, Refused, Unreachable
from dbops.review.policy_document import FailedVerify
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, Bench, Deaf, up_and_down
from tests.engines.postgresql.change_database import PgChangeSite

INDEX = "CREATE UNIQUE INDEX CONCURRENTLY visit_note ON {visit} (note);"
FALSE = "-- step: no wards\nSELECT count(*) = 0 FROM {ward};"
UP, DOWN = Direction.UP, Direction.DOWN
NOT_VALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
def bench(postgresql_bench: Bench) -> Bench:
    """SQLite runs nothing outside of a transaction."""
    return postgresql_bench


def apart(
    bench: Bench, verify: str = "SELECT true;", failed: FailedVerify = FailedVerify.STOP
) -> ChangeRun:
    """A change of three parts, the second of which stands alone."""
    return bench.order(APART_UP, APART_DOWN, verify, APART_TOUCHES, failed=failed)


def index(bench: Bench) -> ChangeRun:
    """A change that builds one index, aside."""
    down = "DROP INDEX CONCURRENTLY {visit_note};"
    return bench.order(INDEX, down, "SELECT true;", ["create index {visit_note}"])


def test_parts_run_in_their_order(bench: Bench) -> None:
    """The journal has where each began and ended, and the end of all."""
    report = bench.run(apart(bench))
    assert [each.alone for each in report.steps] == [False, True, False]
    assert up_and_down(bench.journal()) == [(UP, 1), (UP, 2), (UP, 2), (UP, 3), (UP, 0)]
    assert [entry.progress for entry in bench.journal()][1:3] == [Progress.BEGAN, Progress.DONE]
    assert len(report.differences) == 5  # a table, its column and key, an index, a column


def test_an_index_that_ends_not_valid_is_cleaned_up(bench: Bench) -> None:
    """It is noticed and removed; the journal says that nothing took place, and it may run again."""
    before, order = bench.schema(), index(bench)
    with pytest.raises(Failed) as caught:
        bench.run(order)
    assert caught.value.code == "change-step"
    assert bench.site.rows(NOT_VALID) == [(0,)]
    assert bench.schema() == before
    assert bench.stages[-2:] == [Stage.ALONE, Stage.CLEANED]
    assert up_and_down(bench.journal()) == [(UP, 1), (DOWN, 0)]
    assert what_became(order, bench.site.engine).fate is Fate.NOTHING
    bench.site.run("UPDATE his.visit SET note = id")
    bench.run(order)
    assert bench.state() is State.WHOLE


def test_a_step_that_ends_well_is_looked_at(bench: Bench) -> None:
    """Where an engine says nothing, and what it built is not valid, that is no success."""
    before = bench.schema()
    deaf = Deaf(bench.site.engine, errors=True)
    with pytest.raises(Failed) as caught:
        run_change(index(bench), deaf, bench.observe, bench.slept.append)
    assert caught.value.code == "change-half-built"
    assert caught.value.message == (
        "step 1 of c-1 ended without an error, and what it made is not valid; it was removed again"
    )
    assert bench.schema() == before


def test_an_index_that_was_there_half_built_is_not_ours(bench: Bench) -> None:
    """What somebody left by hand is named, and not dropped."""
    with pytest.raises(Exception, match="unique"):
        bench.site.run(bench.say(INDEX))
    with pytest.raises(Refused) as caught:
        bench.run(index(bench))
    assert caught.value.code == "change-left-over"
    assert caught.value.message == ("what step 1 of c-1 is to make is there already, and not valid")
    assert bench.site.rows(NOT_VALID) == [(1,)]
    assert bench.journal() == ()


def test_an_index_waits_for_a_writer(bench: Bench, pg_change_site: PgChangeSite) -> None:
    """Each attempt cleans up after the one before, and at the end nothing is left."""
    before = bench.schema()
    with _writing(pg_change_site), pytest.raises((Unreachable, Partly)) as caught:
        bench.run(index(bench))
    assert caught.value.code in {"change-locked", "change-left"}
    assert bench.slept[:2] == [10.0, 20.0]
    resume_change(index(bench), bench.site.engine, Onward.REVERT, bench.observe, bench.slept.append)
    assert bench.schema() == before
    assert bench.state() is State.NOTHING


def test_a_failed_verify_after_a_committed_part_stops(bench: Bench) -> None:
    """By policy what is done stays: that is said, and resume goes on from there."""
    order = apart(bench, verify=FALSE)
    with pytest.raises(Partly) as caught:
        bench.run(order)
    assert caught.value.status is ExitStatus.PARTLY
    assert caught.value.message == (
        "c-1 is half done on lab: not true after c-1: no wards (verify.sql line 2)"
    )
    assert (
        caught.value.hint
        == "finish it: dbops change resume c-1, or take it back: dbops change resume c-1 --revert"
    )
    assert bench.has("room")
    assert bench.state() is State.HALF


@pytest.mark.parametrize("alone_last", [True, False])
def test_a_failed_verify_after_a_committed_part_runs_down(bench: Bench, alone_last: bool) -> None:
    """By policy down.sql takes it back; then it is refused, and as it was."""
    before = bench.schema()
    order = apart(bench, verify=FALSE, failed=FailedVerify.DOWN)
    if alone_last:
        down = "DROP INDEX CONCURRENTLY {visit_note};"
        script = (INDEX.replace("UNIQUE ", ""), down, FALSE, ["create index {visit_note}"])
        order = bench.order(*script, failed=FailedVerify.DOWN)
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert (caught.value.code, caught.value.message) == (
        "change-verify",
        "c-1 was taken back by down.sql: not true after c-1: no wards (verify.sql line 2)",
    )
    assert bench.schema() == before
    assert bench.state() is State.NOTHING
    assert what_became(order, bench.site.engine).fate is Fate.RETURNED


def test_what_was_not_declared_goes_as_well(bench: Bench) -> None:
    """Down by policy takes back more than touches name, where down.sql does."""
    before = bench.schema()
    up = INDEX.replace("UNIQUE ", "") + "CREATE VIEW {bed} AS SELECT 1 AS n;"
    down = "DROP VIEW IF EXISTS {bed}; DROP INDEX CONCURRENTLY IF EXISTS {visit_note};"
    order = bench.order(
        up, down, "SELECT true;", ["create index {visit_note}"], failed=FailedVerify.DOWN
    )
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert caught.value.code == "change-undeclared"
    assert bench.schema() == before


def test_down_by_policy_that_fails_is_told(bench: Bench) -> None:
    """Then it is half done, and both reasons are said."""
    down = APART_DOWN.replace("DROP TABLE IF EXISTS {room}", "DROP VIEW IF EXISTS {bed}")
    order = bench.order(APART_UP, down, FALSE, APART_TOUCHES, failed=FailedVerify.DOWN)
    with pytest.raises(Partly) as caught:
        bench.run(order)
    assert caught.value.message.startswith(
        "c-1 is half done on lab: not true after c-1: no wards (verify.sql line 2);"
        " and it was not taken back: down.sql does not bring back what c-1 changed: "
    )
    assert bench.state() is State.HALF


def test_a_step_that_fails_after_a_committed_part(bench: Bench) -> None:
    """It is half done, and says why."""
    bench.site.run("UPDATE his.visit SET note = NULL", "ALTER TABLE his.ward ADD phone integer")
    with pytest.raises(Partly) as caught:
        bench.run(apart(bench))
    assert caught.value.code == "change-partly"
    assert caught.value.message.startswith("c-1 is half done on lab: step 3 at line 5")


def test_a_lock_after_a_committed_part(bench: Bench) -> None:
    """Waiting is bounded there as well; what is done is said to be."""
    with bench.site.holding("ward"), pytest.raises(Partly) as caught:
        bench.run(apart(bench))
    assert caught.value.message.startswith("c-1 is half done on lab: c-1 waited 3 times for a lock")
    order = apart(bench)
    resume_change(order, bench.site.engine, Onward.FINISH, bench.observe, bench.slept.append)
    assert bench.state() is State.WHOLE


@contextmanager
def _writing(site: PgChangeSite) -> Iterator[None]:
    """A transaction that has written a visit, and does not end."""
    with site.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("UPDATE his.visit SET ward = ward WHERE id = 1")
        yield
        connection.execute("ROLLBACK")
