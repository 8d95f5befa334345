"""Each thing that can be done to a ledger has its own verdict, and names the entries it concerns.

The ledger has three segments, entries 0 to 12, 13 to 24 and 25 to 36, and checkpoints over 20
entries and over all 37, the second one anchored.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.checkpoint import Checkpoint, sign_checkpoint
from dbops.audit.entry import Draft, Event, Phase
from dbops.audit.findings import KnownCheckpoint, LedgerPolicy, LedgerReport, Verdict
from dbops.audit.known import kept_checkpoints
from dbops.audit.tree import root_at
from dbops.audit.verify import verify_ledger
from dbops.crypto.trust import TrustRoot
from dbops.errors import NotFound
from tests.audit.ledgers import (
    BOOT,
    Clock,
    MadeLedger,
    make_ledger,
    new_signer,
    trust_in,
)

POLICY = LedgerPolicy(heartbeat=timedelta(days=40), anchor_within=timedelta(days=2), anchors=True)
SIZE = 37


@dataclass(frozen=True)
class Known:
    """The ledger as it was, and the note over all of it."""

    made: MadeLedger
    part: str
    note: str


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Three months of a ledger."""
    place = tmp_path_factory.mktemp("ledger")
    made = make_ledger(place / "audit", new_signer(place / "key"), months=2)
    part = made.note()
    made.clock.now += timedelta(days=31)
    made.write(12)
    return Known(made, part, made.note())


@pytest.fixture
def made(pristine: Known, tmp_path: Path) -> MadeLedger:
    """A copy to be damaged, without what the host itself keeps beside its lines."""
    copy = pristine.made.copy(tmp_path / "audit")
    shutil.rmtree(copy.directory / "tile")
    return copy


def verify(
    made: MadeLedger,
    *known: KnownCheckpoint,
    policy: LedgerPolicy = POLICY,
    trust: TrustRoot | None = None,
    running: Callable[[int, int], bool] = lambda _pid, _started: False,
    boot: str = BOOT,
    later: timedelta = timedelta(),
    cache: bool = False,
) -> LedgerReport:
    """Verify it, a little after its last entry."""
    return verify_ledger(
        made.segments,
        known=known,
        trust=trust or made.trust,
        policy=policy,
        now=made.clock.now + timedelta(hours=1) + later,
        running=running,
        boot=boot,
        tiles=made.tiles if cache else None,
    )


def anchored(pristine: Known) -> KnownCheckpoint:
    """The checkpoint over everything, as the hospital keeps it."""
    return KnownCheckpoint("anchor hospital", pristine.note, anchored=True)


def told(report: LedgerReport) -> list[tuple[Verdict, str, int | None]]:
    """Verdict, code and first entry of each finding."""
    return [(each.verdict, each.code, each.sequence) for each in report.findings]


def rechain(lines: list[bytes], start: int) -> None:
    """Compute every `prev` again from a line on, as somebody who rewrites a ledger would."""
    for index in range(start, len(lines)):
        before = hashlib.sha256(b"\0" + lines[index - 1][:-1]).hexdigest().encode()
        lines[index] = re.sub(rb'"prev":"[0-9a-f]{64}"', b'"prev":"%b"' % before, lines[index])


def test_an_untouched_ledger_is_whole(pristine: Known) -> None:
    """Nothing is found; the report says how far it is anchored."""
    report = verify(pristine.made, anchored(pristine), *kept_checkpoints(pristine.made.segments))
    assert told(report) == []
    assert report.ok
    assert (report.size, report.anchored_size, report.exposed_since) == (SIZE, SIZE, None)
    assert report.remarks == ()


def swap(lines: list[bytes]) -> None:
    """Exchange two lines."""
    lines[5], lines[6] = lines[6], lines[5]


def change_line(index: int) -> Callable[[list[bytes]], None]:
    """Change one line and leave its length, number and link."""

    def change(lines: list[bytes]) -> None:
        lines[index] = lines[index].replace(b'"account":"root"', b'"account":"toor"')

    return change


def change_prev(lines: list[bytes]) -> None:
    """Change what a line says of the line before."""
    lines[5] = re.sub(rb'"prev":"....', b'"prev":"0000', lines[5])


def change_number(lines: list[bytes]) -> None:
    """Change a line's number."""
    lines[5] = lines[5].replace(b'"seq":5,', b'"seq":9,')


def make_garbage(lines: list[bytes]) -> None:
    """Make something else of a line."""
    lines[5] = b"this was once an entry\n"


