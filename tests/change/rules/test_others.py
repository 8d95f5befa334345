"""Rules of SQLite, MySQL, Oracle and SQL Server, decided by the dialect of the text."""

from __future__ import annotations

import pytest

from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import judged, unchecked

_SIZE = "visit has about 1,200,000 rows, 325.1 MB"

CASES = [
    Found(
        "MY-ALGO",
        "ALTER TABLE visit ADD COLUMN a int;",
        (f"the server may copy visit, and nobody writes it meanwhile; {_SIZE}",),
        "mysql",
    ),
    Found(
        "MY-ALGO",
        "CREATE INDEX ix ON visit (a) ALGORITHM=COPY LOCK=SHARED;",
        (f"the server may copy visit, and nobody writes it meanwhile; {_SIZE}",),
        "mysql",
    ),
    *silent(
        "MY-ALGO",
        "ALTER TABLE visit ADD COLUMN a int, ALGORITHM=INSTANT;",
        "ALTER TABLE visit ADD KEY k (beds), ALGORITHM=INPLACE, LOCK=NONE;",
        "CREATE INDEX ix ON visit (a) ALGORITHM=INPLACE LOCK=NONE;",
        "ALTER TABLE old ADD COLUMN a int;",
        "ALTER TABLE visit RENAME TO stay;",
        dialect="mysql",
    ),
    *silent("MY-ALGO", "ALTER TABLE his.visit ADD COLUMN a int;"),
    Found(
        "MY-ENUM",
        "ALTER TABLE visit MODIFY state ENUM('out','in');",
        (f"visit.state: values are moved or left out, so the table is copied; {_SIZE}",),
        "mysql",
    ),
    Found(
        "MY-ENUM",
        f"CREATE TABLE a (s ENUM({', '.join(repr(str(n)) for n in range(300))}));",
        ("a.s lists 300 values",),
        "mysql",
    ),
    *silent(
        "MY-ENUM",
        "ALTER TABLE visit MODIFY state ENUM('in','out','moved');",
        "CREATE TABLE a (s ENUM('x', 'y'));",
        dialect="mysql",
    ),
    Found(
        "MY-DDLTX",
        "ALTER TABLE visit ADD a int; UPDATE visit SET a = 1;",
        ("rows are written beside DDL, which commits: half of it stays if a step fails",),
        "mysql",
    ),
    *silent(
        "MY-DDLTX",
        "ALTER TABLE visit ADD a int; ALTER TABLE visit ADD b int;",
        dialect="mysql",
    ),
    *silent("MY-DDLTX", "ALTER TABLE his.visit ADD a int; UPDATE his.visit SET a = 1;"),
    Found(
        "MY-MDL",
        "ALTER TABLE visit ADD a int;",
        (
            "a statement waits up to 300 s for its metadata lock, and every query of the table "
            "waits behind it",
        ),
        "mysql",
        "limits: {lock_wait: 5m}",
    ),
    *silent("MY-MDL", "ALTER TABLE visit ADD a int;", dialect="mysql"),
    Found(
        "MY-BADENG",
        "CREATE TABLE a (id int) ENGINE=MyISAM DEFAULT CHARSET=latin1;",
        (
            "a is not of InnoDB: no rollback takes its rows back",
            "a is not in utf8mb4: rare characters of names are lost",
        ),
        "mysql",
    ),
    Found(
        "MY-BADENG",
        "ALTER TABLE visit ADD a date DEFAULT '0000-00-00', ADD total_fee double;",
        (
            "column a has a date of zeros, which is no date",
            "column total_fee holds money in floating numbers, which are rounded",
        ),
        "mysql",
    ),
    *silent(
        "MY-BADENG",
        "CREATE TABLE a (fee decimal(10,2), weight double, d date) ENGINE=InnoDB CHARSET=utf8mb4;",
        "ALTER TABLE visit ADD a date DEFAULT '2026-01-01';",
        dialect="mysql",
    ),
    Found(
        "ORA-ONLINE",
        "CREATE INDEX ix ON visit (a);",
        (
            "an index is built without ONLINE: nobody writes the table meanwhile; V"
            + _SIZE[1:].replace("isit", "ISIT", 1),
        ),
        "oracle",
    ),
    Found(
        "ORA-ONLINE",
        "ALTER INDEX his.ix REBUILD;",
        ("an index is built without ONLINE: nobody writes the table meanwhile",),
        "oracle",
    ),
    Found(
        "ORA-ONLINE",
        "ALTER TABLE his.ward2 MOVE TABLESPACE t;",
        ("a table is moved without ONLINE: nobody writes the table meanwhile",),
        "oracle",
    ),
    *silent(
        "ORA-ONLINE",
        "CREATE INDEX ix ON visit (a) ONLINE;",
        "ALTER INDEX ix REBUILD ONLINE;",
        "ALTER TABLE visit MOVE ONLINE;",
        "CREATE INDEX ix ON old (a);",
        dialect="oracle",
    ),
    Found(
        "ORA-PURGE",
        "DROP TABLE his.a CASCADE CONSTRAINTS PURGE;",
        ("HIS.A is dropped past the recycle bin",),
        "oracle",
    ),
    Found(
        "ORA-PURGE",
        "TRUNCATE TABLE his.a;",
        ("TRUNCATE of HIS.A leaves nothing for flashback",),
        "oracle",
    ),
    Found("ORA-PURGE", "PURGE RECYCLEBIN;", ("the recycle bin is emptied",), "oracle"),
    *silent("ORA-PURGE", "DROP TABLE his.a;", "TRUNCATE TABLE his.old;", dialect="oracle"),
    Found(
        "ORA-VALID",
        "ALTER TABLE his.b ADD CONSTRAINT c CHECK (a > 0);",
        ("a constraint of HIS.B is validated under an exclusive lock",),
        "oracle",
    ),
    *silent(
        "ORA-VALID",
        "ALTER TABLE his.b ADD CONSTRAINT c CHECK (a > 0) ENABLE NOVALIDATE;",
        "ALTER TABLE his.old ADD CONSTRAINT c CHECK (a > 0);",
        "ALTER TABLE his.b ADD (a NUMBER);",
        dialect="oracle",
    ),
    Found(
        "ORA-INVALID",
        "ALTER TABLE his.visit DROP COLUMN beds;",
        ("HIS.VISIT.BEDS makes function his.free_beds(text) INVALID, and no step compiles it",),
        "oracle",
    ),
    *silent(
        "ORA-INVALID",
        "ALTER TABLE his.visit DROP COLUMN beds; ALTER FUNCTION his.free_beds COMPILE;",
        "ALTER TABLE his.visit ADD (a NUMBER);",
        dialect="oracle",
    ),
    Found(
        "MS-ONLINE",
        "CREATE INDEX ix ON his.visit (a);",
        (f"an index is built without ONLINE = ON: others wait meanwhile; his.{_SIZE}",),
        "tsql",
    ),
    Found(
        "MS-ONLINE",
        "ALTER INDEX ALL ON his.visit REBUILD WITH (ONLINE = OFF);",
        (f"an index is built without ONLINE = ON: others wait meanwhile; his.{_SIZE}",),
        "tsql",
    ),
    Found(
        "MS-ONLINE",
        "ALTER TABLE his.visit ADD CONSTRAINT p PRIMARY KEY CLUSTERED (id);",
        (f"his.visit gets an index without ONLINE = ON: others wait meanwhile; his.{_SIZE}",),
        "tsql",
    ),
    *silent(
        "MS-ONLINE",
        "CREATE INDEX ix ON his.visit (a) WITH (FILLFACTOR = 90, ONLINE = ON);",
        "CREATE INDEX ix ON his.old (a);",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (a > 0);",
        dialect="tsql",
    ),
    Found(
        "MS-NOCHECK",
        "ALTER TABLE dbo.b WITH NOCHECK ADD CONSTRAINT c CHECK (a > 0);",
        ("c of dbo.b is not checked on rows that are there, so the optimiser ignores it",),
        "tsql",
    ),
    Found(
        "MS-NOCHECK",
        "ALTER TABLE dbo.b CHECK CONSTRAINT c;",
        ("c of dbo.b is not checked on rows that are there, so the optimiser ignores it",),
        "tsql",
    ),
    *silent(
        "MS-NOCHECK",
        "ALTER TABLE dbo.b WITH NOCHECK ADD CONSTRAINT c CHECK (a > 0);"
        "ALTER TABLE dbo.b WITH CHECK CHECK CONSTRAINT c;",
        "ALTER TABLE dbo.b WITH CHECK ADD CONSTRAINT c CHECK (a > 0);",
        "ALTER TABLE dbo.b ADD CONSTRAINT c CHECK (a > 0);",
        dialect="tsql",
    ),
    Found(
        "MS-SIZE",
        "ALTER TABLE his.visit ALTER COLUMN note nvarchar(200) NULL;",
        (
            "ALTER COLUMN of his.visit.note may write every row while nobody uses the table; "
            f"his.{_SIZE}",
        ),
        "tsql",
    ),
    Found(
        "MS-SIZE",
        "ALTER TABLE his.visit ADD k uniqueidentifier NOT NULL DEFAULT newid();",
        (f"his.visit.k has a default that differs by row, and every row is written; his.{_SIZE}",),
        "tsql",
    ),
    *silent(
        "MS-SIZE",
        "ALTER TABLE his.visit ADD k int NOT NULL DEFAULT 0, at datetime2 DEFAULT getdate();",
        "ALTER TABLE his.old ALTER COLUMN note int;",
        dialect="tsql",
    ),
    Found(
        "MS-SET",
        "SET QUOTED_IDENTIFIER OFF;",
        ("QUOTED_IDENTIFIER is switched off, and procedures keep that with them",),
        "tsql",
    ),
    Found(
        "MS-SET",
        "CREATE PROCEDURE dbo.p AS EXEC dbo.q; SELECT 1;",
        (),
        "tsql",
    ),
    *silent("MS-SET", "SET QUOTED_IDENTIFIER ON;", "SET XACT_ABORT ON;", dialect="tsql"),
    Found(
        "MS-VIEW",
        "CREATE VIEW dbo.v AS SELECT * FROM dbo.b;",
        ("dbo.v takes all columns, and new ones shift into others' places",),
        "tsql",
    ),
    Found(
        "MS-VIEW",
        "ALTER TABLE his.visit ADD a int;",
        ("his.visit_all takes all columns of his.visit, and no step refreshes it",),
        "tsql",
    ),
    *silent(
        "MS-VIEW",
        "CREATE VIEW dbo.v AS SELECT a, b FROM dbo.b;",
        "ALTER TABLE his.visit ADD a int; EXEC sp_refreshview 'his.visit_all';",
        "ALTER TABLE his.ward ADD a int;",
        dialect="tsql",
    ),
    Found(
        "LT-REBUILD",
        "CREATE TABLE new (id int); DROP TABLE visit; ALTER TABLE new RENAME TO visit;"
        "CREATE INDEX visit_seen_ix ON visit (a); CREATE INDEX visit_no_ux ON visit (b);",
        (
            f"visit is built anew, and nothing copies its rows; {_SIZE}",
            "trigger his.visit.visit_log went with the old visit, and nothing makes it again",
        ),
        "sqlite",
    ),
    Found(
        "LT-REBUILD",
        "CREATE TABLE new (id int); DROP TABLE ward; INSERT INTO new SELECT id FROM ward;"
        "ALTER TABLE new RENAME TO ward;",
        ("ward is dropped before its rows are copied",),
        "sqlite",
    ),
    Found(
        "LT-REBUILD",
        "CREATE TABLE new (id int); INSERT INTO new SELECT id FROM ward WHERE id > 1;"
        "DROP TABLE ward; ALTER TABLE new RENAME TO ward;",
        ("only some rows of ward are copied (WHERE)",),
        "sqlite",
    ),
    Found(
        "LT-REBUILD",
        "CREATE TABLE new AS SELECT * FROM ward; DROP TABLE ward; ALTER TABLE new RENAME TO ward;",
        ("ward is built anew from a query, which keeps no key, default or check",),
        "sqlite",
    ),
    Found(
        "LT-REBUILD",
        "ALTER TABLE ward RENAME TO ward_old; CREATE TABLE ward (id int);"
        "INSERT INTO ward SELECT id FROM ward_old; DROP TABLE ward_old;",
        ("ward is renamed first: triggers and keys follow it away",),
        "sqlite",
    ),
    *silent(
        "LT-REBUILD",
        "CREATE TABLE new (id int); INSERT INTO new SELECT id FROM ward; DROP TABLE ward;"
        "ALTER TABLE new RENAME TO ward;",
        "CREATE TABLE a (id int); ALTER TABLE a RENAME TO b;",
        "ALTER TABLE ward RENAME TO station;",
        dialect="sqlite",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()


@pytest.mark.parametrize(
    ("rule", "dialect", "script", "sentence"),
    [
        (
            "MY-ENUM",
            "mysql",
            "ALTER TABLE visit MODIFY state ENUM('out');",
            "whether the listed values of visit.state keep their order",
        ),
        (
            "MS-VIEW",
            "tsql",
            "ALTER TABLE his.visit ADD a int;",
            "which views take all columns of the tables that change",
        ),
        (
            "ORA-INVALID",
            "oracle",
            "ALTER TABLE his.visit DROP COLUMN beds;",
            "what is INVALID afterwards: the rehearsal compares that",
        ),
        (
            "LT-REBUILD",
            "sqlite",
            "CREATE TABLE n (id int); INSERT INTO n SELECT id FROM visit; DROP TABLE visit;"
            " ALTER TABLE n RENAME TO visit;",
            "which indexes and triggers of visit are made again",
        ),
    ],
)
def test_what_needs_the_catalogue_is_said_without_it(
    rule: str, dialect: str, script: str, sentence: str
) -> None:
    """Nobody takes silence for a yes."""
    report = judged(script, dialect=dialect, facts=None)
    assert unchecked(report, rule) == [f"not checked: {sentence}"]
