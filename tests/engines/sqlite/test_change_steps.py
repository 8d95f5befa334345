"""What steps do to a SQLite file, what they may not do, and what is said when they fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from dbops.change.ports import Remains
from dbops.errors import DbopsError, Failed, Refused
from tests.engines.change_suite_site import CANARY, begun, entry, order, reading, step
from tests.engines.sqlite.changes import SqliteChangeSite, lines, ran, schema_of

SCHEMA = (
    "CREATE TABLE ward (code TEXT PRIMARY KEY, name TEXT)",
    "CREATE TABLE visit (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " ward TEXT REFERENCES ward (code) ON DELETE CASCADE)",
    "CREATE TABLE stopped (v CHECK (v > 0))",
    f"CREATE TRIGGER stop AFTER INSERT ON stopped BEGIN SELECT RAISE(ROLLBACK, '{CANARY}'); END",
    f"CREATE TRIGGER no AFTER DELETE ON stopped BEGIN SELECT RAISE(ABORT, '{CANARY}'); END",
    "INSERT INTO ward VALUES ('OLD', 'closed'), ('ORT', 'orthopaedics')",
    "INSERT INTO visit (ward) VALUES ('OLD'), ('ORT'), ('ORT')",
    "CREATE TABLE marked (id INTEGER)",
    "CREATE UNIQUE INDEX named ON ward (name)",
    "CREATE TABLE child (w TEXT REFERENCES ward (name))",
)
REBUILD = (
    "DROP INDEX named",
    "CREATE TABLE fresh (code TEXT PRIMARY KEY, name TEXT NOT NULL)",
    "INSERT INTO fresh SELECT code, name FROM ward",
    "DROP TABLE ward",
    "ALTER TABLE fresh RENAME TO ward",
    "CREATE UNIQUE INDEX named ON ward (name)",
)


@pytest.fixture
def site(tmp_path: Path) -> SqliteChangeSite:
    """Wards, visits that go with them, and triggers that object."""
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run(*SCHEMA)
    return site


def test_words_about_a_query_in_a_value_are_not_kept(site: SqliteChangeSite) -> None:
    """FTS5 reads a query in a row, and complains of it by its words: those are a row's."""
    canary = CANARY.replace("-", "_")
    site.run(
        "CREATE VIRTUAL TABLE notes USING fts5 (text)",
        f"INSERT INTO ward VALUES ('NEW', '{canary}:x')",
    )
    query = "(SELECT name FROM ward WHERE code = 'NEW')"
    asked = f"SELECT count(*) = 0 FROM notes WHERE notes MATCH {query}"
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.verify(step(asked))
    assert (
        caught.value.message == "lab: step 1 at line 1 fails: it names a column that is not there"
    )
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(step(f"CREATE TABLE copied AS {asked}"))
    assert (
        caught.value.message == "lab: step 1 at line 1 fails: it names a column that is not there"
    )


def test_a_table_made_anew_keeps_what_points_at_it(site: SqliteChangeSite) -> None:
    """SQLite's own procedure: no row is cascaded away, and the one step that rewrote is known."""
    with begun(site) as session:
        before = session.schema()
        effects = ran(session, *REBUILD)
        assert [effect.rewritten for effect in effects] == [(), (), (), (), ("ward",), ()]
        assert session.settle() == ()
        assert lines(before, session.schema()) == ["alter column ward.name (definition, not null)"]
        session.commit()
    assert site.rows("SELECT count(*) FROM visit") == [(3,)]
    assert site.rows("PRAGMA foreign_key_check") == []
    assert site.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_column_that_goes_rewrites_its_table(site: SqliteChangeSite) -> None:
    """DROP COLUMN writes every row; other steps of ALTER TABLE write none."""
    with begun(site) as session:
        effects = ran(
            session,
            "ALTER TABLE Ward ADD COLUMN phone TEXT",
            "ALTER TABLE ward RENAME COLUMN phone TO fax",
            "ALTER TABLE ward DROP COLUMN fax",
        )
    assert [effect.rewritten for effect in effects] == [(), (), ("ward",)]


