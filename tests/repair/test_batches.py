"""A repair in batches: each is whole, all of them reach the counts, and a stopped run goes on."""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError, Failed, Partly, Refused
from dbops.repair.batch_progress import part_of
from dbops.repair.judgement import Approved
from dbops.repair.manifest import Batch, Repair
from dbops.repair.ports import MarkerKind
from dbops.repair.resume import Fate, OpenRun, what_became
from dbops.repair.run_order import RunOrder
from dbops.repair.table import TableName
from dbops.repair.transaction import Stage
from dbops.sql.written import Written
from tests.repair.bench import Bench, appends, holds, limited, raising, repair, watch
from tests.repair.hospital import build

SLICE = "dept = 'OLD' AND id >= :batch_first AND id <= :batch_last"
MOVE = (
    "UPDATE visit SET dept = 'ORT' WHERE dept = 'OLD' AND id >= :batch_first AND id <= :batch_last"
)
LEFT = "SELECT count(*) FROM visit WHERE dept = 'OLD'"


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them (1 to 5) booked to the closed ward OLD."""
    return build(bench)


@pytest.fixture
def lite(sqlite_bench: Bench) -> Bench:
    """The same on SQLite alone: for what no engine has a part in."""
    return build(sqlite_bench)


def moving(rows: int = 2, update: int = 5, **more: object) -> Repair:
    """Five visits move, in batches of `rows` visits."""
    watched = watch("visit", SLICE, update=update, may_change=["dept"])
    settings = {"batch": Batch(TableName("", "visit"), rows), **more}
    return repair(watched, **settings)  # type: ignore[arg-type] # checked at run time


def order(ward: Bench, manifest: Repair, plan: str = "a" * 64, **more: object) -> RunOrder:
    return ward.order(manifest, MOVE, plan=plan, **more)  # type: ignore[arg-type]


def departments(ward: Bench) -> str:
    return "".join(str(row[2])[1] for row in ward.rows("visit"))


def test_every_batch_is_a_transaction(lite: Bench) -> None:
    """Each has its bundle and its marker; together they wrote what was expected."""
    wanted = order(lite, moving())
    report = lite.run_batches(wanted)
    assert departments(lite) == "R" * 12
    assert [batch.rows for batch in report.batches] == [2, 2, 1, 0, 0, 0]
    assert report.counts == {lite.site.table("visit"): Written(updated=5)}
    assert lite.markers() == [part_of(wanted.run, number) for number in range(6)]
    assert [batch.batch for batch in report.batches] == list(range(6))
    assert len(lite.files) == 6
    assert lite.stages.count(Stage.COMMITTED) == 6


def test_keys_are_cut_as_the_database_orders_them(ward: Bench) -> None:
    """Text keys follow each other as they are compared, so that no row is left out."""
    ward.site.run(
        "CREATE TABLE t (k text NOT NULL PRIMARY KEY, v integer)",
        "INSERT INTO t SELECT '10', 0 UNION SELECT '9', 0 UNION SELECT 'B', 0 UNION SELECT 'a', 0"
        " UNION SELECT 'é', 0 UNION SELECT '中', 0 UNION SELECT '', 0",
    )
    ward.site.prepare("t")
    manifest = repair(
        watch("t", "k BETWEEN :batch_first AND :batch_last", update=7, may_change=["v"]),
        batch=Batch(TableName("", "t"), 3),
    )
    sql = "UPDATE t SET v = 1 WHERE k BETWEEN :batch_first AND :batch_last"
    report = ward.run_batches(ward.order(manifest, sql))
    assert [batch.rows for batch in report.batches] == [3, 3, 1]


def test_a_stopped_run_goes_on(ward: Bench) -> None:
    """The next run begins after the last marker, and counts what was written before."""
    stop = Failed("stopped", "somebody pulled the plug", hint="-")

    def at_second() -> None:
        ward.at[Stage.SEALED] = raising(stop)

    ward.at[Stage.COMMITTED] = at_second
    first = order(ward, moving())
    with pytest.raises(Partly) as caught:
        ward.run_batches(first)
    assert (caught.value.code, caught.value.message) == (
        "stopped",
        "somebody pulled the plug; 1 batch of this run is committed",
    )
    assert departments(ward) == "RRLLL" + "R" * 7
    found = what_became(OpenRun(1, first.run, "w-1", MarkerKind.REPAIR), ward.site.engine)
    assert (found.fate, found.unused) == (Fate.PARTLY, part_of(first.run, 1))
    assert found.progress is not None
    assert found.progress.last == "2"
    second = order(ward, moving())
    report = ward.run_batches(second)
    assert [(batch.batch, batch.rows) for batch in report.batches][:2] == [(1, 2), (2, 1)]
    assert report.counts == {ward.site.table("visit"): Written(updated=5)}
    assert departments(ward) == "R" * 12
    assert (
        what_became(OpenRun(2, second.run, "w-1", MarkerKind.REPAIR), ward.site.engine).fate
        is Fate.COMMITTED
    )


def test_all_batches_run_once(lite: Bench) -> None:
    """After the last batch the plan has run."""
    lite.run_batches(order(lite, moving()))
    with pytest.raises(Refused) as caught:
        lite.run_batches(order(lite, moving()))
    assert caught.value.code == "already-run"


def test_no_batch_exceeds_what_is_expected(lite: Bench) -> None:
    """The batch that would is rolled back; the ones before stay and are told."""
    with pytest.raises(Partly) as caught:
        lite.run_batches(order(lite, moving(update=3)))
    assert caught.value.code == "expect-differs"
    assert departments(lite) == "RRLLL" + "R" * 7
    assert len(lite.files) == 1


def test_the_last_batch_must_reach_what_is_expected(lite: Bench) -> None:
    """Too few rows in all is refused with the last batch."""
    with pytest.raises(Partly) as caught:
        lite.run_batches(order(lite, moving(update=6)))
    assert (caught.value.code, len(lite.files)) == ("expect-differs", 5)


def test_the_limit_is_one_of_all_batches(lite: Bench) -> None:
    """Rows of earlier batches count."""
    with pytest.raises(Partly) as caught:
        lite.run_batches(order(lite, limited(moving(), 3)))
    assert (caught.value.code, departments(lite)[:5]) == ("too-many-rows", "RRLLL")


def test_side_effects_are_counted_over_all_batches(lite: Bench) -> None:
    """Triggers append with each batch, and the sum is what was declared."""
    lite.site.trigger("seen", "visit", "UPDATE", "INSERT INTO log VALUES (NEW.id, 'seen')")
    report = lite.run_batches(order(lite, moving(side_effects=(appends("log", 5),))))
    assert report.counts[lite.site.table("log")] == Written(inserted=5)
    assert len(lite.rows("log")) == 5


def test_conditions_are_those_of_the_whole(lite: Bench) -> None:
    """`before` is checked with the first batch, `after` with the last."""
    manifest = moving(before=(holds(LEFT, "5"),), after=(holds(LEFT, "0"),))
    assert len(lite.run_batches(order(lite, manifest)).batches) == 6


def test_a_condition_fails_at_the_first_batch(lite: Bench) -> None:
    """Nothing was committed then, and the error is that of any run."""
    with pytest.raises(Refused) as caught:
        lite.run_batches(order(lite, moving(before=(holds(LEFT, "77"),))))
    assert (caught.value.code, departments(lite)[:5], lite.files) == (
        "condition-failed",
        "LLLLL",
        [],
    )


def test_all_batches_are_undone_together(lite: Bench) -> None:
    """One transaction takes every batch back, or none of them."""
    before = lite.rows("visit")
    report = lite.run_batches(order(lite, moving()))
    lite.site.run("UPDATE visit SET note = 'later' WHERE id = 1")
    with pytest.raises(Refused) as caught:
        lite.undo(*report.batches)
    assert caught.value.code == "undo-conflict"
    lite.site.run("UPDATE visit SET note = 'n1' WHERE id = 1")
    lite.undo(*report.batches)
    assert lite.rows("visit") == before
    with pytest.raises(Refused) as again:
        lite.undo(*report.batches)
    assert again.value.code == "undo-already"
    assert len(lite.markers("w-1-undo")) == 6


def test_a_row_that_every_batch_writes_goes_back_to_the_first(lite: Bench) -> None:
    """A counter that each batch advanced has its first value again."""
    lite.site.run("UPDATE bill SET amt = 0 WHERE id = 1")
    manifest = repair(
        watch("visit", SLICE, update=5, may_change=["dept"]),
        watch("bill", "id = 1", update=6, may_change=["amt"]),
        batch=Batch(TableName("", "visit"), 2),
    )
    before = lite.rows("bill")
    sql = f"{MOVE}; UPDATE bill SET amt = amt + 1 WHERE id = 1"
    report = lite.run_batches(lite.order(manifest, sql))
    assert lite.rows("bill")[0][2] == 6
    lite.undo(*report.batches)
    assert lite.rows("bill") == before


def test_more_bundles_than_can_be_open_at_once(lite: Bench) -> None:
    """An undo of very many batches is done in several, the last ones first."""
    one = lite.run_batches(order(lite, moving(rows=20))).batches[0]
    with pytest.raises(Refused) as caught:
        lite.undo(*[one] * 129)
    assert (caught.value.code, caught.value.message) == (
        "undo-bundles",
        "the undo of w-1 names 129 bundles, and 128 are the most",
    )


def test_bundles_out_of_order_are_refused(lite: Bench) -> None:
    """An undo names the batches as they ran."""
    report = lite.run_batches(order(lite, moving()))
    with pytest.raises(Refused) as caught:
        lite.undo(*reversed(report.batches))
    assert caught.value.code == "undo-bundles"


def test_batches_are_those_that_were_approved(lite: Bench) -> None:
    """Each batch must come to what its batch came to in the rehearsal."""
    first = lite.run_batches(order(lite, moving()))
    lite.undo(*first.batches)
    key = first.batches[0].key
    digests = tuple(Approved(key, one.digest, one.counts) for one in first.batches)
    again = lite.run_batches(order(lite, moving(), plan="b" * 64, approved=digests))
    assert [one.digest for one in again.batches] == [one.digest for one in first.batches]
    lite.undo(*again.batches, work="w-2-undo")
    with pytest.raises(Partly) as caught:
        lite.run_batches(order(lite, moving(), plan="c" * 64, approved=digests[:2]))
    assert caught.value.code == "not-as-approved"


@pytest.mark.parametrize(
    ("table", "code"), [("empty", "batch-empty"), ("pair", "batch-key"), ("loose", "batch-key")]
)
def test_tables_that_cannot_be_cut(ward: Bench, table: str, code: str) -> None:
    """A key of several columns, no key, and no rows are refused."""
    ward.site.run(
        "CREATE TABLE empty (id integer NOT NULL PRIMARY KEY)",
        "CREATE TABLE pair (a integer NOT NULL, b integer NOT NULL, PRIMARY KEY (a, b))",
        "CREATE TABLE loose (a integer)",
    )
    ward.site.prepare(table)
    with pytest.raises(DbopsError) as caught:
        ward.run_batches(order(ward, moving(batch=Batch(TableName("", table), 2))))
    assert (caught.value.code, ward.files) == (code, [])


def test_the_last_rows_vanish_between_two_batches(lite: Bench) -> None:
    """What is left to do is nothing then, and the totals still decide."""
    lite.at[Stage.COMMITTED] = lambda: lite.site.run("DELETE FROM visit WHERE id > 10")
    report = lite.run_batches(order(lite, moving(rows=10)))
    assert [batch.rows for batch in report.batches] == [5, 0]
