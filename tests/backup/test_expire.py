"""Expiry on a real repository: two phases, shared packs, garbage, doubt, and every fault."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dbops.backup.expire import ExpiryPlan, ExpiryReport, expire, plan_expiry
from dbops.backup.hold import place_hold
from dbops.backup.retention import Keep
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace
from dbops.errors import Refused
from dbops.repository.layout import sha256_in, tombstone_name
from dbops.repository.manifest import PackEntry
from dbops.repository.ports import Store, StoredObject
from dbops.repository.reader import Repository
from dbops.repository.records import ProofLevel
from dbops.repository.writer import put_envelope
from tests.support.faulty import FaultyStore, StoreBroke
from tests.support.made_repository import (
    DATABASE,
    DAY,
    START,
    MadeRepository,
    assert_whole,
    make_signer,
    objects_of,
    trust,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
GRACE = timedelta(hours=48)
ONE = Keep(last=1)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> KeyFileSigner:
    """The host's key."""
    return make_signer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def made(tmp_path: Path, signer: KeyFileSigner) -> MadeRepository:
    """An empty repository."""
    return MadeRepository(tmp_path / "repository", signer)


def plan(made: MadeRepository, now: datetime, keep: Keep = ONE) -> ExpiryPlan:
    """What expiry would do."""
    return plan_expiry(made.history(now), keep, GRACE, now, SHANGHAI)


def run(
    made: MadeRepository, now: datetime, keep: Keep = ONE, store: Store | None = None
) -> ExpiryReport:
    """Plan and do it, as the command does."""
    repository = made.open(now, store)
    history = repository.history(DATABASE, made.head)
    planned = plan_expiry(history, keep, GRACE, now, SHANGHAI)
    return expire(repository, history, planned, made.signer, lambda: now)


def numbers(made: MadeRepository, now: datetime) -> tuple[list[int], list[int]]:
    """The living backups and those that merely still exist."""
    history = made.history(now)
    living = [backup.sequence for backup in history.living]
    return living, [b.sequence for b in history.backups if b.sequence not in living]


def nights(made: MadeRepository, count: int) -> datetime:
    """So many backups, one a night; returns the hour after the last."""
    for night in range(count):
        made.add(START + night * DAY)
    return START + (count - 1) * DAY + timedelta(hours=1)


def test_expiry_takes_two_runs(made: MadeRepository) -> None:
    """The first run only marks; a run after the grace period deletes manifest, pack, catalogue."""
    now = nights(made, 3)
    before = made.names()
    first = run(made, now)
    assert [str(item) for item in first.marked] == ["lab@1", "lab@2"]
    assert (first.deleted, first.objects, first.freed) == ((), 0, 0)
    assert made.names() - before == {tombstone_name(DATABASE, 1), tombstone_name(DATABASE, 2)}
    assert before <= made.names()
    assert numbers(made, now) == ([3], [1, 2])

    later = now + GRACE + timedelta(seconds=1)
    second = run(made, later)
    assert [str(item) for item in second.deleted] == ["lab@1", "lab@2"]
    assert second.marked == ()
    assert (second.objects, second.garbage, second.freed) == (4, 0, 2 * len("pack 1catalogue 1"))
    assert numbers(made, later) == ([3], [])
    assert len(made.names()) == 3 + 2  # one whole backup, and the tombstones stay
    assert_whole(made.store, made.history(later))


def test_the_tombstone_says_why(made: MadeRepository) -> None:
    """A tombstone names the manifest's digest, its predecessor, the rules, and is signed."""
    now = nights(made, 3)
    run(made, now, Keep(last=1, monthly=1))
    second = made.backup(2, now)
    stone = second.tombstone
    assert stone is not None
    assert stone.manifest == second.sha256
    assert stone.predecessor == made.backup(1, now).sha256
    assert stone.reason == "no rule keeps it: last 1, monthly 1"
    assert stone.at == now


