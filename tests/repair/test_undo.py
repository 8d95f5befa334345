"""An undo brings every row back to the byte, or refuses all of it, on each engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dbops.errors import DbopsError, Refused
from dbops.repair.manifest import UndoRules
from dbops.repair.ports import MarkerKind
from dbops.repair.report import RunReport
from dbops.repair.transaction import Stage
from dbops.sql.written import Written
from tests.engines.sqlite.repairs import SqliteSite
from tests.repair.bench import Bench, appends, holds, limited, repair, watch
from tests.repair.hospital import CHAIN, CHAINED, MOVE, build, contents, moving


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD, and a bill for each."""
    return build(bench)


def refused(bench: Bench, *runs: RunReport, **more: object) -> DbopsError:
    """The refusal of an undo; afterwards nothing of it is left."""
    before, files = contents(bench), bench.files
    with pytest.raises(DbopsError) as caught:
        bench.undo(*runs, **more)  # type: ignore[arg-type] # checked at run time
    assert (contents(bench), bench.files) == (before, files)
    assert bench.markers("w-1-undo") == []
    assert Stage.COMMITTING not in bench.stages
    return caught.value


def log_updates(bench: Bench) -> None:
    """Each updated visit appends a row to the log."""
    log = bench.site.table("log")
    body = f"INSERT INTO {log} SELECT coalesce(max(id), 0) + 1, 'x' FROM {log}"
    bench.site.trigger("seen", "visit", "UPDATE", body)


def stamp_updates(bench: Bench) -> None:
    """Each updated visit is stamped, as applications stamp `updated_at`."""
    where = "WHERE id = NEW.id AND note <> 'stamped'"
    body = f"UPDATE {bench.site.table('visit')} SET note = 'stamped' {where}"
    bench.site.trigger("stamp", "visit", "UPDATE", body)


def test_rows_are_as_they_were(ward: Bench) -> None:
    """Updated, deleted and cascaded rows come back, parents before their children."""
    before = contents(ward)
    run = ward.run(repair(*CHAINED), CHAIN)
    assert contents(ward) != before
    undo = ward.undo(run)
    assert contents(ward) == before
    assert undo.kind is MarkerKind.UNDO
    assert ward.markers("w-1-undo") == [undo.run]
    assert {effect.table: effect.counted for effect in undo.tables} == {
        ward.site.table("visit"): Written(1, 2, 0),
        ward.site.table("bill"): Written(1, 0, 0),
    }


def test_inserted_rows_go(ward: Bench) -> None:
    """Children that the same undo deletes do not keep their parent."""
    before = contents(ward)
    manifest = repair(watch("visit", "id = 70", insert=1), watch("bill", "vid = 70", insert=2))
    run = ward.run(
        manifest,
        "INSERT INTO visit VALUES (70, 1, 'ORT', NULL);"
        " INSERT INTO bill VALUES (71, 70, 1), (72, 70, 2)",
    )
    ward.undo(run)
    assert contents(ward) == before


def test_children_that_were_moved_go_back_first(ward: Bench) -> None:
    """A new parent goes once the undo has taken its children back to their old parent."""
    before = contents(ward)
    manifest = repair(
        watch("visit", "id IN (3, 70)", insert=1, delete=1),
        watch("bill", "vid IN (3, 70)", update=1, may_change=["vid"]),
    )
    run = ward.run(
        manifest,
        "INSERT INTO visit VALUES (70, 1, 'ORT', NULL); UPDATE bill SET vid = 70 WHERE vid = 3;"
        " DELETE FROM visit WHERE id = 3",
    )
    ward.undo(run)
    assert contents(ward) == before


def test_a_key_that_was_changed_goes_back(ward: Bench) -> None:
    """A changed key is a deleted and an inserted row, and both are taken back."""
    before = contents(ward)
    run = ward.run(
        repair(watch("dept", insert=1, delete=1)), "UPDATE dept SET code = 'NEW' WHERE code = 'OLD'"
    )
    ward.undo(run)
    assert contents(ward) == before


def test_another_column_was_changed_since(ward: Bench) -> None:
    """One later change refuses the whole undo, and is told by table, column and count."""
    run = ward.run(repair(*CHAINED), CHAIN)
    ward.site.run("UPDATE visit SET note = 'canary' WHERE id = 2")
    error = refused(ward, run)
    visit = ward.site.table("visit")
    assert (error.code, error.message) == (
        "undo-conflict",
        f"w-1 cannot be undone, nothing was changed: {visit}: 1 row changed since (in note)",
    )