def test_a_rowid_goes_on_counting(site: SqliteChangeSite) -> None:
    """The counter of AUTOINCREMENT can be taken along by a script that makes the table anew."""
    site.run("DELETE FROM visit WHERE id = 3")
    with begun(site) as session:
        ran(
            session,
            "CREATE TABLE fresh (id INTEGER PRIMARY KEY AUTOINCREMENT, ward TEXT)",
            "INSERT INTO fresh SELECT id, ward FROM visit",
            "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name='visit')"
            " WHERE name = 'fresh'",
            "DROP TABLE visit",
            "ALTER TABLE fresh RENAME TO visit",
        )
        session.commit()
    site.run("INSERT INTO visit (ward) VALUES ('ORT')")
    assert site.rows("SELECT max(id) FROM visit") == [(4,)]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["DELETE FROM ward WHERE code = 'ORT'"], ["2 rows of visit without a parent in ward"]),
        (["DROP TABLE ward"], ["3 rows of visit without a parent in ward"]),
        (
            ["ALTER TABLE visit ADD COLUMN w2 TEXT DEFAULT 'X' REFERENCES ward"],
            ["3 rows of visit without a parent in ward"],
        ),
        (
            ["CREATE TABLE kid (w TEXT REFERENCES visit (ward))"],
            ["a foreign key of kid points at columns that are no key"],
        ),
        (
            [
                "CREATE TABLE kid (w REFERENCES ward)",
                "INSERT INTO kid VALUES ('X')",
                "ALTER TABLE kid RENAME TO grown",
            ],
            ["1 row of grown without a parent in ward"],
        ),
        (
            ["DROP INDEX named"],
            ["a foreign key of child points at columns that are no key"],
        ),
        (
            [
                "CREATE TABLE kid (id INTEGER PRIMARY KEY, ward TEXT REFERENCES ward (code))",
                "INSERT INTO kid VALUES (1, 'X')",
                "ALTER TABLE visit RENAME TO aside",
                "ALTER TABLE kid RENAME TO visit",
            ],
            ["1 row of visit without a parent in ward"],
        ),
        (["CREATE INDEX i ON visit (ward)", "ALTER TABLE visit ADD COLUMN x TEXT"], []),
        (["INSERT INTO marked VALUES (1)", "CREATE TABLE own (id)"], []),
    ],
)
def test_what_settling_finds(site: SqliteChangeSite, steps: list[str], said: list[str]) -> None:
    """Rows without parents, and keys that are none, are said by table and number."""
    with begun(site) as session:
        ran(session, *steps)
        assert list(session.settle()) == said


def test_what_was_wrong_before_is_no_fault_of_the_change(site: SqliteChangeSite) -> None:
    """Rows that an application left without parents are not said, unless there are more of them."""
    site.run("INSERT INTO visit (ward) VALUES ('GONE')")
    with begun(site) as session:
        ran(session, "UPDATE visit SET id = id + 100")
        assert session.settle() == ()
        ran(session, "DELETE FROM ward WHERE code = 'OLD'")
        assert session.settle() == (
            "2 rows of visit without a parent in ward (1 before the change)",
        )


def test_only_what_a_step_can_break_is_read(site: SqliteChangeSite) -> None:
    """A column that is added makes nobody wait for a check of all rows."""
    many = "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 100000)"
    site.run(f"INSERT INTO visit (ward) {many} SELECT 'ORT' FROM g")
    ticks = count()  # SQLite looks at the clock after so many steps of its machine
    engine = replace(site.engine, monotonic=lambda: float(next(ticks)))
    with engine.session(order(statement=timedelta(seconds=15))) as session:
        session.begin()
        ran(session, "ALTER TABLE visit ADD COLUMN x TEXT")
        assert session.settle() == ()
        ran(session, "ALTER TABLE visit ADD COLUMN y TEXT REFERENCES ward")
        with pytest.raises(Failed) as caught:
            session.settle()
    assert caught.value.message == "lab: checking the tables took longer than it may"


