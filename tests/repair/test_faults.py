"""A run that is disturbed is rolled back whole, or told to have happened; nothing else is left."""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError, Failed, TryAgain, Unreachable
from dbops.repair.ports import CommitUnknown
from dbops.repair.transaction import Stage, took_place
from tests.repair.bench import Bench, Faulty, raising
from tests.repair.hospital import MOVE, build, contents, moving


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD, and a bill for each."""
    return build(bench)


@pytest.fixture
def lite(sqlite_bench: Bench) -> Bench:
    """The same on SQLite alone: for what no engine has a part in."""
    return build(sqlite_bench)


def again() -> TryAgain:
    return TryAgain("serialization", "it would not hold still", hint="try again")


def lost() -> CommitUnknown:
    return CommitUnknown("commit-unknown", "the connection was lost", hint="ask")


def happened(bench: Bench) -> bool | None:
    """What an observer knows at the end."""
    known: bool | None = False
    for stage in bench.stages:
        known = took_place(known, stage)
    return known


METHODS = (
    "begin",
    "markers",
    "shape",
    "read",
    "run",
    "settle",
    "fetch",
    "writes",
    "mark",
    "commit",
)


@pytest.mark.parametrize("method", METHODS)
def test_an_error_at_any_call_leaves_nothing(lite: Bench, method: str) -> None:
    """Neither a row, nor a marker, nor a bundle, nor a hidden file."""
    before = contents(lite)
    fault = Faulty(lite.site.engine, {method: raising(Failed("x", "it failed", hint="-"))})
    with pytest.raises(Failed):
        lite.run(moving(), MOVE, fault)
    assert (contents(lite), lite.files, lite.markers()) == (before, [], [])
    assert happened(lite) is False


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupt_before_commit_leaves_nothing(lite: Bench, method: str) -> None:
    """Ctrl-C at any call before COMMIT rolls back and takes the bundle away."""
    before = contents(lite)
    fault = Faulty(lite.site.engine, {method: raising(KeyboardInterrupt())})
    with pytest.raises(KeyboardInterrupt):
        lite.run(moving(), MOVE, fault)
    assert (contents(lite), lite.markers()) == (before, [])
    # Within COMMIT nobody knows, so the bundle stays.
    assert len(lite.files) == (1 if method == "commit" else 0)
    assert happened(lite) is (None if method == "commit" else False)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.ROLLED_BACK])
def test_an_observer_that_fails(lite: Bench, stage: Stage) -> None:
    """A ledger that cannot be written stops the run, until there is nothing left to stop."""
    before = contents(lite)
    lite.at[stage] = raising(Failed("ledger", "no space", hint="-"))
    with pytest.raises(Failed):
        lite.run(moving(), MOVE)
    committed = stage is Stage.COMMITTED
    assert (contents(lite) == before) is not committed
    assert (len(lite.files), len(lite.markers())) == ((1, 1) if committed else (0, 0))


@pytest.mark.parametrize("method", ["begin", "read", "run", "settle", "mark", "commit"])
def test_a_serialization_failure_is_tried_again(lite: Bench, method: str) -> None:
    """Once is not told; the report counts the attempts, and one bundle is left."""
    fault = Faulty(lite.site.engine, {method: raising(again())})
    report = lite.run(moving(), MOVE, fault)
    assert (report.attempts, fault.sessions, len(lite.files)) == (2, 2, 1)
    assert (lite.markers(), happened(lite)) == ([report.run], True)


def test_three_serialization_failures_are_told(lite: Bench) -> None:
    """There is no fourth attempt, and each had a session of its own."""
    before = contents(lite)
    fault = Faulty(lite.site.engine)

    def fail() -> None:
        fault.before["commit"] = fail
        raise again()

    fault.before["commit"] = fail
    with pytest.raises(TryAgain):
        lite.run(moving(), MOVE, fault)
    assert (fault.sessions, contents(lite), lite.files) == (3, before, [])
    assert happened(lite) is False


def test_the_connection_is_lost_before_commit_arrives(ward: Bench) -> None:
    """The database is asked, and says that it did not happen: nothing is left."""
    before = contents(ward)
    fault = Faulty(ward.site.engine, {"commit": raising(lost())})
    with pytest.raises(Unreachable) as caught:
        ward.run(moving(), MOVE, fault)
    assert (caught.value.code, caught.value.message) == (
        "commit-lost",
        "the connection was lost at COMMIT, and w-1 did not take place",
    )
    assert (contents(ward), ward.files, ward.markers()) == (before, [], [])
    assert happened(ward) is False


def test_the_connection_is_lost_after_commit_arrived(ward: Bench) -> None:
    """The database is asked, and says that it happened: the run is done."""
    fault = Faulty(ward.site.engine, after={"commit": raising(lost())})
    report = ward.run(moving(), MOVE, fault)
    assert (ward.markers(), len(ward.files)) == ([report.run], 1)
    assert happened(ward) is True


@pytest.mark.parametrize("side", ["before", "after"])
def test_nobody_answers_after_a_lost_commit(lite: Bench, side: str) -> None:
    """The outcome stays unknown, and the bundle stays: it may be the only way back."""
    running = Unreachable("work-running", "still at it", hint="wait")
    fault = Faulty(lite.site.engine, {"committed": raising(running)})
    fault.at(side)["commit"] = raising(lost())
    with pytest.raises(Unreachable) as caught:
        lite.run(moving(), MOVE, fault)
    assert (caught.value.code, len(lite.files), happened(lite)) == ("commit-unknown", 1, None)
    assert len(lite.markers()) == (1 if side == "after" else 0)


def test_another_database_answers_after_a_lost_commit(lite: Bench) -> None:
    """It does not know the run, and is not believed: the outcome stays unknown."""
    fault = _Moved(lite.site.engine, after={"commit": raising(lost())})
    with pytest.raises(Unreachable) as caught:
        lite.run(moving(), MOVE, fault)
    assert (caught.value.code, len(lite.files), happened(lite)) == ("commit-unknown", 1, None)


class _Moved(Faulty):
    """Once the session was there, the name leads to another database."""

    def identity(self) -> str:
        return "elsewhere" if self.sessions else self.engine.identity()

    def committed(self, run: str, work: str) -> bool:  # noqa: ARG002 - it knows no run
        return False


def test_a_bundle_that_cannot_be_written(lite: Bench) -> None:
    """Without a durable bundle there is no COMMIT."""
    before = contents(lite)
    order = lite.order(moving(), MOVE)
    taken = lite.directory / f"w-1.repair.0.{order.run}.age"
    taken.write_bytes(b"")
    with pytest.raises(DbopsError) as caught:
        lite.run_order(order)
    assert (caught.value.code, contents(lite), lite.files) == (
        "bundle-exists",
        before,
        [taken.name],
    )
    assert Stage.SEALED not in lite.stages


def test_a_trigger_on_the_marker_table_writes_elsewhere(ward: Bench) -> None:
    """What is written after the rows were judged is seen before COMMIT."""
    before = contents(ward)
    ward.site.trigger(
        "late", ward.marker_table, "INSERT", "UPDATE visit SET note = 'late' WHERE id = 9"
    )
    with pytest.raises(DbopsError):
        ward.run(moving(), MOVE)
    assert (contents(ward), ward.files) == (before, [])


def test_what_an_observer_knows() -> None:
    """What one transaction committed stays, whatever the next one does."""
    assert took_place(None, Stage.ROLLED_BACK) is False
    assert took_place(True, Stage.BEGUN) is True
    assert took_place(True, Stage.COMMITTING) is True
    assert took_place(None, Stage.COMMITTED) is True
    assert took_place(False, Stage.SEALED) is False