def test_nothing_goes_within_the_grace_period(made: MadeRepository) -> None:
    """Exactly the grace period after the tombstone the backup still waits, and the plan says so."""
    now = nights(made, 2)
    run(made, now)
    edge = now + GRACE
    waiting = plan(made, edge).waiting
    assert [(str(item.id), item.until) for item in waiting] == [("lab@1", edge)]
    assert run(made, edge).deleted == ()
    assert [str(item) for item in run(made, edge + timedelta(seconds=1)).deleted] == ["lab@1"]


def test_a_plan_touches_nothing(made: MadeRepository) -> None:
    """`--dry-run`: the plan lists decisions, objects and bytes, and the repository is as before."""
    now = nights(made, 2)
    run(made, now)
    before = made.names()
    first = made.backup(1, now).envelope
    planned = plan(made, now + 2 * GRACE)
    assert [str(backup.id) for backup in planned.delete] == ["lab@1"]
    assert set(planned.objects) == {name for name, _ in objects_of(first)}
    assert planned.freed == len("pack 1catalogue 1")
    assert [(str(item.id), item.kept) for item in planned.decisions] == [("lab@2", True)]
    assert made.names() == before


def test_running_again_does_nothing(made: MadeRepository) -> None:
    """A second run at the same moment marks nothing and deletes nothing."""
    now = nights(made, 4)
    run(made, now)
    names = made.names()
    again = run(made, now)
    assert (again.marked, again.deleted, again.garbage) == ((), (), 0)
    assert made.names() == names


def test_shared_packs_outlive_the_backup_that_wrote_them(made: MadeRepository) -> None:
    """Backup 2 refers to packs of backup 1: expiring 1 keeps those, and 2 stays whole."""
    first = made.add(START, [b"shared", b"old"])
    shared, old = first.packs
    second = made.add(START + DAY, [b"new"], refers_to=[shared])
    assert [pack.own for pack in second.packs] == [True, False]
    now = START + DAY
    run(made, now)
    later = now + 2 * GRACE
    report = run(made, later)
    assert [str(item) for item in report.deleted] == ["lab@1"]
    assert report.objects == 2  # the pack `old` and the catalogue
    assert not (made.store.root / _pack_name(old)).exists()
    assert_whole(made.store, made.history(later))


def test_shared_packs_go_with_the_last_that_names_them(made: MadeRepository) -> None:
    """A pack that a later backup only refers to goes when that one is deleted too."""
    first = made.add(START, [b"shared"])
    made.add(START + DAY, [b"second"], refers_to=first.packs)
    made.add(START + 2 * DAY, [b"third"])
    now = START + 2 * DAY
    run(made, now, Keep(last=2))
    run(made, now + 2 * GRACE, Keep(last=2))
    assert (made.store.root / _pack_name(first.packs[0])).exists()
    run(made, now + 2 * GRACE, Keep(last=1))
    report = run(made, now + 4 * GRACE, Keep(last=1))
    assert [str(item) for item in report.deleted] == ["lab@2"]
    assert not (made.store.root / _pack_name(first.packs[0])).exists()
    assert_whole(made.store, made.history(now + 4 * GRACE))


def _pack_name(entry: PackEntry) -> str:
    return f"db/{DATABASE}/pack/{entry.sha256[:2]}/{entry.sha256}.age"


def test_a_waiting_backup_keeps_its_packs(made: MadeRepository) -> None:
    """Packs that a backup in its grace period names stay, though no living one names them."""
    first = made.add(START, [b"shared"])
    made.add(START + DAY, refers_to=first.packs)
    made.add(START + 2 * DAY)
    run(made, START + 2 * DAY, Keep(last=2))
    middle = START + 2 * DAY + GRACE + timedelta(hours=1)
    report = run(made, middle, Keep(last=1))  # deletes 1 and marks 2
    assert ([str(i) for i in report.deleted], [str(i) for i in report.marked]) == (
        ["lab@1"],
        ["lab@2"],
    )
    assert_whole(made.store, made.history(middle))


