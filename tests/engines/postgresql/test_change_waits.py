"""The locks of a transaction are asked for before its first step, and all wait together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.ports import Lock, LockTimeout
from dbops.engines.postgresql.change import PostgresqlChangeEngine
from dbops.engines.postgresql.change_locks import LEAST, Patience
from tests.engines.change_suite_site import WAIT, begun, order, step
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.processes import until

STRONG, SHARE = "AccessExclusiveLock", "ShareLock"
HELD = (
    "SELECT l.relation::regclass::text, l.mode FROM pg_locks AS l JOIN pg_class AS c"
    " ON c.oid = l.relation WHERE c.relnamespace = 'his'::regnamespace AND l.granted"
    " AND l.mode <> 'AccessShareLock' ORDER BY 1"
)
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"
ROWS = "SELECT count(*) FROM his.visit"


@pytest.fixture
def site(pg_change_hospital: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    return pg_change_hospital


def lock(name: str, mode: str = STRONG) -> Lock:
    return Lock(f"his.{name}", mode, "")


def test_tables_are_locked_first(site: PgChangeSite) -> None:
    """As strongly as was seen; what is no table, or not there, is left to the steps."""
    site.run(
        "CREATE VIEW his.v AS SELECT * FROM his.visit",
        'CREATE TABLE his."Bett 1" (id integer)',
        "CREATE SEQUENCE his.s",
    )
    asked = [lock("ward", SHARE), lock("v"), lock("s"), lock("gone"), lock('"Bett 1"'), lock("v_x")]
    with begun(site) as session:
        session.lock(asked)
        assert site.rows(HELD) == [('his."Bett 1"', STRONG), ("his.ward", SHARE)]
        first = session.run(step("CREATE INDEX i ON his.ward (name)"))
        second = session.run(step("ALTER TABLE his.ward ADD COLUMN phone text", 2))
    assert first.locks == ()  # it was held before
    assert second.locks == (Lock("his.ward", STRONG, "reads"),)


def test_a_partition_is_locked_behind_its_parent(site: PgChangeSite) -> None:
    """As a query does, so that the two do not wait for each other; and one does not bring another.

    Whoever reads the whole holds it when the partition is asked for.
    """
    site.run(
        "CREATE TABLE his.a_part (at date)",
        "CREATE TABLE his.log (at date) PARTITION BY RANGE (at)",
        "ALTER TABLE his.log ATTACH PARTITION his.a_part DEFAULT",
        "CREATE TABLE his.other PARTITION OF his.log FOR VALUES FROM ('2026-01-01') TO"
        " ('2026-02-01')",
    )
    with begun(site) as session:
        session.lock([lock("log", SHARE)])
        assert site.rows(HELD) == [("his.log", SHARE)]
        session.rollback()
        session.begin()
        with site.connect() as reader, reader.transaction():
            reader.execute("LOCK TABLE ONLY his.log IN ACCESS SHARE MODE")
            with pytest.raises(LockTimeout) as caught:
                session.lock([lock("a_part"), lock("log")])
            reader.execute("SELECT FROM his.a_part")  # nobody holds it
    assert caught.value.message == (
        "locking his.log before the first step of the part: a lock was not to be had in time"
        " (55P03)"
    )


def test_what_the_login_may_not_lock_is_left_to_the_steps(site: PgChangeSite) -> None:
    """Whoever may only refer to a table is not refused."""
    role = f"weak_{site.database.name}"
    site.run(
        f"CREATE ROLE {role} LOGIN PASSWORD 'geheim'",
        f"GRANT CREATE ON DATABASE {site.database.name} TO {role}",
        f"GRANT USAGE ON SCHEMA his TO {role}",
        f"GRANT REFERENCES ON his.ward TO {role}",
        f"ALTER TABLE his.visit OWNER TO {role}",
    )
    login = replace(site.engine.admin(), user=role, password="geheim")
    try:
        with PostgresqlChangeEngine(lambda: login).session(order()) as session:
            session.begin()
            session.lock([lock("ward"), lock("visit")])
            assert site.rows(HELD) == [("his.visit", STRONG)]
    finally:
        site.run(f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_all_waits_of_a_transaction_have_one_bound(site: PgChangeSite) -> None:
    """What one lock has waited for the next one does not have, nor does a step."""
    left = "SELECT (SELECT setting::integer FROM pg_settings WHERE name = 'lock_timeout')"
    waited = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    waited += " AND clock_timestamp() - waitstart > interval '50 ms'"
    with (
        begun(site, lock_wait=timedelta(seconds=30)) as session,
        ThreadPoolExecutor(1) as pool,
    ):
        assert session.verify(step(f"{left} = 30000"))
        with site.holding("ward"):
            taking = pool.submit(session.lock, [lock("ward"), lock("visit")])
            assert until(lambda: site.rows(waited) == [(1,)])
        taking.result(30)
        session.run(step("SELECT"))
        assert session.verify(step(f"{left} BETWEEN 100 AND {30000 - 50}"))
        session.rollback()
        session.begin()
        assert session.verify(step(f"{left} = 30000"))
        with site.holding("ward"):
            taking = pool.submit(session.lock, [lock("ward")])
            assert until(lambda: site.rows(waited) == [(1,)])
        taking.result(30)
        session.run(step(f"SELECT 1 / (({left}) BETWEEN 100 AND {30000 - 50})::integer"))


def test_a_step_always_has_a_little(site: PgChangeSite) -> None:
    """Once all is used up, as long as most transactions of others take, and never more."""
    now = [0.0]
    patience = Patience(3 * WAIT, lambda: now[0])
    assert patience.left() == patience.left(LEAST) == 3 * WAIT
    patience.begin()
    now[0] = 0.45
    patience.begin()
    assert patience.left() == patience.left(LEAST) == timedelta(milliseconds=150)
    now[0] = 7.0
    assert patience.left(LEAST) == LEAST == timedelta(milliseconds=100)
    assert patience.left() == timedelta(milliseconds=1)
    short = Patience(timedelta(milliseconds=20), lambda: now[0])
    short.begin()
    now[0] = 8.0
    assert short.left(LEAST) == timedelta(milliseconds=20)


def test_a_step_behind_a_long_one_has_a_little(site: PgChangeSite) -> None:
    """The next step, and what is asked after it, still wait 100 ms for a lock."""
    with begun(site) as session:
        session.run(step("SELECT pg_sleep(0.25)"))
        own = "SELECT 1 / (current_setting('lock_timeout') = '100ms')::integer"
        session.run(step(own, 2))
        assert session.verify(step("SELECT current_setting('lock_timeout') = '100ms'"))


def test_an_index_built_concurrently_holds_nobody_up(site: PgChangeSite) -> None:
    """While it waits for an old transaction, others read and write, by the server's clock."""
    make = step("CREATE INDEX CONCURRENTLY visit_ward ON his.visit (ward)")
    took = " RETURNING extract(epoch FROM clock_timestamp() - statement_timestamp())"
    statements = (
        "SELECT extract(epoch FROM clock_timestamp() - statement_timestamp()) FROM his.visit"
        " LIMIT 1",
        f"UPDATE his.visit SET ward = ward WHERE id = 2{took}",
        f"INSERT INTO his.visit VALUES (9, 'ORT'){took}",
        f"DELETE FROM his.visit WHERE id = 9{took}",
    )
    with (
        site.engine.session(order(lock_wait=100 * WAIT)) as session,
        ThreadPoolExecutor(1) as pool,
        site.connect() as old,
    ):
        old.execute("BEGIN")
        old.execute("UPDATE his.visit SET ward = ward WHERE id = 1")
        making = pool.submit(session.run_alone, make)
        assert until(lambda: site.rows(WAITS) == [(1,)])
        seconds = [float(str(site.rows(each)[0][0])) for each in statements]
        assert site.rows(WAITS) == [(1,)]  # it waits still
        old.execute("ROLLBACK")
        making.result(30)
    assert max(seconds) < 1
