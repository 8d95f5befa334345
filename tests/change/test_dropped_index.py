"""DROP INDEX CONCURRENTLY that a long reader keeps from its end: it is finished, never forgotten.

From its first moment on the index is one that no query uses, and nothing makes that undone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.fate import Fate
from dbops.change.resume import Onward, what_became
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Moment, Stage
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.errors import DbopsError, HalfDone, Partly
from tests.change.bench import Bench, Died
from tests.change.two_parts import onward
from tests.engines.postgresql.change_database import PgChangeSite

DROP = "DROP INDEX CONCURRENTLY {visit_note};"
MAKE = "CREATE INDEX CONCURRENTLY visit_note ON {visit} (note);"
ROOM = "CREATE TABLE {room} (n integer);"
NO_ROOM = "DROP TABLE IF EXISTS {room};"
NO_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS {visit_note};"
BED = "-- part: beds\nCREATE TABLE {bed} (n integer);"
NO_BED = "DROP TABLE IF EXISTS {bed};"
WAITED = "c-1 waited once for a lock, 0.02s each, and did not get it: "
LOCKED = "a lock was not to be had in time (55P03)"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('his.visit_note')"


def told(step: int) -> str:
    """What is said of a step whose drop was kept waiting, and so was its cleaning up."""
    at = f"step {step} at line {step}"
    return (
        f"{WAITED}{at}: {LOCKED}; and what step {step} of c-1 left half done may be there still:"
        f" {WAITED}cleaning up after {at}: {LOCKED}"
    )


def ordered(bench: Bench, up: str, down: str, *touches: str) -> ChangeRun:
    """A rehearsed change that waits for a lock once, and not for long."""
    rehearsed = bench.rehearsed(up, down)
    order = bench.order(up, down, "SELECT true;", touches, rehearsed=rehearsed)
    limits = replace(order.change.limits, lock_wait=timedelta(milliseconds=20), attempts=1)
    return replace(order, change=replace(order.change, limits=limits))


def dropping(bench: Bench, first: str = "", last: str = "", *touches: str) -> ChangeRun:
    """A change that drops an index, and what comes before it and is taken back behind it."""
    bench.site.run(bench.say("CREATE INDEX visit_note ON {visit} (note)"))
    return ordered(bench, f"{first}{DROP}", f"{MAKE}{last}", "drop index {visit_note}", *touches)


def before(order: ChangeRun) -> Schema:
    """As the rehearsal found it."""
    assert order.rehearsed is not None
    return order.rehearsed.source


def kept_waiting(bench: Bench, act: Callable[[], object]) -> DbopsError:
    """What is said where somebody reads the table all the while; the index is half dropped."""
    with bench.site.holding("visit"), pytest.raises(DbopsError) as caught:
        act()
    assert valid(bench) == [(False,)]
    return caught.value


def valid(bench: Bench) -> list[tuple[object, ...]]:
    """Whether queries use the index; nothing where it is not there."""
    assert isinstance(bench.site, PgChangeSite)
    return bench.site.rows(VALID)


CLEANING = f"{WAITED}cleaning up after step 1 at line 1: {LOCKED}"
LEFT = f"{CLEANING}; and what step 1 of c-1 left half done may be there still: {CLEANING}"
HALF = "c-1 is half done on lab: "


@pytest.mark.parametrize(
    ("where", "code", "message"),
    [
        (Onward.FINISH, "change-left", LEFT),
        (Onward.REVERT, "change-partly", f"{HALF}{CLEANING}"),
    ],
)
def test_the_only_step(postgresql_bench: Bench, where: Onward, code: str, message: str) -> None:
    """Nobody says that nothing happened, however often; once it can it is finished, or is back."""
    bench, back = postgresql_bench, where is Onward.REVERT
    order = dropping(bench)
    fault = kept_waiting(bench, lambda: bench.run(order))
    assert isinstance(fault, Partly)
    assert (fault.code, fault.message) == ("change-left", told(1))
    assert fault.hint == "clean it up: dbops change resume c-1"
    assert Stage.CLEANED not in bench.stages
    fault = kept_waiting(bench, lambda: onward(bench, order, where))
    assert (fault.code, fault.message) == (code, message)
    assert onward(bench, order, where) is Fate.HALF
    assert valid(bench) == ([(True,)] if back else [])
    assert bench.state() is (State.NOTHING if back else State.WHOLE)


@pytest.mark.parametrize("where", Onward)
def test_behind_a_part(postgresql_bench: Bench, where: Onward) -> None:
    """It is nobody else's altering: it goes on from there, and back."""
    bench = postgresql_bench
    order = dropping(bench, f"{ROOM}\n", f"\n{NO_ROOM}", "create table {room}")
    fault = kept_waiting(bench, lambda: bench.run(order))
    assert isinstance(fault, HalfDone)
    assert (fault.code, fault.message) == ("change-partly", f"{HALF}{told(2)}")
    assert onward(bench, order, where) is Fate.HALF
    back = where is Onward.REVERT
    assert valid(bench) == ([(True,)] if back else [])
    assert bench.state() is (State.NOTHING if back else State.WHOLE)
    assert bench.has("room") is not back


