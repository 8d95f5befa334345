"""Every form of ALTER TABLE, and the other statements that a migration may hold: who speaks.

A line of the tables is the rules that find something in the statement behind it, with the tables
of `judging` at hand; DDL-DOWN, DDL-TOUCH and DDL-PHI, which are about the manifest, are left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import found, judged

_HERE = Path(__file__).parent
_MANIFEST = frozenset({"DDL-DOWN", "DDL-TOUCH", "DDL-PHI"})
_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"
_TX = ("set_config changes a setting for all that follows",)

CASES = [
    Found("DDL-TX", "SELECT pg_catalog.set_config('search_path', '', true);", _TX),
    Found("DDL-TX", "SELECT set_config('work_mem', '1GB', false);", _TX),
    *silent("DDL-TX", "SELECT set_config('work_mem', '1GB', true);", "SELECT count(*) FROM his.a;"),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit SET UNLOGGED;",
        (
            "his.visit becomes unlogged, and empty after a crash: it is written anew while nobody"
            f" uses it{_SIZE}",
        ),
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ALTER COLUMN total SET EXPRESSION AS (fee * 2);",
        (
            "his.visit has a column generated otherwise: it is written anew while nobody uses it"
            f"{_SIZE}",
        ),
    ),
    Found(
        "PG-REWRITE",
        "VACUUM (FULL, ANALYZE) his.visit; CLUSTER his.visit USING i;",
        (
            "VACUUM FULL writes tables anew while nobody uses them",
            "CLUSTER writes tables anew while nobody uses them",
        ),
    ),
    Found(
        "PG-REWRITE",
        "REFRESH MATERIALIZED VIEW his.m;",
        ("his.m is filled anew while nobody reads it",),
    ),
    *silent(
        "PG-REWRITE",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY his.m;",
        "CREATE MATERIALIZED VIEW his.m AS SELECT 1 AS a; REFRESH MATERIALIZED VIEW his.m;",
        "ALTER TABLE his.old SET LOGGED;",
        "ALTER TABLE his.visit SET (fillfactor = 70), OWNER TO boss;",
        "VACUUM his.visit;",
    ),
    Found(
        "PG-UNIQUECON",
        "ALTER TABLE his.visit ADD EXCLUDE USING gist (bed WITH =);",
        (
            "the exclusion constraint of his.visit builds its index while nobody uses the table"
            f"{_SIZE}",
        ),
    ),
    Found(
        "DDL-TRG",
        "ALTER TABLE his.visit ENABLE REPLICA TRIGGER visit_log;",
        ("trigger visit_log is switched off",),
    ),
    Found(
        "DDL-TRG",
        "ALTER TABLE his.visit ALTER CONSTRAINT f NOT ENFORCED;",
        ("constraint f is enforced no more",),
    ),
    Found("DDL-TRG", "ALTER EVENT TRIGGER e DISABLE;", ("a trigger is switched off",)),
    *silent(
        "DDL-TRG",
        "ALTER TABLE his.visit ENABLE ALWAYS TRIGGER visit_log;",
        "ALTER EVENT TRIGGER e ENABLE;",
        "ALTER TABLE his.visit ALTER CONSTRAINT f ENFORCED;",
    ),
    Found(
        "DDL-RENAME",
        "ALTER TABLE his.visit SET SCHEMA archive;",
        ("his.visit moves to another schema",),
    ),
    Found(
        "DDL-RENAME",
        "ALTER VIEW his.visit_now RENAME COLUMN a TO b;",
        ("his.visit_now has a column that is renamed",),
    ),
    Found(
        "DDL-RENAME",
        "ALTER TYPE his.mood RENAME VALUE 'a' TO 'b';",
        ("his.mood has a value that is renamed",),
    ),
    *silent(
        "DDL-RENAME",
        "ALTER VIEW his.visit_now SET (security_invoker = true);",
        "CREATE TYPE his.b AS ENUM ('in'); DROP TYPE his.a; ALTER TYPE his.b RENAME TO a;",
    ),
    Found("DDL-RENAME", "ALTER TYPE his.a RENAME TO b;", ("his.a is renamed",)),
    *silent(
        "DDL-TOUCH",
        "CREATE UNIQUE INDEX CONCURRENTLY code_ux ON his.ward (code);"
        "ALTER TABLE his.ward ADD CONSTRAINT code_key UNIQUE USING INDEX code_ux;",
        manifest="touches: [create constraint his.ward.code_key]",
    ),
    Found(
        "DDL-TOUCH",
        "CREATE UNIQUE INDEX CONCURRENTLY code_ux ON his.ward (code);",
        ("create index his.code_ux is not covered by touches:",),
        manifest="touches: [create constraint his.ward.code_key]",
    ),
    Found(
        "DDL-DROP",
        "DROP OWNED BY clerk;",
        ("all that a role owns is dropped, tables with their rows too",),
    ),
    Found(
        "DDL-DROP",
        "ALTER TYPE his.address DROP ATTRIBUTE street;",
        ("an attribute of his.address is dropped with its values",),
    ),
    Found(
        "DDL-DML",
        "EXPLAIN ANALYZE DELETE FROM his.visit;",
        ("DELETE writes every row of a table",),
    ),
    *silent("DDL-DML", "EXPLAIN DELETE FROM his.visit;"),
    Found(
        "DDL-DML",
        "UPDATE OR IGNORE visit SET beds = 1 WHERE id = 2;",
        ("UPDATE writes rows of visit; visit has about 1,200,000 rows, 325.1 MB",),
        "sqlite",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """A rule finds what it must, by these words, and nothing else."""
    case.check()


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_each_form_is_spoken_of_by_its_rules(dialect: str) -> None:
    """Where none speaks, the form does nothing to rows, locks, names or rights that needs words."""
    lines = (_HERE / f"forms-{dialect}.txt").read_text("utf-8").splitlines()
    assert len(lines) > 40
    told = {"postgresql": "postgres"}.get(dialect, dialect)
    said = []
    for line in lines:
        statement = line.partition(" | ")[2]
        report = judged(statement, "touches:\npersonal:", down="SELECT 1;", dialect=told)
        rules = sorted({finding.rule for finding in report.findings} - _MANIFEST)
        said.append(f"{' '.join(rules) or '-'} | {statement}")
    assert said == lines


@pytest.mark.parametrize(
    "statement",
    [
        "LOCK TABLE his.visit;",
        "NOTIFY a;",
        "SECURITY LABEL ON TABLE his.visit IS 'x';",
        "SELECT his.mend();",
        "SELECT setval('his.s', 9);",
        "CREATE SCHEMA lab CREATE TABLE a (id int);",
        "CREATE SCHEMA AUTHORIZATION lab CREATE TABLE a (id int);",
    ],
)
def test_what_nobody_looks_into_is_said(statement: str) -> None:
    """A function may write, and a lock may be held."""
    assert len(found(judged(statement), "DDL-UNREAD")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*), max(id) FROM his.visit WHERE EXISTS (SELECT 1) AND lower(note) IN ('a');",
        "WITH a AS (SELECT 1 AS n) SELECT n FROM a JOIN his.ward USING (code) ORDER BY (n);",
        "SELECT CASE WHEN (beds > 1) THEN (1) ELSE (2) END, sum(id) OVER (ORDER BY id) FROM his.a;",
        "EXPLAIN SELECT his.mend();",
        "CREATE SCHEMA lab AUTHORIZATION boss;",
    ],
)
def test_a_query_that_only_reads_needs_no_words(statement: str) -> None:
    """Whatever stands before its parentheses."""
    assert found(judged(statement), "DDL-UNREAD") == []
