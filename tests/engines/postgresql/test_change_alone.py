"""Steps outside of a transaction: what they leave when they fail, and how it goes away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from dbops.change.ports import ChangeSession, CommitUnknown, Lock, LockTimeout, Remains
from dbops.change.step import Step
from dbops.errors import Failed, Refused, Unreachable
from tests.engines.change_suite_site import CANARY, WAIT, begun, entry, order, step
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.processes import until

MAKE = step("CREATE INDEX CONCURRENTLY visit_ward ON his.visit (ward)", 1, line=3)
UNIQUE = step("CREATE UNIQUE INDEX CONCURRENTLY visit_ward ON his.visit (ward)", 1, line=3)
DROP = step("DROP INDEX CONCURRENTLY his.visit_ward", 2)
REINDEX = step("REINDEX TABLE CONCURRENTLY his.visit", 3)
LIGHT = Lock("his.visit", "ShareUpdateExclusiveLock", "schema changes")
INDEXES = "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid ="
INDEXES += " 'his.visit'::regclass AND NOT indisprimary ORDER BY 1"


@pytest.fixture
def site(pg_change_hospital: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    return pg_change_hospital


@contextmanager
def opened(site: PgChangeSite, **more: object) -> Iterator[ChangeSession]:
    """A session that holds the work, with no transaction open."""
    with site.engine.session(order(**more)) as session:
        session.hold_work()
        yield session


@contextmanager
def writing(site: PgChangeSite) -> Iterator[None]:
    """Somebody's transaction has written to visits, and does not end."""
    with site.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE his.visit SET ward = ward WHERE id = 1")
        yield


def test_an_index_is_made_and_dropped(site: PgChangeSite) -> None:
    """Each step says what is left at every moment, how long it took, and its lock."""
    with opened(site) as session:
        assert (session.remains(MAKE), session.remains(DROP)) == (Remains.NOTHING, Remains.DONE)
        effect = session.run_alone(MAKE)
        assert effect.seconds > 0
        assert effect.locks == (LIGHT,)
        assert (session.remains(MAKE), session.remains(DROP)) == (Remains.DONE, Remains.NOTHING)
        assert session.run_alone(DROP).locks == (LIGHT,)
        assert (session.remains(MAKE), session.remains(DROP)) == (Remains.NOTHING, Remains.DONE)
        assert session.settle() == ()


def test_an_invalid_index_is_noticed_and_cleaned_up(site: PgChangeSite) -> None:
    """Two equal rows fail a unique index: it is there, half made, and goes away by name."""
    site.run(f"INSERT INTO his.ward VALUES ('{CANARY}')")
    site.run(f"INSERT INTO his.visit VALUES (8, '{CANARY}'), (9, '{CANARY}')")
    with opened(site) as session:
        with pytest.raises(Failed) as caught:
            session.run_alone(UNIQUE)
        assert caught.value.code == "change-step"
        assert caught.value.message == (
            "step 1 at line 3 (his.visit, visit_ward): a constraint refuses a row (23505)"
        )
        assert session.remains(UNIQUE) is Remains.HALF
        assert session.settle() == (
            "index his.visit_ward is not valid: no query uses it, and every write keeps it up to"
            " date",
        )
        session.clean_up(UNIQUE)
        assert session.remains(UNIQUE) is Remains.NOTHING
        assert session.settle() == ()
        session.clean_up(UNIQUE)
    assert site.rows(INDEXES) == []


def test_if_not_exists_does_not_pass_by_an_invalid_index(site: PgChangeSite) -> None:
    """The server ends such a step without an error; it is one all the same."""
    site.run("INSERT INTO his.visit VALUES (8, 'ORT')")
    careless = step("CREATE INDEX CONCURRENTLY IF NOT EXISTS visit_ward ON his.visit (ward)")
    with opened(site) as session:
        with pytest.raises(Failed):
            session.run_alone(UNIQUE)
        with pytest.raises(Failed) as caught:
            session.run_alone(careless)
    assert caught.value.message == (
        "step 1 at line 1: the server ended it, and his.visit_ward is not as it should be: half"
        " done, or skipped by IF EXISTS"
    )


