"""DDL rules of what others rely on: keys, rights, triggers, the way back, and the manifest."""

from __future__ import annotations

import pytest

from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import judged, unchecked

_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"
_ACCEPT = "accepted:\n  - {rule: DDL-DROP, at: up.sql line 1, why: nobody reads it}"

CASES = [
    Found(
        "DDL-FK",
        "ALTER TABLE his.visit ADD CONSTRAINT f FOREIGN KEY (ward_code) REFERENCES his.ward (code)"
        " ON DELETE CASCADE;",
        (
            "who deletes a row of his.ward deletes its rows of his.visit too (CASCADE)",
            f"his.visit (ward_code) has no index: each delete in his.ward reads all of it{_SIZE}",
        ),
    ),
    Found(
        "DDL-FK",
        "CREATE TABLE his.bed (id int PRIMARY KEY, ward text REFERENCES his.ward);",
        ("his.bed (ward) has no index: each delete in his.ward reads all of it",),
    ),
    *silent(
        "DDL-FK",
        "CREATE INDEX CONCURRENTLY w ON his.visit (ward_code, beds);"
        "ALTER TABLE his.visit ADD FOREIGN KEY (ward_code) REFERENCES his.ward;",
        "ALTER TABLE his.visit ADD FOREIGN KEY (seen_at) REFERENCES his.day ON DELETE SET NULL;",
        "CREATE TABLE his.bed (ward text PRIMARY KEY REFERENCES his.ward);",
        "CREATE TABLE his.bed (a text, b int, FOREIGN KEY (a) REFERENCES his.ward, UNIQUE (a, b));",
    ),
    *silent(
        "DDL-FK",
        "CREATE TABLE n (code text REFERENCES ward); ALTER TABLE n RENAME TO bed;"
        "CREATE INDEX i ON bed (code);",
        dialect="sqlite",
    ),
    *silent(
        "DDL-FK",
        "ALTER TABLE visit ADD FOREIGN KEY (ward_code) REFERENCES ward (code);",
        dialect="mysql",
    ),
    Found(
        "DDL-PKDROP",
        "ALTER TABLE his.visit DROP CONSTRAINT IF EXISTS visit_pk;",
        (f"constraint visit_pk of his.visit is dropped, and keeps nothing whole then{_SIZE}",),
    ),
    Found(
        "DDL-PKDROP",
        "ALTER TABLE visit DROP PRIMARY KEY, DROP FOREIGN KEY f;",
        (
            "constraint PRIMARY KEY of visit is dropped, and keeps nothing whole then"
            "; visit has about 1,200,000 rows, 325.1 MB",
            "constraint f of visit is dropped, and keeps nothing whole then"
            "; visit has about 1,200,000 rows, 325.1 MB",
        ),
        "mysql",
    ),
    Found(
        "DDL-PKDROP",
        "ALTER TABLE dbo.visit NOCHECK CONSTRAINT f;",
        ("constraint f of dbo.visit is switched off",),
        "tsql",
    ),
    Found(
        "DDL-PKDROP",
        "ALTER TABLE visit DISABLE CONSTRAINT f;",
        ("constraint F of VISIT is switched off",),
        "oracle",
    ),
    Found(
        "DDL-PKDROP",
        "DROP INDEX CONCURRENTLY his.visit_no_ux;",
        ("unique index his.visit_no_ux is dropped, and keeps nothing unique then",),
    ),
    *silent(
        "DDL-PKDROP",
        "DROP INDEX CONCURRENTLY his.visit_seen_ix;",
        "ALTER TABLE his.visit DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (beds > 0) NOT VALID;",
        "ALTER TABLE his.visit DROP COLUMN note;",
    ),
    Found(
        "DDL-VIEW",
        "ALTER TABLE his.visit DROP COLUMN beds;",
        ("his.visit.beds is used by function his.free_beds(text)",),
    ),
    Found(
        "DDL-VIEW",
        "DROP TABLE his.visit;",
        (
            "his.visit is used by view his.visit_now, view his.visit_all, function"
            " his.free_beds(text)",
        ),
    ),
    *silent(
        "DDL-VIEW",
        "ALTER TABLE his.visit ADD COLUMN kind text;",
        "ALTER TABLE his.ward DROP COLUMN beds;",
        "DROP FUNCTION his.free_beds(text); ALTER TABLE his.visit DROP COLUMN beds;",
    ),
    Found(
        "DDL-GRANT", "GRANT SELECT ON his.visit TO PUBLIC;", ("rights are granted to everybody",)
    ),
    Found("DDL-GRANT", "GRANT ALL ON his.visit TO clerk;", ("all rights are granted at once",)),
    Found(
        "DDL-GRANT",
        "GRANT SELECT ON his.* TO 'clerk'@'%';",
        ("rights are granted to everybody",),
        "mysql",
    ),
    Found(
        "DDL-GRANT",
        "GRANT SELECT ON his.visit TO clerk WITH GRANT OPTION;",
        ("rights are granted that can be passed on",),
    ),
    Found("DDL-GRANT", "CREATE ROLE nurse LOGIN;", ("CREATE ROLE: an account is made or altered",)),
    Found("DDL-GRANT", "ALTER USER a SUPERUSER;", ("ALTER USER: an account is made or altered",)),
    Found(
        "DDL-GRANT",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA his GRANT SELECT ON TABLES TO clerk;",
        ("default privileges decide on all that is made later",),
    ),
    Found(
        "DDL-GRANT",
        "ALTER TABLE his.visit DISABLE ROW LEVEL SECURITY;",
        ("row level security is switched off",),
    ),
    Found(
        "DDL-GRANT",
        "DROP POLICY own ON his.visit;",
        ("a policy of row level security is dropped",),
    ),
    *silent(
        "DDL-GRANT",
        "CREATE POLICY p ON his.visit USING (true);",
        down="DROP POLICY p ON his.visit; ALTER TABLE his.visit DISABLE ROW LEVEL SECURITY;",
    ),
    *silent(
        "DDL-GRANT",
        "GRANT SELECT, UPDATE ON his.visit TO clerk;",
        "REVOKE ALL ON his.visit FROM PUBLIC;",
        "CREATE POLICY p ON his.visit TO clerk USING (true);",
    ),
    Found(
        "DDL-PHI",
        "ALTER TABLE his.visit ADD COLUMN phone text;",
        (
            "his.visit.phone is new, and personal: does not say what it holds",
            "personal: names his.ward.note, and no statement makes that column",
        ),
    ),
    Found(
        "DDL-PHI",
        "CREATE TABLE his.kin (id int, name text);",
        ("his.kin.name is new, and personal: does not say what it holds",),
        manifest="personal: {his.kin.id: none}",
    ),
    *silent("DDL-PHI", "ALTER TABLE his.ward RENAME COLUMN remark TO note;"),
    *silent("DDL-PHI", "CREATE TEMP TABLE x (id int);", manifest="personal:"),
    *silent("DDL-PHI", "ALTER TABLE ward ADD COLUMN Note text;", dialect="mysql"),
    Found(
        "DDL-TMO",
        "SET LOCAL lock_timeout = 0;",
        ("lock_timeout is set by the script",),
    ),
    Found(
        "DDL-TMO",
        "SELECT set_config('statement_timeout', '0', true);",
        ("statement_timeout is set by the script",),
    ),
    Found(
        "DDL-TMO",
        "SELECT 1;",
        ("lock_wait_timeout is set by the script",),
        "mysql",
        down="SET SESSION lock_wait_timeout = 5;",
    ),
    *silent("DDL-TMO", "SELECT 'timeout';", "COMMENT ON TABLE his.ward IS 'time';"),
    Found("DDL-TX", "BEGIN;", ("BEGIN begins or ends a transaction",)),
    Found("DDL-TX", "COMMIT;", ("COMMIT begins or ends a transaction",), "oracle"),
    Found("DDL-TX", "BEGIN TRANSACTION;", ("BEGIN begins or ends a transaction",), "tsql"),
    Found("DDL-TX", "SET search_path = his;", ("SET changes a setting for all that follows",)),
    Found(
        "DDL-TX",
        "PRAGMA journal_mode = wal;",
        ("PRAGMA changes a setting for all that follows",),
        "sqlite",
    ),
    Found(
        "DDL-TX",
        "SET LOCAL search_path = his; SET LOCAL ROLE boss;",
        ("SET changes a setting for all that follows",),
    ),
    Found(
        "DDL-TX",
        "SET LOCAL sql_mode = '';",
        ("SET changes a setting for all that follows",),
        "mysql",
    ),
    *silent("DDL-TX", "SELECT 'COMMIT';", "SET lock_timeout = 0;"),
    *silent("DDL-TX", "SET LOCAL work_mem = '1GB';", "SET CONSTRAINTS ALL DEFERRED;"),
    *silent("DDL-TX", "PRAGMA user_version = 8;", dialect="sqlite"),
    *silent("DDL-TX", "SET XACT_ABORT ON;", dialect="tsql"),
    Found(
        "DDL-TRG",
        "DO $$ BEGIN PERFORM set_config('session_replication_role', 'replica', true); END $$;",
        ("session_replication_role is named: it silences triggers or checks",),
    ),
    Found(
        "DDL-TRG",
        "ALTER TABLE his.visit DISABLE TRIGGER visit_log;",
        ("trigger visit_log is switched off",),
    ),
    Found(
        "DDL-TRG",
        "SET session_replication_role = replica;",
        ("session_replication_role is named: it silences triggers or checks",),
    ),
    Found(
        "DDL-TRG",
        "PRAGMA foreign_keys = off;",
        ("foreign_keys is named: it silences triggers or checks",),
        "sqlite",
    ),
    Found("DDL-TRG", "DROP TRIGGER visit_log ON his.visit;", ("trigger visit_log is dropped",)),
    Found("DDL-TRG", "DISABLE TRIGGER t ON dbo.visit;", ("a trigger is switched off",), "tsql"),
    Found("DDL-TRG", "ALTER TRIGGER t DISABLE;", ("a trigger is switched off",), "oracle"),
    *silent(
        "DDL-TRG",
        "DROP TABLE his.old;",
        down="CREATE TABLE his.old (id int); ALTER TABLE his.old DISABLE TRIGGER t;",
    ),
    *silent(
        "DDL-TRG",
        "ALTER TABLE his.visit ENABLE TRIGGER visit_log;",
        "DROP TRIGGER t ON his.visit; CREATE TRIGGER t AFTER UPDATE ON his.visit EXECUTE FUNCTION"
        " his.f();",
    ),
    Found(
        "DDL-PATH",
        "ALTER TABLE visit ADD FOREIGN KEY (a) REFERENCES ward; DROP INDEX visit_ix;",
        (
            "visit has no schema: who runs the change decides which one is meant",
            "ward has no schema: who runs the change decides which one is meant",
            "visit_ix has no schema: who runs the change decides which one is meant",
        ),
    ),
    Found(
        "DDL-PATH",
        "CREATE OR ALTER PROCEDURE p AS SELECT 1;",
        ("p has no schema: who runs the change decides which one is meant",),
        "tsql",
    ),
    *silent(
        "DDL-PATH",
        "CREATE INDEX ix ON his.visit (a);",
        "CREATE TRIGGER t AFTER UPDATE ON his.visit EXECUTE FUNCTION his.f();",
        "CREATE TEMP TABLE x (id int);",
        "CREATE FUNCTION his.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;",
        "CREATE SCHEMA lab; CREATE EXTENSION pgcrypto;",
    ),
    *silent("DDL-PATH", "DROP TABLE visit;", dialect="sqlite"),
    Found("DDL-TICKET", "SELECT 1;", ("there is no ticket",), manifest="ticket:"),
    Found("DDL-TICKET", "SELECT 1;", ("nothing says why the change is made",), manifest="why:"),
    *silent("DDL-TICKET", "SELECT 1;"),
    Found(
        "DDL-ACCEPTED",
        "SELECT 1;",
        ("DDL-DROP is accepted at up.sql line 1, and found nothing there",),
        manifest=_ACCEPT,
    ),
    Found(
        "DDL-ACCEPTED",
        "SELECT 1;\nDROP TABLE his.visit;",
        ("DDL-DROP is accepted at up.sql line 1, and found nothing there",),
        manifest=_ACCEPT,
    ),
    Found(
        "DDL-ACCEPTED",
        "SELECT 1;",
        ('"DDL-DORP" is accepted, and there is no such rule',),
        manifest="accepted:\n  - {rule: DDL-DORP, why: x}",
    ),
    *silent("DDL-ACCEPTED", "DROP TABLE his.visit;", manifest=_ACCEPT),
    *silent(
        "DDL-ACCEPTED", "DROP TABLE his.visit;", manifest=_ACCEPT.replace("at: up.sql line 1, ", "")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()


@pytest.mark.parametrize(
    ("rule", "script", "sentence"),
    [
        (
            "DDL-FK",
            "ALTER TABLE his.visit ADD FOREIGN KEY (a) REFERENCES his.ward;",
            "whether his.visit has an index for its foreign key",
        ),
        (
            "DDL-VIEW",
            "ALTER TABLE his.visit DROP COLUMN beds;",
            "which views, functions and triggers use what changes",
        ),
    ],
)
def test_what_needs_the_catalogue_is_said_without_it(rule: str, script: str, sentence: str) -> None:
    """Nobody takes silence for a yes."""
    assert unchecked(judged(script, facts=None), rule) == [f"not checked: {sentence}"]
    assert unchecked(judged(script), rule) == []


def test_an_acceptance_of_what_could_not_be_looked_at_is_kept() -> None:
    """With the database at hand the rule may find something."""
    manifest = "accepted:\n  - {rule: DDL-VIEW, why: looked at by hand}"
    report = judged("ALTER TABLE his.visit DROP COLUMN x;", manifest, facts=None)
    assert [each for each in report.findings if each.rule == "DDL-ACCEPTED"] == []
