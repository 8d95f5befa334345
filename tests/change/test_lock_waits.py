"""How long others queue behind a change on PostgreSQL: measured with the server's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.stage import Stage
from dbops.errors import Unreachable
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, LIMITS, Bench
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.processes import until

WAIT = timedelta(seconds=1)
MARGIN = 0.5  # seconds in which a busy machine gets round to the ROLLBACK, and to the reader
ALTERS = """
ALTER TABLE {ward} ADD COLUMN phone varchar(20);
ALTER TABLE {visit} ADD COLUMN phone varchar(20);
ALTER TABLE {audit} ADD COLUMN phone varchar(20);
"""
BACK = ALTERS.replace("ADD", "DROP").replace(" varchar(20)", "")
TOUCHES = tuple(f"create column {{{table}}}.phone" for table in ("ward", "visit", "audit"))
QUEUES = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    " AND relation = 'his.{}'::regclass AND clock_timestamp() - waitstart > interval '{} ms'"
)
# Behind the table's lock: until then the server has only read the statement.
READ = "SELECT extract(epoch FROM clock_timestamp() - statement_timestamp()) FROM his.ward LIMIT 1"


def seconds(site: PgChangeSite) -> float:
    """How long a reader of wards was kept waiting."""
    return float(str(site.rows(READ)[0][0]))


def three(bench: Bench, attempts: int = 1) -> ChangeRun:
    """Three tables are altered in one transaction, which was rehearsed."""
    limits = replace(LIMITS, lock_wait=WAIT, attempts=attempts)
    seen = bench.rehearsed(ALTERS)
    return bench.order(ALTERS, BACK, "SELECT true;", TOUCHES, rehearsed=seen, limits=limits)


@contextmanager
def running(bench: Bench, order: ChangeRun) -> Iterator[Future[object]]:
    """The change runs beside us."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(run_change, order, bench.site.engine, bench.observe, bench.slept.append)


def behind_three(bench: Bench, site: PgChangeSite, order: ChangeRun) -> tuple[float, Unreachable]:
    """How long a reader waits where others hold the second table most of the time, and the third
    for longer; and how the change ends.
    """
    with ExitStack() as second, site.holding("audit"), ThreadPoolExecutor(1) as readers:
        second.enter_context(site.holding("visit"))
        with running(bench, order) as change:
            assert until(lambda: site.rows(QUEUES.format("visit", 0)) == [(1,)])
            reader = readers.submit(seconds, site)
            assert until(lambda: site.rows(QUEUES.format("visit", 700)) == [(1,)])
            second.close()
            waited = reader.result(30)
            with pytest.raises(Unreachable) as caught:
                change.result(30)
    return waited, caught.value


def test_a_reader_waits_no_longer_than_one_lock_may(
    postgresql_bench: Bench, pg_change_site: PgChangeSite
) -> None:
    """Of three tables others hold the second for most of the time, and the third for longer."""
    bench, site = postgresql_bench, pg_change_site
    order = three(bench)
    waited, refused = behind_three(bench, site, order)
    assert 0.2 < waited < WAIT.total_seconds() + MARGIN
    assert refused.message == (
        "c-1 waited once for a lock, 1s each, and did not get it: locking his.audit before the"
        " first step of the part: a lock was not to be had in time (55P03)"
    )


def test_a_whole_run_with_its_retries(
    postgresql_bench: Bench, pg_change_site: PgChangeSite
) -> None:
    """In every attempt others wait for one lock's time at most; then it is said, exactly."""
    bench, site = postgresql_bench, pg_change_site
    before, order = bench.schema(), three(bench, 3)
    waits: list[float] = []
    with site.holding("visit"), running(bench, order) as change:
        assert until(lambda: site.rows(QUEUES.format("visit", 0)) == [(1,)])
        while not change.done():
            waits.append(seconds(site))
        with pytest.raises(Unreachable) as caught:
            change.result(30)
    assert 0.2 < max(waits) < WAIT.total_seconds() + MARGIN
    assert caught.value.code == "change-locked"
    assert caught.value.message == (
        "c-1 waited 3 times for a lock, 1s each, with 30s of pauses, and did not get it: locking"
        " his.visit before the first step of the part: a lock was not to be had in time (55P03)"
    )
    assert bench.slept == [10.0, 20.0]
    attempt = [Stage.BEGUN, Stage.ROLLED_BACK]
    assert bench.stages == [Stage.JUDGED, *[*attempt, Stage.WAITING] * 2, *attempt]
    assert bench.schema() == before
    bench.run(three(bench))


def test_a_change_that_was_not_rehearsed_has_the_same_bound(
    postgresql_bench: Bench, pg_change_site: PgChangeSite
) -> None:
    """No lock of it is known, so its steps find them one by one, within one lock's time."""
    bench, site = postgresql_bench, pg_change_site
    order = replace(three(bench), rehearsed=None)
    waited, refused = behind_three(bench, site, order)
    assert 0.2 < waited < WAIT.total_seconds() + MARGIN
    assert refused.message.endswith("step 3 at line 4: a lock was not to be had in time (55P03)")


def test_a_run_that_waits_to_build_an_index_aside_holds_nobody_up(
    postgresql_bench: Bench, pg_change_site: PgChangeSite
) -> None:
    """Whoever reads and writes meanwhile does not wait, of the table itself and of all others."""
    bench, site = postgresql_bench, pg_change_site
    limits = replace(LIMITS, lock_wait=20 * WAIT)
    seen = bench.rehearsed(APART_UP)
    order = bench.order(
        APART_UP, APART_DOWN, "SELECT true;", APART_TOUCHES, rehearsed=seen, limits=limits
    )
    took = "RETURNING extract(epoch FROM clock_timestamp() - statement_timestamp())"
    writes = (
        f"UPDATE his.visit SET note = 'c' WHERE id = 2 {took}",
        f"INSERT INTO his.visit VALUES (9, 'ORT') {took}",
        f"UPDATE his.ward SET name = 'd' {took}",
    )
    aside = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'virtualxid'"
    with ExitStack() as old:
        writer = old.enter_context(site.connect())
        old.enter_context(writer.transaction())
        writer.execute("UPDATE his.visit SET note = note WHERE id = 1")
        with running(bench, order) as change:
            assert until(lambda: site.rows(aside) == [(1,)])
            waited = [seconds(site), *(float(str(site.rows(each)[0][0])) for each in writes)]
            assert site.rows(aside) == [(1,)]  # it waits still
            old.close()
            change.result(30)
    assert max(waited) < MARGIN
