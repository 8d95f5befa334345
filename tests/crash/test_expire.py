"""`dbops backup expire`, killed at every stage of marking and deleting."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from dbops.backup.expire import expire, plan_expiry
from dbops.backup.retention import Keep
from dbops.repository.layout import catalogue_name, pack_name
from tests.crash.processes import (
    dbops,
    fresh_random,
    is_locked,
    kill_at,
    measure,
    note,
    spread_moments,
    start,
    wait_until,
)
from tests.crash.wholeness import Witness
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    found_test_estate,
    open_test_estate,
    take_backup,
    verify,
)

KILLS = [pytest.param(4, id="4"), pytest.param(50, id="50", marks=pytest.mark.sweep)]
OLD = 12  # marked long ago: these are to be deleted
TOTAL = 24  # of which the rules keep the newest one
PROVEN = 15  # the only proven one: kept whatever the rules say
HELD = 7  # on hold although it is marked


RULES = "keep_last = 1\nkeep_daily = 0\nkeep_weekly = 0\nkeep_monthly = 0\nkeep_yearly = 0\n"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An estate, and the numbers of the backups that expiry has to leave and to mark."""

    root: Path
    kept: frozenset[int]
    marked: frozenset[int]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """An estate with backups to mark, backups to delete, a held one and one that is proven."""
    root = tmp_path_factory.mktemp("expire") / "estate"
    found_test_estate(root)
    config = root / "dbops.toml"
    head, _, rest = config.read_text().partition("keep_last")
    config.write_text(head + RULES + "grace" + rest.partition("grace")[2])
    estate = open_test_estate(root)
    estate.clock.skip(timedelta(days=-30))
    for _ in range(OLD):
        take_backup(estate)
    _mark(estate)
    estate.clock.skip(timedelta(days=10))
    for number in range(OLD + 1, TOTAL + 1):
        take_backup(estate)
        if number == PROVEN:
            assert verify(estate).findings == ()
    _date(root / "backups" / "db", datetime.now(UTC) - timedelta(days=15))
    held = dbops(root, "backup", "hold", f"{DATABASE}@{HELD}", "--reason", "audit")
    assert held.status == 0, held
    kept = frozenset({HELD, *range(OLD, TOTAL + 1)})
    return Prepared(root, kept, frozenset({HELD, *range(OLD, TOTAL)} - {PROVEN}))


def _mark(estate: BuiltEstate) -> None:
    """Afterwards all backups but the newest have a tombstone of the estate's own time."""
    policy = estate.wiring.policy(estate.wiring.database(DATABASE))
    history = estate.history()
    zone = estate.wiring.estate.zone
    plan = plan_expiry(history, Keep.of(policy), policy.grace, estate.clock(), zone)
    expire(estate.repository, history, plan, estate.wiring.writer, estate.clock)


def _date(place: Path, at: datetime) -> None:
    """Afterwards every object there came at that time: garbage is not kept for being young."""
    for path in place.rglob("*"):
        os.utime(path, (at.timestamp(), at.timestamp()))


def _works(root: Path) -> bool:
    return is_locked(root / "state" / "lock" / DATABASE)


def _stored(root: Path) -> set[str]:
    """The packs and catalogues that lie in the repository."""
    place = root / "backups"
    found = [*place.glob(f"db/{DATABASE}/pack/*/*"), *place.glob(f"db/{DATABASE}/catalogue/*")]
    return {str(path.relative_to(place)) for path in found}


def _named(witness: Witness) -> set[str]:
    """The packs and catalogues that the backups name."""
    envelopes = [backup.envelope for backup in witness.history().backups]
    packs = {pack_name(DATABASE, pack.sha256) for item in envelopes for pack in item.packs}
    return packs | {catalogue_name(DATABASE, item.catalogue.sha256) for item in envelopes}


def _assert_finished(prepared: Prepared, root: Path) -> None:
    """The next run ends what the killed one began: no more is left, and no less."""
    outcome = dbops(root, "backup", "expire", DATABASE, "--yes")
    assert (outcome.status, outcome.err) == (0, "")
    witness = Witness(root, DATABASE)
    assert witness.look() == prepared.kept
    marked = {item.sequence for item in witness.history().backups if item.tombstone is not None}
    assert marked == prepared.marked
    assert _stored(root) == _named(witness)
    assert list((root / "backups" / "tmp").iterdir()) == []


@pytest.mark.parametrize("kills", KILLS)
def test_expire_killed_at_random_moments(prepared: Prepared, tmp_path: Path, kills: int) -> None:
    """No kill loses a backup that stays or leaves one that is not whole; the next run ends it."""

    def copy(name: str) -> Path:
        return shutil.copytree(prepared.root, tmp_path / name, symlinks=True)

    first = copy("first")
    span = measure(
        lambda: start(first, "backup", "expire", DATABASE, "--yes"), partial(_works, first)
    )
    _assert_finished(prepared, first)
    killed = 0
    for number, moment in enumerate(spread_moments(fresh_random(), kills)):
        root = copy(f"run-{number}")
        witness = Witness(root, DATABASE, set(prepared.kept))
        run = start(root, "backup", "expire", DATABASE, "--yes")
        died = kill_at(run, partial(_works, root), span, moment)
        killed += died
        note(f"at {moment:.2f}: killed {died}, {len(witness.look())} backups left")
        _assert_finished(prepared, root)
        shutil.rmtree(root)
    assert killed >= kills // 2, "most runs had ended before they were killed"


def test_newest_is_proven_after_killed_expire(prepared: Prepared, tmp_path: Path) -> None:
    """A night after a killed expiry adds to the chain, and its backup is proven."""
    root = shutil.copytree(prepared.root, tmp_path / "estate", symlinks=True)
    manifests = root / "backups" / "db" / DATABASE / "manifest"
    before = len(list(manifests.iterdir()))
    run = start(root, "backup", "expire", DATABASE, "--yes")
    assert wait_until(lambda: len(list(manifests.iterdir())) < before or run.ended)
    assert run.kill(), "the run had ended before it was killed"
    assert dbops(root, "backup", "run", DATABASE).status == 0
    witness = Witness(root, DATABASE, set(prepared.kept))
    assert TOTAL + 1 in witness.look()
    witness.prove_newest()