def delete(lines: list[bytes]) -> None:
    """Take a line out."""
    del lines[5]


def repeat(lines: list[bytes]) -> None:
    """Write a line twice."""
    lines.insert(5, lines[5])


def repeat_elsewhere(lines: list[bytes]) -> None:
    """Write an early line again further down."""
    lines.insert(9, lines[2])


def insert(lines: list[bytes]) -> None:
    """Put in a line that fits to the one before it."""
    change = lines[5].replace(b'"account":"root"', b'"account":"toor"')
    lines.insert(5, change)


def insert_unlinked(lines: list[bytes]) -> None:
    """Put in a line from a later place, changed."""
    lines.insert(5, lines[9].replace(b'"account":"root"', b'"account":"toor"'))


def insert_garbage(lines: list[bytes]) -> None:
    """Put in a line that is no entry."""
    lines.insert(5, b"hello\n")


def append_line(lines: list[bytes]) -> None:
    """Write a line behind the end."""
    lines.append(b"hello\n")


def append_bytes(lines: list[bytes]) -> None:
    """Write bytes behind the end."""
    lines.append(b"\xff\xfehello")


def cut_in_line(lines: list[bytes]) -> None:
    """Cut the last line in its middle."""
    lines[-1] = lines[-1][:100]


LAST = SIZE - 1
EDITED, GAP = Verdict.EDITED, Verdict.GAP


@pytest.mark.parametrize(
    ("change", "segment", "expected"),
    [
        pytest.param(change_line(5), 0, [(EDITED, "line-edited", 5)], id="line-changed"),
        pytest.param(change_line(0), 0, [(EDITED, "line-edited", 0)], id="first-line-changed"),
        pytest.param(change_line(-1), 0, [(EDITED, "line-edited", 12)], id="segment-end-changed"),
        pytest.param(change_prev, 0, [(EDITED, "line-edited", 5)], id="link-changed"),
        pytest.param(change_number, 0, [(EDITED, "line-edited", 5)], id="number-changed"),
        pytest.param(make_garbage, 0, [(EDITED, "line-edited", 5)], id="line-made-garbage"),
        pytest.param(delete, 0, [(GAP, "entries-missing", 5)], id="line-deleted"),
        pytest.param(swap, 0, [(EDITED, "lines-reordered", 5)], id="lines-exchanged"),
        pytest.param(repeat, 0, [(EDITED, "line-repeated", 5)], id="line-repeated"),
        pytest.param(repeat_elsewhere, 0, [(EDITED, "line-repeated", 2)], id="line-copied"),
        pytest.param(insert, 0, [(EDITED, "line-inserted", 5)], id="line-inserted"),
        pytest.param(insert_unlinked, 0, [(EDITED, "line-inserted", 9)], id="stray-line-inserted"),
        pytest.param(insert_garbage, 0, [(EDITED, "line-foreign", 5)], id="garbage-inserted"),
        pytest.param(append_line, 2, [(EDITED, "bytes-appended", SIZE)], id="line-appended"),
        pytest.param(append_bytes, 2, [(EDITED, "bytes-appended", SIZE)], id="bytes-appended"),
        pytest.param(change_line(-1), 2, [(EDITED, "line-edited", LAST)], id="last-line-changed"),
    ],
)
def test_lines(
    pristine: Known,
    made: MadeLedger,
    change: Callable[[list[bytes]], None],
    segment: int,
    expected: list[tuple[Verdict, str, int]],
) -> None:
    """One change of the lines is one finding, with or without what the writer's cache knows."""
    made.edit(change, segment)
    known = [anchored(pristine), KnownCheckpoint("report", _at_most(pristine, LAST))]
    assert told(verify(made, *known)) == expected
    shutil.copytree(pristine.made.directory / "tile", made.directory / "tile")
    assert told(verify(made, anchored(pristine), cache=True)) == expected


def _at_most(pristine: Known, size: int) -> str:
    """A note over the first entries, as somebody signed it when there were no more."""
    checkpoint = Checkpoint(pristine.made.origin, size, root_at(pristine.made.tiles, size))
    return sign_checkpoint(checkpoint, pristine.made.signer)


def test_several_changes_are_several_findings(pristine: Known, made: MadeLedger) -> None:
    """Every place is told, each once."""
    made.edit(change_line(2))
    made.edit(lambda lines: lines.__delitem__(7))
    made.edit(swap, segment=1)
    assert told(verify(made, anchored(pristine))) == [
        (EDITED, "line-edited", 2),
        (GAP, "entries-missing", 7),
        (EDITED, "lines-reordered", 18),
    ]


