"""Holds: placed, seen, released, by several hosts with clocks of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dbops.backup.hold import place_hold, release_hold
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot
from dbops.errors import DbopsError, NotFound, Refused, UsageFault
from dbops.repository.records import Hold
from tests.support.faulty import FaultyStore, StoreBroke
from tests.support.made_repository import (
    DAY,
    START,
    MadeRepository,
    assert_whole,
    make_signer,
    trust,
)

NOW = START + DAY


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> KeyFileSigner:
    """The host's key."""
    return make_signer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def made(tmp_path: Path, signer: KeyFileSigner) -> MadeRepository:
    """A repository with two backups."""
    repository = MadeRepository(tmp_path / "repository", signer)
    repository.add(START)
    repository.add(NOW)
    return repository


def place(made: MadeRepository, reason: str, now: datetime = NOW, sequence: int = 1) -> Hold:
    """Put the backup on hold as `dbops backup hold` does."""
    backup = made.backup(sequence, now)
    return place_hold(made.open(now), backup, reason, "li.si", made.signer, lambda: now)


def release(made: MadeRepository, reason: str, now: datetime = NOW, sequence: int = 1) -> Hold:
    """Release it as `dbops backup release` does."""
    backup = made.backup(sequence, now)
    return release_hold(made.open(now), backup, reason, "li.si", made.signer, lambda: now)


def refused(made: MadeRepository, reason: str) -> DbopsError:
    """The error of a hold, which leaves nothing behind."""
    before = made.names()
    with pytest.raises(DbopsError) as caught:
        place(made, reason)
    assert made.names() == before
    return caught.value


def test_a_hold_is_seen_and_released(made: MadeRepository) -> None:
    """One backup is on hold with its reason, the other is not, until it is released."""
    hold = place(made, " audit of 2026, 卫健委 ")
    assert (hold.held, hold.sequence, hold.actor, hold.at) == (True, 1, "li.si", NOW)
    backups = made.history(NOW).backups
    assert [(b.held, b.hold_reason) for b in backups] == [
        (True, "audit of 2026, 卫健委"),
        (False, ""),
    ]
    assert release(made, "audit closed").held is False
    assert not made.backup(1, NOW).held
    assert_whole(made.store, made.history(NOW))


@pytest.mark.parametrize("reason", ["", "   ", "two\nlines", "a\ttab", "\n"])
def test_a_reason_is_one_line(made: MadeRepository, reason: str) -> None:
    """An empty reason or one of several lines is refused with an example, and nothing is put."""
    fault = refused(made, reason)
    assert isinstance(fault, UsageFault)
    assert (fault.code, fault.message) == ("hold-reason", "a hold needs a reason of one line")
    assert fault.hint == 'dbops backup hold lab@1 --reason "audit of March 2026"'


def test_a_reason_hides_nothing(made: MadeRepository) -> None:
    """Characters that a screen does not show are refused by name."""
    fault = refused(made, "audit \u202e6202")
    assert fault.message == "the reason line 1 holds the hidden character U+202E"
    assert refused(made, "audit \ud800").code == "text-encoding"


def test_a_release_needs_a_reason_too(made: MadeRepository) -> None:
    """Who releases says why."""
    place(made, "audit")
    with pytest.raises(UsageFault, match="a hold needs a reason of one line"):
        release(made, "")
    assert made.backup(1, NOW).held


def test_a_second_hold_is_refused(made: MadeRepository) -> None:
    """Two reasons never share one hold: the first release would free both."""
    place(made, "audit")
    fault = refused(made, "court")
    assert isinstance(fault, Refused)
    assert (fault.code, fault.message) == ("hold-placed", "lab@1 is on hold already: audit")
    assert fault.hint == "dbops backup show lab@1"


def test_only_what_is_held_is_released(made: MadeRepository) -> None:
    """A release of a backup that is not on hold is refused, and leaves nothing."""
    before = made.names()
    with pytest.raises(Refused) as caught:
        release(made, "closed")
    assert (caught.value.code, caught.value.message) == ("hold-missing", "lab@1 is not on hold")
    assert made.names() == before


