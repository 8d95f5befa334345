"""A change that is taken back: all of it is as before, where nobody built on it since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.change.fate import Fate
from dbops.change.report import ChangeReport
from dbops.change.resume import Onward
from dbops.change.revert import revert_change
from dbops.change.run_order import ChangeRun
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.errors import Refused, Unreachable
from tests.change.bench import Bench, up_and_down
from tests.change.two_parts import onward, two


def revert(bench: Bench, order: ChangeRun) -> ChangeReport:
    """It is taken back, by a run of its own."""
    anew = replace(order, run="b" * 32)
    return revert_change(anew, bench.site.engine, bench.observe, bench.slept.append)


def refusal(bench: Bench, order: ChangeRun) -> Refused:
    """How taking back is refused; nothing of it was done."""
    before = bench.schema()
    with pytest.raises(Refused) as caught:
        revert(bench, order)
    assert bench.schema() == before
    return caught.value


@pytest.mark.parametrize("with_rehearsal", [True, False])
def test_a_change_is_taken_back(bench: Bench, with_rehearsal: bool) -> None:
    """The schema is as it was, the journal has both ways, and it may run again."""
    before = bench.schema()
    order = bench.order(rehearsed=bench.rehearsed() if with_rehearsal else None)
    bench.run(order)
    report = revert(bench, order)
    assert (report.direction, report.after) == (Direction.DOWN, before)
    assert bench.schema() == before
    assert up_and_down(bench.journal())[3:] == [(Direction.DOWN, n) for n in (1, 2, 0)]
    assert bench.state() is State.NOTHING
    bench.run(replace(order, run="c" * 32))
    assert bench.has("room")


def test_what_has_not_run_is_not_taken_back(sqlite_bench: Bench) -> None:
    """Nor is what was taken back already, nor another revision of it."""
    bench = sqlite_bench
    order = bench.order()
    assert refusal(bench, order).message == "c-1 has not run on this database"
    bench.run(order)
    other = refusal(bench, replace(order, plan="q" * 64))
    assert other.code == "change-not-run"
    assert other.message == ("another revision of c-1 has run on this database (plan pppppppppppp)")
    revert(bench, order)
    again = refusal(bench, order)
    assert (again.code, again.message) == (
        "change-returned",
        "c-1 was taken back on this database already",
    )


def test_what_another_change_requires_stays(sqlite_bench: Bench) -> None:
    """As long as that one stands."""
    bench = sqlite_bench
    order = replace(bench.order(), required_by=("c-2", "c-3"))
    bench.run(order)
    script = ("CREATE TABLE {bed} (n integer);", "DROP TABLE {bed};", "SELECT 1 = 1;")
    needing = bench.order(
        *script, ["create table {bed}"], plan="q" * 64, id="c-2", requires=("c-1",)
    )
    bench.run(needing)
    refused = refusal(bench, order)
    assert refused.code == "change-required"
    assert refused.message == "c-2 requires c-1, and has run on this database"
    assert refused.hint == "take that one back first: dbops change revert c-2"
    revert(bench, needing)
    revert(bench, order)
    assert not bench.has("room")


def test_beside_one_that_is_half_done_nothing_is_taken_back(sqlite_bench: Bench) -> None:
    """What resumes the other compares with the schema in which it began."""
    bench = sqlite_bench
    up = "ALTER TABLE {audit} ADD COLUMN who varchar(9);"
    down = "ALTER TABLE {audit} DROP COLUMN who;"
    touches = ["create column {audit}.who"]
    order = bench.order(up, down, "SELECT 1 = 1;", touches, plan="q" * 64, id="c-2")
    bench.run(order)
    other = two(bench)
    assert bench.killed_at(5, other)
    refused = refusal(bench, order)
    assert (refused.code, refused.message, refused.hint) == (
        "change-half-done",
        "c-1 is half done on this database: 1 step of up.sql",
        "finish it: dbops change resume c-1, or take it back: dbops change resume c-1 --revert",
    )
    assert onward(bench, other, Onward.FINISH) is Fate.HALF
    revert(bench, order)
    assert bench.has("room")


def test_what_was_changed_since_stays(bench: Bench) -> None:
    """Where an object that the change made is another now, down.sql would take that along."""
    order = bench.order(rehearsed=bench.rehearsed())
    bench.run(order)
    bench.site.run(bench.say("ALTER TABLE {room} ADD COLUMN beds integer"))
    refused = refusal(bench, order)
    assert refused.code == "change-altered"
    assert refused.message.startswith(
        "what c-1 changed was changed again since: not rehearsed: column `beds` of"
    )


def test_without_a_rehearsal_it_must_be_there_at_least(sqlite_bench: Bench) -> None:
    """What the change made and somebody dropped cannot be taken back."""
    bench = sqlite_bench
    order = bench.order()
    bench.run(order)
    bench.site.run(bench.say("DROP TABLE {room}"))
    refused = refusal(bench, order)
    room = bench.say("{room}")
    assert refused.message == f"what c-1 changed was changed again since: table {room} is gone"


def test_what_others_changed_beside_it_does_not_matter(sqlite_bench: Bench) -> None:
    """Only what the change touched is looked at, and only that may come back."""
    bench = sqlite_bench
    order = bench.order(rehearsed=bench.rehearsed())
    bench.run(order)
    bench.site.run(bench.say("CREATE TABLE {bed} (n integer)"))
    revert(bench, order)
    assert (bench.has("room"), bench.has("bed")) == (False, True)


@pytest.mark.parametrize(
    ("down", "code", "says"),
    [
        (
            "ALTER TABLE {ward} DROP COLUMN phone;",
            "change-down",
            "down.sql of c-1 was rolled back: ",
        ),
        (
            "ALTER TABLE {ward} DROP COLUMN phone; DROP TABLE {room}; DROP VIEW {open_visit};",
            "change-undeclared",
            "down.sql of c-1 was rolled back: c-1 changes what its touches do not name:",
        ),
    ],
)
def test_a_way_back_that_does_not_lead_back_is_rolled_back(
    bench: Bench, down: str, code: str, says: str
) -> None:
    """It leaves something, or takes more along: the change stays whole."""
    order = bench.order(down=down, rehearsed=bench.rehearsed())
    bench.run(order)
    refused = refusal(bench, order)
    assert refused.code == code
    assert refused.message.startswith(says)
    assert bench.state() is State.WHOLE


def test_a_change_without_a_way_back(sqlite_bench: Bench) -> None:
    """One whose loss is permanent may have no down.sql."""
    bench = sqlite_bench
    order = bench.order(down="")
    bench.run(order)
    refused = refusal(bench, order)
    assert refused.code == "change-no-down"
    assert refused.message == "c-1 has no down.sql: it said that its loss is permanent"


def test_a_column_comes_back_last(bench: Bench) -> None:
    """The place of a column among the others is no difference."""
    up = "DROP VIEW {open_visit}; ALTER TABLE {audit} DROP COLUMN visit;"
    if bench.site.engine.traits.schemas:
        up = up.replace("DROP VIEW {open_visit}; ", "")
    else:
        up = up.replace("DROP VIEW {open_visit}; ", "DROP TRIGGER noted; ")
    down = "ALTER TABLE {audit} ADD COLUMN visit integer;"
    if not bench.site.engine.traits.schemas:
        down += (
            " CREATE TRIGGER noted AFTER INSERT ON visit"
            " BEGIN INSERT INTO audit VALUES (new.id, 'new'); END;"
        )
    touches = ["drop column {audit}.visit", "drop trigger noted"]
    rehearsed = bench.rehearsed(up)
    order = bench.order(up, down, "SELECT 1 = 1;", touches, rehearsed=rehearsed)
    before = bench.schema()
    bench.run(order)
    revert(bench, order)
    audit = bench.say("{audit}")
    assert sorted(bench.changed(before)) == [
        f"alter column {audit}.visit (position)",
        f"alter column {audit}.what (position)",
    ]


def test_a_lock_is_waited_for_on_the_way_back(bench: Bench) -> None:
    """And when it is not to be had, the change stays as it is."""
    order = bench.order()
    bench.run(order)
    with bench.site.holding("ward"), pytest.raises(Unreachable) as caught:
        revert(bench, order)
    assert caught.value.code == "change-locked"
    assert bench.state() is State.WHOLE