class TestSegments:
    """What can be done to whole files."""

    def test_one_is_removed_from_the_middle(self, pristine: Known, made: MadeLedger) -> None:
        """The entries of a whole segment are missing."""
        made.files[1].unlink()
        report = verify(made, anchored(pristine))
        assert told(report) == [(GAP, "segment-missing", 13)]
        assert report.findings[0].message == (
            "entries 13 to 24 missing in front of segment 000000000025.jsonl: a whole segment"
        )

    def test_the_first_is_removed(self, pristine: Known, made: MadeLedger) -> None:
        """The beginning is missing."""
        made.files[0].unlink()
        assert told(verify(made, anchored(pristine))) == [(GAP, "segment-missing", 0)]

    def test_the_last_is_removed(self, pristine: Known, made: MadeLedger) -> None:
        """That looks like a shorter ledger, and a checkpoint knows better."""
        made.files[2].unlink()
        report = verify(made, anchored(pristine))
        assert told(report) == [(Verdict.ROLLBACK, "truncated", 25)]
        assert report.findings[0].message == (
            "anchor hospital knows 37 entries, and the ledger has only 25"
        )

    def test_one_is_renamed(self, pristine: Known, made: MadeLedger) -> None:
        """A name that is not the first entry's number is told."""
        made.files[1].rename(made.files[1].with_name("000000000014.jsonl"))
        assert told(verify(made, anchored(pristine))) == [(EDITED, "segment-renamed", 13)]

    def test_one_is_renamed_and_stands_elsewhere(self, pristine: Known, made: MadeLedger) -> None:
        """Even where the order of the files is another one then."""
        made.files[1].rename(made.files[1].with_name("000000000040.jsonl"))
        assert (EDITED, "segment-renamed", 13) in told(verify(made, anchored(pristine)))

    def test_all_are_removed(self, pristine: Known, made: MadeLedger) -> None:
        """A ledger that is gone is not a new one where a checkpoint is known."""
        shutil.rmtree(made.directory)
        assert told(verify(made, anchored(pristine))) == [(Verdict.ROLLBACK, "truncated", 0)]
        with pytest.raises(NotFound) as caught:
            verify(made)
        assert caught.value.code == "ledger-missing"


class TestTheEnd:
    """What only a checkpoint shows, and what looks like it."""

    def test_the_tail_is_cut(self, pristine: Known, made: MadeLedger) -> None:
        """A ledger that was shortened to whole lines is whole to itself, and not to an anchor."""
        made.edit(lambda lines: lines.__delitem__(slice(-2, None)), segment=2)
        assert (
            told(verify(made, policy=LedgerPolicy(POLICY.heartbeat, POLICY.heartbeat, False))) == []
        )
        assert told(verify(made, anchored(pristine))) == [(Verdict.ROLLBACK, "truncated", SIZE - 2)]

    def test_the_cache_remembers_a_cut_tail(self, pristine: Known, made: MadeLedger) -> None:
        """Without any checkpoint the writer's cache still tells, if nobody cut it too."""
        made.edit(lambda lines: lines.__delitem__(slice(-2, None)), segment=2)
        shutil.copytree(pristine.made.directory / "tile", made.directory / "tile")
        found = told(verify(made, policy=NO_ANCHOR, cache=True))
        assert found == [(Verdict.ROLLBACK, "truncated", SIZE - 2)]

    def test_the_cache_remembers_a_changed_last_line(
        self, pristine: Known, made: MadeLedger
    ) -> None:
        """A last line that no checkpoint covers is told by the cache alone."""
        made.edit(change_line(-1), segment=2)
        shutil.copytree(pristine.made.directory / "tile", made.directory / "tile")
        part = KnownCheckpoint("report", pristine.part)
        found = told(verify(made, part, policy=NO_ANCHOR, cache=True))
        assert found == [(EDITED, "cache-differs", LAST)]

    def test_a_torn_line_is_torn(self, pristine: Known, made: MadeLedger) -> None:
        """What a writer that died leaves is TORN, and only a remark once an entry tells of it."""
        with made.files[-1].open("ab") as file:
            file.write(_next_line(made)[:120])
        assert told(verify(made, anchored(pristine))) == [(Verdict.TORN, "tail-torn", SIZE)]
        made.ledger.append(Draft(event=Event.LEDGER_HEARTBEAT))
        report = verify(made, anchored(pristine))
        assert told(report) == []
        assert report.remarks == (
            "a writer died once while it wrote; entry 37 is the first to tell of it",
            "whoever is root on this host can rewrite what is behind entry 36",
        )

    def test_a_last_line_cut_in_its_middle_is_all_of_it(
        self, pristine: Known, made: MadeLedger
    ) -> None:
        """It is unfinished, a checkpoint knows that it once was not, and it was an outcome."""
        made.edit(cut_in_line, segment=2)
        assert told(verify(made, anchored(pristine))) == [
            (Verdict.TORN, "tail-torn", LAST),
            (Verdict.ROLLBACK, "truncated", LAST),
            (Verdict.DANGLING, "intent-open", LAST - 1),
        ]


