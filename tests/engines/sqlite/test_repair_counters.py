"""What SQLite's preupdate hook says was written, against what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.engines.sqlite import repair_counters
from dbops.errors import Refused
from dbops.repair.ports import Writes
from dbops.repair.table import TableName
from dbops.sql.written import Written
from tests.engines.repair_site import NOTHING, begun, read, rows_of, sql
from tests.engines.sqlite.repairs import SqliteSite, made

SCHEMA = (
    "CREATE TABLE a (id INTEGER PRIMARY KEY, u UNIQUE, v)",
    "CREATE TABLE w (k TEXT PRIMARY KEY, u UNIQUE, v) WITHOUT ROWID",
    "CREATE TABLE c (id INTEGER PRIMARY KEY,"
    " a REFERENCES a (id) ON DELETE CASCADE ON UPDATE CASCADE,"
    " w REFERENCES w (k) ON DELETE SET NULL)",
    "CREATE TABLE log (m)",
    "CREATE VIEW seen AS SELECT * FROM a",
    "CREATE TRIGGER of_view INSTEAD OF UPDATE ON seen BEGIN"
    " UPDATE a SET v = NEW.v WHERE id = OLD.id; END",
    "CREATE TRIGGER of_delete AFTER DELETE ON c BEGIN INSERT INTO log VALUES (OLD.id); END",
    "INSERT INTO a VALUES (1, 'x', 1), (2, 'y', 2), (3, 'z', 3)",
    "INSERT INTO w VALUES ('1', 'x', 1), ('2', 'y', 2), ('3', 'z', 3)",
    "INSERT INTO c VALUES (1, 1, '1'), (2, 1, '2'), (3, 2, '1')",
)


def counted(site: SqliteSite, *statements: str) -> Writes:
    """What is counted when these run in one transaction."""
    with begun(site, temporary=("ids",)) as session:
        for statement in statements:
            session.run(sql(statement), NOTHING)
        return session.writes([])


@pytest.mark.parametrize(
    ("statement", "ops"),
    [
        ("UPDATE a SET v = v", {"a": Written(updated=3)}),
        ("UPDATE w SET v = v", {"w": Written(updated=3)}),
        ("DELETE FROM log", {}),
        ("INSERT INTO a VALUES (9, NULL, NULL)", {"a": Written(inserted=1)}),
        # REPLACE deletes what is in its way, which SQLite's own number of changes leaves out
        ("INSERT OR REPLACE INTO a VALUES (3, 'z', 7)", {"a": Written(1, 0, 1)}),
        ("INSERT OR REPLACE INTO w VALUES ('9', 'z', 7)", {"w": Written(1, 0, 1)}),
        ("UPDATE OR REPLACE w SET u = 'z' WHERE k = '3'", {"w": Written(updated=1)}),
        ("UPDATE OR REPLACE a SET u = 'z' WHERE id = 2", {"a": Written(0, 1, 1)}),
        (
            "INSERT INTO a VALUES (1, 'x', 9) ON CONFLICT DO UPDATE SET v = 9",
            {"a": Written(updated=1)},
        ),
        ("INSERT INTO a VALUES (1, 'x', 9) ON CONFLICT DO NOTHING", {}),
        ("INSERT OR IGNORE INTO a VALUES (1, 'x', 9), (9, 'n', 9)", {"a": Written(inserted=1)}),
        ("UPDATE a SET id = 10 WHERE id = 1", {"a": Written(updated=1), "c": Written(updated=2)}),
        ("UPDATE w SET k = '9' WHERE k = '3'", {"w": Written(updated=1)}),
        ("DELETE FROM w WHERE k = '1'", {"w": Written(deleted=1), "c": Written(updated=2)}),
        (
            "DELETE FROM a",
            {"a": Written(deleted=3), "c": Written(deleted=3), "log": Written(inserted=3)},
        ),
        ("UPDATE seen SET v = 8 WHERE id < 3", {"a": Written(updated=2)}),
        ("UPDATE a SET v = 5 FROM w WHERE w.u = a.u", {"a": Written(updated=3)}),
        ("WITH n AS (SELECT 1 AS one) DELETE FROM log", {}),
        ("DELETE FROM c RETURNING id", {"c": Written(deleted=3), "log": Written(inserted=3)}),
    ],
)
def test_each_way_of_writing_is_counted(
    tmp_path: Path, statement: str, ops: dict[str, Written]
) -> None:
    """By whatever a row is written, it counts once, for its table and operation."""
    writes = counted(made(tmp_path / "lab.db", *SCHEMA), statement)
    assert writes.tables == {TableName("", table): found for table, found in ops.items()}
    assert writes.objections == ()


def test_the_quick_ways_of_sqlite_are_counted(tmp_path: Path) -> None:
    """DELETE of everything and INSERT from an equal table, which SQLite does by pages else."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE one (id INTEGER PRIMARY KEY, v)",
        "CREATE TABLE two (id INTEGER PRIMARY KEY, v)",
        "INSERT INTO one VALUES (1, 1), (2, 2), (3, 3)",
    )
    writes = counted(site, "INSERT INTO two SELECT * FROM one", "DELETE FROM one")
    assert writes == Writes(
        {TableName("", "two"): Written(inserted=3), TableName("", "one"): Written(deleted=3)}
    )


