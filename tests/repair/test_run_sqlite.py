"""What SQLite can do behind a repair's back is counted, or refused."""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError
from dbops.repair.manifest import Repair
from tests.repair.bench import Bench, repair, watch


@pytest.fixture
def ward(sqlite_bench: Bench) -> Bench:
    """Four visits, a log, and a parent table."""
    sqlite_bench.site.run(
        "CREATE TABLE dept (code text NOT NULL PRIMARY KEY)",
        "CREATE TABLE visit (id integer PRIMARY KEY AUTOINCREMENT, dept text)",
        "CREATE TABLE log (id integer PRIMARY KEY, m text)",
        "INSERT INTO visit VALUES (1, 'OLD'), (2, 'OLD'), (3, 'OLD'), (4, 'OLD')",
    )
    sqlite_bench.site.prepare()
    return sqlite_bench


def moving() -> Repair:
    return repair(watch("visit", "id <= 2", update=2, may_change=["dept"]))


MOVE = "UPDATE visit SET dept = 'ORT' WHERE id <= 2"


def refused(bench: Bench, manifest: Repair, sql: str) -> DbopsError:
    """The refusal; nothing was written and nothing is left."""
    before = bench.rows("visit")
    with pytest.raises(DbopsError) as caught:
        bench.run(manifest, sql)
    assert (bench.rows("visit"), bench.rows("log"), bench.files) == (before, [], [])
    return caught.value


def test_a_deferred_foreign_key_that_fails(ward: Bench) -> None:
    """What would fail at COMMIT fails before, by the table's name."""
    ward.site.run(
        "CREATE TABLE bed (id integer PRIMARY KEY, dept text REFERENCES dept (code)"
        " DEFERRABLE INITIALLY DEFERRED)"
    )
    manifest = repair(watch("bed", insert=1))
    error = refused(ward, manifest, "INSERT INTO bed VALUES (1, 'canary')")
    assert "bed" in error.message
    assert "canary" not in error.message


def test_a_sequence_is_told(ward: Bench) -> None:
    """An AUTOINCREMENT table's number that advanced stands in the report."""
    report = ward.run(
        repair(watch("visit", "id > 4", insert=1)), "INSERT INTO visit (dept) VALUES ('NEW')"
    )
    assert report.sequences == ("visit",)


def test_a_trigger_that_rewrites_the_value(ward: Bench) -> None:
    """With rewrites the bundle holds what was stored at the end, and undo takes that back."""
    ward.site.trigger(
        "t",
        "visit",
        "UPDATE",
        "UPDATE visit SET dept = upper(dept) WHERE id = NEW.id AND dept <> upper(dept)",
    )
    before = ward.rows("visit")
    manifest = repair(watch("visit", "id <= 2", update=2, may_change=["dept"], rewrites=True))
    run = ward.run(manifest, "UPDATE visit SET dept = 'ort' WHERE id <= 2")
    assert {(change.after or ())[1] for _, change in ward.changes(run)} == {b"ORT"}
    ward.undo(run)
    assert ward.rows("visit") == before


def test_generated_columns_are_left_to_sqlite(ward: Bench) -> None:
    """A deleted row comes back, and its generated column with it."""
    ward.site.run(
        "CREATE TABLE made (id integer PRIMARY KEY, n integer, twice AS (n * 2) STORED)",
        "INSERT INTO made VALUES (1, 1), (2, 2), (3, 3)",
    )
    before = ward.rows("made")
    manifest = repair(watch("made", update=1, delete=1, may_change=["n"]))
    run = ward.run(manifest, "DELETE FROM made WHERE id = 2; UPDATE made SET n = 7 WHERE id = 3")
    ward.undo(run)
    assert ward.rows("made") == before


def test_a_conflict_clause_that_deletes(ward: Bench) -> None:
    """OR REPLACE deletes other rows without saying so, and is counted."""
    ward.site.run("CREATE UNIQUE INDEX one ON visit (dept) WHERE dept = 'ONE'")
    ward.site.run("UPDATE visit SET dept = 'ONE' WHERE id = 4")
    sql = "UPDATE OR REPLACE visit SET dept = 'ONE' WHERE id = 1"
    manifest = repair(watch("visit", "id <= 2", update=1, may_change=["dept"]))
    assert refused(ward, manifest, sql).code == "count-differs"


def test_a_statement_that_rolls_back_on_conflict(ward: Bench) -> None:
    """OR ROLLBACK ends the transaction: the run stops, and nothing is left."""
    ward.site.run("INSERT INTO dept VALUES ('OLD')")
    refused(ward, moving(), f"{MOVE}; INSERT OR ROLLBACK INTO dept VALUES ('OLD')")


def test_rows_with_null_in_their_key(ward: Bench) -> None:
    """A primary key that SQLite lets be NULL identifies nothing."""
    ward.site.run(
        "CREATE TABLE odd (k text PRIMARY KEY, v integer)", "INSERT INTO odd VALUES (NULL, 1)"
    )
    error = refused(ward, repair(watch("odd", update=1)), "UPDATE odd SET v = 2")
    assert error.code in {"null-key", "no-key"}