def test_a_change_that_was_taken_back_is_none(ward: Bench) -> None:
    """Rows are compared as they are now, whatever happened to them in between."""
    before = contents(ward)
    run = ward.run(repair(*CHAINED), CHAIN)
    ward.site.run("UPDATE visit SET note = 'other' WHERE id = 2")
    ward.site.run("UPDATE visit SET note = 'n2' WHERE id = 2")
    ward.undo(run)
    assert contents(ward) == before


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ("DELETE FROM visit WHERE id = 2", "1 row gone"),
        ("INSERT INTO visit VALUES (5, 0, 'X', 'new')", "1 row there again, and different"),
        ("UPDATE visit SET note = '' WHERE id = 1", "1 row changed since (in note)"),
    ],
)
def test_what_somebody_did_since_is_no_longer_undone(ward: Bench, later: str, told: str) -> None:
    """A row that is gone, there again, or another one is a conflict."""
    run = ward.run(repair(*CHAINED), CHAIN)
    ward.site.run(later)
    error = refused(ward, run)
    assert (error.code, told in error.message) == ("undo-conflict", True)


def test_a_row_that_nobody_touched_is_not_looked_at(ward: Bench) -> None:
    """Later changes of other rows stay."""
    run = ward.run(moving(), MOVE)
    ward.site.run("UPDATE visit SET note = 'later' WHERE id = 9")
    ward.undo(run)
    assert ward.rows("visit")[8][3] == "later"
    assert ward.rows("visit")[0][2] == "OLD"


def test_a_second_undo(ward: Bench) -> None:
    """Rows as before are told from rows that somebody changed."""
    run = ward.run(moving(), MOVE)
    ward.undo(run)
    before = contents(ward)
    with pytest.raises(Refused) as caught:
        ward.undo(run)
    assert (caught.value.code, contents(ward)) == ("undo-already", before)


def test_a_second_undo_after_the_same_rows_changed_again(ward: Bench) -> None:
    """The database's own marker forbids it even where the rows would allow it."""
    run = ward.run(moving(), MOVE)
    ward.undo(run)
    ward.site.run("UPDATE visit SET dept = 'ORT' WHERE dept = 'OLD'")
    with pytest.raises(Refused) as caught:
        ward.undo(run, work="w-2-undo")
    assert (caught.value.code, len(ward.files)) == ("undo-already", 2)
    assert caught.value.message == "w-1 has been undone already, as the database's own marker says"


def test_an_undo_can_be_undone(ward: Bench) -> None:
    """It is a repair of its own: its bundle takes it back."""
    run = ward.run(repair(*CHAINED), CHAIN)
    after = contents(ward)
    ward.undo(ward.undo(run))
    assert contents(ward) == after


def test_children_were_added_since(ward: Bench) -> None:
    """An inserted row that somebody has used since is not deleted, nor are its children."""
    run = ward.run(
        repair(watch("visit", "id = 70", insert=1)), "INSERT INTO visit VALUES (70, 1, 'ORT', '')"
    )
    ward.site.run("INSERT INTO bill VALUES (71, 70, 1)", "INSERT INTO bill VALUES (72, 70, 1)")
    error = refused(ward, run)
    visit, bill = ward.site.table("visit"), ward.site.table("bill")
    assert (error.code, error.message) == (
        "undo-children",
        f"rows of {visit} that the undo would delete are pointed at by 2 rows of {bill}",
    )


def test_a_table_that_points_at_itself(bench: Bench) -> None:
    """A tree that was deleted comes back, and one that was inserted goes."""
    bench.site.run(
        "CREATE TABLE node (id integer NOT NULL PRIMARY KEY, up integer REFERENCES node (id))",
        "INSERT INTO node VALUES (5, NULL), (4, 5), (3, 4), (2, 5), (1, 3), (9, 9)",
    )
    bench.site.prepare("node")
    before = bench.rows("node")
    run = _rebuilt(bench)
    bench.undo(run)
    assert bench.rows("node") == before


def _rebuilt(bench: Bench) -> RunReport:
    manifest = repair(watch("node", insert=3, delete=6))
    deletes = "; ".join(f"DELETE FROM node WHERE id = {n}" for n in (1, 2, 3, 4, 5, 9))
    inserts = "INSERT INTO node VALUES (30, NULL), (20, 30), (10, 20)"
    return bench.run(manifest, f"{deletes}; {inserts}")