def _next_line(made: MadeLedger) -> bytes:
    """The line that would come next."""
    copy = made.copy(made.directory.with_name("other"))
    copy.ledger.append(Draft(event=Event.LEDGER_HEARTBEAT))
    return copy.files[-1].read_bytes().splitlines()[-1]


NO_ANCHOR = LedgerPolicy(POLICY.heartbeat, POLICY.anchor_within, anchors=False)


class TestForks:
    """Chains that hold, and are others."""

    def rewrite(self, made: MadeLedger, start: int) -> None:
        """Change a line of the last segment and chain everything behind it anew."""

        def change(lines: list[bytes]) -> None:
            lines[start] = lines[start].replace(b'"account":"root"', b'"account":"toor"')
            rechain(lines, start + 1)

        made.edit(change, segment=2)

    def test_a_rewritten_chain(self, pristine: Known, made: MadeLedger) -> None:
        """Nothing but a checkpoint shows it; smaller ones bound where it began."""
        self.rewrite(made, 4)
        assert told(verify(made, policy=NO_ANCHOR)) == []
        report = verify(made, anchored(pristine))
        assert told(report) == [(Verdict.FORK, "rewritten", 0)]
        report = verify(made, anchored(pristine), KnownCheckpoint("report", pristine.part))
        assert told(report) == [(Verdict.FORK, "rewritten", 25)]
        assert report.findings[0].message == (
            "the ledger was rewritten between entry 25 and entry 36:"
            " anchor hospital knows other entries"
        )

    def test_the_cache_tells_where_if_the_anchor_vouches_for_it(
        self, pristine: Known, made: MadeLedger
    ) -> None:
        """Its hashes are those that were signed, so the first that differs is where it began."""
        self.rewrite(made, 4)
        shutil.copytree(pristine.made.directory / "tile", made.directory / "tile")
        report = verify(made, anchored(pristine), cache=True)
        assert told(report) == [(Verdict.FORK, "rewritten", 29)]
        made.tiles.rebuild(hashlib.sha256(bytes([n])).digest() for n in range(SIZE))
        assert told(verify(made, anchored(pristine), cache=True)) == [
            (Verdict.FORK, "rewritten", 0)
        ]

    def test_two_ledgers_with_one_beginning(self, pristine: Known, tmp_path: Path) -> None:
        """A restored host that wrote on its own is a fork of the other, both ways."""
        ours = pristine.made.copy(tmp_path / "ours")
        theirs = pristine.made.copy(tmp_path / "theirs")
        ours.write(4)
        theirs.clock.now += timedelta(minutes=30)
        theirs.write(4)
        for one, other in [(ours, theirs), (theirs, ours)]:
            shutil.rmtree(one.directory / "tile")
            note = KnownCheckpoint("other host", other.note())
            found = told(verify(one, note, KnownCheckpoint("before", pristine.note)))
            assert (Verdict.FORK, "rewritten", SIZE) in found

    def test_another_origin(self, pristine: Known, tmp_path: Path) -> None:
        """A checkpoint of another ledger does not speak for this one, and is told."""
        other = MadeLedger(
            tmp_path / "audit", pristine.made.signer, "hospital/dbops/other", Clock()
        )
        other.write(3)
        found = told(verify(other, anchored(pristine), policy=NO_ANCHOR))
        assert (Verdict.FORK, "origin-differs", 0) in found


