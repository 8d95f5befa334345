"""The rows that a transaction writes on PostgreSQL, whatever writes them."""

from __future__ import annotations

import pytest

from dbops.change.schema import ObjectKind, ObjectName
from dbops.sql.written import Written
from tests.engines import change_suite_written
from tests.engines.change_suite_site import begun, hospital
from tests.engines.change_suite_written import ran
from tests.engines.postgresql.change_database import PgChangeSite

LATE = "CREATE FUNCTION his.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; END $$"


@pytest.fixture
def site(pg_change_each: PgChangeSite) -> PgChangeSite:
    """It is empty again."""
    pg_change_each.reset()
    return pg_change_each


class TestWriting(change_suite_written.Writing):
    """On PostgreSQL."""


@pytest.fixture
def tables(site: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables."""
    hospital(site)
    return site


def test_a_block_a_cascade_and_a_deferred_trigger_count(tables: PgChangeSite) -> None:
    """What a reader of the script does not see as a statement on the table."""
    with begun(tables, measured=True) as session:
        ran(
            session,
            "CREATE TABLE his.bed (ward varchar(20) REFERENCES his.ward ON DELETE CASCADE)",
            "CREATE TABLE his.log (n integer)",
            LATE.format("INSERT INTO his.log VALUES (1), (2); RETURN NULL"),
            "CREATE CONSTRAINT TRIGGER late AFTER DELETE ON his.ward DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION his.late()",
            "DO $$ BEGIN INSERT INTO his.ward SELECT n, n FROM generate_series(1, 2000) AS n;"
            " UPDATE his.ward SET name = 'x' WHERE code <> 'OLD'; END $$",
            "INSERT INTO his.bed VALUES ('1'), ('1'), ('2')",
            "DELETE FROM his.ward WHERE code = '1'",
        )
        assert session.settle() == ()
        assert session.written() == {
            tables.table("ward"): Written(2_000, 2_001, 1),
            tables.table("bed"): Written(3, 0, 2),
            tables.table("log"): Written(2, 0, 0),
        }


def test_partitions_and_materialized_views_count_by_themselves(tables: PgChangeSite) -> None:
    """A row that moves is deleted in one partition, and inserted in the other."""
    with begun(tables, measured=True) as session:
        ran(
            session,
            "CREATE TABLE his.log (n integer) PARTITION BY LIST (n)",
            "CREATE TABLE his.log_1 PARTITION OF his.log FOR VALUES IN (1)",
            "CREATE TABLE his.log_2 PARTITION OF his.log FOR VALUES IN (2)",
            "INSERT INTO his.log VALUES (1), (1)",
            "UPDATE his.log SET n = 2",
            "CREATE MATERIALIZED VIEW his.many AS SELECT * FROM his.visit",
        )
        assert session.written() == {
            tables.table("log_1"): Written(2, 0, 2),
            tables.table("log_2"): Written(2, 0, 0),
            ObjectName(ObjectKind.MATERIALIZED_VIEW, ("his", "many")): Written(3, 0, 0),
        }


def test_what_is_no_write_of_rows_is_not_counted(tables: PgChangeSite) -> None:
    """New storage, rows that TRUNCATE takes away, temporary tables, and the catalogues."""
    with begun(tables, measured=True) as session:
        ran(
            session,
            "ALTER TABLE his.visit ALTER COLUMN id TYPE bigint",
            "CREATE TEMPORARY TABLE t AS SELECT * FROM his.visit",
            "TRUNCATE his.visit",
            "SELECT id FROM his.visit FOR UPDATE",
        )
        assert session.written() == {}


def test_a_block_that_takes_back_its_rows_counts_them(tables: PgChangeSite) -> None:
    """The server counts attempts: more is said than stays, never less."""
    undone = "DELETE FROM his.visit; PERFORM 1 / 0"
    with begun(tables, measured=True) as session:
        ran(
            session,
            f"DO $$ BEGIN {undone}; EXCEPTION WHEN division_by_zero THEN NULL; END $$",
        )
        assert session.written() == {tables.table("visit"): Written(0, 0, 3)}


@pytest.mark.parametrize("again", ["SELECT 1", "SET LOCAL track_counts = on"])
def test_without_counters_nothing_is_said(tables: PgChangeSite, again: str) -> None:
    """A step that switches them off is not believed, though another switches them on again."""
    with begun(tables, measured=True) as session:
        ran(session, "SET LOCAL track_counts = off", "DELETE FROM his.visit", again)
        assert session.written() is None