def test_an_index_of_that_name_on_another_table(site: PgChangeSite) -> None:
    """It is never taken for the step's own, and never dropped."""
    site.run("CREATE INDEX visit_ward ON his.ward (name)")
    with opened(site) as session:
        for ask in (session.remains, session.clean_up):
            with pytest.raises(Failed) as caught:
                ask(MAKE)
            assert caught.value.message == (
                "step 1 at line 3: an index his.visit_ward stands on another table"
            )
    assert site.rows("SELECT 'his.visit_ward'::regclass::text") == [("his.visit_ward",)]


def test_a_lock_that_was_not_to_be_had(site: PgChangeSite) -> None:
    """The step gives up in time; what it left half done goes once the lock is free."""
    with opened(site) as session:
        with writing(site):
            with pytest.raises(LockTimeout):
                session.run_alone(MAKE)
            assert session.remains(MAKE) is Remains.HALF
            with pytest.raises(LockTimeout):
                session.clean_up(MAKE)
        session.clean_up(MAKE)
        session.run_alone(MAKE)
        with writing(site):
            with pytest.raises(LockTimeout):
                session.run_alone(DROP)
            assert session.remains(DROP) is Remains.HALF
        with site.engine.session(order(read_only=True)) as later:
            assert later.remains(DROP) is Remains.NOTHING  # it runs again
        session.clean_up(DROP)
        session.run_alone(DROP)
        assert session.remains(DROP) is Remains.DONE
    assert site.rows(INDEXES) == []


def test_a_connection_lost_in_a_step_alone(site: PgChangeSite) -> None:
    """Nobody knows what became of it; the next session looks, cleans up and goes on."""
    with opened(site, lock_wait=60 * WAIT) as session, ThreadPoolExecutor(1) as pool:
        session.note([entry(1)])
        with writing(site):
            making = pool.submit(session.run_alone, MAKE)
            pid = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%'"
            assert until(lambda: len(site.rows(f"{pid} AND wait_event_type = 'Lock'")) == 1)
            site.run(f"SELECT pg_terminate_backend(pid) FROM ({pid}) AS p (pid)")
            with pytest.raises(CommitUnknown) as caught:
                making.result(30)
    assert caught.value.code == "commit-unknown"
    assert caught.value.message == (
        "step 1 at line 3: the connection was lost before the answer came"
    )
    with opened(site) as session:
        assert session.remains(MAKE) is Remains.HALF
        session.clean_up(MAKE)
        session.run_alone(MAKE)
        assert session.remains(MAKE) is Remains.DONE


def test_a_step_whose_server_goes_on_is_left_alone(site: PgChangeSite) -> None:
    """While the server still builds the index nobody holds the work, and nobody drops it."""
    with opened(site, lock_wait=60 * WAIT) as session, ThreadPoolExecutor(1) as pool:
        with writing(site):
            making = pool.submit(session.run_alone, MAKE)
            assert until(lambda: len(site.rows(INDEXES)) == 1)
            with site.engine.session(order()) as other:
                with pytest.raises(Unreachable) as caught:
                    other.hold_work()
                assert caught.value.code == "change-running"
                with pytest.raises(LockTimeout):
                    other.clean_up(MAKE)
        making.result(30)
    assert site.rows(INDEXES) == [("his.visit_ward", True)]


