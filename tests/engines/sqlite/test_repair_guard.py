"""What SQL may do in a repair of a SQLite file, and what an error says of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dbops.errors import DbopsError, Failed, Refused
from dbops.repair.table import TableName
from dbops.sql.written import Written
from tests.engines.repair_site import CANARY, NOTHING, begun, read, sql
from tests.engines.sqlite.repairs import SqliteSite, made

SCHEMA = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE, n NOT NULL DEFAULT 0)",
    "CREATE VIRTUAL TABLE notes USING fts5 (t)",
    "CREATE TABLE noted (id INTEGER PRIMARY KEY, t)",
    "CREATE TRIGGER note AFTER INSERT ON noted BEGIN INSERT INTO notes VALUES (NEW.t); END",
    "CREATE TABLE stopped (id INTEGER PRIMARY KEY, v)",
    "INSERT INTO stopped VALUES (7, 'c')",
    f"CREATE TRIGGER stop AFTER INSERT ON stopped BEGIN SELECT RAISE(ROLLBACK, '{CANARY}'); END",
    f"CREATE TRIGGER no AFTER UPDATE ON stopped BEGIN SELECT RAISE(ABORT, '{CANARY}'); END",
    "CREATE TABLE marked (id INTEGER PRIMARY KEY)",
    "CREATE TRIGGER mark AFTER INSERT ON marked BEGIN DELETE FROM dbops_run; END",
    "INSERT INTO t (v) VALUES ('a'), ('b')",
)


CONTROL = "it would end or nest the transaction"


@pytest.fixture
def site(tmp_path: Path) -> SqliteSite:
    """Tables, triggers and a full-text index."""
    return made(tmp_path / "lab.db", *SCHEMA)


def refusal(site: SqliteSite, statement: str) -> DbopsError:
    """What is said of a statement after a first one; nothing of both is left."""
    before = site.rows("SELECT count(*), max(v) FROM t")
    with begun(site, temporary=("ids",)) as session:
        session.run(sql("INSERT INTO t (v) VALUES ('z')"), NOTHING)
        with pytest.raises(DbopsError) as caught:
            session.run(sql(statement), NOTHING)
        with pytest.raises(Refused) as after:
            session.commit()
        assert after.value.code == "transaction-lost"
    assert site.rows("SELECT count(*), max(v) FROM t") == before
    assert CANARY not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("COMMIT", CONTROL),
        ("END TRANSACTION", CONTROL),
        ("/**/ROLLBACK", CONTROL),
        ("ROLLBACK TO s", CONTROL),
        ("SAVEPOINT s", CONTROL),
        ("ATTACH ':memory:' AS other", "it reaches for another file"),
        ("DETACH temp", "it reaches for another file"),
        ("VACUUM", "it is no statement on data"),
        ("VACUUM INTO '/nowhere/copy.db'", "it is no statement on data"),
        ("EXPLAIN DELETE FROM t", "it is no statement on data"),
        ("-- nothing", "it is no statement on data"),
        ("PRAGMA user_version = 7", "it is no statement on data"),
        ("PRAGMA foreign_keys = OFF", "it is no statement on data"),
        ("PRAGMA data_version", "it is no statement on data"),
        ("SELECT * FROM pragma_table_info('t')", "it is no statement on data"),
        ("CREATE TABLE x (a)", None),
        ("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", None),
        ("CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", None),
        ("CREATE INDEX x ON t (n)", None),
        ("CREATE TEMP TABLE others (a)", None),
        ("CREATE TEMP VIEW ids AS SELECT 1", None),
        ("DROP TRIGGER note", None),
        ("ALTER TABLE t RENAME TO u", None),
        ("ALTER TABLE t ADD COLUMN w", None),
        ("REINDEX", "it is no statement on data"),
        ("ANALYZE", None),
        ("CREATE VIRTUAL TABLE x USING fts5 (t)", None),
        ("DELETE FROM t; DELETE FROM noted", "it is more than one statement"),
        ("DELETE FROM t; COMMIT", "it is more than one statement"),
    ],
)
def test_only_single_statements_on_data_run(
    site: SqliteSite, statement: str, why: str | None
) -> None:
    """Whatever else is refused before it runs, however it is written."""
    error = refusal(site, statement)
    assert isinstance(error, Refused)
    assert error.code in {"transaction-control", "statement-kind", "forbidden-write"}
    assert (error.code == "transaction-control") is (why == CONTROL)
    if why is not None:
        assert str(error) == f"a statement is refused: {why}"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("INSERT INTO notes VALUES ('x')", "it writes the virtual table notes"),
        ("INSERT INTO noted VALUES (1, 'x')", "it writes the virtual table notes (through note)"),
        ("INSERT INTO marked VALUES (1)", "it writes dbops_run (through mark)"),
        ("DELETE FROM DBOPS_RUN", "it writes dbops_run"),
        ("UPDATE sqlite_sequence SET seq = 1", "it writes sqlite_sequence"),
        ("SELECT load_extension('x')", "it calls load_extension"),
    ],
)
def test_what_the_counters_cannot_follow_is_refused(
    site: SqliteSite, statement: str, why: str
) -> None:
    """Virtual tables, SQLite's own and dbops' own, written directly or by a trigger."""
    error = refusal(site, statement)
    assert error.code == "forbidden-write"
    assert str(error) == f"a statement is refused: {why}"


@pytest.mark.parametrize(
    ("statement", "code", "said"),
    [
        (
            f"INSERT OR ROLLBACK INTO t (id, v) VALUES (1, '{CANARY}')",
            "constraint-violated",
            "SQLITE_CONSTRAINT_PRIMARYKEY (t.id)",
        ),
        ("INSERT INTO t (v) VALUES ('b')", "constraint-violated", "SQLITE_CONSTRAINT_UNIQUE (t.v)"),
        ("UPDATE t SET n = NULL", "constraint-violated", "SQLITE_CONSTRAINT_NOTNULL (t.n)"),
        ("INSERT INTO stopped VALUES (1, 1)", "refused-by-database", "SQLITE_CONSTRAINT_TRIGGER"),
        ("UPDATE stopped SET v = 1", "refused-by-database", "SQLITE_CONSTRAINT_TRIGGER"),
    ],
)
def test_a_broken_constraint(site: SqliteSite, statement: str, code: str, said: str) -> None:
    """The code and the columns are told, not the values, not a trigger's words."""
    error = refusal(site, statement)
    assert isinstance(error, Failed)
    assert error.code == code
    assert str(error) == f"lab: the statement at line 1 breaks a constraint: {said}"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f'UPDATE t SET v = "{CANARY}"', "it names a column that is not there"),
        (f"UPDATE '{CANARY}' SET v = 1", "it names a table that is not there"),
        (f"SELECT '{CANARY}' FROM t WHERE", "it ends too early"),
        (f"UPDATE t SET v = '{CANARY}' '{CANARY}'", "syntax error"),
        (
            "SELECT nothing_like_it(v) FROM t",
            "it calls a function that SQLite itself does not have",
        ),
        ("DELETE FROM notes_data", "SQLITE_ERROR"),  # defensive mode keeps them from everybody
    ],
)
def test_sql_that_does_not_run(site: SqliteSite, statement: str, said: str) -> None:
    """What is wrong is told in a word, without the text; a quoted name is never a string."""
    error = refusal(site, statement)
    assert error.code == "statement-invalid"
    assert str(error) == f"lab: the statement at line 1 fails: {said}"


