"""Lint as a whole: what blocks, what is shown, and what is never said."""

from __future__ import annotations

import logging

import pytest

from dbops.change.ports import TableSize
from dbops.change.rules.finding import Facts
from dbops.change.rules.lint import blocking, lint
from dbops.change.step import Step
from dbops.review.finding import Severity
from tests.change.rules.judging import (
    FACTS,
    OLD,
    UP,
    VISIT,
    change_of,
    found,
    judged,
    parts,
)

_DIALECTS = ["postgres", "sqlite", "mysql", "tsql", "oracle"]
_DROPS = "DROP TABLE his.visit;\nDROP TABLE his.ward;"


@pytest.mark.parametrize("dialect", _DIALECTS)
def test_a_change_without_fault_has_no_finding(dialect: str) -> None:
    """With the database at hand there is nothing to show and nothing left to check."""
    up = UP.replace(";", ", ALGORITHM=INSTANT;") if dialect == "mysql" else UP
    named = "touches: [create column ward.note]\npersonal: {ward.note: none}"
    report = judged(up, named if dialect == "sqlite" else "", dialect=dialect)
    assert report.findings == ()
    assert report.unchecked == ()


def test_errors_block_and_warnings_do_not() -> None:
    """Each error by itself, until the manifest accepts it."""
    report = judged(_DROPS)
    drops = [finding for finding in blocking(report, ()) if finding.rule == "DDL-DROP"]
    assert [finding.where for finding in drops] == ["up.sql line 1", "up.sql line 2"]
    assert any(finding.severity is Severity.WARNING for finding in report.findings)
    assert all(finding.severity is Severity.ERROR for finding in blocking(report, ()))


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("{rule: DDL-DROP, why: x}", []),
        ("{rule: DDL-DROP, at: up.sql line 1, why: x}", ["up.sql line 2"]),
        ("{rule: DDL-RENAME, why: x}", ["up.sql line 1", "up.sql line 2"]),
    ],
)
def test_an_acceptance_is_of_a_rule_and_of_a_place_where_it_names_one(
    entry: str, left: list[str]
) -> None:
    """Others still block."""
    accepted = change_of(_DROPS, f"accepted:\n  - {entry}").accepted
    found_now = blocking(judged(_DROPS), accepted)
    assert [finding.where for finding in found_now if finding.rule == "DDL-DROP"] == left


def test_counted_rows_are_believed_before_estimates() -> None:
    """A table that was estimated to be empty may have rows."""
    counts = {OLD: 3, VISIT: 0}
    facts = Facts(FACTS.schema, FACTS.sizes, counts)
    script = "DROP TABLE his.old;\nDROP TABLE his.visit;"
    (finding,) = found(judged(script, facts=facts), "DDL-DROP")
    assert finding.sentence == "table his.old is dropped; his.old has 3 rows, 8.2 kB"


@pytest.mark.parametrize(("counted", "many"), [(True, "20"), (False, "about 20")])
def test_an_estimate_is_said_to_be_one(counted: bool, many: str) -> None:
    """Of a small table that was never analysed it may be far off."""
    facts = Facts(FACTS.schema, {OLD: TableSize(20, 8_192, counted)})
    (finding,) = found(judged("DROP TABLE his.old;", facts=facts), "DDL-DROP")
    assert finding.sentence == f"table his.old is dropped; his.old has {many} rows, 8.2 kB"


def test_an_estimate_of_no_rows_is_not_believed_of_a_large_table() -> None:
    """It was empty when the server counted last."""
    facts = Facts(FACTS.schema, {OLD: TableSize(0, 80 << 20)})
    (finding,) = found(judged("DROP TABLE his.old;", facts=facts), "DDL-DROP")
    assert finding.sentence == "table his.old is dropped"


def test_nobody_waits_for_what_the_change_makes() -> None:
    """Also where it is filled by a query."""
    script = (
        "CREATE MATERIALIZED VIEW his.m AS SELECT 1 AS a; CREATE INDEX i ON his.m (a);"
        "CREATE TABLE his.c AS SELECT 1 AS a; CREATE INDEX j ON his.c (a);"
    )
    assert found(judged(script), "PG-IDX") == []
    assert found(judged(script.replace("INDEX", "UNIQUE INDEX")), "DDL-UNIQ") == []


def test_a_table_that_is_dropped_and_made_again_is_no_new_one_before() -> None:
    """What it held is lost all the same."""
    script = "DROP TABLE his.visit; CREATE TABLE his.visit (id int);"
    assert len(found(judged(script), "DDL-DROP")) == 1


def test_a_table_made_only_if_it_is_not_there_is_an_old_one() -> None:
    """It has the rows that it has."""
    script = "CREATE TABLE IF NOT EXISTS his.visit (id int); CREATE INDEX i ON his.visit (id);"
    assert len(found(judged(script), "PG-IDX")) == 1
    assert len(found(judged(script, facts=None), "PG-IDX")) == 1