def test_a_hold_within_the_grace_period_saves_the_backup(made: MadeRepository) -> None:
    """A backup held after its tombstone is left alone, and the report says why."""
    now = nights(made, 3)
    run(made, now)
    reason = "卫健委 audit 2026-11"
    place_hold(made.open(now), made.backup(1, now), reason, "li.si", made.signer, lambda: now)
    later = now + 2 * GRACE
    report = run(made, later)
    assert [str(item) for item in report.deleted] == ["lab@2"]
    assert [(str(item.id), item.reason) for item in report.plan.spared] == [
        ("lab@1", f"on hold: {reason}")
    ]
    assert_whole(made.store, made.history(later))


def test_a_hold_between_plan_and_run_counts(made: MadeRepository) -> None:
    """The second look is taken when the work is done, not when the plan was shown."""
    now = nights(made, 3)
    run(made, now)
    later = now + 2 * GRACE
    made.add(later)
    history = made.history(later)
    planned = plan_expiry(history, ONE, GRACE, later, SHANGHAI)
    assert ([b.sequence for b in planned.delete], [b.sequence for b in planned.mark]) == (
        [1, 2],
        [3],
    )
    for sequence in (1, 3):
        backup = made.backup(sequence, later)
        place_hold(made.open(later), backup, "audit", "li.si", made.signer, lambda: later)
    report = expire(made.open(later), history, planned, made.signer, lambda: later)
    assert ([str(i) for i in report.deleted], report.marked) == (["lab@2"], ())


def test_what_was_not_planned_is_not_done(made: MadeRepository) -> None:
    """A backup that came after the plan was shown changes what expires, but not without asking."""
    now = nights(made, 2)
    history = made.history(now)
    planned = plan_expiry(history, ONE, GRACE, now, SHANGHAI)
    made.add(now)
    report = expire(made.open(now), history, planned, made.signer, lambda: now)
    assert [str(item) for item in report.marked] == ["lab@1"]
    assert numbers(made, now) == ([2, 3], [1])


def test_a_grace_period_that_ends_after_the_plan(made: MadeRepository) -> None:
    """What was still waiting when the plan was shown is not deleted by it."""
    now = nights(made, 2)
    run(made, now)
    edge = now + GRACE
    history, planned = made.history(edge), plan(made, edge)
    late = edge + timedelta(hours=1)
    report = expire(made.open(late), history, planned, made.signer, lambda: late)
    assert report.deleted == ()
    assert numbers(made, late) == ([2], [1])


def test_the_last_proven_backup_is_never_marked(made: MadeRepository) -> None:
    """Twenty newer backups do not push out the only one that was proven."""
    now = nights(made, 20)
    made.certify(4, START + 4 * DAY)
    report = run(made, now, Keep(last=3))
    assert report.plan.decisions[3].reasons == ("the last proven backup",)
    assert numbers(made, now)[0] == [4, 18, 19, 20]
    assert numbers(made, run_after(made, now, Keep(last=3)))[0] == [4, 18, 19, 20]


def run_after(made: MadeRepository, now: datetime, keep: Keep) -> datetime:
    """Run again when every grace period is over; returns that moment."""
    later = now + 2 * GRACE
    run(made, later, keep)
    return later


def test_a_marked_backup_that_became_the_last_proven_is_left_alone(made: MadeRepository) -> None:
    """A newer proof turned out wrong during the grace period: the marked one is the last again."""
    now = nights(made, 3)
    made.certify(1, START)
    made.certify(3, START + 2 * DAY)
    assert [str(item) for item in run(made, now).marked] == ["lab@1", "lab@2"]
    made.certify(3, now + DAY, reached=ProofLevel.RESTORED, findings=("visit: 1 row differs",))
    later = now + 2 * GRACE
    report = run(made, later)
    assert [str(item) for item in report.deleted] == ["lab@2"]
    assert [(str(item.id), item.reason) for item in report.plan.spared] == [
        ("lab@1", "the last proven backup")
    ]


