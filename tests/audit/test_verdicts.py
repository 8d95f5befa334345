"""Each thing that can be done to a ledger has its own verdict, and names the entries it concerns.

The ledger has three segments, entries 0 to 12, 13 to 24 and 25 to 36, and checkpoints over 25
entries and over all 37, the second one anchored.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.audit.checkpoint import Checkpoint, sign_checkpoint
from dbops.audit.entry import Draft, Event
from dbops.audit.findings import KnownCheckpoint, Verdict
from dbops.audit.known import kept_checkpoints
from dbops.audit.tree import root_at
from dbops.errors import NotFound
from tests.audit.ledgers import Clock, MadeLedger, make_ledger, new_signer
from tests.audit.tampering import (
    NO_ANCHOR,
    append_bytes,
    append_line,
    change_line,
    change_number,
    change_prev,
    cut_in_line,
    delete,
    insert,
    insert_garbage,
    insert_unlinked,
    make_garbage,
    rechain,
    repeat,
    repeat_elsewhere,
    swap,
    told,
    verify,
)

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


def anchored(pristine: Known) -> KnownCheckpoint:
    """The checkpoint over everything, as the hospital keeps it."""
    return KnownCheckpoint("anchor hospital", pristine.note, anchored=True)


def test_an_untouched_ledger_is_whole(pristine: Known) -> None:
    """Nothing is found; the report says how far it is anchored."""
    report = verify(pristine.made, anchored(pristine), *kept_checkpoints(pristine.made.segments))
    assert told(report) == []
    assert report.ok
    assert (report.size, report.anchored_size, report.exposed_since) == (SIZE, SIZE, None)
    assert report.remarks == ()


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


@pytest.mark.parametrize("size", [5, 6, 7, 12, 13])
def test_a_broken_chain_is_no_fork(pristine: Known, made: MadeLedger, size: int) -> None:
    """A checkpoint beside the changed line adds no second verdict."""
    made.edit(change_line(5))
    note = KnownCheckpoint("report", _at_most(pristine, size))
    assert told(verify(made, anchored(pristine), note)) == [(EDITED, "line-edited", 5)]


def test_a_cache_that_cannot_be_read_is_no_finding(pristine: Known, made: MadeLedger) -> None:
    """It is only a cache: what a power failure took of it says nothing of the lines."""
    (made.directory / "tile").mkdir()
    (made.directory / "tile" / "0").mkdir()
    assert verify(made, anchored(pristine), cache=True).ok
    shutil.rmtree(made.directory / "tile")
    shutil.copytree(pristine.made.directory / "tile", made.directory / "tile")
    whole = (made.directory / "tile" / "0").read_bytes()
    (made.directory / "tile" / "0").write_bytes(whole[:-32] + bytes(32))
    assert verify(made, anchored(pristine), cache=True).ok


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


@settings(deadline=None, max_examples=60)  # a verification waits for the disk
@given(data=st.data())
def test_nothing_that_is_anchored_can_be_changed(
    pristine: Known, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever happens to whichever bytes of the segments, the ledger is not whole any more."""
    made = pristine.made.copy(tmp_path_factory.mktemp("copy") / "audit")
    path = data.draw(st.sampled_from(made.files))
    whole = path.read_bytes()
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, min(len(whole), begin + 1000)))
    source = data.draw(st.sampled_from([b"", b"\n", whole[: end - begin], whole[end : 2 * end]]))
    changed = whole[:begin] + source + whole[end:]
    path.write_bytes(changed)
    report = verify(made, anchored(pristine), cache=data.draw(st.booleans()))
    assert report.ok is (changed == whole)
    shutil.rmtree(made.directory.parent)


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
        assert told(verify(made, policy=NO_ANCHOR)) == []
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
            "whoever is root on this host can rewrite all that comes after entry 36",
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