def test_a_new_table_that_was_filled_from_another_is_not_empty() -> None:
    """Its rows are lost with it; whether two of them are alike the change itself decides."""
    script = "CREATE TABLE his.a (id int); INSERT INTO his.a SELECT id FROM his.visit;"
    assert found(judged("CREATE TABLE his.a (id int); DROP TABLE his.a;"), "DDL-DROP") == []
    assert len(found(judged(f"{script} DROP TABLE his.a;"), "DDL-DROP")) == 1
    unique = f"{script} CREATE UNIQUE INDEX i ON his.a (id); ALTER TABLE his.a ADD UNIQUE (id);"
    assert found(judged(unique), "DDL-UNIQ") == []


def test_a_block_of_plsql_is_looked_into_for_ddl() -> None:
    """Each statement that it runs commits."""
    script = "BEGIN EXECUTE IMMEDIATE 'DROP TABLE a'; EXECUTE IMMEDIATE 'DROP TABLE b'; END;"
    step = Step(1, "step 1", script, 1)
    (finding,) = found(lint(change_of(), parts((step,), "oracle"), (), "oracle", None), "MY-DDLTX")
    assert finding.sentence == ("one block runs more than one DDL statement, each of which commits")


@pytest.mark.parametrize(("begin", "count"), [("", 1), ("SET XACT_ABORT ON; ", 0)])
def test_a_procedure_that_begins_a_transaction_says_what_an_error_does(
    begin: str, count: int
) -> None:
    """Otherwise it stays open, half run."""
    script = f"CREATE PROCEDURE dbo.p AS {begin}BEGIN TRAN; DELETE FROM dbo.a; COMMIT"
    up = parts((Step(1, "step 1", script, 1),), "tsql")
    report = lint(change_of(), up, (), "tsql", None)
    sentences = ["dbo.p begins a transaction without XACT_ABORT: an error leaves it open"]
    assert [finding.sentence for finding in found(report, "MS-SET")] == sentences[:count]


def test_the_line_is_that_of_the_statement() -> None:
    """Comments before it do not count."""
    script = "SELECT 1;\n\n-- step: the second\n-- and why\n\nDROP TABLE his.visit;"
    (finding,) = found(judged(script), "DDL-DROP")
    assert finding.where == "up.sql line 6"


@pytest.mark.parametrize("dialect", _DIALECTS)
def test_no_constant_is_ever_repeated(
    dialect: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in findings, not in logs: of a statement that is read, is not read, or is half read."""
    canary = "canary7313"
    shapes = [
        "UPDATE his.visit SET note = '{}' WHERE note LIKE '{}%';",
        "INSERT INTO his.visit (note) VALUES ('{}'), ('{}');",
        "ALTER TABLE his.visit ADD COLUMN a varchar(9) DEFAULT '{}' NOT NULL;",
        "ALTER TABLE his.visit ADD b int CHECK (b <> '{}'), ADD CHECK (note <> '{}');",
        "ALTER TABLE his.visit ALTER COLUMN note SET DEFAULT '{}';",
        "CREATE TABLE his.k (c text DEFAULT '{}', s ENUM('{}', 'b'));",
        "ALTER TABLE his.visit MODIFY state ENUM('{}');",
        "ALTER TYPE his.mood ADD VALUE '{}';",
        "COMMENT ON TABLE his.visit IS '{}';",
        "CALL his.mend('{}');",
        "EXEC dbo.mend '{}';",
        "FROBNICATE '{}';",
        "CREATE INDEX i ON his.visit (note) WHERE note = '{}';",
        "CREATE VIEW his.v AS SELECT * FROM his.visit WHERE note = '{}';",
        "CREATE POLICY p ON his.visit USING (note = '{}');",
        "CREATE USER a IDENTIFIED BY '{}';",
        "ALTER ROLE a PASSWORD '{}';",
        "SET search_path = '{}';",
        "SELECT set_config('lock_timeout', '{}', true);",
        "CREATE TRIGGER t AFTER UPDATE ON his.visit FOR EACH ROW EXECUTE FUNCTION his.f('{}');",
    ]
    steps = [
        Step(number, f"step {number}", shape.replace("{}", canary), number)
        for number, shape in enumerate(shapes, 1)
    ]
    with caplog.at_level(logging.DEBUG):
        script = parts(steps, dialect)
        report = lint(change_of(), script, script, dialect, FACTS)
    assert len(report.findings) > 20
    assert canary not in repr(report).lower()
    assert canary not in caplog.text.lower()
    printed = capfd.readouterr()
    assert canary not in (printed.out + printed.err).lower()
