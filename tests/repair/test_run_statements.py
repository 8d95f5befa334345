"""Statements of every form run as they were reviewed: nothing is parsed to know what they did."""

from __future__ import annotations

import pytest

from dbops.errors import Refused
from dbops.repair.judgement import Approved
from dbops.repair.manifest import Repair
from dbops.repair.report import RunReport
from dbops.sql.written import Written
from tests.repair.bench import Bench, repair, watch
from tests.repair.hospital import build, contents, moving

# Each moves the five visits from OLD to ORT.
MOVES = {
    "a common table expression": "WITH wrong AS (SELECT id FROM visit WHERE dept = 'OLD')"
    " UPDATE visit SET dept = 'ORT' WHERE id IN (SELECT id FROM wrong)",
    "a recursive one": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5)"
    " UPDATE visit SET dept = 'ORT' WHERE id IN (SELECT i FROM n)",
    "another table in FROM": "UPDATE visit SET dept = d.code FROM dept AS d, bill AS b"
    " WHERE d.code = 'ORT' AND b.vid = visit.id AND visit.dept = 'OLD'",
    "a row value": "UPDATE visit SET (dept, note) = (SELECT 'ORT', note) WHERE dept = 'OLD'",
    "its rows returned": "UPDATE visit SET dept = 'ORT' WHERE dept = 'OLD' RETURNING id, note",
}
SERVER_MOVES = {
    "a merge": "MERGE INTO visit AS v USING dept AS d ON v.dept = d.code AND d.code = 'OLD'"
    " WHEN MATCHED THEN UPDATE SET dept = 'ORT'",
    "a block": "DO $$ DECLARE v record; BEGIN FOR v IN SELECT id FROM visit WHERE dept = 'OLD'"
    " LOOP EXECUTE format('UPDATE visit SET dept = %L WHERE id = %s', 'ORT', v.id);"
    " END LOOP; END $$",
    "a procedure": "CALL move('OLD', 'ORT')",
    "a function": "SELECT moved('OLD', 'ORT')",
    "a temporary table": "CREATE TEMP TABLE wrong AS SELECT id FROM visit WHERE dept = 'OLD';"
    " UPDATE visit SET dept = 'ORT' WHERE id IN (SELECT id FROM wrong)",
}
ROUTINES = (
    "CREATE PROCEDURE move(a text, b text) LANGUAGE sql AS"
    " 'UPDATE visit SET dept = b WHERE dept = a'",
    "CREATE FUNCTION moved(a text, b text) RETURNS integer LANGUAGE plpgsql AS"
    " $$ BEGIN CALL move(a, b); RETURN 1; END $$",
)


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD, and a bill for each."""
    return build(bench)


@pytest.fixture
def server(postgresql_bench: Bench) -> Bench:
    """The same on PostgreSQL, with routines that move visits."""
    postgresql_bench.site.run(
        *(f"SET check_function_bodies = off; {routine}" for routine in ROUTINES)
    )
    return build(postgresql_bench)


def run_and_back(bench: Bench, manifest: Repair, sql: str) -> RunReport:
    """What ran, and was taken back without a trace."""
    before = contents(bench)
    report = bench.run(manifest, sql)
    assert contents(bench) != before
    bench.undo(report)
    assert contents(bench) == before
    return report


@pytest.mark.parametrize("form", MOVES)
def test_one_change_in_many_forms(ward: Bench, form: str) -> None:
    """Whatever a statement looks like, five rows change, are counted, and come back."""
    (effect,) = run_and_back(ward, moving(), MOVES[form]).tables
    assert (effect.ops, effect.counted, effect.columns) == (Written(updated=5),) * 2 + (
        {"dept": 5},
    )


@pytest.mark.parametrize("form", SERVER_MOVES)
def test_the_same_in_forms_of_a_server(server: Bench, form: str) -> None:
    """What a parser does not follow is counted all the same."""
    manifest = moving(temporary=("wrong",))
    (effect,) = run_and_back(server, manifest, SERVER_MOVES[form]).tables
    assert (effect.ops, effect.counted, effect.columns) == (Written(updated=5),) * 2 + (
        {"dept": 5},
    )


def test_every_form_comes_to_the_same(server: Bench) -> None:
    """The digest that is approved is of the rows, not of the statement that wrote them."""
    first = server.run(moving(), MOVES["its rows returned"])
    server.undo(first)
    approved = Approved(first.key, first.digest, first.counts)
    again = server.run(moving(), SERVER_MOVES["a procedure"], approved=(approved,))
    assert again.digest == first.digest


def test_rows_are_inserted_or_updated(ward: Bench) -> None:
    """A conflict that becomes an update is one, and the undo knows which row was which."""
    manifest = repair(watch("visit", "id IN (1, 99)", insert=1, update=1, may_change=["dept"]))
    sql = (
        "INSERT INTO visit VALUES (1, 0, 'ORT', 'x'), (99, 0, 'ORT', 'x')"
        " ON CONFLICT (id) DO UPDATE SET dept = excluded.dept"
    )
    (effect,) = run_and_back(ward, manifest, sql).tables
    assert effect.counted == Written(inserted=1, updated=1)


def test_one_statement_writes_several_tables(server: Bench) -> None:
    """An expression that deletes beside an update is declared like two statements, or refused."""
    sql = (
        "WITH gone AS (DELETE FROM bill WHERE vid = 5 RETURNING vid)"
        " UPDATE visit SET dept = 'ORT' FROM gone WHERE id = gone.vid"
    )
    watched = watch("visit", "id = 5", update=1, may_change=["dept"])
    run_and_back(server, repair(watched, watch("bill", "vid = 5", delete=1)), sql)
    with pytest.raises(Refused) as caught:
        server.run(repair(watched, work="w-2"), sql)
    assert caught.value.code == "undeclared-write"


def test_a_merge_inserts_updates_and_deletes(server: Bench) -> None:
    """Each of its actions is counted for itself."""
    sql = (
        "DELETE FROM bill WHERE vid = 5; MERGE INTO visit AS v USING"
        " (VALUES (4), (5), (50)) AS w (id) ON v.id = w.id WHEN MATCHED AND w.id = 5 THEN DELETE"
        " WHEN MATCHED THEN UPDATE SET dept = 'ORT'"
        " WHEN NOT MATCHED THEN INSERT VALUES (w.id, 0, 'ORT', '')"
    )
    merged = watch("visit", "id IN (4, 5, 50)", insert=1, update=1, delete=1, may_change=["dept"])
    report = run_and_back(server, repair(merged, watch("bill", "vid = 5", delete=1)), sql)
    counted = {effect.table: effect.counted for effect in report.tables}
    assert counted[server.site.table("visit")] == Written(1, 1, 1)


def test_a_procedure_that_writes_elsewhere(server: Bench) -> None:
    """What stands in its body needs no reading: the table is named by the counters."""
    server.site.run(
        "CREATE OR REPLACE PROCEDURE move(a text, b text) LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE visit SET dept = b WHERE dept = a;"
        " INSERT INTO log VALUES (1, 'moved'); END $$"
    )
    before = contents(server)
    with pytest.raises(Refused) as caught:
        server.run(moving(), SERVER_MOVES["a procedure"])
    assert (caught.value.code, contents(server)) == ("undeclared-write", before)