class TestStale:
    """Entries that wait too long for somebody else to know of them."""

    def test_nothing_is_anchored(self, made: MadeLedger) -> None:
        """An anchor is configured and holds nothing."""
        assert told(verify(made)) == [(Verdict.STALE, "checkpoint-missing", 0)]

    def test_the_anchor_is_old(self, pristine: Known, made: MadeLedger) -> None:
        """The first entry behind the anchored ones is older than is allowed."""
        note = KnownCheckpoint("anchor hospital", pristine.part, anchored=True)
        assert verify(made, note).ok
        report = verify(made, note, later=timedelta(days=2))
        assert told(report) == [(Verdict.STALE, "anchor-old", 25)]
        assert report.anchored_size == 25

    def test_without_anchors_it_is_a_remark(self, made: MadeLedger) -> None:
        """Nobody is asked to anchor where there is nothing to anchor to, but it is said."""
        report = verify(made, policy=NO_ANCHOR)
        assert report.ok
        assert report.remarks == (
            "no anchor is configured: whoever is root on this host can rewrite the ledger",
        )

    def test_a_note_of_a_stranger_does_not_count(self, made: MadeLedger, tmp_path: Path) -> None:
        """Neither for nor against the ledger."""
        stranger = MadeLedger(tmp_path / "other", new_signer(tmp_path / "key"))
        stranger.write(50)
        note = KnownCheckpoint("anchor hospital", stranger.note(), anchored=True)
        assert told(verify(made, note)) == [
            (Verdict.STALE, "checkpoint-untrusted", None),
            (Verdict.STALE, "checkpoint-missing", 0),
        ]
        both = trust_in(made.signer, stranger.signer)
        assert (Verdict.ROLLBACK, "truncated", SIZE) in told(verify(made, note, trust=both))


class TestSilence:
    """No entry for longer than the heartbeat."""

    def test_between_entries(self, pristine: Known, made: MadeLedger) -> None:
        """Each silence is told, by the entry that it follows."""
        policy = LedgerPolicy(timedelta(days=8), POLICY.anchor_within, anchors=True)
        report = verify(made, anchored(pristine), policy=policy)
        assert told(report) == [(GAP, "silence", 12), (GAP, "silence", 24)]

    def test_until_now(self, pristine: Known, made: MadeLedger) -> None:
        """A ledger that stopped is silent since."""
        report = verify(made, anchored(pristine), later=timedelta(days=41))
        assert told(report) == [(GAP, "silence", LAST)]

    def test_a_person_explains_one(self, pristine: Known, made: MadeLedger) -> None:
        """A closing of the entry before makes it a remark."""
        made.ledger.append(
            Draft(event=Event.LEDGER_CLOSE, of=12, reason="the host was repaired for a month")
        )
        policy = LedgerPolicy(timedelta(days=8), POLICY.anchor_within, anchors=True)
        report = verify(made, anchored(pristine), policy=policy)
        assert told(report) == [(GAP, "silence", 24)]
        assert "after entry 12; a person has said why" in report.remarks[0]


class TestDangling:
    """Work that was announced and whose end nobody wrote down."""

    @pytest.fixture
    def begun(self, made: MadeLedger) -> MadeLedger:
        """An intent without an outcome."""
        made.ledger.append(Draft(event=Event.RESTORE_RUN, phase=Phase.INTENT, target="lab"))
        return made

    def test_its_process_is_gone(self, pristine: Known, begun: MadeLedger) -> None:
        """It crashed, or somebody hid what happened."""
        report = verify(begun, anchored(pristine))
        assert told(report) == [(Verdict.DANGLING, "intent-open", SIZE)]
        assert report.findings[0].message.startswith("entry 37, restore.run of lab at 20")

    def test_its_process_runs(self, pristine: Known, begun: MadeLedger) -> None:
        """It is not over yet: a remark; not after another start of the machine."""
        report = verify(begun, anchored(pristine), running=lambda pid, _: pid == 4711)
        assert told(report) == []
        assert report.remarks[0].endswith("is still running")
        report = verify(begun, anchored(pristine), running=lambda _pid, _: True, boot="other")
        assert told(report) == [(Verdict.DANGLING, "intent-open", SIZE)]


def test_messages_hold_names_and_counts_only(pristine: Known, made: MadeLedger) -> None:
    """What is shown of a damaged line is its number, never its text."""
    secret = b"zhang-san-13800001111"
    made.edit(lambda lines: lines.insert(5, secret + b"\n"))
    made.edit(lambda lines: lines.append(secret), segment=2)
    report = verify(made, anchored(pristine))
    assert len(report.findings) == 2
    assert secret.decode() not in repr(report)