def test_what_reindex_leaves_is_dropped(site: PgChangeSite) -> None:
    """Its copies are found by their names and by their table, and the index itself stays."""
    with opened(site) as session:
        session.run_alone(MAKE)
        assert session.remains(REINDEX) is Remains.NOTHING
        assert session.run_alone(REINDEX).locks == (LIGHT,)
        others = [
            step("REINDEX INDEX CONCURRENTLY his.visit_ward"),
            step("REINDEX SCHEMA CONCURRENTLY his"),
            step(f"REINDEX DATABASE CONCURRENTLY {site.database.name}"),
        ]
        assert session.run_alone(others[0]).locks == (LIGHT,)
        with writing(site), pytest.raises(LockTimeout):
            session.run_alone(REINDEX)
        assert ("his.visit_ward_ccnew", False) in site.rows(INDEXES)
        assert {session.remains(one) for one in (REINDEX, *others)} == {Remains.HALF}
        elsewhere = step("REINDEX TABLE CONCURRENTLY his.ward")
        assert session.remains(elsewhere) is Remains.NOTHING
        session.clean_up(others[0])
        assert session.remains(REINDEX) is Remains.NOTHING
    assert site.rows(INDEXES) == [("his.visit_ward", True)]


def test_a_partition_is_detached(site: PgChangeSite) -> None:
    """A detaching that broke off cannot be taken back: cleaning up ends it."""
    site.run(
        "CREATE TABLE his.log (at date) PARTITION BY RANGE (at)",
        "CREATE TABLE his.log_1 PARTITION OF his.log FOR VALUES FROM ('2026-01-01') TO"
        " ('2026-02-01')",
        "CREATE TABLE his.log_2 PARTITION OF his.log FOR VALUES FROM ('2026-02-01') TO"
        " ('2026-03-01')",
    )
    first, second = (
        step(f"ALTER TABLE his.log DETACH PARTITION his.log_{n} CONCURRENTLY", n) for n in (1, 2)
    )
    with opened(site) as session:
        assert session.remains(first) is Remains.NOTHING
        session.run_alone(first)
        assert session.remains(first) is Remains.DONE
        with site.holding("log"), pytest.raises(LockTimeout):
            session.run_alone(second)
        assert session.remains(second) is Remains.HALF
        session.clean_up(second)
        assert session.remains(second) is Remains.DONE
        session.run_alone(second)  # nothing is left to do
    assert site.rows("SELECT count(*) FROM pg_inherits") == [(0,)]


def test_vacuum_can_run_again(site: PgChangeSite) -> None:
    """It leaves nothing that would have to be cleaned up."""
    vacuum, full = step("VACUUM (ANALYZE) his.visit"), step("VACUUM FULL his.visit")
    with opened(site) as session:
        effect = session.run_alone(vacuum)
        assert (effect.locks, effect.rewritten) == ((LIGHT,), ())
        effect = session.run_alone(full)
        assert effect.locks == (Lock("his.visit", "AccessExclusiveLock", "reads"),)
        assert effect.rewritten == ("his.visit",)
        assert session.remains(vacuum) is session.remains(full) is Remains.NOTHING


def test_a_step_alone_stands_outside(site: PgChangeSite) -> None:
    """Not while a transaction is open, and no other statement, and not in a reading session."""
    with begun(site) as session, pytest.raises(Refused) as within:
        session.run_alone(MAKE)
    assert within.value.message == "step 1 at line 3: a transaction is open already"
    with opened(site) as session, pytest.raises(Failed) as other:
        session.run_alone(step("DROP TABLE his.visit"))
    assert other.value.code == "change-step"
    with site.engine.session(order(read_only=True)) as session:
        for run in (session.run_alone, session.clean_up):
            with pytest.raises(Refused) as reading:
                run(MAKE)
            assert reading.value.code == "read-only"


@pytest.mark.parametrize("alone", [MAKE, DROP, REINDEX])
def test_a_step_alone_does_not_run_inside(site: PgChangeSite, alone: Step) -> None:
    """The server says so, and the engine knows it before."""
    assert site.engine.is_alone(alone)
    with begun(site) as session, pytest.raises(Failed) as caught:
        session.run(alone)
    assert caught.value.message.endswith(
        ": the server runs it only outside of a transaction (25001)"
    )
