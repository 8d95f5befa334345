"""REP-TX: what ends the transaction, or is no statement on rows."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("COMMIT;", "COMMIT begins or ends a transaction"),
        ("rollback to savepoint a;", "ROLLBACK begins or ends a transaction"),
        ("/* now */ SAVEPOINT a;", "SAVEPOINT begins or ends a transaction"),
        ("START TRANSACTION;", "START begins or ends a transaction"),
        ("BEGIN;", "BEGIN begins or ends a transaction"),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;", "SET changes a setting"),
        ("SET CONSTRAINTS ALL DEFERRED;", "SET changes a setting"),
        ("RESET search_path;", "RESET changes a setting"),
        ("PRAGMA foreign_keys = off;", "PRAGMA changes a setting"),
        ("SELECT set_config('search_path', 'x', false);", "set_config changes a setting"),
        ("TRUNCATE his.visit;", "TRUNCATE changes the schema or rights"),
        ("CREATE TABLE his.x (id integer);", "CREATE changes the schema or rights"),
        ("ALTER TABLE his.visit ADD COLUMN x text;", "ALTER changes the schema or rights"),
        ("DROP TABLE his.visit;", "DROP changes the schema or rights"),
        ("GRANT SELECT ON his.visit TO clerk;", "GRANT changes the schema or rights"),
        ("SELECT id INTO his.copy FROM his.visit;", "INTO makes a table"),
        ("CREATE TEMP TABLE tmp_ids AS SELECT 1;", "CREATE changes the schema or rights"),
        ("SELECT id INTO TEMP tmp_ids FROM his.visit;", "INTO makes a table"),
        ("VACUUM;", "VACUUM is no statement on rows"),
        ("COPY his.visit FROM '/x';", "COPY is no statement on rows"),
        ("LOCK TABLE his.visit;", "LOCK is no statement on rows"),
    ],
)
def test_what_is_not_for_one_transaction_is_found(script: str, sentence: str) -> None:
    """By its first word, whether or not the rest can be read."""
    (finding,) = found(judged(script), "REP-TX")
    assert finding.sentence == sentence


@pytest.mark.parametrize("dialect", ["postgres", "sqlite", "mysql", "tsql", "oracle"])
def test_every_dialect_has_its_commit_found(dialect: str) -> None:
    """The first word is looked at, not the tree."""
    assert len(found(judged("COMMIT;", dialect=dialect), "REP-TX")) == 1


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE his.visit SET note = 'COMMIT' WHERE id = 1; -- then COMMIT",
        "SELECT 1;",
        "WITH a AS (SELECT 1) DELETE FROM his.visit WHERE id = 1;",
        "CALL his.mend(1);",
        "MERGE INTO his.visit v USING his.old o ON v.id = o.id"
        " WHEN MATCHED THEN UPDATE SET ward_code = o.ward_code;",
    ],
)
def test_statements_on_rows_are_not(script: str) -> None:
    """Words in texts and comments are not statements."""
    assert found(judged(script), "REP-TX") == []


def test_declared_temporary_tables_are_not() -> None:
    """A temporary table that the manifest names is part of the repair."""
    script = "CREATE TEMP TABLE tmp_ids AS SELECT id FROM his.visit;"
    assert found(judged(script, "temporary: [tmp_ids]"), "REP-TX") == []
