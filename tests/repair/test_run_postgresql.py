"""What PostgreSQL can do behind a repair's back is counted, or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.errors import DbopsError
from dbops.repair.manifest import Repair
from dbops.sql.written import Written
from tests.repair.bench import Bench, appends, repair, watch

NEVER = "RETURN NULL"


@pytest.fixture
def ward(postgresql_bench: Bench) -> Bench:
    """Four visits, a log, and a parent table."""
    postgresql_bench.site.run(
        "CREATE TABLE dept (code text PRIMARY KEY)",
        "CREATE TABLE visit (id integer PRIMARY KEY, dept text)",
        "CREATE TABLE log (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m text)",
        "INSERT INTO visit SELECT g, 'OLD' FROM generate_series(1, 4) g",
    )
    postgresql_bench.site.prepare("dept", "visit", "log")
    return postgresql_bench


def moving(update: int = 2) -> Repair:
    return repair(watch("visit", "id <= 2", update=update, may_change=["dept"]))


MOVE = "UPDATE visit SET dept = 'ORT' WHERE id <= 2"


def refused(bench: Bench, manifest: Repair, sql: str) -> DbopsError:
    """The refusal; nothing was written and nothing is left."""
    before = bench.rows("visit")
    with pytest.raises(DbopsError) as caught:
        bench.run(manifest, sql)
    assert (bench.rows("visit"), bench.rows("log"), bench.files) == (before, [], [])
    return caught.value


def trigger(bench: Bench, timing: str, body: str, *, more: str = "") -> None:
    """A trigger on visit."""
    bench.site.run(
        f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE {more} TRIGGER t {timing} UPDATE ON visit"
        f" {'DEFERRABLE INITIALLY DEFERRED' if more else ''} FOR EACH ROW EXECUTE FUNCTION f()",
    )


def test_a_deferred_trigger_that_writes(ward: Bench) -> None:
    """What would fire at COMMIT fires before the rows are judged."""
    body = "INSERT INTO log (m) VALUES ('late'); RETURN NULL;"
    trigger(ward, "AFTER", body, more="CONSTRAINT")
    assert refused(ward, moving(), MOVE).code == "undeclared-write"


def test_a_deferred_constraint_that_fails(ward: Bench) -> None:
    """What would fail at COMMIT fails before, by its code and name."""
    ward.site.run(
        "ALTER TABLE visit ADD CONSTRAINT ward_there FOREIGN KEY (dept) REFERENCES dept"
        " DEFERRABLE INITIALLY DEFERRED NOT VALID"
    )
    error = refused(ward, moving(), MOVE)
    assert error.code == "constraint-violated"
    assert "ward_there" in error.message
    assert "ORT" not in error.message


def test_a_function_that_catches_its_exception_after_writing(ward: Bench) -> None:
    """Attempts that were rolled back to a savepoint are counted, and hide nothing."""
    ward.site.run(
        "CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO log (m) VALUES ('x'); RAISE EXCEPTION 'gone';"
        " EXCEPTION WHEN OTHERS THEN NULL; END $$"
    )
    assert refused(ward, moving(), f"{MOVE}; SELECT sly()").code == "undeclared-write"


@pytest.mark.parametrize("word", ["COMMIT", "ROLLBACK"])
def test_a_procedure_that_ends_the_transaction(ward: Bench, word: str) -> None:
    """A CALL within the transaction cannot end it."""
    ward.site.run(
        "CREATE PROCEDURE sly() LANGUAGE plpgsql AS $$ BEGIN"
        f" UPDATE visit SET dept = 'ORT'; {word}; END $$"
    )
    refused(ward, moving(), f"{MOVE}; CALL sly()")


def test_a_sequence_is_told(ward: Bench) -> None:
    """A sequence that the run advanced stands in the report: no rollback turns it back."""
    ward.site.run("CREATE SEQUENCE number OWNED BY visit.id")
    ward.site.prepare("dept", "visit", "log")
    manifest = repair(watch("visit", "id > 4", insert=1))
    report = ward.run(manifest, "INSERT INTO visit SELECT nextval('number') + 10, 'NEW'")
    assert report.sequences == ("public.number",)


def test_a_trigger_that_rewrites_the_value(ward: Bench) -> None:
    """The bundle holds what was stored, whatever the script said, and undo takes that back."""
    trigger(ward, "BEFORE", "NEW.dept := upper(NEW.dept); RETURN NEW;")
    before = ward.rows("visit")
    run = ward.run(moving(), "UPDATE visit SET dept = 'ort' WHERE id <= 2")
    assert {(change.after or ())[1] for _, change in ward.changes(run)} == {b"ORT"}
    ward.undo(run)
    assert ward.rows("visit") == before


def test_a_trigger_that_keeps_the_row_as_it_was(ward: Bench) -> None:
    """An update that a trigger swallows writes nothing, and the counts are missed."""
    trigger(ward, "BEFORE", "RETURN NULL;")
    assert refused(ward, moving(), MOVE).code == "expect-differs"


def test_identity_and_generated_columns(ward: Bench) -> None:
    """A deleted row comes back with the very number that only the server assigns."""
    ward.site.run(
        "CREATE TABLE made (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer,"
        " twice integer GENERATED ALWAYS AS (n * 2) STORED)",
        "INSERT INTO made (n) SELECT g FROM generate_series(1, 3) g",
    )
    ward.site.prepare("made")
    before = ward.rows("made")
    manifest = repair(watch("made", update=1, delete=1, may_change=["n"]))
    run = ward.run(manifest, "DELETE FROM made WHERE id = 2; UPDATE made SET n = 7 WHERE id = 3")
    ward.undo(run)
    assert ward.rows("made") == before == [(1, 1, 2), (2, 2, 4), (3, 3, 6)]


def test_a_row_moves_to_another_partition(ward: Bench) -> None:
    """It counts as a delete and an insert, shows as an update, and moves back."""
    ward.site.run(
        "CREATE TABLE stay (id integer, ward text, PRIMARY KEY (id, ward))"
        " PARTITION BY LIST (ward)",
        "CREATE TABLE stay_old PARTITION OF stay FOR VALUES IN ('OLD')",
        "CREATE TABLE stay_ort PARTITION OF stay FOR VALUES IN ('ORT')",
        "CREATE TABLE bed (id integer PRIMARY KEY, n integer, w text) PARTITION BY RANGE (id)",
        "CREATE TABLE bed_low PARTITION OF bed FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE bed_high PARTITION OF bed FOR VALUES FROM (100) TO (200)",
        "INSERT INTO stay VALUES (1, 'OLD'), (2, 'ORT')",
        "INSERT INTO bed VALUES (1, 1, 'a'), (2, 2, 'b')",
    )
    ward.site.prepare("stay", "bed")
    before = [ward.rows("stay"), ward.rows("bed")]
    manifest = repair(
        watch("stay", insert=1, delete=1),
        watch("bed", insert=1, update=1, delete=1, may_change=["w"]),
    )
    run = ward.run(
        manifest,
        "UPDATE stay SET ward = 'ORT' WHERE id = 1; UPDATE bed SET id = 150 WHERE id = 1;"
        " UPDATE bed SET w = 'c' WHERE id = 2",
    )
    effects = {str(effect.table): effect.counted for effect in run.tables}
    assert effects == {"public.stay": Written(1, 0, 1), "public.bed": Written(1, 1, 1)}
    ward.undo(run)
    assert [ward.rows("stay"), ward.rows("bed")] == before


def test_a_row_outside_is_written_in_a_subtransaction(ward: Bench) -> None:
    """With rewrites, rows that a nested block wrote are told as this transaction's."""
    ward.site.run(
        "CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql AS $$ BEGIN BEGIN"
        " UPDATE visit SET dept = 'ORT' WHERE id = 3; EXCEPTION WHEN OTHERS THEN NULL; END; END $$"
    )
    manifest = repair(watch("visit", "id <= 2", update=2, may_change=["dept"], rewrites=True))
    assert refused(ward, manifest, f"{MOVE}; SELECT sly()").code == "count-differs"


