"""What steps outside of a transaction lock and rewrite: documented, seen, and looked up."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dbops.change.ports import Lock, StepEffect
from dbops.engines.postgresql.change_alone_effects import MOST, Expected, locks_of
from dbops.engines.postgresql.change_effects import Relation
from dbops.engines.postgresql.change_watch import watched
from dbops.engines.postgresql.change_words import Named, vacuumed
from dbops.engines.postgresql.connect import connect
from tests.engines.change_suite_site import WAIT, hospital, order, step
from tests.engines.postgresql.change_database import PgChangeSite, change_site
from tests.engines.postgresql.processes import until
from tests.fix_postgresql import PgServer

LIGHT, SHARE, STRONG = "ShareUpdateExclusiveLock", "ShareLock", "AccessExclusiveLock"
BLOCKS = {LIGHT: "schema changes", SHARE: "writes", STRONG: "reads"}
TABLES = ("his.log_1", "his.log_2", "his.visit", "his.ward")
KEYS = tuple(f"{table}_pkey" for table in TABLES)
SYSTEM = (("pg_catalog", STRONG),)


@pytest.fixture(scope="module")
def site(pg15: PgServer) -> Iterator[PgChangeSite]:
    """A database for all tests here: none of them changes a table."""
    with change_site(pg15) as found:
        found.reset()
        hospital(found)
        found.run(
            "CREATE TABLE his.log (at date PRIMARY KEY) PARTITION BY RANGE (at)",
            "CREATE TABLE his.log_1 PARTITION OF his.log FOR VALUES FROM ('2026-01-01') TO"
            " ('2026-02-01')",
            "CREATE TABLE his.log_2 PARTITION OF his.log FOR VALUES FROM ('2026-02-01') TO"
            " ('2026-03-01')",
            'CREATE SCHEMA "his x"',
            'CREATE TABLE "his x".other (id integer)',
        )
        yield found


def effect(site: PgChangeSite, sql: str, *, measured: bool) -> StepEffect:
    with site.engine.session(order(lock_wait=50 * WAIT, measured=measured)) as session:
        return session.run_alone(step(sql.format(database=site.database.name)))


def told(found: StepEffect) -> set[tuple[str, str]]:
    assert all(lock.blocks == BLOCKS[lock.mode] for lock in found.locks)
    return {(lock.object, lock.mode) for lock in found.locks}


def each(names: tuple[str, ...], mode: str) -> set[tuple[str, str]]:
    return {(name, mode) for name in names}


OTHER = ('"his x".other',)
STEPS: dict[str, tuple[set[tuple[str, str]], tuple[str, ...]]] = {
    "REINDEX SCHEMA his": (each(TABLES, SHARE) | each(KEYS, STRONG), KEYS),
    "REINDEX SCHEMA CONCURRENTLY his": (each(TABLES, LIGHT), KEYS),
    "REINDEX (CONCURRENTLY) SCHEMA his": (each(TABLES, LIGHT), KEYS),
    "REINDEX DATABASE {database}": (
        {*SYSTEM} | each((*TABLES, *OTHER), SHARE) | each(KEYS, STRONG),
        KEYS,
    ),
    "REINDEX SYSTEM {database}": ({*SYSTEM}, ()),
    "REINDEX TABLE CONCURRENTLY his.log": (
        each(("his.log", "his.log_1", "his.log_2"), LIGHT),
        KEYS[:2],
    ),
    "REINDEX INDEX CONCURRENTLY his.log_pkey": (
        each(("his.log", "his.log_1", "his.log_2"), LIGHT),
        KEYS[:2],
    ),
    "VACUUM FULL his.visit": ({("his.visit", STRONG)}, ("his.visit",)),
    "VACUUM (FULL, ANALYZE) his.visit (ward, id), his.ward": (
        each(("his.visit", "his.ward"), STRONG),
        ("his.visit", "his.ward"),
    ),
    "VACUUM FULL his.log": (
        each(("his.log", "his.log_1", "his.log_2"), STRONG),
        ("his.log_1", "his.log_2"),
    ),
    "VACUUM FULL": (
        {*SYSTEM} | each((*TABLES, *OTHER), STRONG),
        tuple(sorted((*TABLES, *OTHER))),
    ),
    "VACUUM ANALYZE": (each((*TABLES, *OTHER), LIGHT), ()),
}


@pytest.mark.parametrize("sql", STEPS)
def test_the_documented_locks_and_the_new_files(site: PgChangeSite, sql: str) -> None:
    """However fast it is over, nothing that locks is said to lock nothing."""
    found = effect(site, sql, measured=False)
    assert (told(found), found.rewritten) == STEPS[sql]


@pytest.mark.parametrize("sql", ["REINDEX SCHEMA his", "VACUUM FULL", "VACUUM FULL his.visit"])
def test_what_is_seen_is_added(site: PgChangeSite, sql: str) -> None:
    """A look from outside finds no less, and of these no more."""
    found = effect(site, sql, measured=True)
    assert (told(found), found.rewritten) == STEPS[sql]


HIDDEN = (
    "CREATE FUNCTION his.locks() RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
    " LOCK TABLE his.ward IN SHARE MODE; PERFORM pg_sleep(0.1); END $$",
    "CREATE FUNCTION his.key(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
    " PERFORM his.locks(); RETURN $1; END $$",
)


def test_what_no_documentation_says_is_seen(site: PgChangeSite) -> None:
    """A function of the hospital's own that locks a table while an index is built of it."""
    site.run(*HIDDEN)
    try:
        make = "CREATE INDEX CONCURRENTLY hidden ON his.visit (his.key(ward))"
        found = told(effect(site, make, measured=True))
    finally:
        site.run("DROP INDEX his.hidden", "DROP FUNCTION his.key", "DROP FUNCTION his.locks")
    assert found == {("his.visit", LIGHT), ("his.ward", SHARE)}


