"""COMMIT does nothing that was not judged before: of what puts work off nothing is left then."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dbops.change.ports import ChangeSession
from dbops.errors import Refused
from tests.engines.change_suite_site import begun, entry, hospital, journal_of, step
from tests.engines.postgresql.change_database import PgChangeSite

AGAIN = (
    "a deferred trigger puts work off again until COMMIT, where nothing would compare what it does"
)
CURSOR = "a cursor WITH HOLD is open, whose query COMMIT would run"
LATE = "CREATE TABLE his.late (i integer)"
ROUNDS = 3  # of SET CONSTRAINTS, before anything is judged


@pytest.fixture
def site(pg_change_each: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    pg_change_each.reset()
    hospital(pg_change_each)
    return pg_change_each


def put_off(times: int, last: str) -> list[str]:
    """Steps whose trigger fires so often, each time put off anew, and then does the last thing."""
    return [
        "CREATE FUNCTION his.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF new.name::integer = {times} THEN {last}; RETURN NULL; END IF;"
        " SET CONSTRAINTS ALL DEFERRED;"
        " UPDATE his.ward SET name = new.name::integer + 1 WHERE code = new.code;"
        " RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON his.ward DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION his.late()",
        "UPDATE his.ward SET name = 1 WHERE code = 'OLD'",
    ]


def ran(session: ChangeSession, steps: Sequence[str]) -> None:
    """The steps have run, and what was deferred was made to fire."""
    for number, sql in enumerate(steps, 1):
        session.run(step(sql, number))
    assert session.settle() == ()


@pytest.mark.parametrize(
    "last",
    [
        LATE,
        "DELETE FROM dbops.dbops_change",
        "PERFORM pg_catalog.lo_create(0)",
        f"BEGIN {LATE}; PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END",
        "SET LOCAL track_counts = off; INSERT INTO his.ward VALUES ('NEW', 1);"
        " SET LOCAL track_counts = on",
    ],
    ids=["definition", "journal", "large object", "undone", "uncounted"],
)
def test_what_is_put_off_until_commit_is_refused(site: PgChangeSite, last: str) -> None:
    """A trigger that defers others as often as they are made to fire: COMMIT is not sent."""
    with begun(site) as session:
        ran(session, put_off(ROUNDS + 1, last))
        session.note([entry(1)])
        with pytest.raises(Refused) as caught:
            session.commit()
    assert (caught.value.code, caught.value.message) == (
        "change-deferred",
        f"committing c-1: {AGAIN}",
    )
    assert caught.value.hint == (
        "take SET CONSTRAINTS ... DEFERRED out of the functions of deferred triggers"
    )
    assert journal_of(site) == ()
    assert site.rows("SELECT name FROM his.ward ORDER BY code") == [("closed",), ("orthopaedics",)]


def test_what_is_put_off_once_more_is_judged(site: PgChangeSite) -> None:
    """What a deferred trigger defers again has happened when the schema is read."""
    with begun(site) as session:
        ran(session, put_off(ROUNDS, LATE))
        assert site.table("late") in session.schema().objects


def test_honest_deferred_work_is_done_once(site: PgChangeSite) -> None:
    """A trigger that writes a child, and its parent behind it: both are there after COMMIT."""
    body = "INSERT INTO his.visit VALUES (4, 'NEW'); INSERT INTO his.ward VALUES ('NEW', 'new')"
    with begun(site) as session:
        ran(session, put_off(1, f"SET CONSTRAINTS his.visit_ward_fkey DEFERRED; {body}"))
        session.note([entry(1)])
        session.commit()
    assert site.rows("SELECT count(*) FROM his.visit JOIN his.ward ON code = ward") == [(3,)]
    assert [each.sequence for each in journal_of(site)] == [1]


@pytest.mark.parametrize(
    "sql",
    [
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "DO $$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'; END $$",
    ],
)
def test_a_query_that_commit_would_run_is_refused(site: PgChangeSite, sql: str) -> None:
    """Of a cursor WITH HOLD, whoever made it; any other cursor is gone by then."""
    with begun(site) as session:
        ran(session, ["DECLARE d CURSOR FOR SELECT 1", sql])
        with pytest.raises(Refused) as caught:
            session.commit()
        session.rollback()
        session.begin()
        ran(session, ["DECLARE d CURSOR FOR SELECT 1"])
        session.commit()
    assert (caught.value.code, caught.value.message) == (
        "change-deferred",
        f"committing c-1: {CURSOR}",
    )
    assert caught.value.hint == (
        "take DECLARE ... WITH HOLD out of the script, and of what it calls"
    )


TEMPORARY = "CREATE TEMPORARY TABLE t (a integer PRIMARY KEY, b serial, CHECK (a > 0)) {}"


@pytest.mark.parametrize(
    ("first", "sql", "what"),
    [
        (TEMPORARY.format("ON COMMIT DROP"),
         "CREATE FUNCTION his.f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM pg_temp.t; END",
         "function his.f()"),
        (TEMPORARY.format(""), "ALTER TABLE his.ward ADD COLUMN x pg_temp.t[]",
         "table column his.ward.x"),
        ("CREATE TYPE pg_temp.e AS ENUM ('a')", "ALTER TABLE his.ward ADD COLUMN x pg_temp.e",
         "table column his.ward.x"),
        ("CREATE FUNCTION pg_temp.f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
         "CREATE INDEX x ON his.ward (pg_temp.f(name))", "index his.x"),
    ],
    ids=["table", "row type", "type", "function"],
)  # fmt: skip
def test_what_would_vanish_with_the_session_is_refused(
    site: PgChangeSite, first: str, sql: str, what: str
) -> None:
    """What lasts hangs on nothing temporary: the server would drop it, and what hangs on it."""
    with begun(site) as session:
        ran(session, [first, sql])
        with pytest.raises(Refused) as caught:
            session.commit()
    assert (caught.value.code, caught.value.message) == (
        "change-deferred",
        f"committing c-1: {what} depends on a temporary object, and would vanish with it",
    )
    assert caught.value.hint == "let what lasts depend on nothing temporary"


def test_temporary_objects_may_hang_on_each_other(site: PgChangeSite) -> None:
    """Tables with keys, indexes, generated columns, triggers, rules and partitions; views."""
    steps = [
        TEMPORARY.format("ON COMMIT DROP"),
        "CREATE TEMPORARY TABLE u (a integer REFERENCES pg_temp.t, d integer"
        " GENERATED ALWAYS AS (a + 1) STORED) ON COMMIT DROP",
        "CREATE INDEX ON pg_temp.u (a)",
        "CREATE TEMPORARY VIEW v AS SELECT u.a FROM pg_temp.u, his.ward",
        "CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER x AFTER INSERT ON pg_temp.u EXECUTE FUNCTION pg_temp.f()",
        "CREATE RULE r AS ON INSERT TO pg_temp.t DO ALSO NOTHING",
        "CREATE POLICY p ON pg_temp.t USING (a IN (SELECT id FROM his.visit))",
        "CREATE TYPE pg_temp.e AS ENUM ('a')",
        "CREATE TEMPORARY TABLE w (e pg_temp.e, q pg_temp.t[]) PARTITION BY LIST (e)",
        "CREATE TEMPORARY TABLE w1 PARTITION OF pg_temp.w FOR VALUES IN ('a')",
        "CREATE INDEX ON pg_temp.w (e)",
    ]
    with begun(site) as session:
        ran(session, steps)
        session.commit()
    assert site.rows("SELECT to_regclass('pg_temp.t')") == [(None,)]
