"""What a verification says of times, of open ends, and of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Event, Phase
from dbops.audit.findings import KnownCheckpoint, LedgerPolicy, Verdict
from dbops.audit.known import kept_checkpoints
from dbops.crypto.trust import TrustRoot
from tests.audit.ledgers import MadeLedger, make_ledger, new_signer, trust_in
from tests.audit.tampering import NO_ANCHOR, POLICY, told, verify

SIZE = 37
LAST = SIZE - 1
GAP = Verdict.GAP


@pytest.fixture
def made(tmp_path: Path) -> MadeLedger:
    """Three months of a ledger: entries 0 to 12, 13 to 24 and 25 to 36."""
    return make_ledger(tmp_path / "audit", new_signer(tmp_path / "key"), months=3)


@pytest.fixture
def anchored(made: MadeLedger) -> KnownCheckpoint:
    """The checkpoint over everything, as the hospital keeps it."""
    return KnownCheckpoint("anchor hospital", made.note(), anchored=True)


class TestStale:
    """Entries that wait too long for somebody else to know of them."""

    def test_nothing_is_anchored(self, made: MadeLedger) -> None:
        """An anchor is configured and holds nothing."""
        assert told(verify(made)) == [(Verdict.STALE, "checkpoint-missing", 0)]

    def test_the_anchor_is_old(self, made: MadeLedger, anchored: KnownCheckpoint) -> None:
        """The first entry behind the anchored ones is older than is allowed."""
        made.write(4)
        assert verify(made, anchored).ok
        report = verify(made, anchored, later=timedelta(days=2))
        assert told(report) == [(Verdict.STALE, "anchor-old", SIZE)]
        assert report.anchored_size == SIZE
        assert report.exposed_since is not None

    def test_without_anchors_it_is_a_remark(self, made: MadeLedger) -> None:
        """Nobody is asked to anchor where there is nothing to anchor to, but it is said."""
        report = verify(made, policy=NO_ANCHOR)
        assert report.ok
        assert report.remarks == (
            "no anchor is configured: whoever is root on this host can rewrite the ledger",
        )

    def test_a_note_of_a_stranger_does_not_count(self, made: MadeLedger, tmp_path: Path) -> None:
        """Neither for nor against the ledger."""
        stranger = MadeLedger(tmp_path / "other", new_signer(tmp_path / "stranger"))
        stranger.write(50)
        note = KnownCheckpoint("anchor hospital", stranger.note(), anchored=True)
        assert told(verify(made, note)) == [
            (Verdict.STALE, "checkpoint-untrusted", None),
            (Verdict.STALE, "checkpoint-missing", 0),
        ]
        both = trust_in(made.signer, stranger.signer)
        assert (Verdict.ROLLBACK, "truncated", SIZE) in told(verify(made, note, trust=both))


class TestKeptHere:
    """The checkpoints beside the ledger, signed by a key that may have been replaced."""

    def test_an_older_key_is_a_remark(self, made: MadeLedger, tmp_path: Path) -> None:
        """Where a newer key's checkpoint counts, those of the older one are not missed."""
        made.note()
        younger = MadeLedger(made.directory, new_signer(tmp_path / "younger"), clock=made.clock)
        younger.write(2)
        younger.note()
        root = trust_in(made.signer, younger.signer)
        expired = replace(root.signers[0], valid_before=made.clock.now - timedelta(hours=1))
        trust = TrustRoot((expired, root.signers[1]))
        known = kept_checkpoints(made.segments)
        report = verify(made, *known, policy=NO_ANCHOR, trust=trust)
        assert told(report) == []
        assert [each.partition(" of signer0")[0] for each in report.remarks[:1]] == [
            "the checkpoint kept here (checkpoints/000000000037.note) does not count: key"
            f" {made.signer.public_key.fingerprint}"
        ]
        only = verify(made, *known[:1], policy=NO_ANCHOR, trust=trust)
        assert told(only) == [(Verdict.STALE, "checkpoint-untrusted", None)]

    def test_an_edited_one_is_told(self, made: MadeLedger) -> None:
        """A note whose signature does not fit is never a remark."""
        made.note()
        path = made.directory / "checkpoint"
        path.write_text(path.read_text("utf-8").replace("\n37\n", "\n36\n"), "utf-8")
        report = verify(made, *kept_checkpoints(made.segments), policy=NO_ANCHOR)
        assert told(report) == [(Verdict.STALE, "checkpoint-untrusted", None)]
        path.write_bytes(b"\xff")
        report = verify(made, *kept_checkpoints(made.segments), policy=NO_ANCHOR)
        assert told(report) == [(Verdict.STALE, "checkpoint-untrusted", None)]


class TestSilence:
    """No entry for longer than the heartbeat."""

    def test_between_entries(self, made: MadeLedger, anchored: KnownCheckpoint) -> None:
        """Each silence is told, by the entry that it follows."""
        policy = LedgerPolicy(timedelta(days=8), POLICY.anchor_within, anchors=True)
        report = verify(made, anchored, policy=policy)
        assert told(report) == [(GAP, "silence", 12), (GAP, "silence", 24)]

    def test_until_now(self, made: MadeLedger, anchored: KnownCheckpoint) -> None:
        """A ledger that stopped is silent since."""
        report = verify(made, anchored, later=timedelta(days=41))
        assert told(report) == [(GAP, "silence", LAST)]

    def test_a_person_explains_one(self, made: MadeLedger, anchored: KnownCheckpoint) -> None:
        """A closing of the entry before makes it a remark."""
        made.ledger.append(
            Draft(event=Event.LEDGER_CLOSE, of=12, reason="the host was repaired for a month")
        )
        policy = LedgerPolicy(timedelta(days=8), POLICY.anchor_within, anchors=True)
        report = verify(made, anchored, policy=policy)
        assert told(report) == [(GAP, "silence", 24)]
        assert "after entry 12; a person has said why" in report.remarks[0]


class TestDangling:
    """Work that was announced and whose end nobody wrote down."""

    @pytest.fixture
    def begun(self, made: MadeLedger) -> MadeLedger:
        """An intent without an outcome."""
        made.ledger.append(Draft(event=Event.RESTORE_RUN, phase=Phase.INTENT, target="lab"))
        return made

    def test_its_process_is_gone(self, begun: MadeLedger, anchored: KnownCheckpoint) -> None:
        """It crashed, or somebody hid what happened."""
        report = verify(begun, anchored)
        assert told(report) == [(Verdict.DANGLING, "intent-open", SIZE)]
        assert report.findings[0].message.startswith("entry 37, restore.run of lab at 20")

    def test_its_process_runs(self, begun: MadeLedger, anchored: KnownCheckpoint) -> None:
        """It is not over yet: a remark; not after another start of the machine."""
        report = verify(begun, anchored, running=lambda pid, _: pid == 4711)
        assert told(report) == []
        assert report.remarks[0].endswith("is still running")
        report = verify(begun, anchored, running=lambda _pid, _: True, boot="other")
        assert told(report) == [(Verdict.DANGLING, "intent-open", SIZE)]


def test_messages_hold_names_and_counts_only(made: MadeLedger, anchored: KnownCheckpoint) -> None:
    """What is shown of a damaged line is its number, never its text."""
    secret = b"zhang-san-13800001111"
    made.edit(lambda lines: lines.insert(5, secret + b"\n"))
    made.edit(lambda lines: lines.append(secret), segment=2)
    report = verify(made, anchored)
    assert len(report.findings) == 2
    assert secret.decode() not in repr(report)
