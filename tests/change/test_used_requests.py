"""A signed request is for one run on a database, whichever host looks at it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.change.report import ChangeReport
from dbops.change.resume import Onward, resume_change
from dbops.change.revert import revert_change
from dbops.change.run_order import ChangeRun
from dbops.change.standing import State
from dbops.errors import Failed, Refused
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, Bench

FIRST, BACK, SECOND = "a" * 64, "b" * 64, "c" * 64


def revert(bench: Bench, order: ChangeRun) -> ChangeReport:
    """It is taken back."""
    return revert_change(order, bench.site.engine, bench.observe, bench.slept.append)


def under(order: ChangeRun, approval: str) -> ChangeRun:
    """The order under another request, by a run of its own."""
    return replace(order, run=approval[:32], approval=approval)


def test_a_request_is_not_used_twice(bench: Bench) -> None:
    """Run and taken back, the first request leads to nothing more; a new one does."""
    order = under(bench.order(), FIRST)
    bench.run(order)
    revert(bench, under(order, BACK))
    before = bench.schema()
    with pytest.raises(Refused) as caught:
        bench.run(replace(order, run="d" * 32))
    assert caught.value.code == "change-used"
    assert caught.value.message == (
        "the request for c-1 was used on this database already, by another host or under another"
        " ledger, and is for one run only"
    )
    assert caught.value.hint == "have it asked for anew: dbops review request c-1 --key KEY"
    assert bench.schema() == before
    bench.run(under(order, SECOND))
    with pytest.raises(Refused) as back:
        revert(bench, replace(order, run="e" * 32, approval=BACK))
    assert back.value.code == "change-used"
    assert back.value.hint == "have it asked for anew: dbops review request c-1 --revert --key KEY"
    assert bench.state() is State.WHOLE


def test_what_resume_ends_uses_the_request_up(postgresql_bench: Bench) -> None:
    """It goes on under the request with which the run began, whoever finishes it."""
    bench = postgresql_bench
    order = under(bench.order(APART_UP, APART_DOWN, "SELECT true;", APART_TOUCHES), FIRST)
    assert bench.killed_at(5, order)
    anew = replace(order, run="d" * 32, approval="")
    resume_change(anew, bench.site.engine, Onward.FINISH, bench.observe)
    assert bench.state() is State.WHOLE
    assert {entry.approval for entry in bench.journal()} == {FIRST}
    revert(bench, under(order, BACK))
    with pytest.raises(Refused) as caught:
        bench.run(replace(order, run="e" * 32))
    assert caught.value.code == "change-used"


def test_what_came_to_nothing_leaves_the_request_valid(postgresql_bench: Bench) -> None:
    """A step outside of a transaction that failed was begun, and the whole run stood back."""
    bench = postgresql_bench
    up = "CREATE UNIQUE INDEX CONCURRENTLY visit_note ON {visit} (note);"
    down = "DROP INDEX CONCURRENTLY IF EXISTS {visit_note};"
    order = under(bench.order(up, down, "SELECT true;", ["create index {visit_note}"]), FIRST)
    with pytest.raises(Failed):
        bench.run(order)
    assert {entry.approval for entry in bench.journal()} == {FIRST}
    bench.site.run(bench.say("UPDATE {visit} SET note = 'c' WHERE id = 3"))
    bench.run(replace(order, run="d" * 32))
    assert bench.state() is State.WHOLE


def test_where_nobody_signs_there_is_no_request(sqlite_bench: Bench) -> None:
    """Without a policy that asks for one, a change runs as often as it is taken back."""
    order = sqlite_bench.order()
    sqlite_bench.run(order)
    revert(sqlite_bench, replace(order, run="d" * 32))
    sqlite_bench.run(replace(order, run="e" * 32))
    assert sqlite_bench.state() is State.WHOLE
