"""The rows that steps write in a SQLite file, whatever writes them."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from dbops.engines.sqlite.change_written import Counting
from dbops.sql.written import Written
from tests.engines import change_suite_written
from tests.engines.change_suite_site import begun
from tests.engines.change_suite_written import ran
from tests.engines.sqlite.changes import SqliteChangeSite


@pytest.fixture
def site(tmp_path: Path) -> SqliteChangeSite:
    """An empty SQLite file."""
    (tmp_path / "lab.db").touch()
    return SqliteChangeSite(tmp_path / "lab.db")


class TestWriting(change_suite_written.Writing):
    """On SQLite."""


def test_triggers_and_replaced_rows_count(site: SqliteChangeSite) -> None:
    """REPLACE deletes what is in its way; a table without rowids is counted as any other."""
    with begun(site, measured=True) as session:
        ran(
            session,
            "CREATE TABLE ward (code TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID",
            "CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT)",
            "CREATE TRIGGER noted AFTER INSERT ON ward BEGIN"
            " INSERT INTO log (code) VALUES (new.code); END",
            "INSERT INTO ward VALUES ('A', 'a'), ('B', 'b')",
            "REPLACE INTO ward VALUES ('A', 'x')",
            "ANALYZE",
        )
        assert session.written() == {
            site.table("ward"): Written(3, 0, 1),
            site.table("log"): Written(3, 0, 0),
        }


def test_rows_of_a_virtual_table_are_those_behind_it(site: SqliteChangeSite) -> None:
    """Full-text search keeps its texts in tables of its own, whose names say so."""
    site.run("CREATE VIRTUAL TABLE note USING fts5(text)")
    with begun(site, measured=True) as session:
        ran(session, "INSERT INTO note VALUES ('one'), ('two')")
        written = session.written()
    assert written is not None
    assert written[site.table("note_content")] == Written(2, 0, 0)
    assert site.table("note") not in written


def test_a_table_that_takes_the_place_of_another_page(site: SqliteChangeSite) -> None:
    """Where pages move as a table is dropped, each row stays with the table it was written to."""
    site.run(
        "PRAGMA auto_vacuum = FULL",
        "VACUUM",
        *(f"CREATE TABLE t{number} (i INTEGER)" for number in range(4)),
    )
    with begun(site, measured=True) as session:
        ran(
            session,
            "INSERT INTO t3 VALUES (1)",
            "INSERT INTO t0 VALUES (1), (2)",
            "DROP TABLE t0",
            "INSERT INTO t2 VALUES (1), (2), (3)",
        )
        assert session.written() == {
            site.table("t2"): Written(3, 0, 0),
            site.table("t3"): Written(1, 0, 0),
        }


def test_rows_that_were_missed_are_noticed() -> None:
    """SQLite's own total is the check: where it is higher, nothing is said at all."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (i INTEGER)")
    counting = Counting(connection)
    counting.begin()
    connection.preupdate_hook(None)
    connection.execute("INSERT INTO t VALUES (1)")
    counting.look()
    assert counting.written() is None
    counting.begin()
    assert counting.written() == {}