def test_temporary_tables_do_not_count(tmp_path: Path) -> None:
    """Declared ones are made with their keys, filled and dropped; the rest still adds up."""
    writes = counted(
        made(tmp_path / "lab.db", *SCHEMA),
        "CREATE TEMP TABLE ids (id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT UNIQUE)",
        "INSERT INTO ids (k) SELECT u FROM a",
        "UPDATE a SET v = 0 WHERE u IN (SELECT k FROM ids)",
        "DROP TABLE ids",
        "CREATE TEMP TABLE ids AS SELECT id FROM a",
        "CREATE INDEX temp.by_id ON ids (id)",
    )
    assert writes == Writes({TableName("", "a"): Written(updated=3)})


def test_a_sequence_that_moves_is_told(tmp_path: Path) -> None:
    """AUTOINCREMENT remembers the highest rowid, and an undo does not turn it back."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v)",
        "INSERT INTO t (v) VALUES (1)",
    )
    assert counted(site, "UPDATE t SET v = 2").sequences == ()
    assert counted(site, "INSERT INTO t (v) VALUES (3)").sequences == ("t",)


@pytest.mark.parametrize("table", ["a", "w"])
def test_own_rows_follow_their_rows(tmp_path: Path, table: str) -> None:
    """A row counts as this transaction's as long as it is there, under whatever key."""
    site = made(tmp_path / "lab.db", *SCHEMA)
    key = {"a": "id", "w": "k"}[table]
    with begun(site) as session:
        shape = session.shape(site.table(table))
        assert session.own_rows(shape) == 0
        for statement in (
            f"INSERT INTO {table} VALUES ('7', 'p', 1), ('8', 'q', 1)",
            f"UPDATE {table} SET v = 5 WHERE {key} = '1'",
            f"UPDATE {table} SET v = 6 WHERE {key} = '1'",
            f"UPDATE {table} SET {key} = '9' WHERE {key} = '8'",
            f"DELETE FROM {table} WHERE {key} = '7'",
            f"INSERT OR REPLACE INTO {table} VALUES ('3', 'y', 1)",
        ):
            session.run(sql(statement), NOTHING)
        found = [one.row[0] for one in read(session, shape) if one.own]
        assert session.own_rows(shape) == 3
    assert found == [b"1", b"3", b"9"]


def test_own_rows_of_negative_and_far_rowids(tmp_path: Path) -> None:
    """Every rowid is told, from the lowest to the highest."""
    site = made(tmp_path / "lab.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    rowids = [-(1 << 63), -65, -64, -1, 0, 63, 64, (1 << 63) - 1]
    site.put("INSERT INTO t VALUES (?, 0)", [(rowid,) for rowid in rowids])
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        session.run(sql("UPDATE t SET v = 1 WHERE id % 2"), NOTHING)
        own = [one.row[0] for one in read(session, shape) if one.own]
        assert session.own_rows(shape) == len(own)
    assert own == [str(rowid).encode() for rowid in rowids if rowid % 2]


def test_rows_without_rowid_that_cannot_be_told(tmp_path: Path) -> None:
    """The hook shows no rows of a table with generated columns: they count, and none is own."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE t (g AS (v || 'g'), k TEXT PRIMARY KEY, v) WITHOUT ROWID",
        "INSERT INTO t VALUES ('a', 1), ('b', 2)",
    )
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        session.run(sql("UPDATE t SET v = 5"), NOTHING)
        assert session.writes([]) == Writes({site.table("t"): Written(updated=2)})
        assert rows_of(read(session, shape)) == [(b"a", b"5"), (b"b", b"5")]
        with pytest.raises(Refused) as caught:
            session.own_rows(shape)
    assert caught.value.code == "own-rows"


def test_too_many_rows_to_remember(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: beyond it rows count, and are no longer told from others."""
    monkeypatch.setattr(repair_counters, "MARKS_MOST", 2)
    site = made(tmp_path / "lab.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        session.run(sql("INSERT INTO t VALUES (1, 1), (100, 1), (200, 1), (300, 1)"), NOTHING)
        assert session.writes([]).tables == {site.table("t"): Written(inserted=4)}
        with pytest.raises(Refused) as caught:
            session.own_rows(shape)
    assert str(caught.value) == "the rows of t that were written cannot be told from others"