def test_a_rule_that_writes_elsewhere(ward: Bench) -> None:
    """A rewrite rule is counted like all that writes."""
    ward.site.run(
        "CREATE RULE also AS ON UPDATE TO visit DO ALSO INSERT INTO log (m) VALUES ('rule')"
    )
    assert refused(ward, moving(), MOVE).code == "undeclared-write"


def test_what_triggers_name_without_schema_is_found_by_an_undo(ward: Bench) -> None:
    """The undo names the search path of the repair; without it the trigger's table is missing."""
    ward.site.run(
        "CREATE SCHEMA his",
        "CREATE TABLE his.trail (id integer PRIMARY KEY, m text)",
        "CREATE FUNCTION trail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trail"
        " SELECT count(*), NEW.dept FROM trail; PERFORM set_config('search_path', '', true);"
        " RETURN NULL; END $$",
    )
    ward.site.run(
        "CREATE TRIGGER trail AFTER UPDATE ON visit FOR EACH STATEMENT EXECUTE FUNCTION trail()"
    )
    ward.site.prepare("his.trail")
    before, path = ward.rows("visit"), ("his", "public")
    manifest = replace(moving(), search_path=path, side_effects=(appends("his.trail", 1),))
    run = ward.run(manifest, MOVE)
    with pytest.raises(DbopsError) as caught:
        ward.undo(run)
    assert caught.value.code == "object-missing"
    ward.undo(run, search_path=path)
    assert (ward.rows("visit"), len(ward.rows("his.trail"))) == (before, 2)
