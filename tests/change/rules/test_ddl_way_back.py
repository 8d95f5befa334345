"""DDL-DOWN, DDL-TOUCH and DDL-UNREAD: the scripts beside each other, and beside the manifest."""

from __future__ import annotations

import pytest

from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import found, judged, unchecked

_BACK = "and down.sql does not take that back"
_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"


_REBUILD = (
    "CREATE TABLE new (id int); INSERT INTO new SELECT 1 FROM ward; DROP TABLE ward;"
    "ALTER TABLE new RENAME TO ward;"
)
_INDEX_BY_PARTS = (
    "CREATE INDEX code ON ONLY his.visit (code);"
    "CREATE INDEX CONCURRENTLY code_1 ON his.visit_1 (code);"
    "CREATE INDEX CONCURRENTLY code_2 ON his.visit_2 (code);"
    "ALTER INDEX his.code ATTACH PARTITION his.code_1;"
    "ALTER INDEX his.code ATTACH PARTITION his.code_2;"
)


def _down(up: str, down: str, *sentences: str) -> Found:
    said = tuple(f"up.sql {sentence}, {_BACK}" for sentence in sentences)
    return Found("DDL-DOWN", up, said, manifest="data_loss: recoverable", down=down)


def _touch(up: str, touches: str, *sentences: str, dialect: str = "postgres") -> Found:
    return Found("DDL-TOUCH", up, sentences, dialect, f"touches: [{touches}]")


_ABOUT = "the statement is about"


def _name(touches: str, *sentences: str, dialect: str = "postgres") -> Found:
    said = tuple(f"touches: has {sentence}" for sentence in sentences)
    return Found("DDL-NAME", "SELECT 1;", said, dialect, f"touches: [{touches}]")


