"""`dbops change` stopped by a signal: it says what is there, and nothing goes on unseen."""

from __future__ import annotations

import secrets
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dbops.audit.entry import Effect, Event, Result
from dbops.engines.postgresql.change_opening import WORK_KEY
from tests.cli import changes
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.cli.repairs import done
from tests.crash.change_lab import (
    ASKING,
    COUNT,
    LOCKED,
    QUICK,
    SESSIONS,
    SLEEPING,
    SLOW_CHECK,
    SLOW_INDEX,
    VISIT,
    WARD,
    WARD_INDEX,
    Lab,
    ask_nothing,
)
from tests.crash.held_commit import Way, way_to
from tests.crash.processes import Run, dbops, start, wait_until
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.estate import run_sql
from tests.support.ledger import deeds_of
from tests.support.postgresql_estate import add_lab


@pytest.fixture(scope="module")
def lab(pg15: PgServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An estate whose policy asks nothing of changes."""
    name = f"stopped_{secrets.token_hex(6)}"
    pg15.create_database(name)
    ops = found_ops(tmp_path_factory.mktemp("stopped") / "estate")
    add_lab(ops.root, PgDatabase(pg15, name))
    ask_nothing(ops)
    yield Lab(ops, PgDatabase(pg15, name))
    pg15.drop_database(name)


NOTHING = (
    "error: interrupted: WORK changed nothing on lab: what had begun was rolled back",
    "hint: to try again: dbops change run WORK",
)
INTERRUPTED = Result.INTERRUPTED


def test_while_it_waits_for_a_lock(lab: Lab) -> None:
    """All is rolled back, and the same command runs it later."""
    lab.write(WARD, VISIT)
    with lab.holding():
        outcome = lab.stopped(lab.start(), LOCKED, signal.SIGHUP)
    assert (outcome.status, outcome.err) == (130, lab.says(*NOTHING))
    assert lab.made() == []
    assert lab.recorded() == (INTERRUPTED, Effect.NONE)
    assert dbops(lab.ops.root, "change", "run", lab.work, "--yes").status == 0


def test_within_the_transaction(lab: Lab) -> None:
    """The statement is cancelled; a second signal does not disturb the rolling back."""
    lab.write(WARD, SLOW_CHECK)
    outcome = lab.stopped(lab.start(), SLEEPING, signal.SIGINT, signal.SIGTERM)
    assert outcome.status == 130
    assert outcome.err.endswith(lab.says(*NOTHING))
    assert lab.made() == []
    assert lab.recorded() == (INTERRUPTED, Effect.NONE)


def test_while_an_index_is_built_aside(lab: Lab) -> None:
    """Its building ends, what it left is dropped, and the journal says that nothing took place."""
    lab.write(SLOW_INDEX)
    outcome = lab.stopped(lab.start(), SLEEPING, signal.SIGINT)
    assert (outcome.status, outcome.err) == (130, lab.says(*NOTHING))
    assert lab.made() == []
    assert lab.recorded() == (INTERRUPTED, Effect.NONE)
    resumed = dbops(lab.ops.root, "change", "resume", lab.work)
    assert resumed.err == lab.says(
        "nothing is open: every run of WORK in this host's ledger has a known end,"
        " and no journal says otherwise"
    )


def half(done: str) -> tuple[str, str]:
    return (
        f"error: interrupted: WORK is half done on lab: {done} of up.sql stay",
        "hint: finish it: dbops change resume WORK; or take it back:"
        " dbops change resume WORK --revert",
    )


def test_an_index_behind_what_stays(lab: Lab) -> None:
    """What is committed is counted, and the way back is the one that is named."""
    lab.write(WARD, SLOW_INDEX)
    outcome = lab.stopped(lab.start(), SLEEPING, signal.SIGTERM)
    assert (outcome.status, outcome.err) == (130, lab.says(*half("1 of 2 steps")))
    assert lab.made() == ["phone"]
    assert lab.recorded() == (INTERRUPTED, Effect.COMMITTED)
    with lab.database.connect() as connection:
        connection.execute(QUICK.encode())
    finished = dbops(lab.ops.root, "change", "resume", lab.work)
    assert (finished.status, lab.without_drift(finished.err)) == (0, "")
    assert lab.made() == ["phone", "visit_slow"]


def test_between_parts(lab: Lab) -> None:
    """Two parts stay; resume, which is stopped as well, finishes them in the end."""
    lab.write(WARD, WARD_INDEX, VISIT)
    with lab.holding():
        outcome = lab.stopped(lab.start(), LOCKED, signal.SIGINT)
        assert (outcome.status, outcome.err) == (130, lab.says(*half("2 of 3 steps")))
        assert lab.recorded() == (INTERRUPTED, Effect.COMMITTED)
        again = lab.stopped(lab.start("resume"), LOCKED, signal.SIGINT)
        assert (again.status, again.err) == (
            130,
            lab.says(
                "error: interrupted: WORK stands on lab as it stood: the resume changed nothing",
                "hint: to go on: dbops change resume WORK",
            ),
        )
    assert lab.made() == ["phone", "ward_name"]
    finished = dbops(lab.ops.root, "change", "resume", lab.work)
    assert finished.out.endswith("2 of 3 steps were done; now all are, and it was judged\n")
    assert lab.made() == ["note", "phone", "ward_name"]


def test_a_revert_that_is_stopped(lab: Lab) -> None:
    """What is taken back stays so; it can only be finished."""
    lab.write(WARD, WARD_INDEX, VISIT)
    assert dbops(lab.ops.root, "change", "run", lab.work, "--yes").status == 0
    with lab.holding("his.ward"):
        outcome = lab.stopped(lab.start("revert"), LOCKED, signal.SIGINT)
    assert (outcome.status, outcome.err) == (
        130,
        lab.says(
            "error: interrupted: WORK is half done on lab: 1 of 3 steps of down.sql stay",
            "hint: finish it: dbops change resume WORK",
        ),
    )
    assert lab.recorded(Event.CHANGE_REVERT) == (INTERRUPTED, Effect.COMMITTED)
    finished = dbops(lab.ops.root, "change", "resume", lab.work)
    assert finished.status == 0, finished
    assert lab.made() == []


def test_before_anything(lab: Lab) -> None:
    """Whoever waits for another change has begun nothing."""
    lab.write(WARD)
    with lab.database.connect() as connection:
        connection.execute(f"SELECT pg_advisory_lock({WORK_KEY})".encode())
        asking = f"{SESSIONS} AND query LIKE '%pg_try_advisory_lock%'"
        outcome = lab.stopped(lab.start(), asking, signal.SIGINT)
    assert (outcome.status, outcome.err) == (
        130,
        lab.says(
            "error: interrupted: WORK changed nothing on lab",
            "hint: to try again: dbops change run WORK",
        ),
    )
    assert lab.recorded() == (INTERRUPTED, Effect.NONE)


AWAITED = "remark: what is being committed or written is awaited, and nothing more is begun"
ENDING = "remark: it is being put in order; one more ends dbops at once, and who knows what then"


@contextmanager
def commit_held(lab: Lab) -> Iterator[tuple[Run, Way]]:
    """A run whose COMMIT is on its way to the server and does not get there."""
    config = lab.ops.root / "dbops.toml"
    text, port = config.read_text("utf-8"), lab.database.server.port
    lab.write(WARD, VISIT)
    with way_to(port) as way:
        config.write_text(text.replace(f"port = {port}", f"port = {way.port}"), "utf-8")
        try:
            with lab.holding():
                run = lab.start()
                assert wait_until(lambda: lab.ask(COUNT + LOCKED) != [0] or run.ended)
                way.armed = True
            assert wait_until(lambda: bool(way.held) or run.ended)
            yield run, way
        finally:
            config.write_text(text, "utf-8")


def test_a_commit_is_awaited(lab: Lab) -> None:
    """Its answer comes, and the run ends well: nothing was left to be stopped."""
    with commit_held(lab) as (run, way):
        run.process.send_signal(signal.SIGINT)
        assert run.process.stderr is not None
        assert run.process.stderr.readline() == f"{AWAITED}\n"
        way.pass_on()
        outcome = run.finish()
    assert (outcome.status, lab.without_drift(outcome.err)) == (0, "")
    assert "lab is changed: 2 steps" in outcome.out
    assert lab.made() == ["note", "phone"]
    assert lab.recorded() == (Result.DONE, Effect.COMMITTED)


def test_who_does_not_wait_for_a_commit(lab: Lab) -> None:
    """The third signal ends it; nobody knows, the ledger says so, and resume finds out."""
    with commit_held(lab) as (run, way):
        assert run.process.stderr is not None
        for line in (AWAITED, AWAITED):
            run.process.send_signal(signal.SIGINT)
            assert run.process.stderr.readline() == f"{line}\n"
        visitors = way.visitors
        run.process.send_signal(signal.SIGINT)
        assert wait_until(lambda: way.visitors > visitors), "nothing asks the server to cancel it"
        way.pass_on()
        outcome = run.finish()
    assert (outcome.status, outcome.err) == (
        130,
        lab.says(
            "error: interrupted: nobody knows whether the last part of WORK took place on lab",
            "hint: it asks the database: dbops change resume WORK",
        ),
    )
    assert lab.recorded() == (INTERRUPTED, Effect.UNKNOWN)
    resumed = dbops(lab.ops.root, "change", "resume", lab.work)
    assert resumed.out.endswith("it took place, to its end\n")


SLOW_QUESTION = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"
    " SELECT count(*) > 0 FROM n;\n"
)


@pytest.fixture
def sqlite(lab: Lab, tmp_path: Path) -> Ops:
    """A copy of the estate, for its file: a change of it takes long."""
    ops = copy_ops(lab.ops, tmp_path / "estate")
    run_sql(ops.root / "example.db", changes.HOSPITAL)
    changes.write(ops, verify=SLOW_QUESTION)
    ops.commit()
    return ops


def is_changing(path: Path) -> bool:
    """Whether a step has written to the file: to its rollback journal, once dbops' own is made."""
    query = "SELECT count(*) FROM sqlite_schema WHERE name = 'dbops_change'"
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            made = connection.execute(query).fetchone() == (1,)
    except sqlite3.OperationalError:
        return False
    return made and path.with_name(f"{path.name}-journal").exists()


def test_on_sqlite(sqlite: Ops) -> None:
    """A statement of SQLite's ends in its middle."""
    run = start(sqlite.root, "change", "run", changes.WORK, "--yes")
    assert wait_until(lambda: is_changing(sqlite.root / "example.db") or run.ended)
    run.process.send_signal(signal.SIGINT)
    outcome = run.finish()
    assert (outcome.status, outcome.err) == (
        130,
        f"error: interrupted: {changes.WORK} changed nothing on example: what had begun was rolled"
        f" back\nhint: to try again: dbops change run {changes.WORK}\n",
    )
    (deed,) = deeds_of(sqlite.root, Event.CHANGE_RUN)[-1:]
    assert deed.outcome is not None
    assert (deed.outcome.result, deed.outcome.effect) == (INTERRUPTED, Effect.NONE)


def test_a_rehearsal_that_is_stopped(sqlite: Ops) -> None:
    """Its copy is gone, the folder is as it was, and the ledger knows that nothing happened."""
    for words in (("run", "example"), ("verify", "example")):
        done(sqlite.run("backup", *words))
    policy = (sqlite.root / ASKING).read_text("utf-8")
    (sqlite.root / "trust" / "policy.toml").write_text(policy, "utf-8")
    changes.request(sqlite)
    before = sorted(path.name for path in changes.folder(sqlite).iterdir())
    run = start(sqlite.root, "change", "rehearse", changes.WORK)
    assert wait_until(lambda: bool(deeds_of(sqlite.root, Event.CHANGE_REHEARSE)) or run.ended)
    run.process.send_signal(signal.SIGTERM)
    outcome = run.finish()
    assert outcome.status == 130, outcome
    assert outcome.err.endswith(
        f"error: interrupted: {changes.WORK} is not rehearsed; its databases were not touched, and"
        f" its folder is as it was\nhint: to try again: dbops change rehearse {changes.WORK}\n"
    )
    assert sorted(path.name for path in changes.folder(sqlite).iterdir()) == before
    assert run.relatives() == {}
    (deed,) = deeds_of(sqlite.root, Event.CHANGE_REHEARSE)
    assert deed.outcome is not None
    assert (deed.outcome.result, deed.outcome.effect) == (INTERRUPTED, Effect.NONE)
