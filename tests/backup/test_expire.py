"""Expiry on a real repository: two phases, shared packs, holds, and what was planned."""

from __future__ import annotations

from datetime import timedelta

from dbops.backup.expire import expire, plan_expiry
from dbops.backup.hold import place_hold
from dbops.backup.retention import Keep
from dbops.repository.layout import tombstone_name
from dbops.repository.manifest import PackEntry
from dbops.repository.records import ProofLevel
from tests.backup.expiring import GRACE, ONE, SHANGHAI, nights, numbers, plan, run, run_after
from tests.support.made_repository import (
    DATABASE,
    DAY,
    START,
    MadeRepository,
    assert_whole,
    objects_of,
)


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
