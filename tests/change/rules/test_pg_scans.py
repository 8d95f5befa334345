"""What rules say of scans, rewrites and locks that stand in no clause of their own: the words."""

from __future__ import annotations

import pytest

from dbops.change.ports import TableSize
from dbops.change.rules.finding import Facts
from dbops.change.schema import ObjectKind, ObjectName, SchemaObject, schema_of
from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import FACTS, VISIT, WARD, found, judged, unchecked

_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"
_WARD_SIZE = "; his.ward has about 40 rows, 16.4 kB"
_WAIT = "others wait while all rows are read"
_BEGIN = ": a transaction begins there"
_CODE = ObjectName(ObjectKind.DOMAIN, ("his", "code"))
_PART = ObjectName(ObjectKind.TABLE, ("his", "visit_rest"))


def _of_visit(kind: ObjectKind, path: tuple[str, ...], **said: str) -> SchemaObject:
    return SchemaObject(ObjectName(kind, path), {k.replace("_", " "): v for k, v in said.items()},
                        VISIT)  # fmt: skip


_BY_MONTH = Facts(
    schema_of(
        [
            SchemaObject(VISIT, {"partitioned by": "RANGE (seen_at)"}),
            SchemaObject(WARD),
            SchemaObject(_PART, {"partition of": "his.visit", "partition": "DEFAULT"}),
        ]
    ),
    {_PART: TableSize(500, 8192), WARD: TableSize(40, 16_384)},
)
_WITH_DOMAIN = Facts(
    schema_of(
        [
            SchemaObject(VISIT),
            SchemaObject(WARD),
            SchemaObject(_CODE, {"type": "text"}),
            _of_visit(ObjectKind.COLUMN, ("his", "visit", "code"), type="his.code"),
            SchemaObject(
                ObjectName(ObjectKind.COLUMN, ("his", "ward", "code")), {"type": "his.code"}, WARD
            ),
            SchemaObject(
                ObjectName(ObjectKind.CONSTRAINT, ("his", "visit", "k")),
                {"definition": "CHECK ((fee > 0))"},
                VISIT,
            ),
            _of_visit(ObjectKind.COLUMN, ("his", "visit", "fee"), type="numeric(10,2)"),
            _of_visit(ObjectKind.COLUMN, ("his", "visit", "no"), type="integer"),
            _of_visit(
                ObjectKind.INDEX,
                ("his", "fee_ix"),
                definition="CREATE INDEX fee_ix ON his.visit USING btree (id) WHERE (fee > 0)",
            ),
            _of_visit(
                ObjectKind.INDEX,
                ("his", "no_ux"),
                definition="CREATE UNIQUE INDEX no_ux ON his.visit USING btree (no)",
            ),
        ]
    ),
    FACTS.sizes,
)
_CHECKED = "the check c of domain his.code reads all rows of his.visit, his.ward"

