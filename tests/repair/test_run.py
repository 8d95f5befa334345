"""A repair commits exactly what was declared, or nothing: the cases of DESIGN §6, twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.errors import DbopsError, Refused
from dbops.repair.judgement import Approved
from dbops.repair.manifest import Repair
from dbops.repair.ports import MarkerKind
from dbops.repair.transaction import Stage
from dbops.sql.written import Written
from tests.repair.bench import Bench, appends, holds, limited, repair, watch
from tests.repair.hospital import CHAIN, CHAINED, MOVE, build, contents, moving

MOVED = Written(updated=5)


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD, and a bill for each."""
    return build(bench)


def refused(bench: Bench, manifest: Repair, sql: str) -> DbopsError:
    """The refusal of a run; afterwards nothing of it is left."""
    before = contents(bench)
    with pytest.raises(DbopsError) as caught:
        bench.run(manifest, sql)
    assert contents(bench) == before
    assert bench.files == []
    assert bench.markers() == []
    assert Stage.COMMITTING not in bench.stages
    return caught.value


def test_what_was_declared_is_committed(ward: Bench) -> None:
    """The rows are written, the bundle holds them before and after, the marker names it."""
    report = ward.run(moving(), MOVE)
    assert [row[2] for row in ward.rows("visit")] == ["ORT"] * 12
    assert [(change.before or ())[2:3] for _, change in ward.changes(report)] == [(b"OLD",)] * 5
    assert [(change.after or ())[2:3] for _, change in ward.changes(report)] == [(b"ORT",)] * 5
    assert ward.markers() == [report.run]
    assert ward.files == [f"w-1.repair.0.{report.run}.age"]
    (effect,) = report.tables
    assert (effect.ops, effect.counted, effect.columns) == (MOVED, MOVED, {"dept": 5})
    assert (effect.before, effect.after, report.rows, report.attempts) == (5, 0, 5, 1)
    assert report.kind is MarkerKind.REPAIR
    assert ward.stages == [
        Stage.BEGUN,
        Stage.BEFORE,
        Stage.SCRIPT,
        Stage.AFTER,
        Stage.SEALED,
        Stage.COMMITTING,
        Stage.COMMITTED,
    ]


def test_a_trigger_writes_an_undeclared_table(ward: Bench) -> None:
    """A table that nobody declared is named, with what was written there."""
    ward.site.trigger("seen", "visit", "UPDATE", "INSERT INTO log VALUES (NEW.id, 'seen')")
    error = refused(ward, moving(), MOVE)
    assert (error.code, error.message) == (
        "undeclared-write",
        f"w-1 was rolled back: {ward.site.table('log')} was written"
        " (5 inserted, 0 updated, 0 deleted) and is not declared",
    )


def test_a_declared_side_effect_is_counted(ward: Bench) -> None:
    """Triggers may append to a table that says how many rows it gets."""
    ward.site.trigger("seen", "visit", "UPDATE", "INSERT INTO log VALUES (NEW.id, 'seen')")
    report = ward.run(moving(side_effects=(appends("log", 5),)), MOVE)
    assert report.appended == {ward.site.table("log"): 5}
    assert len(ward.rows("log")) == 5


def test_a_side_effect_of_another_size_is_refused(ward: Bench) -> None:
    """One appended row more than declared is one too many."""
    ward.site.trigger("seen", "visit", "UPDATE", "INSERT INTO log VALUES (NEW.id, 'seen')")
    assert refused(ward, moving(side_effects=(appends("log", 4),)), MOVE).code == "expect-differs"


def test_a_cascade_deletes_children(ward: Bench) -> None:
    """What foreign keys delete is counted as what the script deletes."""
    manifest = repair(watch("visit", "id IN (7, 8)", delete=2))
    error = refused(ward, manifest, "DELETE FROM visit WHERE id IN (7, 8)")
    assert error.code == "undeclared-write"
    assert f"{ward.site.table('bill')} was written (0 inserted, 0 updated, 2 deleted)" in (
        error.message
    )


