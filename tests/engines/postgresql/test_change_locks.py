"""What a change of a PostgreSQL database locks and rewrites, and how long others wait for it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dbops.change.ports import Lock, LockTimeout
from dbops.errors import Failed
from tests.engines.change_suite_site import WAIT, begun, order, step
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.processes import until

EXCLUSIVE = "AccessExclusiveLock"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'his.ward'::regclass"


@pytest.fixture
def site(pg_change_hospital: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    return pg_change_hospital


def test_others_queue_no_longer_than_the_change_waits(site: PgChangeSite) -> None:
    """Behind a long reader the change gives up in time, and whoever came after it goes on."""
    wait = 3 * WAIT
    add = step("ALTER TABLE his.ward ADD COLUMN phone text")

    def read() -> float:
        began = time.monotonic()
        site.rows("SELECT count(*) FROM his.ward")
        return time.monotonic() - began

    with (
        site.holding("ward"),
        begun(site, lock_wait=wait) as session,
        ThreadPoolExecutor(2) as pool,
    ):
        began = time.monotonic()
        changing = pool.submit(session.run, add)
        assert until(lambda: site.rows(WAITING) == [(1,)])
        reading = pool.submit(read)
        with pytest.raises(LockTimeout) as caught:
            changing.result(30)
        gave_up = time.monotonic() - began
        queued = reading.result(30)
    assert caught.value.message == ("step 1 at line 1: a lock was not to be had in time (55P03)")
    assert wait.total_seconds() <= gave_up < wait.total_seconds() + 1
    assert queued < wait.total_seconds() + 1


@pytest.mark.parametrize(
    "unset",
    [
        "SET LOCAL lock_timeout = 0",
        "SELECT set_config('lock_timeout', '0', false)",
        "DO $$ BEGIN PERFORM set_config('lock_timeout', '0', true); END $$",
    ],
)
def test_a_script_cannot_wait_longer(site: PgChangeSite, unset: str) -> None:
    """Whatever a step does to the settings is undone before the next."""
    with site.holding("ward"), begun(site) as session:
        session.run(step(unset))
        with pytest.raises(LockTimeout):
            session.run(step("ALTER TABLE his.ward ADD COLUMN phone text", 2))


def test_a_deadlock_is_a_lock_that_was_not_to_be_had(site: PgChangeSite) -> None:
    """Of two that wait for each other the change gives way, and may try again."""
    site.run("ALTER SYSTEM SET deadlock_timeout = '20ms'", "SELECT pg_reload_conf()")
    try:
        with begun(site, lock_wait=20 * WAIT) as session, ThreadPoolExecutor(1) as pool:
            session.run(step("LOCK TABLE his.ward IN ACCESS EXCLUSIVE MODE"))
            with site.connect() as other, other.transaction():
                other.execute("SET LOCAL deadlock_timeout = '60s'")
                other.execute("LOCK TABLE his.visit IN ACCESS EXCLUSIVE MODE")
                waiting = pool.submit(other.execute, "SELECT FROM his.ward")
                assert until(lambda: site.rows(WAITING) == [(1,)])
                with pytest.raises(LockTimeout) as caught:
                    session.run(step("LOCK TABLE his.visit IN ACCESS EXCLUSIVE MODE", 2))
                session.rollback()
                waiting.result(30)
    finally:
        site.run("ALTER SYSTEM RESET deadlock_timeout", "SELECT pg_reload_conf()")
    assert "(40P01)" in caught.value.message


def test_a_step_that_takes_too_long(site: PgChangeSite) -> None:
    """Each statement has its bound, and more than that is no lock to wait for."""
    with begun(site, statement=WAIT) as session, pytest.raises(Failed) as caught:
        session.run(step("SELECT pg_sleep(20)"))
    assert not isinstance(caught.value, LockTimeout)
    assert caught.value.message == (
        "step 1 at line 1: it took longer than it may, or somebody cancelled it (57014)"
    )


EFFECTS: dict[str, tuple[tuple[Lock, ...], tuple[str, ...]]] = {
    "ALTER TABLE his.ward ADD COLUMN phone text DEFAULT 'none'": (
        (Lock("his.ward", EXCLUSIVE, "reads"),),
        (),
    ),
    "ALTER TABLE his.ward ALTER COLUMN name TYPE char(9) USING left(name, 9)": (
        (Lock("his.ward", EXCLUSIVE, "reads"),),
        ("his.ward",),
    ),
    "CREATE INDEX visit_ward ON his.visit (ward)": (
        (Lock("his.visit", "ShareLock", "writes"),),
        (),
    ),
    "CREATE TABLE his.bill (id integer PRIMARY KEY, ward text REFERENCES his.ward (code))": (
        (Lock("his.ward", "ShareRowExclusiveLock", "writes"),),
        (),
    ),
    "UPDATE his.ward SET name = 'x'": (
        (Lock("his.ward", "RowExclusiveLock", "schema changes and writes of the same rows"),),
        (),
    ),
    "REINDEX INDEX his.ward_pkey": (
        (Lock("his.ward", "ShareLock", "writes"), Lock("his.ward_pkey", EXCLUSIVE, "reads")),
        ("his.ward_pkey",),
    ),
    "REINDEX TABLE his.ward": (
        (Lock("his.ward", "ShareLock", "writes"), Lock("his.ward_pkey", EXCLUSIVE, "reads")),
        ("his.ward_pkey",),
    ),
    "CLUSTER his.ward USING ward_pkey": (
        (Lock("his.ward", EXCLUSIVE, "reads"),),
        ("his.ward",),
    ),
    "TRUNCATE his.visit": ((Lock("his.visit", EXCLUSIVE, "reads"),), ("his.visit",)),
    "DROP TABLE his.visit": (
        (Lock("his.visit", EXCLUSIVE, "reads"), Lock("his.ward", EXCLUSIVE, "reads")),
        (),
    ),
    "SELECT count(*) FROM his.ward": ((), ()),
    "CREATE FUNCTION his.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'": ((), ()),
}


def test_locks_and_rewritten_tables_are_named(site: PgChangeSite) -> None:
    """A step says which tables it locked, what others cannot do meanwhile, and what it rewrote."""
    found = {}
    with site.engine.session(order()) as session:
        for sql in EFFECTS:
            session.begin()
            effect = session.run(step(sql))
            found[sql] = (effect.locks, effect.rewritten)
            session.rollback()
    assert found == EFFECTS


def test_locks_are_said_of_the_step_that_took_them(site: PgChangeSite) -> None:
    """A lock that is held already is not added again, a stronger one is; so is a rewrite."""
    with begun(site) as session:
        first = session.run(step("CREATE INDEX one ON his.ward (name)"))
        second = session.run(step("CREATE INDEX two ON his.ward (name)", 2))
        third = session.run(step("ALTER TABLE his.ward ALTER COLUMN name TYPE text", 3))
        kind = "ALTER TABLE his.ward ALTER COLUMN name TYPE {} USING name::{}"
        fourth = session.run(step(kind.format("char(50)", "char(50)"), 4))
        fifth = session.run(step("ALTER TABLE his.ward RENAME COLUMN name TO title", 5))
        session.note([])
        session.rollback()
        session.begin()
        again = session.run(step("CREATE INDEX one ON his.ward (name)"))
    assert first.locks == again.locks == (Lock("his.ward", "ShareLock", "writes"),)
    assert second.locks == fourth.locks == fifth.locks == ()
    assert third.locks == (Lock("his.ward", EXCLUSIVE, "reads"),)
    assert (first.rewritten, third.rewritten, fifth.rewritten) == ((), (), ())
    assert fourth.rewritten == ("his.ward",)


def test_sizes_follow_the_files(site: PgChangeSite) -> None:
    """About the rows and all bytes, before and behind ANALYZE; a partitioned table has its sum."""
    site.run(
        "CREATE TABLE his.big (id bigint, note text)",
        "INSERT INTO his.big SELECT n, 'a text of a usual length' FROM generate_series(1, 9000) n",
        "CREATE TABLE his.log (at date, n integer) PARTITION BY RANGE (at)",
        "CREATE TABLE his.log_1 PARTITION OF his.log FOR VALUES FROM ('2026-01-01') TO"
        " ('2026-02-01')",
        "CREATE TABLE his.log_2 PARTITION OF his.log FOR VALUES FROM ('2026-02-01') TO"
        " ('2026-03-01')",
        "CREATE TABLE his.none (at date) PARTITION BY RANGE (at)",
        "INSERT INTO his.log SELECT date '2026-01-30' + n % 4, n FROM generate_series(1, 100) n",
        "CREATE MATERIALIZED VIEW his.seen AS SELECT DISTINCT at FROM his.log",
        "CREATE VIEW his.all AS SELECT * FROM his.log",
        'CREATE TABLE his."病房 ""100%"" %s" (id integer)',
    )
    with site.engine.session(order(read_only=True)) as session:
        before = {name.title: size for name, size in session.sizes().items()}
        site.run("ANALYZE his.big, his.log, his.seen")
        behind = {name.title: size for name, size in session.sizes().items()}
        counts = {name.title: rows for name, rows in session.counts().items()}
    assert 3000 < before["table his.big"].rows < 30000
    assert behind["table his.big"].rows == 9000
    assert behind["table his.big"].bytes == before["table his.big"].bytes > 9000 * 30
    assert behind["table his.log"].rows == 100
    assert behind["table his.log"].bytes == sum(behind[f"table his.log_{n}"].bytes for n in (1, 2))
    assert behind["materialized view his.seen"].rows == 4
    assert (behind["table his.none"].rows, behind["table his.none"].bytes) == (0, 0)
    summed = ["table his.log", "table his.none", "materialized view his.seen"]
    assert sorted(behind) == sorted([*counts, *summed])
    assert counts['table his."病房 ""100%"" %s"'] == 0
    assert counts["table his.log_1"] + counts["table his.log_2"] == 100