CASES = [
    Found(
        "PG-NOTVALID",
        "ALTER DOMAIN his.code ADD CONSTRAINT c CHECK (VALUE <> '');",
        (f"{_CHECKED}, and nobody writes them meanwhile",),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-NOTVALID",
        "ALTER DOMAIN his.code VALIDATE CONSTRAINT c;",
        (f"{_CHECKED}, and nobody writes them meanwhile",),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-NOTVALID",
        "ALTER DOMAIN his.code ADD CHECK (VALUE <> '');",
        (
            "the check of domain his.code reads all rows of each table that has it, and nobody"
            " writes them meanwhile",
        ),
        facts=None,
    ),
    Found(
        "PG-NOTVALID",
        "ALTER DOMAIN his.code ADD CONSTRAINT c CHECK (VALUE <> '') NOT VALID;"
        "ALTER DOMAIN his.code DROP CONSTRAINT b; ALTER DOMAIN his.code OWNER TO boss;",
        (),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-SETNN",
        "ALTER DOMAIN his.code SET NOT NULL;\nALTER DOMAIN his.code ADD CONSTRAINT n NOT NULL;",
        (
            "domain his.code: all rows of his.visit, his.ward are read while nobody writes them",
            "domain his.code: all rows of his.visit, his.ward are read while nobody writes them",
        ),
        facts=_WITH_DOMAIN,
    ),
    *silent(
        "PG-SETNN",
        "CREATE DOMAIN his.code AS text; ALTER DOMAIN his.code SET NOT NULL;",
        "ALTER DOMAIN his.unused SET NOT NULL;",
        "ALTER DOMAIN his.code DROP NOT NULL;",
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ADD COLUMN k his.code;"
        "ALTER DOMAIN his.code ADD CONSTRAINT c CHECK (VALUE <> '') NOT VALID;",
        (
            "his.visit.k is of domain his.code, which looks at each value: every row is written"
            f" anew while nobody uses the table{_SIZE}",
        ),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(10,2) USING fee * 1000;",
        (
            "his.visit.fee is computed by USING: every row is written anew while nobody uses the"
            f" table{_SIZE}",
        ),
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,2);",
        (
            "fee_ix is built anew for the new type of his.visit.fee, and nobody uses the table"
            f" meanwhile{_SIZE}",
        ),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,2);",
        (
            "the check k of his.visit is asked of all rows again for the new type, and nobody uses"
            f" the table meanwhile{_SIZE}",
        ),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-REWRITE",
        "DROP INDEX his.fee_ix;\nALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,2);",
        (),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-REWRITE",
        "ALTER TABLE ALL IN TABLESPACE slow SET TABLESPACE fast;\n"
        "ALTER INDEX his.visit_seen_ix SET TABLESPACE fast;\n"
        "ALTER MATERIALIZED VIEW his.m SET ACCESS METHOD heap;",
        (
            "every table of a tablespace is written anew in another place, and nobody uses it"
            " meanwhile",
            "index his.visit_seen_ix is written anew in another place, and nobody uses it"
            " meanwhile",
            "materialized view his.m is written anew in another place, and nobody uses it"
            " meanwhile",
        ),
    ),
    Found(
        "PG-SETNN",
        "ALTER TABLE his.visit ADD PRIMARY KEY USING INDEX no_ux;",
        (f"his.visit.no: all rows are read while nobody uses the table{_SIZE}",),
        facts=_WITH_DOMAIN,
    ),
    Found(
        "PG-SETNN",
        "CREATE UNIQUE INDEX CONCURRENTLY b_ux ON his.visit (id, beds);\n"
        "ALTER TABLE his.visit ADD PRIMARY KEY USING INDEX b_ux;",
        (f"his.visit.beds: all rows are read while nobody uses the table{_SIZE}",),
    ),
    *silent(
        "PG-SETNN",
        "CREATE UNIQUE INDEX CONCURRENTLY b_ux ON his.visit (id, note);\n"
        "ALTER TABLE his.visit ADD PRIMARY KEY USING INDEX b_ux;",
        "ALTER TABLE his.visit ADD UNIQUE USING INDEX visit_no_ux;",
        "ALTER TABLE his.visit ALTER id SET NOT NULL;",
    ),
    Found(
        "PG-NOTVALID",
        "CREATE TABLE his.visit_1 PARTITION OF his.visit FOR VALUES FROM (1) TO (2);\n"
        "ALTER TABLE his.visit ATTACH PARTITION his.ward FOR VALUES FROM (2) TO (3);",
        (
            "his.visit gets a partition: all rows of his.visit_rest are read while nobody uses it"
            "; his.visit_rest has about 500 rows, 8.2 kB",
            f"his.visit gets a partition: all rows of his.ward are read while nobody uses it"
            f"{_WARD_SIZE}",
            "his.visit gets a partition: all rows of his.visit_rest are read while nobody uses it"
            "; his.visit_rest has about 500 rows, 8.2 kB",
        ),
        facts=_BY_MONTH,
    ),
    Found(
        "PG-NOTVALID",
        "ALTER TABLE his.visit_rest ADD CONSTRAINT b CHECK (seen_at > '2026-01-01') NOT VALID;\n"
        "-- part: a\nALTER TABLE his.visit_rest VALIDATE CONSTRAINT b;\n-- part: b\n"
        "CREATE TABLE his.visit_1 PARTITION OF his.visit FOR VALUES FROM (1) TO (2);\n"
        "CREATE TABLE his.new (LIKE his.visit);\n"
        "ALTER TABLE his.visit ATTACH PARTITION his.new FOR VALUES FROM (2) TO (3);",
        (),
        facts=_BY_MONTH,
    ),
    Found(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds > 0) NOT VALID;\n-- part: a\n"
        "ALTER TABLE his.ward VALIDATE CONSTRAINT c;",
        (f"the check c of his.visit is NOT VALID, and no step validates it{_SIZE}",),
    ),
    *silent(
        "PG-NOTVALID",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds > 0) NOT VALID;\n"
        "ALTER TABLE his.visit RENAME TO stay;\n-- part: a\n"
        "ALTER TABLE his.stay VALIDATE CONSTRAINT c;",
        "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds > 0) NOT VALID;\n-- part: a\n"
        "ALTER TABLE ONLY visit VALIDATE CONSTRAINT c;",
    ),
    Found(
        "DDL-NARROW",
        "ALTER TABLE his.visit ALTER code TYPE text;",
        (),
        facts=_WITH_DOMAIN,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()


@pytest.mark.parametrize(
    ("beside", "where"),
    [
        ("DO $$ BEGIN PERFORM 1; END $$;", " (what that locks is known to the server only)"),
        ("CALL his.mend();", " (what that locks is known to the server only)"),
        ("SELECT his.mend();", " (what that locks is known to the server only)"),
        ("DROP FUNCTION his.f() CASCADE;", " (what that locks is known to the server only)"),
        ("REASSIGN OWNED BY a TO b;", " (what that locks is known to the server only)"),
        ("RENAME TABLE his.ward TO his.unit;", ""),
        ("LOCK TABLE his.ward;", ""),
        ("CREATE OR REPLACE VIEW his.visit_now AS SELECT 1 AS id;", ""),
        ("DROP VIEW his.visit_now;", ""),
    ],
)
def test_what_is_validated_beside_a_lock(beside: str, where: str) -> None:
    """It is named, and where nobody here knows what it locks, that is said."""
    up = f"{beside}\nALTER TABLE his.visit VALIDATE CONSTRAINT c;"
    (finding,) = found(judged(up), "PG-NOTVALID")
    place = f"up.sql line 1{where}"
    assert finding.sentence == (
        f"c of his.visit is validated in one transaction with {place}: {_WAIT}{_SIZE}"
    )
    assert finding.hint == f"write -- part: name before it{_BEGIN}"


def test_a_lock_that_is_known_is_named_before_one_that_is_not() -> None:
    """It says more."""
    up = "DO $$ BEGIN END $$;\nALTER TABLE his.ward ADD a int;\nUPDATE his.visit SET fee = 1;"
    (finding,) = found(judged(up), "DDL-DML")
    assert "in one transaction with up.sql line 2, for whose" in finding.sentence


@pytest.mark.parametrize(
    ("up", "rule", "hint"),
    [
        (
            "ALTER DOMAIN his.code ADD CHECK (VALUE <> '');",
            "PG-NOTVALID",
            "add it NOT VALID: new values obey it, and no row is read; old ones are VALIDATEd at a"
            " time at which nobody writes",
        ),
        (
            "ALTER DOMAIN his.code VALIDATE CONSTRAINT c;",
            "PG-NOTVALID",
            "accept it for a time at which nobody writes these tables",
        ),
        (
            "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,2);",
            "PG-NOTVALID",
            "drop the check in this statement, and add it again NOT VALID; then -- part: name, and"
            " VALIDATE CONSTRAINT in that transaction",
        ),
        (
            "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,2);",
            "PG-REWRITE",
            "drop the index in a step before, and make it again CONCURRENTLY; or accept it for a"
            " time at which nobody uses the table",
        ),
        (
            "ALTER DOMAIN his.code SET NOT NULL;",
            "PG-SETNN",
            "set NOT NULL on the columns, table by table; or accept it for a time at which nobody"
            " writes",
        ),
    ],
)
def test_hints_say_what_lets_others_work(up: str, rule: str, hint: str) -> None:
    """Or that there is no such way."""
    (finding,) = found(judged(up, facts=_WITH_DOMAIN), rule)
    assert finding.hint == hint


_KEY = "ADD CONSTRAINT f FOREIGN KEY (ward) REFERENCES his.ward"
_OF_PART = f"ALTER TABLE his.visit_rest {_KEY} NOT VALID;\n"
_VALIDATED = "-- part: a\nALTER TABLE his.visit_rest VALIDATE CONSTRAINT f;\n"
_OF_ALL = f"-- part: b\nALTER TABLE his.visit {_KEY};"


def test_the_key_of_a_partitioned_table_takes_over_those_of_its_parts() -> None:
    """It reads no row then; NOT VALID, which the server refuses there, is not advised."""
    up = _OF_PART + _VALIDATED + _OF_ALL
    assert found(judged(up, facts=_BY_MONTH), "PG-NOTVALID") == []
    (finding,) = found(judged(_OF_ALL, facts=_BY_MONTH), "PG-NOTVALID")
    assert finding.sentence == (
        "the foreign key f of his.visit reads all rows, and others wait meanwhile"
    )
    assert finding.hint == (
        "ADD it NOT VALID to each partition; VALIDATE each with -- part: name before it; then ADD"
        " it to the table in one more part: that takes them over"
    )
    other = up.replace("his.visit_rest ADD CONSTRAINT f FOREIGN KEY (ward)",
                       "his.visit_rest ADD CONSTRAINT f FOREIGN KEY (unit)")  # fmt: skip
    assert len(found(judged(other, facts=_BY_MONTH), "PG-NOTVALID")) == 1


def test_a_key_over_an_index_is_not_judged_without_its_columns() -> None:
    """Whether rows are read depends on them."""
    report = judged("ALTER TABLE his.visit ADD PRIMARY KEY USING INDEX x_ux;")
    assert unchecked(report, "PG-SETNN") == [
        "not checked: whether the columns of x_ux are NOT NULL already"
    ]


def test_what_using_computes_is_judged_without_a_database() -> None:
    """Whatever the old type was."""
    report = judged("ALTER TABLE his.visit ALTER fee TYPE text USING lower(fee);", facts=None)
    assert len(found(report, "PG-REWRITE")) == 1