def test_a_statement_is_wider_than_the_watch_set(ward: Bench) -> None:
    """A row that is written outside of the watch set is missed in the counts."""
    manifest = repair(watch("visit", "id = 9", update=1, may_change=["dept"]))
    error = refused(ward, manifest, "UPDATE visit SET dept = 'Z' WHERE id IN (9, 10)")
    assert (error.code, error.message) == (
        "count-differs",
        f"w-1 was rolled back: {ward.site.table('visit')}: declared rows show 0 inserted,"
        " 1 updated, 0 deleted; the engine counted 0 inserted, 2 updated, 0 deleted",
    )


def test_an_insert_hides_behind_a_key_update(ward: Bench) -> None:
    """A row that is inserted and given a key outside, by another row's key update, is missed."""
    more = "; INSERT INTO visit VALUES (50, 1, 'NEW', ''); UPDATE visit SET id = 90 WHERE id = 50"
    assert refused(ward, repair(*CHAINED), CHAIN + more).code == "count-differs"


def test_a_row_escapes_by_a_key_update(ward: Bench) -> None:
    """A watched row whose key is changed is deleted here and inserted where nobody looks."""
    manifest = repair(watch("visit", "id = 12", delete=1), watch("bill", "vid = 12", delete=1))
    sql = "DELETE FROM bill WHERE vid = 12; UPDATE visit SET id = 120 WHERE id = 12"
    assert refused(ward, manifest, sql).code == "count-differs"


def test_a_key_update_inside_of_the_watch_set(ward: Bench) -> None:
    """It shows as a delete and an insert, and is counted as an update."""
    manifest = repair(
        watch("visit", "id >= 12", insert=1, delete=1), watch("bill", "id = 12", delete=1)
    )
    sql = "DELETE FROM bill WHERE vid = 12; UPDATE visit SET id = 120 WHERE id = 12"
    report = ward.run(manifest, sql)
    effect = {effect.table: effect for effect in report.tables}[ward.site.table("visit")]
    assert (effect.ops, effect.counted) == (Written(1, 0, 1), Written(0, 1, 0))


def test_several_statements_and_a_declared_cascade(ward: Bench) -> None:
    """A later statement may depend on an earlier one, and children may go if they are declared."""
    report = ward.run(repair(*CHAINED), CHAIN)
    assert report.rows == 4
    assert [row[2] for row in ward.rows("visit")][:4] == ["A1", "A2", "OLD", "OLD"]


def test_an_update_that_changes_nothing_is_seen(ward: Bench) -> None:
    """A row that is written and stays what it was needs `rewrites`."""
    manifest = repair(watch("visit", "id < 4", update=0, may_change=["dept"]))
    error = refused(ward, manifest, "UPDATE visit SET dept = dept WHERE id < 4")
    assert error.code == "count-differs"


def test_with_rewrites_a_row_may_be_written_twice(ward: Bench) -> None:
    """Only the difference counts then, and still no row outside may be written."""
    manifest = repair(watch("visit", "id < 4", update=2, may_change=["dept"], rewrites=True))
    sql = "UPDATE visit SET dept = 'X' WHERE id < 4; UPDATE visit SET dept = 'OLD' WHERE id = 1"
    assert ward.run(manifest, sql).tables[0].counted == Written(updated=4)


def test_with_rewrites_a_row_outside_is_seen(ward: Bench) -> None:
    """The rows that this transaction wrote are counted in the whole table."""
    manifest = repair(watch("visit", "id < 4", update=3, may_change=["dept"], rewrites=True))
    error = refused(ward, manifest, "UPDATE visit SET dept = 'X' WHERE id < 5")
    assert error.code == "count-differs"


def test_an_insert_escapes_the_watch_set(ward: Bench) -> None:
    """An inserted row that no watch set holds is missed in the counts."""
    manifest = repair(watch("visit", "id < 4", update=1, may_change=["dept"]))
    sql = "UPDATE visit SET dept = 'X' WHERE id = 1; INSERT INTO visit VALUES (99, 1, 'X', '')"
    assert refused(ward, manifest, sql).code == "count-differs"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (watch("visit", "dept = 'OLD'", update=4, may_change=["dept"]), "expect-differs"),
        (watch("visit", "dept = 'OLD'", update=5, may_change=["note"]), "column-not-permitted"),
    ],
)
def test_counts_and_columns_are_those_declared(ward: Bench, wanted: object, code: str) -> None:
    """Another number of rows and another column are refused."""
    assert refused(ward, repair(wanted), MOVE).code == code  # type: ignore[arg-type]


