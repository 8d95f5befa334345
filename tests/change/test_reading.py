"""What is read of a statement of DDL, and of a type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.column_type import is_rewritten, loss
from dbops.change.diff import Verb
from dbops.change.parsed import read_step
from dbops.change.parsed_types import read_type
from dbops.change.reading import Act, ConstraintKind, Does, Doubt, Flag, Reading
from dbops.change.reading_effects import effects
from dbops.change.rules.lint import lint
from dbops.change.schema import ObjectKind
from dbops.change.step import Part, Step
from tests.change.rules.judging import FACTS, change_of

_DIALECTS = ("postgres", "sqlite", "mysql", "tsql", "oracle")
_WORDS = """
CREATE OR REPLACE ALTER DROP TABLE INDEX UNIQUE VIEW FUNCTION TRIGGER TYPE SCHEMA ON ONLY IF EXISTS
NOT NULL DEFAULT PRIMARY KEY FOREIGN REFERENCES CHECK CONSTRAINT ADD COLUMN MODIFY CHANGE RENAME TO
SET DATA VALID VALIDATE CASCADE CONCURRENTLY ENABLE DISABLE ROW LEVEL SECURITY GRANT ALL PUBLIC
LOCK INHERIT DETACH CAST
TRUNCATE INSERT INTO UPDATE DELETE FROM WHERE SELECT WITH VALUES MERGE COPY COMMENT IS DO CALL EXEC
BEGIN END COMMIT PRAGMA PURGE ONLINE REBUILD MOVE NOCHECK ENGINE CHARSET ENUM GENERATED ALWAYS AS
IDENTITY STORED USING DEFINER VALUE PARTITION OF ATTACH MATERIALIZED DOMAIN SEQUENCE RULE POLICY
his visit ward note beds int bigint varchar text timestamp char json float serial ( ) , . = [ ] * ;
:: 'x' '' 7 "Visit" `a` $$b$$ -- /* */ @ # % now ( ) ( )
"""
_SOUP = st.lists(st.sampled_from(_WORDS.split()), min_size=1, max_size=25).map(" ".join)


def read(sql: str, dialect: str = "postgres") -> Reading:
    """The reading of a statement."""
    return read_step(Step(1, "step 1", sql, 1), dialect, "up.sql")


@given(script=st.lists(_SOUP | st.text(max_size=40), min_size=1, max_size=3))
@pytest.mark.parametrize("dialect", _DIALECTS)
def test_no_text_breaks_the_rules(dialect: str, script: list[str]) -> None:
    """Whatever stands there is judged or said, and is no error."""
    steps = [Step(number, f"s{number}", sql, number) for number, sql in enumerate(script, 1)]
    made = (Part(tuple(steps), alone=False),)
    report = lint(change_of(), made, made, dialect, FACTS)
    assert all(finding.sentence and finding.where for finding in report.findings)
    assert lint(change_of(), made, made, dialect, None).findings is not None


@pytest.mark.parametrize(
    ("dialect", "name"),
    [("postgres", "his.visit"), ("oracle", "HIS.VISIT"), ("mysql", "His.Visit")],
)
def test_names_are_as_the_catalogue_has_them(dialect: str, name: str) -> None:
    """Folded as the dialect folds what is not quoted."""
    (found,) = read("DROP TABLE His.Visit", dialect).names
    assert found.written == name


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", 'DROP TABLE "His"."Visit v"'),
        ("tsql", "DROP TABLE [His].[Visit v]"),
        ("mysql", "DROP TABLE `His`.`Visit v`"),
    ],
)
def test_quoted_names_are_kept(dialect: str, sql: str) -> None:
    """Quotes are what keeps them."""
    (found,) = read(sql, dialect).names
    assert found.path == ("His", "Visit v")


def test_keywords_in_quotes_are_names() -> None:
    """A column may be called anything."""
    reading = read('ALTER TABLE his.visit ADD COLUMN "check" int, ADD COLUMN key text')
    assert [clause.column for clause in reading.acts(Act.ADD_COLUMN)] == ["check", "key"]


def test_a_column_is_read_with_its_type_default_and_constraints() -> None:
    """All of what a definition says."""
    sql = (
        "ALTER TABLE his.visit ADD COLUMN at timestamp(3) with time zone NOT NULL"
        " DEFAULT (now() + interval '1 day') CONSTRAINT w REFERENCES his.day (d) ON DELETE CASCADE"
    )
    (clause,) = read(sql).clauses
    column = clause.definition
    assert column is not None
    assert column.type.text == "timestamp(3) with time zone"
    assert column.not_null
    assert column.default is not None
    assert column.default.calls == ("now",)
    (key,) = column.constraints
    assert (key.kind, key.name, key.cascades) == (ConstraintKind.FOREIGN_KEY, "w", True)


def test_a_constraint_is_read_with_its_columns_and_state() -> None:
    """All of what a definition says."""
    sql = "ALTER TABLE v ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES his.w (a, b) NOT VALID"
    (clause,) = read(sql).clauses
    assert clause.constraint is not None
    assert clause.constraint.columns == ("a", "b")
    assert clause.constraint.not_valid
    assert clause.constraint.target is not None
    assert clause.constraint.target.written == "his.w"


def test_an_index_is_read_with_its_table_and_flags() -> None:
    """Also where it has no name."""
    reading = read("CREATE UNIQUE INDEX CONCURRENTLY ON ONLY his.v USING gin (a, b) WHERE c")
    assert (reading.does, reading.kind, reading.names) == (Does.CREATE, ObjectKind.INDEX, ())
    assert reading.table is not None
    assert reading.table.written == "his.v"
    assert reading.columns == ("a", "b")
    assert reading.flags == {Flag.UNIQUE, Flag.CONCURRENTLY, Flag.WHERE}


@pytest.mark.parametrize(
    ("expression", "casts"),
    [
        ("fee", ()),
        ("(his.visit.fee)", ()),
        ("fee::text", ("text",)),
        ('(CAST(fee AS numeric(9, 2)))::his.money COLLATE "C"', ("numeric(9,2)", "his.money")),
        ("fee::timestamp with time zone::int[]", ("timestamp with time zone", "int[]")),
        ("fee * 2", None),
        ("fee::text || 'x'", None),
        ("fee::timestamp AT TIME ZONE 'UTC'", None),
        ("fee::text IS NOT NULL", None),
        ("beds", None),
        ("fee(fee)", None),
        ("round(fee)", None),
        ("NULL", None),
        ("CAST(fee", None),
        ("", None),
    ],
)
def test_what_a_column_is_computed_from(expression: str, casts: tuple[str, ...] | None) -> None:
    """The column itself with its casts, or anything else."""
    (clause,) = read(f"ALTER TABLE his.visit ALTER fee TYPE text USING {expression}").clauses
    assert clause.definition is not None
    assert clause.definition.type.text == "text"
    assert clause.using is not None
    found = clause.using.casts
    assert (None if found is None else tuple(each.text for each in found)) == casts


@pytest.mark.parametrize(
    ("sql", "acts"),
    [
        ("ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID", [Act.ADD_CONSTRAINT]),
        ("ADD CHECK (VALUE IS NOT NULL)", [Act.ADD_CONSTRAINT]),
        ("ADD CONSTRAINT c NOT NULL", [Act.SET_NOT_NULL]),
        ("SET NOT NULL", [Act.SET_NOT_NULL]),
        ("VALIDATE CONSTRAINT c", [Act.VALIDATE]),
        ("DROP CONSTRAINT IF EXISTS c CASCADE", [Act.DROP_CONSTRAINT]),
        ("DROP NOT NULL", []),
        ("SET DEFAULT 1", []),
        ("RENAME CONSTRAINT c TO d", []),
        ("RENAME TO e", []),
        ("SET SCHEMA lab", []),
    ],
)
def test_what_is_done_to_the_constraints_of_a_domain(sql: str, acts: list[Act]) -> None:
    """Nothing else of it reads rows."""
    reading = read(f"ALTER DOMAIN his.code {sql}")
    assert [clause.act for clause in reading.clauses] == acts
    assert [name.written for name in reading.names] == ["his.code"]


def test_tables_that_a_statement_names_beside_its_own() -> None:
    """Those that are locked, and the partitioned one of a partition."""
    locked = read("LOCK TABLE ONLY his.a, b * IN SHARE MODE NOWAIT")
    assert (locked.does, [name.written for name in locked.names]) == (Does.LOCK, ["his.a", "b"])
    made = read("CREATE TABLE his.p PARTITION OF his.visit DEFAULT")
    assert made.table is not None
    assert (made.names[0].written, made.table.written) == ("his.p", "his.visit")
    (clause,) = read("ALTER TABLE his.visit DETACH PARTITION his.p CONCURRENTLY").clauses
    assert clause.part == made.names[0]
    assert read("ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b").names == ()


@pytest.mark.parametrize(
    ("sql", "doubt"),
    [
        ("SELECT 'open", Doubt.FAULT),
        ("DO $$ BEGIN END $$", Doubt.OPAQUE),
        ("CREATE PACKAGE p AS x", Doubt.UNKNOWN),
        ("ALTER TABLE v WOBBLE", Doubt.PART),
        ("ALTER TABLE", Doubt.PART),
        ("", Doubt.FAULT),
        ("ALTER TABLE v ADD COLUMN a int", None),
    ],
)
def test_a_doubt_is_said(sql: str, doubt: Doubt | None) -> None:
    """And which one it is."""
    assert read(sql).doubt is doubt


def test_what_follows_a_command_is_read_too() -> None:
    """Also where the tokenizer takes it as a whole."""
    reading = read("REINDEX TABLE CONCURRENTLY his.visit")
    assert reading.words == ("REINDEX", "TABLE", "CONCURRENTLY", "HIS", ".", "VISIT")


def test_effects_name_what_is_made_altered_and_dropped() -> None:
    """Object by object."""
    sql = (
        "ALTER TABLE his.v ADD a int, DROP b, ALTER c TYPE text, RENAME d TO e,"
        " ADD CONSTRAINT k CHECK (a > 1)"
    )
    found = [(each.verb, each.title) for each in effects(read(sql))]
    assert found == [
        (Verb.CREATE, "column his.v.a"),
        (Verb.DROP, "column his.v.b"),
        (Verb.ALTER, "column his.v.c"),
        (Verb.DROP, "column his.v.d"),
        (Verb.CREATE, "column his.v.e"),
        (Verb.CREATE, "constraint his.v.k"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "lost", "dialect"),
    [
        ("varchar(10)", "varchar(8)", True, "postgres"),
        ("varchar(8)", "character varying(10)", False, "postgres"),
        ("varchar", "varchar(500)", True, "postgres"),
        ("text", "varchar", False, "postgres"),
        ("int4", "integer", False, "postgres"),
        ("integer", "smallint", True, "postgres"),
        ("integer", "numeric(8,0)", True, "postgres"),
        ("integer", "numeric(12,2)", False, "postgres"),
        ("numeric(10,2)", "numeric", False, "postgres"),
        ("numeric", "numeric(30,2)", True, "postgres"),
        ("numeric(10,2)", "double precision", True, "postgres"),
        ("bigint", "double precision", True, "postgres"),
        ("integer", "double precision", False, "postgres"),
        ("double precision", "real", True, "postgres"),
        ("timestamptz", "timestamp", True, "postgres"),
        ("timestamp", "date", True, "postgres"),
        ("date", "timestamp", False, "postgres"),
        ("date", "text", False, "postgres"),
        ("date", "varchar(4)", True, "postgres"),
        ("boolean", "integer", True, "postgres"),
        ("uuid", "text", False, "postgres"),
        ("uuid", "bytea", True, "postgres"),
        ("his.mood", "his.mode", True, "postgres"),
        ("interval", "interval(3)", True, "postgres"),
        ("interval(3)", "interval", False, "postgres"),
        ("int unsigned", "int", True, "mysql"),
        ("int", "bigint unsigned", True, "mysql"),
        ("text", "mediumtext", False, "mysql"),
        ("text", "varchar(200)", True, "mysql"),
        ("nvarchar(20)", "varchar(20)", True, "tsql"),
        ("varchar(20)", "nvarchar(20)", False, "tsql"),
        ("nvarchar(max)", "nvarchar(4000)", True, "tsql"),
        ("VARCHAR2(20 CHAR)", "VARCHAR2(10)", True, "oracle"),
        ("NUMBER(10)", "NUMBER(12)", False, "oracle"),
    ],
)
def test_what_a_new_type_loses(old: str, new: str, lost: bool, dialect: str) -> None:
    """A type that holds every value loses nothing; one that does not is said."""
    assert (loss(read_type(old, dialect), read_type(new, dialect)) is not None) is lost


@pytest.mark.parametrize(
    ("old", "new", "written"),
    [
        ("varchar(10)", "varchar(20)", False),
        ("varchar(10)", "text", False),
        ("text", "varchar(9)", True),
        ("numeric(10,2)", "numeric(12,2)", False),
        ("numeric(10,2)", "numeric(12,3)", True),
        ("numeric(10,2)", "numeric", False),
        ("integer", "bigint", True),
        ("int4", "integer", False),
        ("char(4)", "char(8)", True),
        ("text", "integer", True),
        ("timestamp", "timestamptz", True),
        ("interval", "interval(3)", True),
        ("interval(3)", "interval", False),
        ("name", "text", True),
        ("varchar(9)", "name", True),
    ],
)
def test_which_types_postgresql_writes_anew(old: str, new: str, written: bool) -> None:
    """As its manual says, and as the rehearsal measures."""
    assert is_rewritten(read_type(old, "postgres"), read_type(new, "postgres")) is written
