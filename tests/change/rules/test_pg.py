"""PG rules: locks, rewrites and types of PostgreSQL."""

from __future__ import annotations

import pytest

from dbops.change.rules.finding import Facts
from dbops.change.schema import SchemaObject, schema_of
from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import VISIT, judged, unchecked

_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"
_DIFFERS = "has a default that may differ by row"
_BUILDS = "builds its index while nobody uses the table"
_REWRITE = "every row is written anew while nobody uses the table"
_BY_MONTH = Facts(schema_of([SchemaObject(VISIT, {"partitioned by": "RANGE (seen_at)"})]))

_BY_PARTS = (
    "CREATE INDEX ix ON ONLY his.visit (beds);"
    "CREATE INDEX CONCURRENTLY ix_1 ON his.visit_1 (beds);"
    "ALTER INDEX his.ix ATTACH PARTITION his.ix_1;"
)

CASES = [
    Found(
        "PG-IDX",
        "CREATE INDEX ix ON his.visit (beds);",
        (
            "an index of his.visit is made without CONCURRENTLY: nobody writes the table meanwhile"
            + _SIZE,
        ),
    ),
    Found(
        "PG-IDX",
        "DROP INDEX his.visit_seen_ix;",
        (
            "an index of his.visit is dropped without CONCURRENTLY: nobody writes the table "
            f"meanwhile{_SIZE}",
        ),
    ),
    Found(
        "PG-IDX",
        "DROP INDEX his.unknown_ix;",
        ("an index is dropped without CONCURRENTLY: nobody writes the table meanwhile",),
    ),
    Found(
        "PG-IDX",
        "REINDEX TABLE his.visit;",
        ("REINDEX without CONCURRENTLY: nobody writes the table meanwhile",),
    ),
    *silent(
        "PG-IDX",
        "CREATE INDEX CONCURRENTLY ix ON his.visit (beds);",
        "CREATE INDEX ix ON his.old (beds);",
        "CREATE TABLE his.a (id int); CREATE INDEX ix ON his.a (id);",
        "REINDEX INDEX CONCURRENTLY his.visit_seen_ix;",
        "ALTER INDEX his.visit_seen_ix RENAME TO x;",
    ),
    *silent("PG-IDX", "CREATE INDEX ix ON visit (beds);", dialect="sqlite"),
    Found(
        "PG-IDX",
        "CREATE INDEX ix ON ONLY his.visit (beds);",
        (
            "an index of his.visit is made without CONCURRENTLY: nobody writes the table meanwhile"
            + _SIZE,
        ),
    ),
    Found(
        "PG-IDX", "CREATE INDEX ix ON ONLY his.visit (beds);", (), down="SELECT 1;", facts=_BY_MONTH
    ),
    Found(
        "PG-IDX",
        "CREATE INDEX ix ON his.visit (beds);",
        ("an index of his.visit and of all its partitions is made: nobody writes them",),
        facts=_BY_MONTH,
    ),
    Found(
        "PG-IDX",
        "CREATE INDEX CONCURRENTLY ix ON ONLY his.visit (beds);",
        ("an index of his.visit is made CONCURRENTLY, which PostgreSQL refuses there",),
        facts=_BY_MONTH,
    ),
    Found(
        "PG-IDX",
        "CREATE INDEX CONCURRENTLY ix ON his.visit (beds);",
        ("an index of his.visit is made CONCURRENTLY, which PostgreSQL refuses there",),
        facts=_BY_MONTH,
    ),
    Found(
        "PG-IDX",
        _BY_PARTS,
        (
            "an index of his.visit and of all its partitions is dropped: nobody uses the tables"
            " meanwhile",
        ),
        down="DROP INDEX his.ix;",
        facts=_BY_MONTH,
    ),
    Found(
        "PG-IDX",
        _BY_PARTS,
        ("an index of his.visit is dropped CONCURRENTLY, which PostgreSQL refuses there",),
        down="DROP INDEX CONCURRENTLY his.ix;",
        facts=_BY_MONTH,
    ),
    *silent(
        "PG-IDX",
        "DROP TABLE his.visit;",
        down="CREATE TABLE his.visit (id int); CREATE INDEX i ON his.visit (id);",
    ),
    Found(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ADD CONSTRAINT f FOREIGN KEY (ward_code) REFERENCES his.ward,"
        " ADD CHECK (beds > 0);",
        (
            f"the foreign key f of his.visit reads all rows, and others wait meanwhile{_SIZE}",
            f"the check of his.visit reads all rows, and others wait meanwhile{_SIZE}",
        ),
    ),
    Found(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ADD COLUMN ward text DEFAULT 'A' REFERENCES his.ward;",
        (f"the foreign key of his.visit reads all rows, and others wait meanwhile{_SIZE}",),
    ),
    Found(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ADD COLUMN a int CHECK (a > 0);",
        (f"the check of his.visit reads all rows, and others wait meanwhile{_SIZE}",),
    ),
    Found(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds > 0) NOT VALID;",
        (f"the check c of his.visit is NOT VALID, and no step validates it{_SIZE}",),
    ),
    *silent(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds > 0) NOT VALID;\n-- part: rows\n"
        "ALTER TABLE his.visit VALIDATE CONSTRAINT c;",
        "ALTER TABLE his.old ADD CHECK (a > 0);",
        "ALTER TABLE his.visit ADD COLUMN ward text REFERENCES his.ward;",
        "CREATE TABLE his.a (ward text REFERENCES his.ward);",
    ),
    Found(
        "PG-SETNN",
        "ALTER TABLE his.visit ALTER COLUMN beds SET NOT NULL;",
        (f"his.visit.beds: all rows are read while nobody uses the table{_SIZE}",),
    ),
    *(
        Found(
            "PG-SETNN",
            f"ALTER TABLE his.visit ADD CONSTRAINT c CHECK ({check}) NOT VALID;\n-- part: a\n"
            "ALTER TABLE his.visit VALIDATE CONSTRAINT c;\n-- part: b\n"
            "ALTER TABLE his.visit ALTER beds SET NOT NULL;",
            (f"his.visit.beds: all rows are read while nobody uses the table{_SIZE}",),
        )
        for check in (
            "beds IS NOT NULL OR id > 0",
            "NOT (beds IS NOT NULL)",
            "old_beds IS NOT NULL",
            "CASE WHEN beds IS NOT NULL THEN true ELSE true END",
        )
    ),
    Found(
        "PG-SETNN",
        "ALTER TABLE his.visit ALTER COLUMN ote SET NOT NULL;",
        (f"his.visit.ote: all rows are read while nobody uses the table{_SIZE}",),
    ),
    *silent(
        "PG-SETNN",
        "ALTER TABLE his.visit ALTER COLUMN note SET NOT NULL;",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds IS NOT NULL AND id > 0) NOT VALID;\n"
        "-- part: a\nALTER TABLE his.visit VALIDATE CONSTRAINT c;\n-- part: b\n"
        "ALTER TABLE his.visit ALTER beds SET NOT NULL;",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds IS NOT NULL) NOT VALID;\n-- part: a\n"
        "ALTER TABLE his.visit VALIDATE CONSTRAINT c;\n-- part: b\n"
        "ALTER TABLE his.visit ALTER beds SET NOT NULL;",
        "ALTER TABLE his.old ALTER COLUMN a SET NOT NULL;",
        "ALTER TABLE his.visit ALTER COLUMN beds DROP NOT NULL;",
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ADD COLUMN key uuid DEFAULT gen_random_uuid();",
        (f"his.visit.key {_DIFFERS} (gen_random_uuid): {_REWRITE}{_SIZE}",),
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ADD at timestamptz DEFAULT (clock_timestamp() + interval '1 day');",
        (f"his.visit.at {_DIFFERS} (clock_timestamp): {_REWRITE}{_SIZE}",),
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ADD COLUMN no bigserial,"
        " ADD COLUMN total numeric GENERATED ALWAYS AS (fee * 2) STORED;",
        (
            f"his.visit.no counts the rows that are there: {_REWRITE}{_SIZE}",
            f"his.visit.total is generated and stored: {_REWRITE}{_SIZE}",
        ),
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ALTER COLUMN beds TYPE bigint;",
        (f"his.visit.beds gets another type: {_REWRITE}{_SIZE}",),
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,3);",
        (f"his.visit.fee gets another type: {_REWRITE}{_SIZE}",),
    ),
    *silent(
        "PG-REWRITE",
        "ALTER TABLE his.visit ADD COLUMN at timestamptz DEFAULT now() NOT NULL;",
        "ALTER TABLE his.visit ADD COLUMN a numeric(10,2) DEFAULT 0::numeric(10,2);",
        "ALTER TABLE his.visit ALTER COLUMN ward_code TYPE varchar(20);",
        "ALTER TABLE his.visit ALTER COLUMN ward_code TYPE text;",
        "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,2);",
        "ALTER TABLE his.old ADD COLUMN key uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE his.visit ALTER COLUMN note SET DEFAULT random()::text;",
    ),
    Found(
        "PG-UNIQUECON",
        "ALTER TABLE his.visit ADD CONSTRAINT u UNIQUE (beds);",
        (f"the unique constraint of his.visit {_BUILDS}{_SIZE}",),
    ),
    Found(
        "PG-UNIQUECON",
        "ALTER TABLE his.visit ADD COLUMN no int PRIMARY KEY;",
        (f"the primary key of his.visit {_BUILDS}{_SIZE}",),
    ),
    *silent(
        "PG-UNIQUECON",
        "ALTER TABLE his.visit ADD CONSTRAINT u UNIQUE USING INDEX u_ix;",
        "CREATE TABLE his.a (id int PRIMARY KEY);",
        "ALTER TABLE his.old ADD PRIMARY KEY (id);",
    ),
    Found(
        "PG-TS",
        "CREATE TABLE his.a (t timestamp, u timestamp(3) without time zone, c char(8), j json);",
        (
            "his.a.t is a timestamp without time zone: nobody knows when it was",
            "his.a.u is a timestamp without time zone: nobody knows when it was",
            "his.a.c is of char(n): blanks are added, and lost again",
            "his.a.j is of json, which has no equality: DISTINCT and UNION fail",
        ),
    ),
    Found(
        "PG-TS",
        "ALTER TABLE his.visit ADD price money;",
        ("his.visit.price is of money, whose digits the server's locale decides",),
    ),
    *silent("PG-TS", "CREATE TABLE his.a (t timestamptz, c varchar(8), j jsonb, d date);"),
    Found(
        "PG-ENUM",
        "ALTER TYPE his.mood ADD VALUE IF NOT EXISTS 'calm';\n"
        "ALTER TABLE his.visit ALTER COLUMN note SET DEFAULT 'calm';",
        (
            "his.mood gets a value, which no statement takes out again: down.sql cannot go back",
            "the new value of his.mood is used in the same transaction: that fails before its"
            " COMMIT",
        ),
    ),
    *silent(
        "PG-ENUM",
        "CREATE TYPE his.mood AS ENUM ('calm');",
        "ALTER TYPE his.mood RENAME VALUE 'calm' TO 'quiet';",
    ),
    Found(
        "PG-DEFINER",
        "CREATE FUNCTION his.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$;",
        ("his.f is SECURITY DEFINER, and who calls it chooses its search_path",),
    ),
    *silent(
        "PG-DEFINER",
        "CREATE FUNCTION his.f() RETURNS int LANGUAGE sql SECURITY DEFINER"
        " SET search_path = his, pg_temp AS $$ SELECT 1 $$;",
        "CREATE FUNCTION his.f() RETURNS int LANGUAGE sql AS $$ SELECT 'security definer' $$;",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()


def test_a_new_type_is_not_judged_without_the_old_one() -> None:
    """Whether rows are written anew depends on both."""
    report = judged("ALTER TABLE his.visit ALTER COLUMN beds TYPE bigint;", facts=None)
    assert unchecked(report, "PG-REWRITE") == [
        "not checked: whether the new type of his.visit.beds rewrites the table"
    ]