def test_rows_that_their_own_table_forbids(site: SqliteChangeSite) -> None:
    """Rows that contradict a CHECK are found where a step wrote some, and it was not so before."""
    site.run(
        "CREATE TABLE plain (v CHECK (v > 0))",
        "PRAGMA ignore_check_constraints = ON",
        "INSERT INTO plain VALUES (-1)",
    )
    with begun(site) as session:
        ran(session, "INSERT INTO plain VALUES (2)")
        assert session.settle() == ()
        ran(session, "ALTER TABLE plain RENAME TO renamed")
        assert session.settle() == ("quick_check finds 1 fault in renamed",)


@pytest.mark.parametrize(
    ("sql", "code", "why"),
    [
        ("SAVEPOINT s", "transaction-control", "it would end or nest the transaction"),
        ("ATTACH 'other.db' AS o", "change-statement", "it reaches for another file"),
        ("DETACH main", "change-statement", "it reaches for another file"),
        ("PRAGMA writable_schema = ON", "change-statement", "it uses PRAGMA writable_schema"),
        ("PRAGMA journal_mode = WAL", "change-statement", "it uses PRAGMA journal_mode"),
        ("PRAGMA main.encoding = 'UTF-16'", "change-statement", "it uses PRAGMA encoding"),
        (
            "PRAGMA main.application_id = 8",
            "change-statement",
            "it sets application_id, by which dbops knows the database",
        ),
        ("CREATE TEMP TABLE ward (x)", "change-statement", "it makes or drops a temporary object"),
        (
            "CREATE TEMP VIEW ward AS SELECT 1",
            "change-statement",
            "it makes or drops a temporary object",
        ),
        ("SELECT load_extension('x')", "change-statement", "it calls load_extension"),
        ("DELETE FROM dbops_change", "change-statement", "it touches dbops_change"),
        ("DROP TABLE DBOPS_CHANGE", "change-statement", "it touches dbops_change"),
        ("ALTER TABLE dbops_change RENAME TO x", "change-statement", "it touches dbops_change"),
        ("CREATE INDEX i ON dbops_change (run)", "change-statement", "it touches dbops_change"),
        ("CREATE TABLE dbops_run (x)", "change-statement", "it touches dbops_run"),
        (
            "CREATE TRIGGER t AFTER INSERT ON dbops_change BEGIN SELECT 1; END",
            "change-statement",
            "it touches dbops_change",
        ),
        (
            "INSERT INTO marked VALUES (1)",
            "change-statement",
            "it touches dbops_change (through mark)",
        ),
        ("ALTER TABLE marked RENAME TO dbops_run", "change-statement", "it makes dbops_run"),
        ("EXPLAIN DROP TABLE ward", "change-statement", "it only explains a statement"),
        ("SELECT 1; SELECT 2", "change-statement", "it is more than one statement"),
        (
            "PRAGMA foreign_keys = OFF",
            "change-statement",
            "it sets foreign_keys, as dbops does itself: foreign keys are off while the steps run,"
            " and checked before COMMIT",
        ),
    ],
)
def test_what_is_refused(site: SqliteChangeSite, sql: str, code: str, why: str) -> None:
    """A step that would leave its transaction, its file or its place is named, and undone."""
    with site.engine.session(order()):
        pass
    site.run("CREATE TRIGGER mark AFTER INSERT ON marked BEGIN DELETE FROM dbops_change; END")
    before = schema_of(site)
    with begun(site) as session:
        ran(session, "CREATE TABLE first (a)")
        with pytest.raises(Refused) as caught:
            session.run(step(sql, 2, line=5))
        with pytest.raises(Refused) as after:
            session.commit()
    assert caught.value.code == code
    assert caught.value.message == f"lab: step 2 at line 5 is refused: {why}"
    assert after.value.code == "transaction-lost"
    assert schema_of(site) == before


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE ward (x)", "fails: table ward already exists"),
        ("DROP INDEX nobody", "fails: no such index: nobody"),
        ("ALTER TABLE ward ADD COLUMN name TEXT", "fails: duplicate column name: name"),
        ("ALTER TABLE ward DROP COLUMN code", 'fails: cannot drop PRIMARY KEY column: "code"'),
        (f"SELECT * FROM ward WHERE x = '{CANARY}'", "fails: no such column: x"),
        (f'SELECT * FROM ward WHERE code = "{CANARY}"', "names a column that is not there"),
        (f"CREATE TABLE '{CANARY}", "syntax error"),
        ("CREATE UNIQUE INDEX i ON visit (ward)", "SQLITE_CONSTRAINT_UNIQUE (visit.ward)"),
        (f"INSERT INTO ward VALUES ('{CANARY}', 1), ('{CANARY}', 2)", "(ward.code)"),
        ("INSERT INTO stopped VALUES (1)", "is refused by a trigger"),
        ("VACUUM", "is a VACUUM, which runs in no transaction"),
        ("UPDATE sqlite_schema SET sql = ''", "table sqlite_master may not be modified"),
    ],
)
def test_what_an_error_says(site: SqliteChangeSite, sql: str, said: str) -> None:
    """Names are said and values are not; after the error only a rollback is left."""
    with begun(site) as session:
        with pytest.raises(Failed) as caught:
            session.run(step(sql, 3, line=8))
        for more in (session.commit, lambda: session.note([entry(1)])):
            with pytest.raises(Refused):
                more()
        session.rollback()
        session.begin()
        ran(session, "CREATE TABLE after_all (a)")
        session.commit()
    assert caught.value.code == "change-step"
    assert caught.value.message.startswith("lab: step 3 at line 8 ")
    assert said in caught.value.message
    assert CANARY not in f"{caught.value.message} {caught.value.hint}"


