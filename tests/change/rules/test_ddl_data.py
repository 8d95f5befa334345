"""DDL rules of what rows lose, and of rows that do not fit."""

from __future__ import annotations

import pytest

from tests.change.rules.cases import Found, silent
from tests.change.rules.judging import found, judged, unchecked

_SIZE = "; his.visit has about 1,200,000 rows, 325.1 MB"
_WARD = "; his.ward has about 40 rows, 16.4 kB"

CASES = [
    Found("DDL-DROP", "DROP TABLE his.visit;", (f"table his.visit is dropped{_SIZE}",)),
    Found("DDL-DROP", 'DROP TABLE IF EXISTS "his"."ward";', (f"table his.ward is dropped{_WARD}",)),
    Found(
        "DDL-DROP",
        "ALTER TABLE his.visit DROP COLUMN IF EXISTS note, DROP beds CASCADE;",
        (
            f"column note of his.visit is dropped with its values{_SIZE}",
            f"column beds of his.visit is dropped with its values{_SIZE}",
        ),
    ),
    Found(
        "DDL-DROP",
        "ALTER TABLE visit DROP (note, beds);",
        tuple(
            f"column {name} of VISIT is dropped with its values; VISIT has about 1,200,000 rows,"
            " 325.1 MB"
            for name in ("NOTE", "BEDS")
        ),
        "oracle",
    ),
    Found(
        "DDL-DROP",
        "ALTER TABLE dbo.ward DROP COLUMN a, b;",
        (
            "column a of dbo.ward is dropped with its values",
            "column b of dbo.ward is dropped with its values",
        ),
        "tsql",
        facts=None,
    ),
    Found("DDL-DROP", "DROP SCHEMA lab;", ("schema lab is dropped",)),
    Found(
        "DDL-DROP",
        "DROP VIEW his.visit_now CASCADE;",
        ("view his.visit_now is dropped with all that depends on it (CASCADE)",),
    ),
    Found("DDL-DROP", "TRUNCATE TABLE ONLY his.visit;", (f"TRUNCATE empties his.visit{_SIZE}",)),
    *silent(
        "DDL-DROP",
        "DROP VIEW his.visit_now;",
        "DROP TABLE his.old;",
        "TRUNCATE his.old;",
        "CREATE TABLE his.tmp (id int); DROP TABLE his.tmp;",
        "ALTER TABLE his.visit ALTER COLUMN note DROP DEFAULT, DROP CONSTRAINT visit_pk;",
        "ALTER TABLE his.visit ADD COLUMN old int; ALTER TABLE visit DROP COLUMN old;",
    ),
    Found(
        "DDL-NARROW",
        "ALTER TABLE his.visit ALTER COLUMN ward_code TYPE varchar(8);",
        (
            "his.visit.ward_code gets another type: values are cut, or the change fails, where "
            f"they are longer{_SIZE}",
        ),
    ),
    Found(
        "DDL-NARROW",
        "ALTER TABLE his.visit ALTER beds TYPE smallint, ALTER fee SET DATA TYPE numeric(8,2);",
        (
            "his.visit.beds gets another type: values out of the smaller range fail" + _SIZE,
            "his.visit.fee gets another type: values with more digits before the point fail"
            + _SIZE,
        ),
    ),
    Found(
        "DDL-NARROW",
        "ALTER TABLE his.visit MODIFY COLUMN fee decimal(10,1), CHANGE beds bed_count text;",
        ("his.visit.fee gets another type: digits behind the point are rounded away" + _SIZE,),
        "mysql",
    ),
    Found(
        "DDL-NARROW",
        "ALTER TABLE his.visit ALTER COLUMN note TYPE integer USING note::integer;",
        (f"his.visit.note gets another type: texts become whole numbers{_SIZE}",),
    ),
    *silent(
        "DDL-NARROW",
        "ALTER TABLE his.visit ALTER COLUMN ward_code TYPE varchar(20);",
        "ALTER TABLE his.visit ALTER COLUMN ward_code TYPE text;",
        "ALTER TABLE his.visit ALTER COLUMN beds TYPE bigint;",
        "ALTER TABLE his.visit ALTER COLUMN fee TYPE numeric(12,2);",
        "ALTER TABLE his.old ALTER COLUMN a TYPE smallint;",
    ),
    Found("DDL-RENAME", "ALTER TABLE his.visit RENAME TO stay;", ("his.visit is renamed",)),
    Found(
        "DDL-RENAME",
        "ALTER TABLE his.visit RENAME COLUMN note TO remark;",
        ("his.visit.note is renamed",),
    ),
    Found("DDL-RENAME", "ALTER TABLE his.visit RENAME beds TO n;", ("his.visit.beds is renamed",)),
    Found("DDL-RENAME", "ALTER VIEW his.visit_now RENAME TO v;", ("his.visit_now is renamed",)),
    Found("DDL-RENAME", "RENAME TABLE visit TO stay;", ("visit is renamed",), "mysql"),
    Found("DDL-RENAME", "RENAME visit TO stay;", ("VISIT is renamed",), "oracle"),
    Found(
        "DDL-RENAME",
        "ALTER TABLE visit CHANGE note remark text;",
        ("visit.note is renamed",),
        "mysql",
    ),
    Found(
        "DDL-RENAME",
        "EXEC sp_rename 'dbo.visit.note', 'remark', 'COLUMN';",
        ("dbo.visit.note is renamed",),
        "tsql",
    ),
    *silent(
        "DDL-RENAME",
        "ALTER INDEX his.visit_seen_ix RENAME TO visit_seen;",
        "ALTER TABLE his.visit RENAME CONSTRAINT visit_pk TO visit_key;",
        "CREATE TABLE his.a (id int); ALTER TABLE his.a RENAME TO b;",
    ),
    Found(
        "DDL-NN",
        "ALTER TABLE his.visit ADD COLUMN kind text NOT NULL;",
        (f"his.visit.kind is NOT NULL, and rows that are there have no value for it{_SIZE}",),
    ),
    Found(
        "DDL-NN",
        "ALTER TABLE his.visit ADD kind varchar(9) DEFAULT NULL NOT NULL;",
        (f"his.visit.kind is NOT NULL, and rows that are there have no value for it{_SIZE}",),
    ),
    Found(
        "DDL-NN",
        "ALTER TABLE his.visit MODIFY note varchar(200) NOT NULL;",
        (f"his.visit.note becomes NOT NULL: the change fails where a row has none{_SIZE}",),
        "mysql",
    ),
    *silent(
        "DDL-NN",
        "ALTER TABLE his.visit ADD COLUMN kind text NOT NULL DEFAULT 'in';",
        "ALTER TABLE his.visit ADD COLUMN kind text;",
        "ALTER TABLE his.visit ADD COLUMN no bigserial NOT NULL;",
        "ALTER TABLE his.visit ADD COLUMN no int GENERATED ALWAYS AS IDENTITY NOT NULL;",
        "ALTER TABLE his.old ADD COLUMN kind text NOT NULL;",
        "CREATE TABLE his.new (id int NOT NULL);",
    ),
    *silent("DDL-NN", "ALTER TABLE his.visit MODIFY id bigint NOT NULL;", dialect="mysql"),
    Found(
        "DDL-UNIQ",
        "CREATE UNIQUE INDEX CONCURRENTLY a_ux ON his.visit (note);",
        (
            "rows of his.visit must be unique from now on: the change fails where two are alike"
            + _SIZE,
        ),
    ),
    Found(
        "DDL-UNIQ",
        "ALTER TABLE his.ward ADD CONSTRAINT u UNIQUE (name), ADD PRIMARY KEY (code);",
        (
            "rows of his.ward must be unique from now on: the change fails where two are alike"
            + _WARD,
        ),
    ),
    *silent(
        "DDL-UNIQ",
        "CREATE INDEX a_ix ON his.visit (note);",
        "CREATE UNIQUE INDEX a_ux ON his.old (note);",
        "CREATE MATERIALIZED VIEW his.m AS SELECT id FROM his.visit; CREATE UNIQUE INDEX u ON"
        " his.m (id);",
        "CREATE TABLE his.c AS SELECT id FROM his.visit; ALTER TABLE his.c ADD PRIMARY KEY (id);",
        "ALTER TABLE his.ward ADD CONSTRAINT u UNIQUE USING INDEX ward_ux;",
        "ALTER TABLE his.ward ADD COLUMN no text; CREATE UNIQUE INDEX x ON his.ward (no);",
        "DO $$ BEGIN IF EXISTS (SELECT FROM his.ward GROUP BY name HAVING count(*) > 1) THEN RAISE"
        " EXCEPTION 'x'; END IF; END $$; ALTER TABLE his.ward ADD UNIQUE (name);",
    ),
    Found(
        "DDL-DML",
        "UPDATE his.visit SET note = 'x';",
        (f"UPDATE writes every row of his.visit{_SIZE}",),
    ),
    Found(
        "DDL-DML",
        "DELETE FROM ONLY his.visit WHERE id = 7;",
        (f"DELETE writes rows of his.visit{_SIZE}",),
    ),
    Found(
        "DDL-DML",
        "INSERT INTO his.ward (code) VALUES ('X');",
        (f"INSERT writes rows of his.ward{_WARD}",),
    ),
    Found(
        "DDL-DML",
        "WITH a AS (DELETE FROM his.visit RETURNING id) SELECT count(*) FROM a;",
        ("DELETE writes every row of a table",),
    ),
    *silent(
        "DDL-DML",
        "CREATE TABLE his.kind (code text PRIMARY KEY); INSERT INTO his.kind VALUES ('in');",
        "INSERT INTO his.old SELECT 1;",
        "SELECT count(*) FROM his.visit;",
        "CREATE TABLE his.copy AS SELECT * FROM his.visit;",
        "CREATE RULE r AS ON DELETE TO his.visit DO INSTEAD DELETE FROM his.old;",
        "CREATE VIRTUAL TABLE words USING fts5(w); INSERT INTO words(words) VALUES ('rebuild');",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_found(case: Found) -> None:
    """Just the sentences that are written here."""
    case.check()


def test_what_needs_the_old_type_is_said_without_a_database() -> None:
    """Nobody takes silence for a yes."""
    script = "ALTER TABLE his.visit ALTER COLUMN ward_code TYPE varchar(8);"
    assert unchecked(judged(script, facts=None), "DDL-NARROW") == [
        "not checked: what his.visit.ward_code loses by its new type (up.sql line 1)"
    ]
    assert unchecked(judged(script), "DDL-NARROW") == []


@pytest.mark.parametrize("loss", ["none", "recoverable"])
def test_what_lets_a_loss_stand_is_its_acceptance(loss: str) -> None:
    """To declare the loss is another thing, and does not end the finding."""
    (finding,) = found(judged("DROP TABLE his.visit;", f"data_loss: {loss}"), "DDL-DROP")
    assert finding.hint == (
        "stop using it first, keep it for a while, and say why in accepted: of change.yml"
    )