def test_a_value_that_does_not_fit(site: SqliteSite) -> None:
    """Its column's type is not met, and the value is not told."""
    error = refusal(site, f"INSERT INTO t (id) VALUES ('{CANARY}')")
    assert error.code == "value-refused"
    assert str(error).endswith("has a value that does not fit: SQLITE_MISMATCH")


def test_a_virtual_table_can_be_read(site: SqliteSite) -> None:
    """Full-text search finds the rows that are to be repaired."""
    site.run("INSERT INTO notes VALUES ('ward OLD')")
    with begun(site) as session:
        change = (
            "UPDATE t SET v = 'c' WHERE id IN (SELECT rowid FROM notes WHERE notes MATCH 'old')"
        )
        assert session.run(sql(change), NOTHING) == 1
        assert session.writes([]).tables == {TableName("", "t"): Written(updated=1)}


@pytest.mark.parametrize(
    "query", ["DELETE FROM t RETURNING id", "PRAGMA user_version", "SELECT 1; SELECT 2"]
)
def test_conditions_only_read(site: SqliteSite, query: str) -> None:
    """A condition or predicate that does more than read is refused before it runs."""
    with begun(site) as session:
        with pytest.raises(Refused) as caught:
            session.check(sql(query), NOTHING)
        assert caught.value.code in {"condition-form", "statement-kind"}
        assert session.writes([]).tables == {}
        session.commit()


