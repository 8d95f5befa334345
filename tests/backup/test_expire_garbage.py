"""Expiry removes what crashed runs left, and nothing that anybody may still name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from dbops.backup.expire import expire
from dbops.repository.layout import sha256_in
from dbops.repository.manifest import PackEntry
from dbops.repository.ports import StoredObject
from dbops.repository.reader import Repository
from tests.backup.expiring import GRACE, nights, numbers, plan, run
from tests.support.faulty import FaultyStore
from tests.support.made_repository import DATABASE, MadeRepository, assert_whole


def test_garbage_goes_when_it_is_old(made: MadeRepository) -> None:
    """Packs and catalogues of crashed runs go after the grace period, not before."""
    now = nights(made, 1)
    old = made.orphan(b"an old crash", now - GRACE - timedelta(seconds=1))
    catalogue = f"db/{DATABASE}/catalogue/{'c' * 64}.age"
    made.put(catalogue, b"older", now - 2 * GRACE)
    fresh = made.orphan(b"a run that still goes on", now - GRACE)
    strange = f"db/{DATABASE}/pack/note"
    made.put(strange, b"not ours", now - 9 * GRACE)
    report = run(made, now)
    assert (report.garbage, report.freed) == (2, len("an old crash") + len("older"))
    assert report.garbage_left == ""
    assert not {old, catalogue} & made.names()
    assert {fresh, strange} <= made.names()
    assert_whole(made.store, made.history(now))


class LateWriter(FaultyStore):
    """A store in which another host commits just before the first listing of this folder."""

    def __init__(self, made: MadeRepository, folder: str, commit: Callable[[], object]) -> None:
        super().__init__(made.store, 0, after=False)
        self.folder = folder
        self.commit: Callable[[], object] | None = commit

    def list(self, prefix: str) -> Iterator[StoredObject]:
        if prefix.endswith(self.folder) and self.commit:
            commit, self.commit = self.commit, None
            commit()
        return super().list(prefix)


@pytest.mark.parametrize("folder", ["catalogue", "pack", "manifest"])
def test_a_commit_during_expiry_keeps_its_packs(made: MadeRepository, folder: str) -> None:
    """What is named by a manifest that comes while objects are listed is not taken for garbage."""
    now = nights(made, 1)
    history, planned = made.history(now), plan(made, now)
    slow = made.orphan(b"slow", now - 2 * GRACE)
    entry = PackEntry(sha256_in(slow), len(b"slow"), own=False)
    store = LateWriter(made, folder, lambda: made.add(now, refers_to=[entry]))
    repository = Repository(made.store, made.trust, now)
    repository.store = store
    report = expire(repository, history, planned, made.signer, lambda: now)
    assert (store.commit, report.garbage) == (None, 0)
    assert numbers(made, now) == ([1, 2], [])
    assert_whole(made.store, made.history(now))


def test_garbage_stays_where_clocks_differ(made: MadeRepository) -> None:
    """An object dated ahead of this host by more than a quarter of the grace: garbage stays."""
    now = nights(made, 1)
    old = made.orphan(b"an old crash", now - 2 * GRACE)
    ahead = made.orphan(b"from the future", now + GRACE / 4 + timedelta(seconds=1))
    report = run(made, now)
    assert report.garbage == 0
    assert report.garbage_left == (
        "1 objects come from the future: compare the clocks of this host and the store"
    )
    assert {old, ahead} <= made.names()
    made.date(ahead, now + GRACE / 4)
    assert run(made, now).garbage == 1


def test_spools_of_dead_writers_are_swept(made: MadeRepository) -> None:
    """What a killed run left in `tmp/` is removed; what a living one writes is not."""
    now = nights(made, 1)
    (made.store.root / "tmp" / "dead").write_bytes(b"half a pack")
    alive = made.store.spool()
    assert run(made, now).spools == 1
    alive.write(b"goes on")
    made.store.put(f"db/{DATABASE}/pack/aa/{'a' * 64}.age", alive)


def test_other_databases_are_left_alone(made: MadeRepository) -> None:
    """Garbage of another database is not this one's to judge."""
    now = nights(made, 2)
    foreign = f"db/blood/pack/ff/{'f' * 64}.age"
    made.put(foreign, b"another's", now - 9 * GRACE)
    run(made, now)
    assert made.store.find(foreign) is not None
