"""What the second transaction of a change still holds on PostgreSQL: nothing of the first.

Measured while VALIDATE CONSTRAINT reads rows: a function in the check lets it wait at the first one
for as long as the test looks on.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.diff_text import parse_diff
from dbops.change.report import ChangeReport
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun, Rehearsed
from dbops.change.stage import Moment, Stage
from dbops.change.standing import State
from dbops.change.step import Direction, Part
from dbops.engines.postgresql.change_opening import Clock
from tests.change.bench import LIMITS, Bench
from tests.change.test_rehearse import asked, rehearsed
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.processes import until

STRONG, WEAK = "AccessExclusiveLock", "ShareUpdateExclusiveLock"
KEY = 70
# Only ALTER TABLE waits there: not whoever writes a row that the check is asked about as well.
WAITING = (
    f"""
CREATE FUNCTION his.read(note text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    IF current_query() LIKE 'ALTER%VALIDATE%' THEN
        PERFORM pg_advisory_xact_lock_shared({KEY});
    END IF;
    RETURN true;
END $$""",
    """
CREATE FUNCTION his.gets_through(statement text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('lock_timeout', '50ms', true);
    EXECUTE statement;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$""",
)
UP = """
ALTER TABLE {visit} ADD CONSTRAINT read CHECK (his.read(note)) NOT VALID;
-- MARK: rows
ALTER TABLE {visit} VALIDATE CONSTRAINT read;
"""
DOWN = "ALTER TABLE {visit} DROP CONSTRAINT IF EXISTS read;"
VALID = "SELECT convalidated FROM pg_constraint WHERE conname = 'read';"
READING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    f" AND objid = {KEY} AND mode = 'ShareLock'"
)
HELD = (
    "SELECT DISTINCT mode FROM pg_locks WHERE granted AND relation = 'his.visit'::regclass"
    " AND mode <> 'AccessShareLock'"
)
OTHERS = (
    "SELECT count(*) FROM his.visit",
    "UPDATE his.visit SET note = 'c' WHERE id = 1",
    "INSERT INTO his.visit VALUES (9, 'ORT', 'd')",
)


@pytest.fixture
def bench(postgresql_bench: Bench) -> Bench:
    """With a check that can be waited for."""
    postgresql_bench.site.run(*WAITING)
    return postgresql_bench


def order(bench: Bench, mark: str) -> ChangeRun:
    """A change that adds a check and validates it, which nobody rehearsed."""
    up, limits = UP.replace("MARK", mark), replace(LIMITS, lock_wait=timedelta(seconds=20))
    return bench.order(up, DOWN, VALID, ["create constraint {visit}.read"], limits=limits)


@contextmanager
def validating(
    bench: Bench, site: PgChangeSite, change: ChangeRun
) -> Iterator[Future[ChangeReport]]:
    """While the change reads rows to validate them; it goes on afterwards."""
    with ThreadPoolExecutor(1) as pool, ExitStack() as stopped:
        holder = stopped.enter_context(site.connect())
        holder.execute(f"SELECT pg_advisory_lock({KEY})".encode())
        run = pool.submit(run_change, change, site.engine, bench.observe, bench.slept.append)
        assert until(lambda: run.done() or site.rows(READING) == [(1,)])
        yield run
        assert site.rows(READING) == [(1,)]  # it reads still


def gets_through(site: PgChangeSite, statement: str) -> bool:
    """Whether it gets its locks without a wait."""
    return site.rows(f"SELECT his.gets_through($${statement}$$)") == [(True,)]


def seen(bench: Bench) -> Rehearsed:
    """What a rehearsal saw, part by part; the database is as before it."""
    touches = ("create constraint {visit}.read",)
    found = rehearsed(bench, asked(bench, UP.replace("MARK", "part"), DOWN, VALID, touches))
    bench.rebuild()
    bench.site.run(*WAITING)
    made = parse_diff(found.files["rehearsed-lab.diff"], "diff")
    return Rehearsed(bench.schema(), made, found.evidence.locks)


@pytest.mark.parametrize("with_rehearsal", [False, True])
def test_others_read_and_write_while_another_part_validates(
    bench: Bench, pg_change_site: PgChangeSite, with_rehearsal: bool
) -> None:
    """Nothing is held then but what the validation takes, whether that was asked for before it."""
    site, change = pg_change_site, order(bench, "part")
    if with_rehearsal:
        change = replace(change, rehearsed=seen(bench))
        locks = [change.locks_of(Direction.UP, Part((step,), alone=False)) for step in change.up]
        assert [[lock.mode for lock in part] for part in locks] == [[STRONG], [WEAK]]
    with validating(bench, site, change) as run:
        assert site.rows(HELD) == [(WEAK,)]
        assert [gets_through(site, each) for each in OTHERS] == [True] * 3
    assert [each.part for each in run.result(30).steps] == [1, 2]
    assert bench.state() is State.WHOLE


def test_nobody_does_in_the_transaction_that_added_the_constraint(
    bench: Bench, pg_change_site: PgChangeSite
) -> None:
    """Its lock is held to the end: this is what the part is for."""
    site = pg_change_site
    with validating(bench, site, order(bench, "step")) as run:
        assert (STRONG,) in site.rows(HELD)
        assert [gets_through(site, each) for each in OTHERS] == [False] * 3
    assert [each.part for each in run.result(30).steps] == [1, 1]


@pytest.mark.parametrize(("mark", "left"), [("part", "1s"), ("step", "100ms")])
def test_each_part_waits_for_its_locks_anew(
    bench: Bench, pg_change_site: PgChangeSite, mark: str, left: str
) -> None:
    """What the first one used up of `lock_wait` is the second one's own again."""
    now = [0.0]
    engine = replace(pg_change_site.engine, clock=Clock(monotonic=lambda: now[0]))

    def observe(moment: Moment) -> None:
        if moment.stage is Stage.STEP and moment.step is not None and moment.step.number == 1:
            now[0] += 3600

    verify = f"SELECT current_setting('lock_timeout') = '{left}';"
    limits = replace(LIMITS, lock_wait=timedelta(seconds=1))
    change = order(bench, mark)
    change = replace(
        change, verify=bench.steps(verify), change=replace(change.change, limits=limits)
    )
    assert run_change(change, engine, observe, bench.slept.append).steps