def test_the_last_word_counts_within_one_second(made: MadeRepository) -> None:
    """Hold, release, hold, … at one instant: each takes effect, though documents hold seconds."""
    for number in range(6):
        place(made, f"audit {number}")
        assert made.backup(1, NOW).hold_reason == f"audit {number}"
        release(made, f"audit {number}")
        assert not made.backup(1, NOW).held


def test_a_host_whose_clock_is_behind_is_heard(made: MadeRepository) -> None:
    """A release by a host an hour behind the one that placed the hold takes effect."""
    place(made, "audit", NOW)
    behind = NOW - timedelta(hours=1)
    assert release(made, "closed", behind).at == NOW + timedelta(seconds=1)
    assert not made.backup(1, NOW).held
    assert place(made, "again", behind).at == NOW + timedelta(seconds=2)
    assert made.backup(1, NOW).hold_reason == "again"


def test_a_hold_outlives_its_key(made: MadeRepository) -> None:
    """When the key that signed a hold has ended its time, the hold stands, and can be released."""
    place(made, "audit")
    ended = replace(made.trust.signers[0], valid_before=NOW)
    fresh = make_signer(made.store.root.parent, "fresh")
    made.trust = TrustRoot((ended, *trust(fresh).signers))
    later = NOW + DAY
    assert made.backup(1, later).held
    made.signer = fresh
    behind = NOW - timedelta(hours=1)  # this host's clock
    assert release(made, "closed", behind).at == NOW + timedelta(seconds=1)
    assert not made.backup(1, later).held


def test_a_forged_hold_stops_nobody(made: MadeRepository) -> None:
    """What nobody signed is reported as damage, and a real hold can still be placed."""
    made.put("db/lab/hold/00000001-0123456789abcdef", b"{}\n", NOW)
    place(made, "audit")
    assert made.backup(1, NOW).hold_reason == "audit"
    assert [item.reason for item in made.history(NOW).damages] == [
        "the document carries no signature"
    ]


def test_a_signer_nobody_trusts_leaves_no_hold(made: MadeRepository) -> None:
    """A hold that would count as damage is never put: it could not be taken back."""
    made.trust = trust(made.signer, frozenset({Namespace.MANIFEST, Namespace.EXPIRY}))
    fault = refused(made, "audit")
    assert (fault.code, isinstance(fault, Refused)) == ("trust-namespace", True)
    assert made.history(NOW).damages == ()


def test_a_backup_that_expired_meanwhile(made: MadeRepository) -> None:
    """Where the manifest went before the hold was there, the hold is not claimed to work."""
    backup = made.backup(1, NOW)
    made.store.delete(backup.name)
    with pytest.raises(NotFound) as caught:
        place_hold(made.open(NOW), backup, "audit", "li.si", made.signer, lambda: NOW)
    assert caught.value.code == "backup-expired"
    assert caught.value.message == "lab@1 was deleted before it could be put on hold"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_fault_leaves_a_hold_or_none(
    tmp_path: Path, signer: KeyFileSigner, after: bool
) -> None:
    """Whichever store call fails, the chain is sound, and asking again ends with a hold."""
    broken = 0
    for position in range(1, 1000):
        made = MadeRepository(tmp_path / str(position), signer)
        made.add(START)
        store = FaultyStore(made.store, position, after=after)
        try:
            backup = made.backup(1, NOW)
            place_hold(made.open(NOW, store), backup, "audit", "li.si", signer, lambda: NOW)
        except StoreBroke:
            broken += 1
            assert made.history(NOW).damages == ()
            if not made.backup(1, NOW).held:
                place(made, "audit")
        assert made.backup(1, NOW).hold_reason == "audit"
        if not store.broke:
            break
    assert broken >= 6  # the mark, the list of holds, spool, write, put, find
