"""A repository's write, room, clock and chains: a real directory, damaged in real ways."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.doctor.finding import Finding, Verdict
from dbops.doctor.repository import (
    check_histories,
    check_leftovers,
    check_room,
    check_store,
)
from dbops.stores.local import LocalStore
from tests.support.estate import BuiltEstate, copy_estate, found_test_estate, take_backup
from tests.support.faulty import FaultyStore


def now() -> datetime:
    return datetime.now(UTC)


def by_code(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {item.code: item for item in findings}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "backups").mkdir()
    return LocalStore(tmp_path / "backups", "repository main")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with two backups."""
    estate = found_test_estate(tmp_path_factory.mktemp("doctor") / "estate")
    take_backup(estate)
    take_backup(estate)
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    return copy_estate(made, tmp_path / "estate")


def objects(store: LocalStore) -> list[str]:
    return [str(path) for path in store.root.rglob("*") if path.is_file()]


def test_a_probe_leaves_nothing(store: LocalStore) -> None:
    """It is written, read and deleted: one ok, and no object more."""
    (finding,) = check_store(store, "a1", now)
    assert finding == Finding(
        "store-probe", Verdict.OK, "repository main can be written, read and deleted from"
    )
    assert objects(store) == []


def test_any_call_that_fails_is_a_problem(store: LocalStore) -> None:
    """Whichever call of the store breaks, before or after its effect, the finding says so."""
    for after in (False, True):
        for fail_at in range(1, 100):
            faulty = FaultyStore(store, fail_at, after=after)
            (finding,) = check_store(faulty, f"t{fail_at}{int(after)}", now)
            if not faulty.broke:
                assert finding.verdict is Verdict.OK
                assert fail_at > 4
                break
            assert (finding.code, finding.verdict) == ("store-broke", Verdict.PROBLEM)


def test_what_a_killed_doctor_left_is_removed_the_next_day(store: LocalStore) -> None:
    """An old probe goes; that of a doctor who is at work just now stays."""
    for name in ("old", "young"):
        path = store.root / "_probe" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"dbops doctor\n")
    past = time.time() - 2 * 86400
    os.utime(store.root / "_probe" / "old", (past, past))
    (finding,) = check_store(store, "mine", now)
    assert finding.verdict is Verdict.OK
    assert objects(store) == [str(store.root / "_probe" / "young")]


@pytest.mark.parametrize(
    ("shift", "side"), [(timedelta(minutes=-10), "ahead of"), (timedelta(minutes=10), "behind")]
)
def test_a_store_with_another_clock_is_a_warning(
    store: LocalStore, shift: timedelta, side: str
) -> None:
    """More than five minutes between the store's time and ours."""
    probe, clock = check_store(store, "a1", lambda: now() + shift)
    assert probe.verdict is Verdict.OK
    assert clock == Finding(
        "store-clock",
        Verdict.WARNING,
        f"the clock of repository main is 10 minutes {side} this host's",
        "set both by NTP: timedatectl; chronyc tracking",
    )


def test_unfinished_files_older_than_a_day_are_a_warning(store: LocalStore) -> None:
    """Young ones belong to a run that may be alive."""
    (store.root / "tmp").mkdir()
    for name in ("aa", "bb"):
        (store.root / "tmp" / name).write_bytes(bytes(1_500_000))
    assert list(check_leftovers(store, now())) == []
    past = time.time() - 2 * 86400
    os.utime(store.root / "tmp" / "aa", (past, past))
    (finding,) = check_leftovers(store, now())
    assert finding == Finding(
        "store-leftovers",
        Verdict.WARNING,
        "repository main holds 1 unfinished files (1.5 MB) that are older than a day",
        "dbops backup expire removes what no living run holds",
    )


class SmallStore(LocalStore):
    """A real store on a disk with little room."""

    free = 0

    def free_bytes(self) -> int | None:
        return self.free


def test_room_is_judged_by_the_newest_backups(estate: BuiltEstate) -> None:
    """Less than one night is a problem, less than three a warning."""
    store = SmallStore(estate.objects, "repository main")
    history = estate.history()
    night = estate.newest().envelope.totals.stored
    verdicts = []
    for free in (night - 1, 3 * night - 1, 3 * night):
        store.free = free
        (finding,) = check_room(store, [history])
        verdicts.append(finding.verdict)
    assert verdicts == [Verdict.PROBLEM, Verdict.WARNING, Verdict.OK]
    assert finding.text == "repository main has 0.0 MB free; the last night took 0.0 MB"


def test_whole_chains_are_ok(estate: BuiltEstate) -> None:
    """Nothing wrong: one finding."""
    (finding,) = check_histories([estate.history()], now() + timedelta(minutes=1))
    assert finding == Finding("chains", Verdict.OK, "the chains of 1 of 1 databases are whole")


def test_a_removed_manifest_is_a_problem(estate: BuiltEstate) -> None:
    """What `verify` would find in the chain is named here as well."""
    first = estate.history().backups[0]
    (estate.objects / first.name).unlink()
    found = by_code(check_histories([estate.history()], now() + timedelta(minutes=1)))
    assert found["chain-damaged"].verdict is Verdict.PROBLEM
    assert found["chain-damaged"].text.startswith(
        "1 things are wrong with the backups of example: example@1"
    )
    assert found["chains"].text == "the chains of 0 of 1 databases are whole"


def test_a_backup_from_the_future_is_a_problem(estate: BuiltEstate) -> None:
    """The newest backup is later than now: one of the clocks is wrong."""
    snapshot = estate.newest().envelope.snapshot
    found = by_code(check_histories([estate.history()], snapshot - timedelta(minutes=30)))
    assert found["backup-from-future"] == Finding(
        "backup-from-future",
        Verdict.PROBLEM,
        "example@2 says it was taken 30 minutes from now",
        "set the clock of the host that wrote it, or of this one: timedatectl",
    )
