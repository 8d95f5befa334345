"""Expiry in doubt stops, and expiry that breaks anywhere leaves whole backups."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from dbops.backup.expire import expire
from dbops.backup.hold import place_hold
from dbops.backup.retention import Keep
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace
from dbops.errors import Refused
from dbops.repository.writer import put_envelope
from tests.backup.expiring import GRACE, nights, numbers, plan, run
from tests.support.faulty import FaultyStore, StoreBroke
from tests.support.made_repository import DATABASE, DAY, START, MadeRepository, assert_whole, trust

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