def test_a_view_of_a_table_that_is_made_anew(site: SqliteChangeSite) -> None:
    """RENAME reads every view again: one that has lost its table is said by name."""
    site.run("CREATE VIEW wards AS SELECT code FROM ward")
    with begun(site) as session:
        ran(session, *REBUILD[:4])
        with pytest.raises(Failed) as caught:
            session.run(step(REBUILD[4], 4, line=4))
    assert caught.value.message == (
        "lab: step 4 at line 4 fails: error in view wards: no such table: main.ward"
    )
    with begun(site) as session:
        ran(session, "DROP VIEW wards", *REBUILD, "CREATE VIEW wards AS SELECT code FROM ward")
        assert session.settle() == ()


def test_a_transaction_that_a_step_ends(site: SqliteChangeSite) -> None:
    """A conflict that rolls back is an error, and nothing more runs in its place."""
    with begun(site) as session:
        ran(session, "CREATE TABLE first (a)")
        with pytest.raises(Failed):
            session.run(step("INSERT OR ROLLBACK INTO ward VALUES ('OLD', 'x')", 2))
        for more in (session.commit, lambda: session.run(step("CREATE TABLE second (a)"))):
            with pytest.raises(Refused) as caught:
                more()
            assert caught.value.code == "transaction-lost"
    assert not {"first", "second"} & {name.path[0] for name in schema_of(site).objects}


def test_a_step_that_takes_too_long(site: SqliteChangeSite) -> None:
    """It is stopped; nothing of the transaction is left."""
    endless = "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g)"
    with begun(site, statement=timedelta(milliseconds=50)) as session:
        with pytest.raises(Failed) as caught:
            session.run(step(f"CREATE TABLE much AS {endless} SELECT max(n) FROM g", line=3))
        assert caught.value.code == "change-step"
        assert caught.value.message == "lab: step 1 at line 3 took longer than it may"
        with pytest.raises(Failed):
            session.verify(step(f"{endless} SELECT max(n) FROM g"))