def test_no_more_rows_than_the_limit(ward: Bench) -> None:
    """The limit holds whatever is expected, and is seen before all rows are compared."""
    error = refused(ward, limited(moving(), 4), MOVE)
    assert (error.code, error.message) == (
        "too-many-rows",
        "w-1 was rolled back: more rows were written than the limit of 4",
    )


def test_conditions_hold_before_and_after(ward: Bench) -> None:
    """Each side's condition sees its own state."""
    left = "SELECT count(*) FROM visit WHERE dept = 'OLD'"
    ward.run(moving(before=(holds(left, "5"),), after=(holds(left, "0"),)), MOVE)
    assert ward.rows("visit")[0][2] == "ORT"


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_condition_that_does_not_hold(ward: Bench, side: str) -> None:
    """It is told by its title, and what it found is not told."""
    failing = holds("SELECT count(*) FROM visit WHERE dept = 'OLD'", "77", "the ward has 77")
    error = refused(ward, moving(**{side: (failing,)}), MOVE)
    assert (error.code, error.message) == (
        "condition-failed",
        "w-1 was rolled back: the condition does not hold: the ward has 77",
    )


def test_a_table_without_a_key_is_refused(ward: Bench) -> None:
    """Rows that nothing identifies cannot be compared, nor brought back."""
    ward.site.run("CREATE TABLE loose (a integer)", "INSERT INTO loose VALUES (1)")
    ward.site.prepare("loose")
    error = refused(ward, repair(watch("loose", update=1)), "UPDATE loose SET a = 2")
    assert error.code == "no-key"


@pytest.mark.parametrize("word", ["COMMIT", "ROLLBACK", "SAVEPOINT x", "BEGIN"])
def test_a_script_cannot_end_the_transaction(ward: Bench, word: str) -> None:
    """Transaction control is refused, and what ran before it is rolled back."""
    assert refused(ward, moving(), f"{MOVE}; {word}").code == "transaction-control"


def test_a_script_that_fails_leaves_nothing(ward: Bench) -> None:
    """An error of the database ends the run, with no value in it."""
    error = refused(ward, moving(), f"{MOVE}; INSERT INTO dept VALUES ('OLD')")
    assert "OLD" not in f"{error.message} {error.hint}"


def test_a_plan_runs_once(ward: Bench) -> None:
    """The same files do not run again on the same database, and the first run stays."""
    order = ward.order(moving(), MOVE, plan="a" * 64)
    ward.run_order(order)
    with pytest.raises(Refused) as caught:
        ward.run(moving(), MOVE, plan="a" * 64)
    assert (caught.value.code, len(ward.files)) == ("already-run", 1)


def test_another_database_than_the_approved_one(ward: Bench) -> None:
    """An approval names the database itself, not only its address."""
    order = ward.order(moving(), MOVE)
    with pytest.raises(Refused) as caught:
        ward.run_order(replace(order, identity="another"))
    assert (caught.value.code, ward.files, ward.stages) == ("repair-database", [], [])


def test_what_was_approved_comes_out_again(ward: Bench) -> None:
    """The rehearsal's digest and counts are those of the run."""
    first = ward.run(moving(), MOVE)
    ward.site.run("UPDATE visit SET dept = 'OLD' WHERE id < 6")
    approved = Approved(first.key, first.digest, first.counts)
    assert ward.run(moving(), MOVE, approved=(approved,)).digest == first.digest


def test_other_rows_than_approved_are_refused(ward: Bench) -> None:
    """As many rows with one other value are not what was approved."""
    first = ward.run(moving(), MOVE)
    ward.undo(first)
    ward.site.run(
        "UPDATE visit SET dept = 'ORT' WHERE id = 3", "UPDATE visit SET dept = 'OLD' WHERE id = 7"
    )
    approved = Approved(first.key, first.digest, first.counts)
    with pytest.raises(Refused) as caught:
        ward.run(moving(), MOVE, approved=(approved,))
    assert (caught.value.code, ward.rows("visit")[6][2]) == ("not-as-approved", "OLD")
