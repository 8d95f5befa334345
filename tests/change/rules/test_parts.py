"""What rules know of transactions: which statements stand in one, up to the next `-- part:`."""

from __future__ import annotations

import pytest

from dbops.change.rules.finding import Facts
from dbops.change.schema import ObjectKind, ObjectName, SchemaObject, schema_of
from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import FACTS, VISIT, found, judged

_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"
_WAIT = "others wait while all rows are read"
_BEGIN = ": a transaction begins there"

ADD = "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds > 0) NOT VALID;\n"
VALIDATE = "ALTER TABLE his.visit VALIDATE CONSTRAINT c;\n"
NAME = "ALTER TABLE his.ward ADD COLUMN name text;\n"
PRESENT = "ALTER TABLE his.visit ADD CONSTRAINT n CHECK (beds IS NOT NULL) NOT VALID;\n"
PROVED = "ALTER TABLE his.visit VALIDATE CONSTRAINT n;\n"
SET = "ALTER TABLE his.visit ALTER COLUMN beds SET NOT NULL;\n"
INDEX = "CREATE INDEX CONCURRENTLY i ON his.visit (fee);\n"
UPDATE = "UPDATE his.visit SET fee = 0 WHERE fee IS NULL;\n"
CALM = "ALTER TYPE his.mood ADD VALUE 'calm';\n"
CALMED = "ALTER TABLE his.visit ALTER COLUMN note SET DEFAULT 'calm';\n"
OLD_CHECK = ObjectName(ObjectKind.CONSTRAINT, ("his", "visit", "n"))
UNPROVED = Facts(
    schema_of(
        [
            SchemaObject(VISIT),
            SchemaObject(OLD_CHECK, {"definition": "CHECK ((beds IS NOT NULL)) NOT VALID"}, VISIT),
        ]
    ),
    FACTS.sizes,
)


def part(number: int) -> str:
    """The comment with which another transaction begins."""
    return f"-- part: {number}\n"


@pytest.mark.parametrize(
    ("up", "by", "hint"),
    [
        (ADD + VALIDATE, "one transaction with up.sql line 1", "before it"),
        (
            VALIDATE + "ALTER TABLE his.visit DROP COLUMN fee;",
            "one transaction with up.sql line 2",
            "before up.sql line 2",
        ),
        (
            NAME + VALIDATE + NAME,
            "one transaction with up.sql line 1",
            "before it and before up.sql line 3",
        ),
        (
            ADD + part(1) + VALIDATE + "CREATE TRIGGER t AFTER UPDATE ON his.ward EXECUTE"
            " FUNCTION his.f();",
            "one transaction with up.sql line 4",
            "before up.sql line 4",
        ),
        (
            "DROP POLICY p ON his.ward;\n" + VALIDATE,
            "one transaction with up.sql line 1",
            "before it",
        ),
        (
            "CREATE TABLE his.k (ward text REFERENCES his.ward);\n" + VALIDATE,
            "one transaction with up.sql line 1",
            "before it",
        ),
    ],
)
def test_what_is_validated_beside_a_lock(up: str, by: str, hint: str) -> None:
    """Of its table or another's, and whichever comes first: there begins another transaction."""
    (finding,) = [
        each for each in found(judged(up), "PG-NOTVALID") if "validated in" in each.sentence
    ]
    assert finding.sentence == f"c of his.visit is validated in {by}: {_WAIT}{_SIZE}"
    assert finding.hint == f"write -- part: name {hint}{_BEGIN}"


def test_what_is_validated_in_the_statement_that_adds_it() -> None:
    """No comment parts the two."""
    up = "ALTER TABLE his.visit ADD CONSTRAINT c CHECK (beds > 0) NOT VALID, VALIDATE CONSTRAINT c;"
    (finding,) = found(judged(up), "PG-NOTVALID")
    assert finding.sentence == (
        f"c of his.visit is validated in a statement that does more: {_WAIT}{_SIZE}"
    )
    assert finding.hint == (
        "validate it in a statement of its own, with -- part: name before it: a transaction begins"
        " there"
    )


CASES = [
    *silent(
        "PG-NOTVALID",
        ADD + part(1) + VALIDATE,
        ADD + INDEX + VALIDATE,  # what runs outside of a transaction ends one
        VALIDATE + PROVED + "COMMENT ON TABLE his.visit IS 'x';\nCREATE VIEW his.v AS SELECT 1;",
        VALIDATE + "CREATE TABLE his.k (id int);\nCREATE INDEX k_ix ON his.k (id);",
        VALIDATE + "ALTER TABLE his.old ADD COLUMN a int;",  # it has no rows
    ),
    Found(
        "PG-SETNN",
        PRESENT + part(1) + PROVED + SET,
        (
            "his.visit.beds: its check is validated in the same transaction, and all rows are read"
            f" while nobody uses the table{_SIZE}",
        ),
    ),
    Found(
        "PG-SETNN",
        PRESENT + part(1) + SET + part(2) + PROVED,  # too late
        (f"his.visit.beds: all rows are read while nobody uses the table{_SIZE}",),
    ),
    Found(
        "PG-SETNN",
        SET,
        (f"his.visit.beds: all rows are read while nobody uses the table{_SIZE}",),
        facts=UNPROVED,
    ),
    *silent("PG-SETNN", PRESENT + part(1) + PROVED + part(2) + SET),
    Found("PG-SETNN", PROVED + part(1) + SET, (), facts=UNPROVED),
    Found(
        "DDL-DML",
        NAME + UPDATE,
        (
            "UPDATE writes rows of his.visit in one transaction with up.sql line 1, for whose locks"
            f" others wait meanwhile{_SIZE}",
        ),
    ),
    Found("DDL-DML", NAME + part(1) + UPDATE, (f"UPDATE writes rows of his.visit{_SIZE}",)),
    Found(
        "DDL-DML",
        "ALTER TABLE ward ADD COLUMN name text;\nUPDATE visit SET fee = 0 WHERE fee IS NULL;",
        ("UPDATE writes rows of visit; visit has about 1,200,000 rows, 325.1 MB",),
        dialect="sqlite",  # which has one lock, and no part lets others write beside it
    ),
    Found(
        "PG-ENUM",
        CALM + part(1) + CALMED,
        ("his.mood gets a value, which no statement takes out again: down.sql cannot go back",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()


@pytest.mark.parametrize(
    ("up", "rule", "hint"),
    [
        (PRESENT + part(1) + PROVED + SET, "PG-SETNN", f"write -- part: name before it{_BEGIN}"),
        (
            SET,
            "PG-SETNN",
            "validate CHECK (column IS NOT NULL) in a part before, and drop it afterwards",
        ),
        (CALM + CALMED, "PG-ENUM", f"write -- part: name before it{_BEGIN}"),
        (
            ADD,
            "PG-NOTVALID",
            "ADD CONSTRAINT … NOT VALID; then -- part: name, and VALIDATE CONSTRAINT in that"
            " transaction",
        ),
        (
            "COMMIT;",
            "DDL-TX",
            "remove it: dbops begins and ends; -- part: name says where one more begins",
        ),
    ],
)
def test_hints_say_how_a_transaction_begins(up: str, rule: str, hint: str) -> None:
    """With the comment to write."""
    assert found(judged(up), rule)[-1].hint == hint