def test_locks_are_seen_while_they_are_held(site: PgChangeSite) -> None:
    """The strongest of each relation, of that session and no other; it ends with the step."""
    parameters = site.engine.admin()
    with connect(parameters) as session, connect(parameters) as other:
        other.run("BEGIN")
        other.run("LOCK TABLE his.log IN ACCESS EXCLUSIVE MODE")
        with watched(session) as seen:
            session.run("BEGIN")
            session.run("LOCK TABLE his.ward IN ROW EXCLUSIVE MODE")
            assert until(lambda: "RowExclusiveLock" in seen.values())
            session.run("LOCK TABLE his.ward, his.visit IN SHARE MODE")
            assert until(lambda: list(seen.values()) == [SHARE, SHARE])
            session.run("ROLLBACK")
        other.run("ROLLBACK")
    ids = site.rows("SELECT 'his.ward'::regclass::oid::bigint, 'his.visit'::regclass::oid::bigint")
    assert dict(seen) == dict.fromkeys(ids[0], SHARE)
    looking = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FROM pg_catalog.pg_locks%'"
    assert until(lambda: site.rows(f"{looking} AND pid <> pg_backend_pid()") == [(0,)])


def test_a_step_that_waits_is_seen_from_outside(site: PgChangeSite) -> None:
    """A second connection looks on in a rehearsal, and in a run there is none."""
    make = step("CREATE INDEX CONCURRENTLY visit_ward ON his.visit (ward)")
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dbops'"
    counts = []
    for measured in (True, False):
        session_order = order(lock_wait=100 * WAIT, measured=measured)
        with (
            site.engine.session(session_order) as session,
            ThreadPoolExecutor(1) as pool,
            site.connect() as old,
        ):
            old.execute("BEGIN")
            old.execute("UPDATE his.visit SET ward = ward WHERE id = 1")
            making = pool.submit(session.run_alone, make)
            assert until(
                lambda: site.rows("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)]
            )
            counts += [row[0] for row in site.rows(ours)]
            old.execute("ROLLBACK")
            assert told(making.result(30)) == {("his.visit", LIGHT)}
            assert told(session.run_alone(step("DROP INDEX CONCURRENTLY his.visit_ward"))) == {
                ("his.visit", LIGHT)
            }
    assert counts == [2, 1]


def test_very_many_locks_are_counted() -> None:
    """Evidence has a bound: above it the locks of each mode are one."""
    known = {n: Relation("r", f"his.t{n}", n, 0) for n in range(1, MOST + 1)}
    known |= {n + 1000: Relation("i", f"his.i{n}", n, n) for n in range(1, MOST + 1)}
    modes = {oid: STRONG if one.table else SHARE for oid, one in known.items()}
    assert locks_of(Expected(known, modes), {}) == (
        Lock(f"{MOST} tables and indexes", STRONG, "reads"),
        Lock(f"{MOST} tables and indexes", SHARE, "writes"),
    )
    few = {oid: mode for oid, mode in modes.items() if mode == SHARE}
    assert len(locks_of(Expected(known, few), {})) == MOST


def test_a_lock_that_is_seen_counts_where_it_is_stronger() -> None:
    """What only looks were for is said; what is weaker than documented, or unknown, is not."""
    known = {1: Relation("r", "his.a", 1, 0), 2: Relation("r", "his.b", 2, 0)}
    found = locks_of(Expected(known, {1: SHARE}), {1: LIGHT, 2: STRONG, 3: STRONG})
    assert found == (Lock("his.a", SHARE, "writes"), Lock("his.b", STRONG, "reads"))
    assert locks_of(Expected(known, {1: SHARE}), {1: STRONG}) == (Lock("his.a", STRONG, "reads"),)


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("VACUUM", ()),
        ("VACUUM (FULL true, PARALLEL 2)", ()),
        ("VACUUM FULL FREEZE VERBOSE ANALYZE his.a", ("his.a",)),
        ('VACUUM (ANALYZE) his.a (x, "y,z"), "Hi s".b ,c', ("his.a", "Hi s.b", "c")),
    ],
)
def test_the_tables_of_vacuum(sql: str, names: tuple[str, ...]) -> None:
    """One, several with their columns, or none where it is of all."""
    assert tuple(name.written for name in vacuumed(step(sql))) == names
    assert all(isinstance(name, Named) for name in vacuumed(step(sql)))