def test_a_child_of_its_own_table_was_added_since(bench: Bench) -> None:
    """A tree that has grown is not deleted."""
    bench.site.run(
        "CREATE TABLE node (id integer NOT NULL PRIMARY KEY, up integer REFERENCES node (id))"
    )
    bench.site.prepare("node")
    run = bench.run(
        repair(watch("node", insert=3)), "INSERT INTO node VALUES (30, NULL), (20, 30), (10, 20)"
    )
    bench.site.run("INSERT INTO node VALUES (1, 20)")
    before = bench.rows("node")
    with pytest.raises(Refused) as caught:
        bench.undo(run)
    assert (caught.value.code, bench.rows("node")) == ("undo-children", before)


def test_what_triggers_appended_stays(ward: Bench) -> None:
    """An audit trail is appended to by the undo as well, and never cut."""
    log_updates(ward)
    run = ward.run(moving(side_effects=(appends("log", 5),)), MOVE)
    undo = ward.undo(run)
    assert undo.appended == {ward.site.table("log"): 5}
    assert (len(ward.rows("log")), ward.rows("visit")[0][2]) == (10, "OLD")


def test_a_trigger_that_writes_elsewhere_on_undo(ward: Bench) -> None:
    """An undo declares its side effects as every repair does."""
    run = ward.run(moving(), MOVE)
    log_updates(ward)
    assert refused(ward, run).code == "undeclared-write"
    assert refused(ward, run, side_effects=(appends("log", 4),)).code == "expect-differs"
    ward.undo(run, side_effects=(appends("log", 5),))
    assert ward.rows("visit")[0][2] == "OLD"


def test_the_table_was_altered_since(ward: Bench) -> None:
    """Rows of another definition cannot go back as they were."""
    run = ward.run(moving(), MOVE)
    ward.site.run("ALTER TABLE visit ADD COLUMN later text")
    assert refused(ward, run).code == "undo-schema"


def test_a_bundle_of_a_run_that_never_committed(ward: Bench) -> None:
    """A bundle proves nothing: the database's marker says what took place."""
    run = ward.run(moving(), MOVE)
    ward.site.run(f"DELETE FROM {ward.marker_table} WHERE work = 'w-1'")
    error = refused(ward, run)
    assert error.code == "undo-not-run"


def test_limits_and_conditions_hold_for_an_undo(ward: Bench) -> None:
    """An undo is a repair: its row limit and its conditions refuse it as well."""
    run = ward.run(moving(), MOVE)
    few = replace(limited(moving(), 4).limits)
    assert refused(ward, run, limits=few).code == "too-many-rows"
    untrue = holds("SELECT count(*) FROM visit WHERE dept = 'OLD'", "77")
    assert refused(ward, run, before=(untrue,)).code == "condition-failed"
    assert refused(ward, run, after=(untrue,)).code == "condition-failed"


def test_a_damaged_bundle_undoes_nothing(ward: Bench) -> None:
    """A bundle that is not the one that the marker names is refused as a whole."""
    run = ward.run(moving(), MOVE)
    run.bundle.write_bytes(run.bundle.read_bytes()[:-1])
    with pytest.raises(DbopsError):
        ward.undo(run)
    assert ward.rows("visit")[0][2] == "ORT"


def test_an_updated_at_trigger_is_declared_volatile(ward: Bench) -> None:
    """A column that a trigger sets differs after the undo, and only where that is declared."""
    stamp_updates(ward)
    watched = watch("visit", "dept = 'OLD'", update=5, may_change=["dept", "note"], rewrites=True)
    run = ward.run(repair(watched), MOVE)
    assert refused(ward, run).code == "undo-differs"
    undo = ward.undo(run, undo=UndoRules(volatile=("note",)))
    assert ward.rows("visit")[0][2:] == ("OLD", "stamped")
    assert undo.tables[0].columns == {"dept": 5}


def test_a_volatile_column_of_the_run_is_one_of_the_undo(ward: Bench) -> None:
    """What the run's manifest called volatile stands in its bundle."""
    stamp_updates(ward)
    watched = watch("visit", "dept = 'OLD'", update=5, may_change=["dept", "note"], rewrites=True)
    run = ward.run(repair(watched, undo=UndoRules(volatile=("note",))), MOVE)
    ward.undo(run)
    assert ward.rows("visit")[0][2:] == ("OLD", "stamped")


def test_the_bundle_of_another_database(sqlite_bench: Bench, tmp_path: Path) -> None:
    """Equal rows of another database are not the rows that the repair wrote."""
    run = build(sqlite_bench).run(moving(), MOVE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lab.db").touch()
    site = SqliteSite(tmp_path / "other" / "lab.db")
    other = build(Bench(site, sqlite_bench.directory, sqlite_bench.identity))
    site.run(MOVE)
    with pytest.raises(Refused) as caught:
        other.undo(run)
    assert caught.value.code == "undo-database"
