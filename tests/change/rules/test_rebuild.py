"""A table of SQLite built anew: nothing is said of what is made again as it was."""

from __future__ import annotations

import apsw
import pytest

from dbops.change.rules.finding import Facts
from dbops.engines.sqlite.change_schema import read_change_schema
from dbops.review.finding import Report
from tests.change.rules.judging import found, judged, unchecked

_HOSPITAL = """
CREATE TABLE visit (id INTEGER PRIMARY KEY, ward TEXT);
CREATE INDEX "visit_ward" ON visit (ward) WHERE ward <> 'OLD';
CREATE TRIGGER visit_log AFTER UPDATE ON visit BEGIN SELECT 'a'; END;
"""
_ANEW = """
CREATE TABLE main.visit_new (id INTEGER PRIMARY KEY, ward TEXT NOT NULL, kind TEXT);
INSERT INTO visit_new (id, ward) SELECT id, ward FROM visit;
DROP TABLE visit;
ALTER TABLE visit_new RENAME TO visit;
"""
_AGAIN = """
CREATE INDEX IF NOT EXISTS main.visit_ward ON visit (ward) WHERE ward <> 'OLD';
create trigger visit_log AFTER UPDATE ON visit BEGIN SELECT 'a'; END;
"""
_DOWN = _ANEW.replace(" NOT NULL, kind TEXT", "") + _AGAIN
_TOUCHES = """touches: [create column visit.kind, "alter column visit.ward (definition, not null)"]
personal: {visit.kind: none}"""


@pytest.fixture(scope="module")
def facts() -> Facts:
    """What SQLite itself says of the schema."""
    connection = apsw.Connection(":memory:")
    connection.execute(_HOSPITAL)
    return Facts(read_change_schema(connection))


def looked_at(up: str, manifest: str, facts: Facts | None) -> Report:
    return judged(up, manifest, down=_DOWN, dialect="sqlite", facts=facts)


def said(report: Report, rule: str) -> list[tuple[str, str]]:
    return [(finding.sentence, finding.hint) for finding in found(report, rule)]


def test_the_usual_rebuild_has_no_finding(facts: Facts) -> None:
    """Its columns are those of the table whose name it takes."""
    assert looked_at(_ANEW + _AGAIN, _TOUCHES, facts).findings == ()


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("'OLD'", "'GONE'", "alter index visit_ward"),
        ("(ward)", "(ward, id)", "alter index visit_ward"),
        ("UPDATE", "INSERT", "alter trigger visit_log"),
        ("visit_log", "visit_audit", "create trigger visit_audit"),
    ],
)
def test_what_is_made_otherwise_needs_a_touch(
    facts: Facts, was: str, becomes: str, line: str
) -> None:
    """By the name that touches: has for it."""
    report = looked_at(_ANEW + _AGAIN.replace(was, becomes), _TOUCHES, facts)
    ending = " (…)" if line.startswith("alter") else ""
    hint = f"touches: [{line}{ending}], or leave the statement out"
    assert said(report, "DDL-TOUCH") == [(f"{line} is not covered by touches:", hint)]


def test_a_new_column_is_called_as_touches_call_it(facts: Facts) -> None:
    """By the table's own name, without the file's."""
    touches = _TOUCHES.partition("\n")[0] + "\npersonal:"
    hint = "personal: {visit.kind: none}, or contact, identity, diagnosis …"
    sentence = "visit.kind is new, and personal: does not say what it holds"
    assert said(looked_at(_ANEW + _AGAIN, touches, facts), "DDL-PHI") == [(sentence, hint)]


def test_without_the_database_nobody_knows_what_was_there(facts: Facts) -> None:
    """That is said, and is no finding."""
    report = looked_at(_ANEW + _AGAIN, "touches:\npersonal:", None)
    assert unchecked(report, "DDL-PHI") == ["not checked: which columns of visit are new"]
    assert unchecked(report, "DDL-TOUCH") == [
        "not checked: whether what is made on a new table was on the old one"
    ]
    assert found(report, "DDL-PHI") == []
    assert [each for each, _ in said(report, "DDL-TOUCH")] == [
        "alter table visit is not covered by touches:"
    ]


@pytest.mark.parametrize(
    "table", ["visit", "main.visit", "MAIN.Visit", '"main"."visit"', "[main].visit"]
)
def test_a_column_has_one_name_however_its_table_is_written(facts: Facts, table: str) -> None:
    """In both rules, and the manifest takes it as it is advised."""
    up = f"ALTER TABLE {table} ADD COLUMN seen TEXT;"
    report = looked_at(up, "touches: [create column visit.other]\npersonal:", facts)
    (phi,) = said(report, "DDL-PHI")
    assert phi[1] == "personal: {visit.seen: none}, or contact, identity, diagnosis …"
    line = "create column visit.seen"
    hint = f"touches: [{line}], or leave the statement out"
    assert (f"{line} is not covered by touches:", hint) in said(report, "DDL-TOUCH")
    advised = f"touches: [{line}]\npersonal: {{visit.seen: none}}"
    again = looked_at(up, advised, facts)
    assert said(again, "DDL-PHI") == said(again, "DDL-TOUCH") == []