def test_a_statement_that_takes_too_long(site: SqliteSite) -> None:
    """It is stopped, and nothing of the transaction is left."""
    endless = "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g) "
    with begun(site, statement=timedelta(milliseconds=50)) as session:
        with pytest.raises(Failed) as caught:
            session.run(sql(f"{endless} UPDATE t SET v = (SELECT max(n) FROM g)"), NOTHING)
        assert caught.value.code == "statement-timeout"
        with pytest.raises(Refused):
            session.commit()
    with begun(site, statement=timedelta(milliseconds=50)) as session:
        with pytest.raises(Failed) as caught:
            read(
                session,
                session.shape(site.table("t")),
                sql(f"id = ({endless} SELECT max(n) FROM g)"),
            )
        assert str(caught.value) == "lab: the predicate at line 1 took longer than it may"


def test_a_predicate_may_end_with_a_comment(site: SqliteSite) -> None:
    """It still ends where it ends."""
    with begun(site) as session:
        assert (
            len(read(session, session.shape(site.table("t")), sql("v = 'a' -- ) the first"))) == 1
        )


def test_a_temporary_table_may_not_hide_a_table(site: SqliteSite) -> None:
    """Else the script would write another table than the one that is watched."""
    with pytest.raises(Refused) as caught, begun(site, temporary=("T",)):
        pass
    assert caught.value.code == "temporary-taken"
    assert str(caught.value) == "lab has a table T that a temporary one would hide"


def test_a_collation_of_the_application_is_missing(tmp_path: Path) -> None:
    """A collation that only the application has is said to be missing."""
    site = made(tmp_path / "lab.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(sql("UPDATE t SET v = 1 WHERE v = 'a' COLLATE pinyin"), NOTHING)
    assert str(caught.value).endswith("it needs a collation that only the application has")


def test_own_foreign_keys_are_enforced(tmp_path: Path) -> None:
    """Whether the application enforces them or not."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE p (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p (id))",
    )
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(sql("INSERT INTO c VALUES (1, 77)"), NOTHING)
    assert str(caught.value).endswith("SQLITE_CONSTRAINT_FOREIGNKEY")


def test_deferred_foreign_keys_are_settled_before_commit(tmp_path: Path) -> None:
    """A row that still points at nothing is found, and its table named."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE p (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY,"
        " p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    with begun(site) as session:
        session.run(sql("INSERT INTO c VALUES (1, 77)"), NOTHING)
        with pytest.raises(Failed) as caught:
            session.settle()
        assert str(caught.value) == "lab: a deferred foreign key is broken: c"
        with pytest.raises(Failed) as late:
            session.commit()
        assert str(late.value).endswith(
            "the COMMIT breaks a constraint: SQLITE_CONSTRAINT_FOREIGNKEY"
        )
    assert site.rows("SELECT * FROM c") == []
    with begun(site) as session:
        session.run(sql("INSERT INTO c VALUES (1, 77)"), NOTHING)
        session.run(sql("INSERT INTO p VALUES (77)"), NOTHING)
        session.settle()
        session.commit()
    assert site.rows("SELECT * FROM c") == [(1, 77)]


def test_blanks_and_comments_around_a_statement(site: SqliteSite) -> None:
    """They are part of its text, as the script has them."""
    with begun(site) as session:
        text = "\n -- first\n UPDATE t SET n = 1 /* all */ -- ; DELETE FROM t\n \n"
        assert session.run(sql(text), NOTHING) == 2
        assert session.check(sql("\n SELECT count(*) FROM t -- ;\n"), NOTHING) == b"2"
