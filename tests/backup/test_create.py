"""Taking a backup: whole or not at all, whatever breaks."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.backup.create import create_backup, witness_due
from dbops.backup.workers import _dispatch, _Worker
from dbops.errors import DbopsError, Failed, TryAgain
from dbops.estate.values import Witness
from dbops.repository.layout import digest
from dbops.repository.manifest import Envelope
from dbops.repository.ports import ObjectExists
from dbops.repository.records import ProofLevel
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    backup_order,
    contents_of,
    copy_estate,
    found_test_estate,
    ignore_progress,
    run_sql,
    take_backup,
    verify,
)
from tests.support.faulty import FaultyStore, StoreBroke
from tests.support.memory_engine import MemoryEngine, MemorySnapshot

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ROWS = {"ward": (b"1\tA", b"2\tB", b"3\tC"), "patient": tuple(b"%d" % i for i in range(9))}


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with one backup, to be copied."""
    estate = found_test_estate(tmp_path_factory.mktemp("founded") / "estate")
    take_backup(estate)
    return estate


@pytest.fixture
def estate(founded: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    """A copy of it for one test."""
    return copy_estate(founded, tmp_path / "estate")


def spools(estate: BuiltEstate) -> list[Path]:
    return list((estate.objects / "tmp").iterdir())


def private_copies(estate: BuiltEstate) -> list[Path]:
    return list(estate.root.glob("*.dbops-copy-*"))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_store_that_breaks_once_leaves_no_false_backup(
    founded: BuiltEstate, tmp_path: Path, after: bool
) -> None:
    """Every store call of a backup fails once: what exists is proven, and the next run works."""
    fail_at = 1
    while break_at(copy_estate(founded, tmp_path / str(fail_at)), fail_at, after=after):
        fail_at += 1
    assert fail_at > 15


def break_at(estate: BuiltEstate, fail_at: int, *, after: bool) -> bool:
    """Whether there was a call of that number to break."""
    faulty = FaultyStore(estate.store, fail_at, after=after)
    try:
        repository = estate.over(faulty)
        history = estate.wiring.history(repository, DATABASE)
        order = backup_order(estate)
        create_backup(estate.engine, repository, history, order, estate.clock, ignore_progress)
    except StoreBroke:
        assert spools(estate) == []
        assert private_copies(estate) == []
    found = estate.history()
    assert found.damages == ()
    if found.backups[-1].sequence > 1:
        assert verify(estate, ProofLevel.PROVEN).findings == ()
    assert take_backup(estate).sequence == found.backups[-1].sequence + 1
    assert estate.history().damages == ()
    return faulty.broke


def test_the_envelope_continues_the_chain(estate: BuiltEstate) -> None:
    """Number, predecessor, generation and recipients are those of the history and the keys."""
    first = estate.newest()
    envelope = take_backup(estate)
    assert (envelope.sequence, envelope.predecessor) == (2, first.sha256)
    assert envelope.generation == 1
    assert [(item.role, item.name) for item in envelope.sealed_to] == [
        ("recovery", "hospital"),
        ("drill", "verifier"),
    ]
    assert envelope.recipients == digest((estate.root / "trust" / "recipients").read_bytes())


def test_a_generation_ends_after_its_span(estate: BuiltEstate) -> None:
    """After 28 days a backup begins a new generation, with a witness of its own."""
    estate.clock.skip(timedelta(days=27))
    assert take_backup(estate).generation == 1
    estate.clock.skip(timedelta(days=1))
    envelope = take_backup(estate)
    assert (envelope.sequence, envelope.generation, envelope.witness) == (3, 3, True)


def test_rows_that_were_not_read_are_missed(estate: BuiltEstate) -> None:
    """A table whose rows another connection counts differently makes no backup."""
    engine = MemoryEngine(dict(ROWS), miscounts={"ward": 4})
    with pytest.raises(Failed) as caught:
        take_backup(estate, engine=engine)
    assert caught.value.code == "count-differs"
    assert caught.value.message == (
        "1 tables were not read whole; the first is ward: 3 rows read, 4 counted"
    )
    assert_nothing_new(estate)


def test_a_table_that_nobody_counted_is_missed(estate: BuiltEstate) -> None:
    """A table on one side only differs as well."""
    engine = MemoryEngine(dict(ROWS), miscounts={"visit": 0})
    with pytest.raises(Failed) as caught:
        take_backup(estate, engine=engine)
    assert caught.value.message == (
        "1 tables were not read whole; the first is visit: 0 rows read, 0 counted"
    )


def test_a_range_that_was_left_out_is_missed(estate: BuiltEstate) -> None:
    """A reader that skips a range makes no backup."""
    engine = MemoryEngine(dict(ROWS), short_at=("patient", 2))
    with pytest.raises(Failed) as caught:
        take_backup(estate, engine=engine)
    assert caught.value.code == "stream-incomplete"
    assert caught.value.message == "patient: 4 ranges were read instead of 5"
    assert_nothing_new(estate)


def test_an_instant_that_did_not_hold_makes_no_backup(estate: BuiltEstate) -> None:
    """The engine is asked last whether all of it was one instant."""
    with pytest.raises(Failed) as caught:
        take_backup(estate, engine=MemoryEngine(dict(ROWS), breaks=True))
    assert caught.value.code == "snapshot-lost"
    assert_nothing_new(estate)


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_read_everything_once(estate: BuiltEstate, jobs: int) -> None:
    """With one process or several, the packs hold every row of every table."""
    done: list[int] = []
    order = backup_order(estate, jobs=jobs)
    repository, engine = estate.repository, MemoryEngine(dict(ROWS))
    create_backup(engine, repository, estate.history(), order, estate.clock, done.append)
    copy = MemoryEngine()
    contents = contents_of(estate)
    with contents.open() as reader:
        for stream in contents.streams:
            copy.tables[stream.name] = tuple(b"".join(reader.read(stream)).splitlines())
    assert copy.tables == ROWS
    assert sum(done) == sum(len(row) + 1 for rows in ROWS.values() for row in rows)


def test_a_worker_that_dies_ends_the_backup(estate: BuiltEstate) -> None:
    """A worker killed half-way, as for want of memory, is not taken for one that is done."""
    engine = MemoryEngine(dict(ROWS), dies_at=("patient", 3))
    with pytest.raises(Failed) as caught:
        take_backup(estate, engine=engine, order=backup_order(estate, jobs=2))
    assert caught.value.code == "worker-died"
    assert caught.value.message == "a backup worker ended without a word; no backup was made"
    assert_nothing_new(estate)
    assert estate.store.sweep() == 1


def test_a_worker_that_dies_while_it_waits_ends_the_backup() -> None:
    """It may be gone between its asking for work and the answer."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    theirs.send(None)
    theirs.close()
    with pytest.raises(Failed) as caught:
        _dispatch([_Worker(context.Process(), mine)], [], ignore_progress)
    mine.close()
    assert caught.value.code == "worker-died"


def test_two_hosts_that_race_make_one_backup(estate: BuiltEstate) -> None:
    """Of two runs that saw the same chain exactly one gets the number."""
    start = threading.Barrier(2)
    made: list[Envelope] = []
    lost: list[DbopsError] = []

    def run() -> None:
        history, order = estate.history(), backup_order(estate)
        start.wait(timeout=30)
        try:
            made.append(
                create_backup(
                    estate.engine,
                    estate.repository,
                    history,
                    order,
                    estate.clock,
                    ignore_progress,
                )[0]
            )
        except DbopsError as failure:
            lost.append(failure)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(made) == 1
    assert [type(failure) for failure in lost] == [ObjectExists]
    assert estate.history().damages == ()
    assert verify(estate).findings == ()


def test_a_run_that_outlasts_half_of_the_grace_period_gives_up(estate: BuiltEstate) -> None:
    """Expiry elsewhere may already have deleted its packs as garbage."""

    def advance(_done: int) -> None:
        estate.clock.skip(24 * HOUR)

    order, repository = backup_order(estate, grace=48 * HOUR), estate.repository
    with pytest.raises(Failed) as caught:
        create_backup(estate.engine, repository, estate.history(), order, estate.clock, advance)
    assert caught.value.code == "run-outlasted"
    assert caught.value.message.endswith("more than half of the grace period of 2 days, 0:00:00")
    assert_nothing_new(estate)


def test_a_damaged_chain_is_continued_behind_its_damage(estate: BuiltEstate) -> None:
    """A night goes on after the newest link ever seen, and the damage stays in sight."""
    take_backup(estate)
    (estate.objects / estate.newest().name).unlink()
    assert take_backup(estate).sequence == 3
    assert [str(damage) for damage in estate.history().damages] == [
        "example@2: its manifest is missing and no tombstone says why"
    ]


def test_a_changed_source_is_backed_up_as_it_is_now(estate: BuiltEstate) -> None:
    """The second night holds the second day."""
    run_sql(estate.database, "DELETE FROM sample WHERE id > 7")
    take_backup(estate)
    assert contents_of(estate).catalogue.table_proofs["sample"].records == 7
    assert verify(estate).reached == "proven"


@pytest.mark.parametrize(
    ("policy", "fresh", "age", "due"),
    [
        (Witness.ALWAYS, False, HOUR, True),
        (Witness.WEEKLY, False, None, True),
        (Witness.WEEKLY, True, HOUR, True),
        (Witness.WEEKLY, False, timedelta(days=6), False),
        (Witness.WEEKLY, False, timedelta(days=7), True),
        (Witness.GENERATION, True, HOUR, True),
        (Witness.GENERATION, False, timedelta(days=300), False),
        (Witness.GENERATION, False, None, True),
    ],
)
def test_a_witness_is_taken_when_it_is_due(
    policy: Witness, fresh: bool, age: timedelta | None, due: bool
) -> None:
    """Always, weekly, or at each generation's first night; and when there never was one."""
    last = None if age is None else NOW - age
    assert witness_due(policy, NOW, fresh=fresh, last=last) is due


def assert_nothing_new(estate: BuiltEstate) -> None:
    history = estate.history()
    assert [backup.sequence for backup in history.backups] == [1]
    assert history.damages == ()
    assert take_backup(estate).sequence == 2


@dataclass
class RestlessEngine(MemoryEngine):
    """A source that does not hold still for the first attempts."""

    restless: int = 0
    asked: int = 0

    @contextmanager
    def snapshot(self) -> Iterator[MemorySnapshot]:
        self.asked += 1
        if self.asked <= self.restless:
            raise TryAgain("lock-timeout", "a lock was not granted in time", hint="wait")
        with MemoryEngine.snapshot(self) as snapshot:
            yield snapshot


def test_a_source_that_moves_is_read_again(estate: BuiltEstate) -> None:
    """Two attempts that met a moving source cost nothing but time."""
    engine = RestlessEngine(dict(ROWS), restless=2)
    envelope = take_backup(estate, engine=engine)
    assert (envelope.sequence, engine.asked) == (2, 3)


def test_a_source_that_never_rests_makes_no_backup(estate: BuiltEstate) -> None:
    """After the third attempt the error is the user's."""
    engine = RestlessEngine(dict(ROWS), restless=3)
    with pytest.raises(TryAgain) as caught:
        take_backup(estate, engine=engine)
    assert (caught.value.code, engine.asked) == ("lock-timeout", 3)
    assert_nothing_new(estate)


def test_a_bug_in_a_worker_is_named_and_shows_no_value(
    estate: BuiltEstate, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its kind and place travel to the master; nothing is printed, for it could hold a row."""
    engine = MemoryEngine(dict(ROWS), buggy_at=("ward", 0))
    with pytest.raises(Failed) as caught:
        take_backup(estate, engine=engine, order=backup_order(estate, jobs=2))
    assert caught.value.code == "bug"
    assert caught.value.message.startswith("a bug in a backup worker: KeyError at ")
    printed = capfd.readouterr()
    assert "canary" not in caught.value.message + printed.out + printed.err
    assert_nothing_new(estate)