def test_the_newest_is_never_deleted(made: MadeRepository) -> None:
    """Where every backup has a tombstone, as after a change of hands, the newest still stays."""
    now = nights(made, 2)
    run(made, now)  # marks 1
    made.add(now)
    run(made, now)  # marks 2
    # A manifest put back from elsewhere would make it so; here the third is taken away whole.
    third = made.backup(3, now)
    made.store.delete(third.name)
    made.head = None
    report = run(made, now + 2 * GRACE)
    assert [str(item) for item in report.deleted] == ["lab@1"]
    assert [(str(item.id), item.reason) for item in report.plan.spared] == [
        ("lab@2", "the newest backup")
    ]


def test_the_chain_holds_over_what_expired(made: MadeRepository) -> None:
    """After deletions in the middle and at the start the chain has no damage, and goes on."""
    now = nights(made, 6)
    made.certify(3, now)
    run(made, now, Keep(last=2))
    later = run_after(made, now, Keep(last=2))
    assert numbers(made, later) == ([3, 5, 6], [])
    made.add(later)
    history = made.history(later)
    assert history.damages == ()
    assert history.head == made.head


# What a broken chain looks like, made by each of these.


def _drop_manifest(made: MadeRepository, now: datetime) -> None:
    made.store.delete(made.backup(2, now).name)


def _change_manifest(made: MadeRepository, now: datetime) -> None:
    path = made.store.root / made.backup(2, now).name
    path.write_bytes(path.read_bytes().replace(b"sqlite", b"sqlity", 1))


def _fork(made: MadeRepository, now: datetime) -> None:
    envelope = made.backup(3, now).envelope
    forked = replace(envelope, predecessor="f" * 64)
    put_envelope(made.store, forked, made.signer)


def _forge_hold(made: MadeRepository, now: datetime) -> None:
    made.put(f"db/{DATABASE}/hold/00000001-0123456789abcdef", b"{}\n", now)


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (_drop_manifest, "lab@2: its manifest is missing and no tombstone says why"),
        (_change_manifest, None),
        (_fork, None),
        (_forge_hold, "db/lab/hold/00000001-0123456789abcdef: the document carries no signature"),
    ],
)
def test_a_broken_chain_stops_expiry(
    made: MadeRepository,
    break_it: Callable[[MadeRepository, datetime], None],
    reason: str | None,
) -> None:
    """With anything wrong in the chain nothing is planned, marked or deleted, and it is named."""
    now = nights(made, 4)
    sane = made.history(now)
    planned = plan(made, now)
    break_it(made, now)
    before = made.names()
    with pytest.raises(Refused) as caught:
        plan(made, now)
    assert caught.value.code == "chain-broken"
    assert caught.value.hint == "dbops backup verify lab --level stored"
    if reason:
        message = f"nothing of lab expires while its backups are not whole: {reason}"
        assert caught.value.message == message
    # Nor does a plan made before help.
    with pytest.raises(Refused, match="nothing of lab expires"):
        expire(made.open(now), sane, planned, made.signer, lambda: now)
    assert made.names() == before


def test_a_cut_off_end_stops_expiry(made: MadeRepository) -> None:
    """The newest manifest vanished between plan and run: the remembered head shows it."""
    now = nights(made, 4)
    history, planned = made.history(now), plan(made, now)
    made.store.delete(made.backup(4, now).name)
    with pytest.raises(Refused) as caught:
        expire(made.open(now), history, planned, made.signer, lambda: now)
    assert caught.value.message == (
        "nothing of lab expires while its backups are not whole: "
        "lab@4: this host has seen it, and the repository no longer holds it"
    )


