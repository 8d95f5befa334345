"""What reaches farther than the object that a statement names: copies, CASCADE, counters, roles."""

from __future__ import annotations

import pytest

from tests.change.rules.cases import Found, silent

_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"

CASES = [
    Found(
        "DDL-DROP",
        "TRUNCATE his.old CASCADE;",
        ("every table that refers to his.old is emptied too (CASCADE)",),
    ),
    Found(
        "DDL-DROP",
        "ALTER TABLE his.visit DROP CONSTRAINT visit_pk CASCADE;",
        ("constraint visit_pk of his.visit is dropped with all that depends on it (CASCADE)",),
    ),
    *silent("DDL-DROP", "TRUNCATE his.old;", "ALTER TABLE his.visit DROP CONSTRAINT visit_pk;"),
    *(
        Found(
            "DDL-DML",
            f"{fill}\nALTER TABLE his.ward ADD COLUMN a int;",
            (
                f"his.copy is filled from a query in one transaction with up.sql line 2, for whose"
                f" locks others wait meanwhile{_SIZE}",
            ),
        )
        for fill in (
            "CREATE TABLE his.copy AS SELECT * FROM his.visit JOIN his.ward USING (code);",
            "CREATE MATERIALIZED VIEW his.copy AS SELECT * FROM his.visit;",
            "CREATE TABLE his.copy (id int); INSERT INTO his.copy SELECT id FROM his.visit;",
        )
    ),
    *silent(
        "DDL-DML",
        "CREATE TABLE his.copy AS SELECT * FROM his.visit;\n-- part: b\n"
        "ALTER TABLE his.ward ADD COLUMN a int;",
        "CREATE TABLE his.copy AS SELECT * FROM his.visit;",
        "DROP MATERIALIZED VIEW his.m; DROP VIEW his.visit_now;\n"
        "CREATE MATERIALIZED VIEW his.m AS SELECT * FROM his.visit;",
        "CREATE TABLE his.copy AS SELECT * FROM his.visit WITH NO DATA;\n"
        "ALTER TABLE his.ward ADD COLUMN a int;",
        "CREATE TABLE his.copy AS SELECT * FROM his.old;\nALTER TABLE his.ward ADD COLUMN a int;",
        "CREATE TABLE his.copy (id int); INSERT INTO his.copy VALUES (1);\n"
        "ALTER TABLE his.ward ADD COLUMN a int;",
    ),
    *(
        Found("DDL-DML", copy, ("a change cannot copy rows from or to a file",))
        for copy in (
            "COPY (SELECT 1) TO PROGRAM 'x';",
            "CREATE TABLE his.copy (id int); COPY his.copy FROM '/tmp/x';",
        )
    ),
    Found(
        "DDL-DML",
        "ALTER SEQUENCE his.visit_no RESTART WITH 1;\n"
        "ALTER TABLE his.visit ALTER COLUMN id RESTART WITH 1;",
        (
            "his.visit_no goes on from another number: one that was given out may come again",
            "his.visit.id goes on from another number: one that was given out may come again"
            f"{_SIZE}",
        ),
    ),
    *silent(
        "DDL-DML",
        "CREATE SEQUENCE his.new; ALTER SEQUENCE his.new RESTART WITH 7;",
        "ALTER SEQUENCE his.visit_no OWNED BY his.visit.id;",
        "ALTER TABLE his.old ALTER COLUMN id RESTART WITH 7;",
    ),
    Found(
        "DDL-GRANT",
        "GRANT pg_read_all_data, clerk TO nurse;\nGRANT pg_execute_server_program TO nurse;",
        ("rights over the whole server are granted",) * 2,
    ),
    *silent("DDL-GRANT", "GRANT SELECT ON his.visit TO pg_monitor;", "GRANT clerk TO nurse;"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()
