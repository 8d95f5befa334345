"""Objects that nobody can compare stop every way of a change, and are named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dbops.change.rehearsal import ChangeRehearsalOrder
from dbops.change.rehearse import rehearse_change
from dbops.change.resume import Onward, resume_change
from dbops.change.revert import revert_change
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Stage
from dbops.errors import Refused
from dbops.review.work import Kind, Work
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, UP, Bench

NOBODY_KNOWS = "lab has objects of kinds that dbops does not compare: "


def unknown_made(bench: Bench) -> str:
    """Somebody has made such an object; returns what it is called."""
    if bench.site.engine.traits.schemas:
        bench.site.run("CREATE TYPE his.shell")
        return "type his.shell"
    bench.site.run(
        "PRAGMA writable_schema = ON",
        "INSERT INTO sqlite_schema VALUES ('table', 'sounds', 'sounds', 0,"
        " 'CREATE VIRTUAL TABLE sounds USING spellfix1')",
    )
    return "virtual table sounds (module spellfix1)"


def rehearsal(order: ChangeRun, source: Schema | None) -> ChangeRehearsalOrder:
    """The same change, to be rehearsed on a copy of this source."""
    return ChangeRehearsalOrder(
        work=Work(Kind.CHANGE, "c-1", "changes/c-1", {"change.yml": b"id: c-1\n"}),
        change=order.change,
        up=order.up,
        down=order.down,
        verify=order.verify,
        host="verify-1",
        database="lab",
        backup="lab@12",
        taken=datetime(2026, 11, 22, tzinfo=UTC),
        proof="proven",
        source=source,
    )


def rehearsing(bench: Bench, order: ChangeRun, source: Schema | None) -> None:
    """It is rehearsed on the bench's database."""
    asked, now = rehearsal(order, source), datetime(2026, 11, 23, tzinfo=UTC)
    rehearse_change(asked, bench.site.engine, lambda: now, bench.slept.append, bench.observe)


def test_nothing_runs_and_nothing_is_rehearsed_beside_them(bench: Bench) -> None:
    """Before anything is written, whether somebody rehearsed it or not."""
    order = bench.order()
    name = unknown_made(bench)
    for attempt in (lambda: bench.run(order), lambda: rehearsing(bench, order, None)):
        with pytest.raises(Refused) as caught:
            attempt()
        assert (caught.value.code, caught.value.message) == ("schema-unknown", NOBODY_KNOWS + name)
        assert bench.moments == []
    assert bench.journal() == ()
    assert not bench.has("room")


def test_nothing_is_taken_back_beside_them(bench: Bench) -> None:
    """What the change made stays, until somebody can say what is there."""
    order = bench.order(rehearsed=bench.rehearsed())
    bench.run(order)
    name = unknown_made(bench)
    bench.moments.clear()
    with pytest.raises(Refused) as caught:
        revert_change(replace(order, run="b" * 32), bench.site.engine, bench.observe)
    assert (caught.value.code, caught.value.message) == ("schema-unknown", NOBODY_KNOWS + name)
    assert bench.moments == []
    assert bench.has("room")


def test_a_half_done_change_is_not_finished_beside_them(postgresql_bench: Bench) -> None:
    """Resume stops as well, both ways, before it does anything."""
    bench = postgresql_bench
    order = bench.order(APART_UP, APART_DOWN, "SELECT true;", APART_TOUCHES)
    assert bench.killed_at(4, order)
    name = unknown_made(bench)
    before = bench.journal()
    with pytest.raises(Refused) as caught:
        resume_change(order, bench.site.engine, Onward.FINISH, bench.observe)
    assert (caught.value.code, caught.value.message) == ("schema-unknown", NOBODY_KNOWS + name)
    assert bench.moments == []
    assert bench.journal() == before


def test_a_change_that_makes_one_is_rolled_back(postgresql_bench: Bench) -> None:
    """No line of touches could name it; nothing of the change is left."""
    bench = postgresql_bench
    before = bench.schema()
    with pytest.raises(Refused) as caught:
        bench.run(bench.order(UP + "CREATE TYPE his.shell;"))
    assert caught.value.code == "schema-unknown"
    assert caught.value.message == f"c-1 was rolled back: {NOBODY_KNOWS}type his.shell"
    assert bench.stages[-1] is Stage.ROLLED_BACK
    assert bench.schema() == before


def test_a_part_that_makes_one_is_rolled_back(postgresql_bench: Bench) -> None:
    """Though the last part takes it away again: meanwhile it would stand there, unseen."""
    bench = postgresql_bench
    up = f"CREATE TYPE his.shell;\n-- part: all else\nDROP TYPE his.shell;{UP}"
    order = bench.order(up, rehearsed=bench.rehearsed(up))
    with pytest.raises(Refused) as caught:
        bench.run(order)
    assert caught.value.code == "schema-unknown"
    assert caught.value.message == f"c-1 was rolled back: {NOBODY_KNOWS}type his.shell"
    assert bench.stages[-3:] == [Stage.BEGUN, Stage.STEP, Stage.ROLLED_BACK]
    assert Stage.COMMITTED not in bench.stages
    assert bench.journal() == ()
    assert bench.site.rows("SELECT typname FROM pg_type WHERE typname = 'shell'") == []


def test_a_way_back_that_makes_one_is_rolled_back(postgresql_bench: Bench) -> None:
    """The change stands as it stood."""
    bench = postgresql_bench
    order = bench.order(down="DROP TABLE his.room; CREATE TYPE his.shell;")
    bench.run(order)
    with pytest.raises(Refused) as caught:
        revert_change(replace(order, run="b" * 32), bench.site.engine, bench.observe)
    assert caught.value.code == "schema-unknown"
    assert caught.value.message.endswith(f"rolled back: {NOBODY_KNOWS}type his.shell")
    assert bench.has("room")


def test_a_source_that_had_some_is_not_rehearsed_on(sqlite_bench: Bench) -> None:
    """The copy may have lost them in the restore: what the source had counts."""
    bench = sqlite_bench
    source = Schema(bench.schema().objects, ("type his.shell",))
    with pytest.raises(Refused) as caught:
        rehearsing(bench, bench.order(), source)
    assert (caught.value.code, caught.value.message) == (
        "schema-unknown",
        "lab has objects that were not compared when its schema was recorded: type his.shell",
    )
    assert bench.moments == []
    assert not bench.has("room")