def test_questions_may_ask_the_catalogue(site: SqliteChangeSite) -> None:
    """Pragmas that answer are allowed, those that set something are not."""
    with reading(site) as session:
        assert session.verify(step("SELECT count(*) = 2 FROM pragma_table_info('ward')"))
        assert session.verify(step("SELECT count(*) = 0 FROM pragma_foreign_key_check"))
        assert not session.verify(step("PRAGMA user_version"))
        assert not session.verify(step("PRAGMA application_id"))
        for sql in ("PRAGMA user_version = 3", "PRAGMA integrity_check", "CREATE TABLE x (a)"):
            with pytest.raises(Refused) as caught:
                session.verify(step(sql, line=4))
            assert caught.value.code == "verify-form"
    assert site.rows("PRAGMA user_version") == [(0,)]


def test_names_in_double_quotes_are_names(site: SqliteChangeSite) -> None:
    """A column that is not there is an error, and never the text of its name."""
    for sql in ('CREATE INDEX i ON ward ("nme")', 'CREATE TABLE t (a CHECK (a <> "x"))'):
        with begun(site) as session, pytest.raises(Failed):
            session.run(step(sql))


def test_full_text_search_can_change(site: SqliteChangeSite) -> None:
    """A virtual table is made, filled, verified, dropped; its own tables are nobody's business."""
    with begun(site) as session:
        before = session.schema()
        ran(
            session,
            "CREATE VIRTUAL TABLE names USING fts5 (name)",
            "INSERT INTO names SELECT name FROM ward",
            "CREATE TRIGGER named AFTER INSERT ON ward BEGIN"
            " INSERT INTO names VALUES (new.name); END",
            "INSERT INTO ward VALUES ('NEU', 'neurology')",
        )
        found = "SELECT count(*) = 1 FROM names WHERE names MATCH 'neurology'"
        assert session.verify(step(found))
        assert session.settle() == ()
        assert lines(before, session.schema()) == [
            "create trigger named",
            "create virtual table names",
        ]
        session.commit()
    with begun(site) as session:
        ran(session, "DROP TRIGGER named", "DROP TABLE names")
        assert session.schema() == before


def test_no_step_stands_alone(site: SqliteChangeSite) -> None:
    """SQLite's DDL is transactional: nothing runs outside, and nothing remains of it."""
    one = step("CREATE TABLE x (a)", line=2)
    assert not site.engine.is_alone(one)
    with site.engine.session(order()) as session:
        with pytest.raises(Refused) as caught:
            session.run_alone(one)
        assert session.remains(one) is Remains.NOTHING
        session.clean_up(one)
    assert caught.value.message == "lab: step 1 at line 2 cannot stand outside of a transaction"


def test_no_step_moves_the_numbers_of_the_journal(site: SqliteChangeSite) -> None:
    """They follow from the rows, and not from a counter that a step may write."""
    with site.engine.session(order()) as session:
        session.begin()
        ran(session, "INSERT INTO sqlite_sequence VALUES ('dbops_change', 5000)")
        session.note([entry(1), entry(2)])
        session.commit()
        assert [each.sequence for each in session.journal()] == [1, 2]


def test_a_trigger_on_the_journal(site: SqliteChangeSite) -> None:
    """A journal that somebody else's trigger can change is not believed."""
    with site.engine.session(order()):
        pass
    site.run("CREATE TRIGGER t AFTER INSERT ON dbops_change BEGIN SELECT 1; END")
    with pytest.raises(DbopsError) as caught, site.engine.session(order()):
        pass
    assert caught.value.code == "change-journal"


def test_a_row_of_the_journal_by_hand(site: SqliteChangeSite) -> None:
    """A row that dbops does not write is no entry."""
    with site.engine.session(order()):
        pass
    row = "1,'r','w','p','sideways',1,'n','s','done','','now'"
    site.run(f"INSERT INTO dbops_change VALUES ({row})")
    with reading(site) as session, pytest.raises(Refused) as caught:
        session.journal()
    assert caught.value.message == "dbops_change of lab holds a row that dbops did not write"