def test_on_the_way_back(postgresql_bench: Bench) -> None:
    """Behind another step of down.sql, of a change that had come to its end."""
    bench = postgresql_bench
    order = ordered(
        bench,
        f"{MAKE}\n{ROOM}",
        f"{NO_ROOM}\n{NO_INDEX}",
        "create table {room}",
        "create index {visit_note}",
    )
    bench.run(order)
    back = replace(order, run="c" * 32)
    fault = kept_waiting(
        bench, lambda: revert_change(back, bench.site.engine, bench.observe, bench.slept.append)
    )
    assert (fault.code, fault.message) == ("change-partly", f"{HALF}{told(2)}")
    assert fault.hint == "take it back: dbops change resume c-1 --revert"
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert (bench.state(), bench.schema()) == (State.NOTHING, before(order))


def test_on_half_a_way_back(postgresql_bench: Bench) -> None:
    """Of a change that never came to its end: what is half dropped there is no stranger."""
    bench = postgresql_bench
    order = ordered(
        bench,
        f"{MAKE}\n{ROOM}\n{BED}",
        f"{NO_BED}\n{NO_ROOM}\n{NO_INDEX}",
        "create table {room}",
        "create table {bed}",
        "create index {visit_note}",
    )

    def dies(moment: Moment) -> None:
        if moment.stage is Stage.COMMITTED and moment.step is None:
            raise Died

    with suppress(Died):
        run_change(order, bench.site.engine, dies, bench.slept.append)
    fault = kept_waiting(bench, lambda: onward(bench, order, Onward.REVERT))
    assert (fault.code, fault.message) == ("change-partly", f"{HALF}{told(3)}")
    became = what_became(order, bench.site.engine)
    assert (became.direction, became.done) == (Direction.DOWN, 2)
    assert onward(bench, order, Onward.FINISH) is Fate.HALF
    assert (bench.state(), bench.schema()) == (State.NOTHING, before(order))


def test_an_index_that_was_not_valid_before(postgresql_bench: Bench) -> None:
    """What somebody else had left half built is none of the step's: nothing took place."""
    bench = postgresql_bench
    with suppress(Exception):
        bench.site.run(bench.say("CREATE UNIQUE INDEX CONCURRENTLY visit_note ON {visit} (note)"))
    assert valid(bench) == [(False,)]
    order = ordered(bench, DROP, "SELECT 1;", "drop index {visit_note}")
    assert bench.killed_at(1, order)
    assert onward(bench, order, Onward.REVERT) is Fate.NOTHING
    fault = kept_waiting(bench, lambda: bench.run(order))
    assert (fault.code, fault.message) == (
        "change-locked",
        f"{WAITED}step 1 at line 1: {LOCKED}",
    )
    assert fault.hint.startswith("run the same command again once it is free; ")
    assert bench.state() is State.NOTHING
    bench.run(order)
    assert valid(bench) == []