CASES = [
    _name(
        '"alter table his.visit (nonsense, owner)"',
        'alter table his.visit (nonsense, owner), and no table has a property "nonsense"',
    ),
    _name(
        "create column his.phone, create table visit, create extension his.dblink",
        "create column his.phone, and the name of a column has 3 parts: schema.table.name",
        "create table visit, and the name of a table has 2 parts: schema.name",
        "create extension his.dblink, and the name of an extension has 1 part: name",
    ),
    _name(
        "create virtual table his.notes",
        "create virtual table his.notes, and this database has no virtual table",
    ),
    _name(
        "create table his.visit, create function f",
        "create table his.visit, and the name of a table has 1 part: name",
        "create function f, and this database has no function",
        dialect="sqlite",
    ),
    _name(
        '\'create table his."My ""ward"". 1"\', "alter function his.age(date, integer) (comment)",'
        ' "drop operator his.=@=(text, text)", \'alter cast "his.level AS integer" (context)\''
    ),
    _name("drop constraint bed.foreign key (ward)", dialect="sqlite"),
    _name("create table dbo.his.visit", dialect="tsql"),
    Found(
        "DDL-OWN",
        'DROP TABLE "dbops".dbops_change; TRUNCATE his.visit, dbops.dbops_run;\n'
        " GRANT SELECT ON dbops.dbops_run TO x; DROP SCHEMA dbops CASCADE;",
        (
            f"{_ABOUT} dbops_change, dbops' journal of changes",
            f"{_ABOUT} dbops_run, dbops' marks of repairs",
            f"{_ABOUT} dbops_run, dbops' marks of repairs",
            f"{_ABOUT} schema dbops, where dbops keeps its journal",
        ),
    ),
    Found(
        "DDL-OWN",
        "SELECT 1;",
        (f"{_ABOUT} dbops_change, dbops' journal of changes",),
        "sqlite",
        down="DELETE FROM dbops_change;",
    ),
    *silent(
        "DDL-OWN",
        "CREATE TABLE his.dbops_changes (a int);",
        "UPDATE his.visit SET note = 'dbops_change' WHERE id = 1;",
        "SELECT count(*) FROM dbops.dbops_change;",
        "CREATE SCHEMA dbops;",
    ),
    *silent("DDL-DOWN", "DROP TABLE his.visit;", down="", manifest="data_loss: permanent"),
    *(
        Found("DDL-DOWN", up, (f"data_loss is none, and {what}{_SIZE}",), down=down)
        for up, down, what in (
            (
                "DROP TABLE his.visit;",
                "CREATE TABLE his.visit (id int);",
                "table his.visit is dropped",
            ),
            ("TRUNCATE his.visit;", "SELECT 1;", "TRUNCATE empties his.visit"),
            (
                "ALTER TABLE his.visit DROP COLUMN note;",
                "ALTER TABLE his.visit ADD COLUMN note text;",
                "column note of his.visit is dropped with its values",
            ),
        )
    ),
    *silent(
        "DDL-DOWN",
        "ALTER TABLE his.visit ADD COLUMN a int; ALTER TABLE his.visit DROP COLUMN a;",
        "TRUNCATE his.old;",
        "CREATE SEQUENCE his.s; DROP SEQUENCE his.s;",
        down="SELECT 1;",
    ),
    _down("CREATE TABLE his.a (id int);", "SELECT 1;", "creates table his.a"),
    _down("DROP TABLE his.a;", "DROP TABLE his.a;", "drops table his.a"),
    _down("CREATE SEQUENCE his.s; ALTER SEQUENCE his.s CACHE 5;", "DROP SEQUENCE his.s;"),
    _down(
        "CREATE SEQUENCE his.s; ALTER SEQUENCE his.s CACHE 5;",
        "DROP SEQUENCE his.t;",
        "creates sequence his.s",
    ),
    _down(_INDEX_BY_PARTS, "DROP INDEX his.code;"),
    _down(
        _INDEX_BY_PARTS,
        "DROP INDEX his.code_1;",
        "creates index his.code",
        "creates index his.code_2",
    ),
    _down("CREATE VIRTUAL TABLE words USING fts5(word);", "DROP TABLE words;"),
    _down(
        "CREATE VIRTUAL TABLE words USING fts5(word);",
        "DROP TABLE others;",
        "creates virtual table words",
    ),
    _down(
        "ALTER TABLE his.visit ADD COLUMN a int, ADD COLUMN b int;",
        "ALTER TABLE his.visit DROP COLUMN a;",
        "creates column his.visit.b",
    ),
    _down(
        "ALTER TABLE his.visit ALTER COLUMN a TYPE bigint, ALTER b SET NOT NULL;",
        "ALTER TABLE his.visit ALTER COLUMN a TYPE int;",
        "alters column his.visit.b",
    ),
    _down("CREATE INDEX ix ON his.visit (a);", "DROP INDEX his.iy;", "creates index his.ix"),
    _down("ALTER TYPE his.mood ADD VALUE 'calm';", "SELECT 1;", "alters type his.mood"),
    _down(
        "CREATE TRIGGER t AFTER UPDATE ON his.visit EXECUTE FUNCTION his.f();",
        "DROP TRIGGER t ON his.ward;",
        "creates trigger his.visit.t",
    ),
    _down(
        "ALTER TABLE his.a RENAME TO b;", "SELECT 1;", "drops table his.a", "creates table his.b"
    ),
    _down("CREATE TABLE his.a (id int); CREATE INDEX i ON his.a (id);", "DROP TABLE his.a;"),
    _down("CREATE SCHEMA lab; CREATE TABLE lab.a (id int);", "DROP SCHEMA lab CASCADE;"),
    _down("CREATE OR REPLACE VIEW his.v AS SELECT 1;", "CREATE OR REPLACE VIEW his.v AS SELECT 2;"),
    _down("CREATE OR REPLACE VIEW his.v AS SELECT 1;", "DROP VIEW his.v;"),
    _down(
        "DROP VIEW his.v; CREATE VIEW his.v AS SELECT 1;",
        "CREATE OR REPLACE VIEW his.v AS SELECT 2;",
    ),
    _down("ALTER TABLE his.a RENAME TO b;", "ALTER TABLE his.b RENAME TO a;"),
    _down("ALTER TABLE his.v ADD CONSTRAINT c UNIQUE (a);", "ALTER TABLE his.v DROP CONSTRAINT c;"),
    _down("ALTER TABLE his.v ADD PRIMARY KEY (a);", "ALTER TABLE his.v DROP CONSTRAINT v_pkey;"),
    _down(
        "ALTER TABLE his.v ADD COLUMN a int; CREATE INDEX i ON his.v (a);",
        "ALTER TABLE his.v DROP COLUMN a;",
    ),
    _down("CREATE TABLE his.a (id int); DROP TABLE his.a;", "SELECT 1;"),
    _down("CREATE TEMP TABLE a (id int);", "SELECT 1;"),
    _down("COMMENT ON TABLE his.a IS 'x'; GRANT SELECT ON his.a TO b;", "SELECT 1;"),
    _down(_REBUILD, _REBUILD.replace("id int", "id text")),
    _down(_REBUILD, "ALTER TABLE ward DROP COLUMN id;"),
    _down(_REBUILD + "CREATE INDEX i ON ward (id);", _REBUILD),
    _down(
        "CREATE TABLE new (id int); CREATE INDEX i ON new (id); DROP TABLE ward;"
        "ALTER TABLE new RENAME TO ward;",
        _REBUILD,
    ),
    _down(
        "DROP MATERIALIZED VIEW his.m; CREATE MATERIALIZED VIEW his.m AS SELECT 1 AS a;"
        "CREATE UNIQUE INDEX i ON his.m (a);",
        "DROP MATERIALIZED VIEW his.m; CREATE MATERIALIZED VIEW his.m AS SELECT 1 AS b;",
    ),
    _down(_REBUILD, "SELECT 1;", "alters table ward"),
    _touch(_REBUILD, "alter column ward.id (type)", dialect="sqlite"),
    _touch(
        _REBUILD,
        "alter column visit.id (type)",
        "alter table his.ward is not covered by touches:",
        "touches: has alter column visit.id, and no statement names it",
        dialect="sqlite",
    ),
    _touch(
        "ALTER TABLE his.visit ADD COLUMN a int, ADD COLUMN b int;",
        "create column his.visit.a",
        "create column his.visit.b is not covered by touches:",
    ),
    _touch(
        "DROP INDEX his.ix;",
        "create index his.ix",
        "drop index his.ix is not covered by touches:",
    ),
    _touch(
        "CREATE VIEW his.v AS SELECT 1;",
        "create view his.v, drop function his.f(integer)",
        "touches: has drop function his.f(integer), and no statement names it",
    ),
    _touch(
        "ALTER TABLE his.visit ADD CHECK (a > 1);",
        "create index his.other_ix",
        "create a constraint of his.visit is not covered by touches:",
        "touches: has create index his.other_ix, and no statement names it",
    ),
    _touch("CREATE TABLE his.a (id int); CREATE INDEX i ON his.a (id);", "create table his.a"),
    _touch(
        "CREATE OR REPLACE FUNCTION his.f(a int) RETURNS int LANGUAGE sql AS $$SELECT 1$$;",
        "alter function his.f(integer) (definition)",
    ),
    _touch("ALTER TABLE his.visit ADD CHECK (a > 1);", "create constraint his.visit.visit_a_check"),
    _touch(
        "CREATE TRIGGER t AFTER UPDATE ON his.visit EXECUTE FUNCTION his.f();",
        "create trigger his.visit.t",
    ),
    _touch("ALTER TABLE Visit ADD COLUMN a int;", "create column visit.a", dialect="sqlite"),
    _touch(
        "ALTER TABLE his.visit RENAME COLUMN beds TO bed_count;",
        "drop column his.visit.beds, create column his.visit.bed_count,"
        " alter view his.other (definition)",
    ),
    _touch("GRANT SELECT ON his.ward TO clerk;", "alter table his.ward (grants)"),
    _touch(
        "CREATE TABLE his.a (id bigserial);", "create table his.a, create sequence his.a_id_seq"
    ),
    Found(
        "DDL-UNREAD",
        "DO $$ BEGIN PERFORM 1; END $$;",
        (
            "not checked: the statement is of a kind that is not looked into (what it runs, or "
            "what it is about, is known to the database only)",
        ),
    ),
    Found(
        "DDL-UNREAD",
        "ALTER TABLE his.visit FROBNICATE a;",
        (
            "not checked: the statement is read in part only (a part of it has a form that is not "
            "known here)",
        ),
    ),
    *(
        Found(
            "DDL-UNREAD",
            statement,
            (
                "not checked: the statement could not be read (it begins as none that is known"
                " here)",
            ),
        )
        for statement in (
            "FROBNICATE his.visit;",
            "ALTER TABEL his.visit ADD a int;",
            "CREATE TABEL his.a (id int);",
            "DROP TABEL his.a;",
        )
    ),
    *silent(
        "DDL-UNREAD",
        "CREATE AGGREGATE his.a (int) (sfunc = his.f, stype = int);",
        "CREATE POLICY p ON his.visit FOR SELECT TO clerk USING (true);",
        "CREATE MATERIALIZED VIEW his.m AS SELECT 1 WITH NO DATA;",
        "CREATE TABLE his.p PARTITION OF his.visit FOR VALUES FROM (1) TO (2);",
        "ALTER TABLE his.visit ATTACH PARTITION his.p FOR VALUES FROM (1) TO (2);",
        "ALTER TABLE his.visit OWNER TO clerk; ALTER TABLE his.visit SET (fillfactor = 70);",
        "ALTER TABLE his.visit ALTER COLUMN a SET STATISTICS 100, ALTER b DROP IDENTITY;",
        "ALTER TYPE his.mood ADD VALUE 'calm' AFTER 'sad';",
        "CREATE TYPE his.mood AS ENUM ('a', 'b'); CREATE DOMAIN his.d AS text CHECK (true);",
        "CREATE SEQUENCE his.s; ALTER SEQUENCE his.s OWNED BY his.visit.id;",
        "CREATE STATISTICS his.st ON a, b FROM his.visit;",
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION his.f();",
        "CREATE PUBLICATION p FOR TABLE his.visit; CREATE EXTENSION IF NOT EXISTS pgcrypto;",
        "COMMENT ON COLUMN his.visit.note IS 'x'; REFRESH MATERIALIZED VIEW his.m;",
        "CREATE TABLE his.a (LIKE his.visit INCLUDING ALL, x text[] DEFAULT '{}'::text[]);",
        "CREATE TABLE his.a (n int, EXCLUDE USING gist (n WITH =)) PARTITION BY RANGE (n);",
        "ALTER TABLE his.visit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
        "ALTER FUNCTION his.f(int) OWNER TO clerk; DROP FUNCTION IF EXISTS his.f(int);",
    ),
    *silent(
        "DDL-UNREAD",
        "CREATE TABLE v (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT COLLATE NOCASE) STRICT;",
        "CREATE VIRTUAL TABLE f USING fts5 (a);",
        "CREATE TRIGGER t AFTER INSERT ON v BEGIN UPDATE v SET a = 1; END;",
        "ALTER TABLE v RENAME COLUMN a TO b; DROP TABLE IF EXISTS v; REINDEX v;",
        dialect="sqlite",
    ),
    *silent(
        "DDL-UNREAD",
        "ALTER TABLE `v` ADD COLUMN a int AFTER b, ADD KEY k (a), ALGORITHM=INSTANT;",
        "ALTER TABLE v DROP INDEX k, RENAME INDEX a TO b, ENGINE=InnoDB, CONVERT TO CHARACTER SET"
        " utf8mb4;",
        "CREATE TABLE v (id int, KEY k (id), FULLTEXT KEY f (a)) ENGINE=InnoDB COMMENT='x';",
        "CREATE OR REPLACE DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW v AS SELECT 1;",
        dialect="mysql",
    ),
    *silent(
        "DDL-UNREAD",
        "ALTER TABLE v ADD (a NUMBER(10) DEFAULT 0 NOT NULL, CONSTRAINT c CHECK (a > 0));",
        "ALTER TABLE v MODIFY (a VARCHAR2(9)); ALTER INDEX i REBUILD ONLINE;",
        "ALTER TABLE v ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES w (a) ENABLE NOVALIDATE;",
        "ALTER TABLE v MODIFY CONSTRAINT c VALIDATE; DROP TABLE v PURGE; ALTER VIEW x COMPILE;",
        dialect="oracle",
    ),
    *silent(
        "DDL-UNREAD",
        "ALTER TABLE dbo.v ADD a int NULL, b varchar(9) NOT NULL CONSTRAINT d DEFAULT 'x';",
        "ALTER TABLE dbo.v ALTER COLUMN a bigint NOT NULL; ALTER INDEX i ON dbo.v REBUILD;",
        "CREATE OR ALTER VIEW dbo.x AS SELECT 1; ALTER TABLE dbo.v DROP CONSTRAINT c, d;",
        "CREATE CLUSTERED INDEX i ON dbo.v (a) INCLUDE (b) WITH (ONLINE = ON);",
        dialect="tsql",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()


def test_a_way_back_that_cannot_be_read_is_not_judged() -> None:
    """And that is said."""
    report = judged("CREATE TABLE his.a (id int);", down="CALL his.undo();")
    assert unchecked(report, "DDL-DOWN") == [
        "not checked: whether down.sql takes all of up.sql back"
    ]


def test_what_a_block_touches_is_not_judged() -> None:
    """A touch that no statement names may be what the block does."""
    report = judged("CALL his.make();")
    assert unchecked(report, "DDL-TOUCH") == [
        "not checked: whether some statement makes differ all that touches: names"
    ]


def test_of_a_block_nobody_sees_what_rows_it_writes() -> None:
    """The hint says that, whatever the rehearsal shows."""
    (finding,) = found(judged("DO $$ BEGIN UPDATE his.visit SET a = 1; END $$;"), "DDL-UNREAD")
    assert finding.hint == (
        "which rows it writes nobody sees: read it, or write it out; the rehearsal counts them, and"
        " shows objects that it makes differ"
    )


_WITH = "ALTER TABLE his.ward ADD COLUMN note text;\n"


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE dbops.dbops_change CASCADE;",
        "TRUNCATE dbops.dbops_run;",
        "INSERT INTO dbops.dbops_change (run) VALUES ('x');",
        "ALTER TABLE dbops.dbops_change ADD COLUMN phone text NOT NULL;",
        "DROP SCHEMA dbops CASCADE;",
    ],
)
def test_of_what_is_to_be_left_alone_one_rule_speaks(statement: str) -> None:
    """No other hint leads to an acceptance, to a way back, or to a line of touches."""
    (finding,) = judged(_WITH + statement).findings
    assert (finding.rule, finding.where, finding.hint) == (
        "DDL-OWN",
        "up.sql line 2",
        "leave it alone: without it nobody knows what ran here, and no server lets it pass",
    )


def test_beside_what_is_to_be_left_alone_every_rule_speaks() -> None:
    """Of another statement of that line, and of all where an author accepts DDL-OWN."""
    both = judged(f"{_WITH}DROP TABLE dbops.dbops_run; DROP TABLE his.visit;")
    assert "table his.visit is dropped" in "".join(each.sentence for each in both.findings)
    accepted = 'accepted: [{rule: DDL-OWN, why: "it is to go"}]'
    assert found(judged(f"{_WITH}DROP TABLE dbops.dbops_run;", accepted), "DDL-DROP")