def test_a_signer_nobody_trusts_leaves_no_tombstone(made: MadeRepository) -> None:
    """A tombstone that would count as damage is never put: it could not be taken back."""
    now = nights(made, 2)
    made.trust = trust(made.signer, frozenset({Namespace.MANIFEST, Namespace.HOLD}))
    before = made.names()
    with pytest.raises(Refused) as caught:
        run(made, now)
    assert caught.value.code == "trust-namespace"
    assert made.names() == before
    assert made.history(now).damages == ()


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


# Faults. A template with everything that expiry can meet is copied for each position.


def _template(root: Path, signer: KeyFileSigner) -> tuple[MadeRepository, datetime]:
    """Shared packs, a hold, a proof, tombstones old and new to come, and garbage."""
    made = MadeRepository(root, signer)
    first = made.add(START, [b"shared", b"first"])
    made.add(START + DAY, [b"second"], refers_to=first.packs[:1])
    made.add(START + 2 * DAY)
    made.certify(3, START + 2 * DAY)
    made.add(START + 3 * DAY, refers_to=first.packs[:1])
    run(made, START + 3 * DAY, Keep(last=2))  # marks 1 and 2
    now = START + 3 * DAY + 2 * GRACE
    made.add(now, [b"fifth"], refers_to=first.packs[:1])
    made.add(now)
    held = made.backup(2, now)
    place_hold(made.open(now), held, "audit", "li.si", signer, lambda: now)
    made.orphan(b"a crash", now - 2 * GRACE)
    (root / "tmp" / "dead").write_bytes(b"half a pack")
    return made, now


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_fault_leaves_whole_backups_and_the_next_run_completes(
    tmp_path: Path, signer: KeyFileSigner, after: bool
) -> None:
    """Each store call fails once: what exists is whole, and the next run gets the rest done.

    Run again, the repository holds exactly what an undisturbed run leaves.
    """
    template, now = _template(tmp_path / "template", signer)
    undisturbed = _copy(template, tmp_path / "undisturbed")
    report = run(undisturbed, now, Keep(last=2))
    assert ([str(i) for i in report.deleted], [str(i) for i in report.marked]) == (
        ["lab@1"],
        ["lab@4"],
    )
    assert (report.objects, report.garbage, report.spools) == (2, 1, 1)
    expected = undisturbed.names()
    broken = 0
    for position in range(1, 10_000):
        made = _copy(template, tmp_path / "copy")
        store = FaultyStore(made.store, position, after=after)
        if not _breaks(made, now, store):
            break
        broken += 1
        assert_whole(made.store, made.history(now))
        living, gone = numbers(made, now)
        assert set(living) >= {3, 5, 6}
        assert set(living + gone) >= {2, 3, 4, 5, 6}
        run(made, now, Keep(last=2))
        assert made.names() == expected
        assert not list((made.store.root / "tmp").iterdir())
        assert_whole(made.store, made.history(now))
        shutil.rmtree(made.store.root)
    assert broken > 30


def _copy(template: MadeRepository, root: Path) -> MadeRepository:
    shutil.copytree(template.store.root, root)
    made = MadeRepository(root, template.signer)
    made.head = template.head
    return made


def _breaks(made: MadeRepository, now: datetime, store: FaultyStore) -> bool:
    try:
        run(made, now, Keep(last=2), store)
    except StoreBroke:
        return True
    except Refused as refusal:
        # A read that failed became a damage of the history; nothing else may refuse.
        return refusal.code == "chain-broken"
    assert not store.broke
    return False


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_that_is_broken_at_every_step_still_ends(
    tmp_path: Path, signer: KeyFileSigner, after: bool
) -> None:
    """One repository, and each run breaks one call later: it ends where one whole run would."""
    template, now = _template(tmp_path / "template", signer)
    undisturbed = _copy(template, tmp_path / "undisturbed")
    run(undisturbed, now, Keep(last=2))
    for position in range(1, 10_000):
        if not _breaks(template, now, FaultyStore(template.store, position, after=after)):
            break
        assert_whole(template.store, template.history(now))
    assert template.names() == undisturbed.names()