_BARE = "CREATE TABLE v_new (a INTEGER, b TEXT, c TEXT);"
_END = "DROP TABLE v; ALTER TABLE v_new RENAME TO v;"


@pytest.mark.parametrize(
    ("copy", "how"),
    [
        ("INSERT OR IGNORE INTO v_new SELECT * FROM v;", "OR IGNORE"),
        ("INSERT OR REPLACE INTO v_new SELECT * FROM v;", "OR REPLACE"),
        ("REPLACE INTO v_new SELECT * FROM v;", "REPLACE"),
        ("INSERT INTO v_new SELECT * FROM v WHERE true ON CONFLICT DO NOTHING;", "WHERE"),
        ("INSERT INTO v_new SELECT DISTINCT * FROM v;", "DISTINCT"),
        ("INSERT INTO v_new SELECT * FROM v LIMIT 100000;", "LIMIT"),
        ("INSERT INTO v_new SELECT a, max(b), c FROM v GROUP BY a;", "GROUP BY"),
        ("INSERT INTO v_new SELECT v.* FROM v JOIN ward USING (b);", "JOIN"),
    ],
)
def test_a_copy_that_leaves_rows_out(copy: str, how: str) -> None:
    """By whatever word."""
    report = judged(_BARE + copy + _END, "touches:\npersonal:", dialect="sqlite", facts=None)
    assert said(report, "LT-REBUILD") == [
        (f"only some rows of v are copied ({how})", "copy all of them, and delete rows by a repair")
    ]


def _facts(table: str) -> Facts:
    connection = apsw.Connection(":memory:")
    connection.execute(table)
    return Facts(read_change_schema(connection))


@pytest.mark.parametrize(
    ("columns", "copy", "moved"),
    [
        ("a INTEGER, c TEXT, b TEXT", "INSERT INTO v_new SELECT * FROM v;", "b, c"),
        ("a INTEGER, c TEXT, d TEXT", "INSERT INTO main.v_new SELECT * FROM v;", "c"),
        ("a INTEGER, c TEXT, b TEXT", "INSERT INTO v_new (a, b, c) SELECT a, b, c FROM v;", ""),
        ("a INTEGER, b TEXT, d TEXT", "INSERT INTO v_new SELECT * FROM v;", ""),
        (
            "a INTEGER, b TEXT, d TEXT",
            "INSERT INTO v_new SELECT v.a, v.b, w.d FROM v LEFT JOIN w USING (a);",
            "",
        ),
        ("a INTEGER, b TEXT NOT NULL, c TEXT", "INSERT INTO v_new SELECT * FROM v;", ""),
    ],
)
def test_a_copy_by_place(columns: str, copy: str, moved: str) -> None:
    """Values must not end in a column of another name because columns stand in another order."""
    facts = _facts("CREATE TABLE v (a INTEGER, b TEXT, c TEXT)")
    up = f"CREATE TABLE v_new ({columns});{copy}{_END}"
    report = judged(up, "touches:\npersonal:", dialect="sqlite", facts=facts)
    hint = "INSERT INTO the new table (its columns) SELECT these columns FROM the old one"
    sentence = f"the rows of v are copied by place, and {moved} moved"
    assert said(report, "LT-REBUILD") == ([(sentence, hint)] if moved else [])


def test_a_counter_goes_with_the_old_table() -> None:
    """Unless the script takes it along, which is no writing of rows."""
    facts = _facts("CREATE TABLE v (a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT)")
    fill = (
        "CREATE TABLE v_new (a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT NOT NULL);"
        "INSERT INTO v_new SELECT * FROM v;"
    )
    take = (
        "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'v')"
        " WHERE name = 'v_new';"
    )
    report = judged(fill + _END, "touches:\npersonal:", dialect="sqlite", facts=facts)
    assert said(report, "LT-REBUILD") == [
        (
            "v forgets how far it has counted: numbers of deleted rows come again",
            "before the DROP: UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence"
            " WHERE name = 'the old') WHERE name = 'the new'",
        )
    ]
    kept = judged(fill + take + _END, "touches:\npersonal:", dialect="sqlite", facts=facts)
    assert said(kept, "LT-REBUILD") == said(kept, "DDL-DML") == []
    alone = judged(take, "touches:\npersonal:", dialect="sqlite", facts=facts)
    assert len(said(alone, "DDL-DML")) == 1
