"""Torn tails: a writer dies at every byte, and so does the one that tells of it."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from dbops.audit.entry import Count, DigestOf, Draft, Event
from dbops.audit.scan import Scan, TornTail, entries
from dbops.audit.torn import Region, telling, tells_of
from dbops.errors import Failed
from tests.audit.made_ledger import Made, intent

NAME = "000000000000.jsonl"


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes the power away here; what a crash leaves is written by hand."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


class Bench:
    """One directory in which a ledger is laid out again and again, with its cache as it was."""

    def __init__(self, directory: Path, entries_before: int) -> None:
        self.made = Made(directory)
        self.made.fill(max(1, entries_before - 1))
        self.whole = b"".join(self.made.text().splitlines(keepends=True)[:entries_before])
        self._leaves = (directory / "tile" / "0").read_bytes()[: 32 * entries_before]

    def lay(self, rest: bytes) -> None:
        """As a crash left it: the whole entries, and this behind them."""
        (self.made.directory / "seg" / NAME).write_bytes(self.whole + rest)
        (self.made.directory / "tile" / "0").write_bytes(self._leaves)

    def written_by(self, draft: Draft, rest: bytes = b"") -> bytes:
        """What one append puts behind the rest."""
        self.lay(rest)
        self.made.append(draft)
        return self.made.text()[len(self.whole) + len(rest) :]

    def mended(self, rest: bytes) -> Scan:
        """The ledger after one more append: intact, nothing cut off, and the entry at its end."""
        self.lay(rest)
        before = self.made.text()
        number = self.made.append(intent())
        assert self.made.text().startswith(before)
        seen = self.made.scan()
        assert (seen.faults, seen.tail_torn, seen.size) == ((), None, number + 1)
        assert self.made.ledger().tiles.size == seen.size
        return seen


@pytest.mark.parametrize("before", [0, 3], ids=["opening", "later"])
def test_a_writer_may_die_at_every_byte(tmp_path: Path, before: int) -> None:
    """The beginning of a line is told of, and a line that lacks only its newline is an entry."""
    bench = Bench(tmp_path, before)
    line = bench.written_by(intent()).splitlines(keepends=True)[0]
    offset = len(bench.whole)
    for cut in range(len(line) + 1):
        seen = bench.mended(line[:cut])
        if cut == 0 or cut >= len(line) - 1:
            assert seen.torn == ()
            assert seen.size == max(before, 1) + 1 + (cut > 0 and before > 0)
        else:
            # The opening tells of its own torn beginnings; every other tail gets an entry.
            assert seen.torn == (TornTail(NAME, offset, cut, before),)
            assert seen.size == before + 2


def test_a_torn_tail_is_told_with_its_place_length_and_digest(tmp_path: Path) -> None:
    """The bytes stay, a newline ends them, and the entry behind them says what they are."""
    bench = Bench(tmp_path, 3)
    torn = bench.written_by(intent())[:100]
    bench.mended(torn)
    *_, told, last = entries(bench.made.segments)
    assert bench.made.text()[len(bench.whole) :].startswith(torn + b"\n")
    assert told.draft == Draft(
        event=Event.LEDGER_TORN,
        counts={Count.OFFSET: len(bench.whole), Count.LENGTH: 100},
        digests={DigestOf.TORN: sha256(torn).hexdigest()},
    )
    assert (told.sequence, last.sequence, last.draft) == (3, 4, intent())


@pytest.mark.parametrize(
    ("before", "cut"),
    [
        (3, 150),
        *(pytest.param(n, c, marks=pytest.mark.sweep) for n in (0, 3) for c in range(1, 330, 13)),
    ],
)
def test_the_one_who_tells_may_die_at_every_byte(tmp_path: Path, before: int, cut: int) -> None:
    """Its newline, its entry and the entry behind that may be torn in their turn, at every byte."""
    bench = Bench(tmp_path, before)
    torn = bench.written_by(intent()).splitlines()[0][:cut]
    behind = bench.written_by(intent(), torn)
    told, asked = (behind.find(b"\n", 1), len(behind) - 1)
    for died in range(len(behind) + 1):
        seen = bench.mended(torn + behind[:died])
        if died <= 1:
            assert [tail.length for tail in seen.torn] == [cut]
        elif died < told:
            assert [tail.length for tail in seen.torn] == [cut + died]
        elif died <= told + 1 or died >= asked:
            assert [tail.length for tail in seen.torn] == [cut]
        else:
            assert [tail.length for tail in seen.torn] == [cut, died - told - 1]


def test_one_may_die_after_the_other(tmp_path: Path) -> None:
    """Ten writers that die one behind the other leave one tail, which one entry tells of."""
    bench = Bench(tmp_path, 2)
    torn = b""
    for length in range(20, 220, 20):
        torn += bench.written_by(intent(), torn)[:length]
    assert torn.count(b"\n") == 9
    seen = bench.mended(torn)
    assert [tail.length for tail in seen.torn] == [len(torn)]


def test_power_failures_leave_zeros(tmp_path: Path) -> None:
    """Bytes that never reached the disk come back as zeros: before, within or instead of a line."""
    bench = Bench(tmp_path, 2)
    line = bench.written_by(intent())
    for rest in (
        bytes(4096),
        line[:200] + bytes(len(line) - 200),
        bytes(200) + line[200:],
        bytes(len(line) - 1) + b"\n",
        b"\n",
        b"\n\n",
        line[:-1] + bytes(1),
    ):
        seen = bench.mended(rest)
        assert [tail.length for tail in seen.torn] == [len(rest) - rest.endswith(b"\n")]


def test_a_tail_that_no_crash_leaves_stops(tmp_path: Path) -> None:
    """A whole entry that does not continue the chain was put there by somebody."""
    bench = Bench(tmp_path, 2)
    line = bench.written_by(intent())
    bench.lay(line[:-1].replace(b'"seq":2', b'"seq":3'))
    with pytest.raises(Failed) as caught:
        bench.made.append()
    assert caught.value.message == (
        "the ledger is damaged: entry 3 does not fit to what stands before it"
    )


def test_a_torn_tail_stays_in_its_segment(tmp_path: Path) -> None:
    """What tells of it stands directly behind it, and the new month's segment begins after that."""
    bench = Bench(tmp_path, 3)
    bench.lay(b'{"v":1,')
    bench.made.clock.move(days=20)
    bench.made.append(intent())
    assert [path.name for path in bench.made.segments.files()] == [NAME, "000000000004.jsonl"]
    assert bench.made.scan().faults == ()


REGION = Region(NAME, 100, b"torn\nand torn")


def test_only_the_entry_directly_behind_tells_of_a_tail(tmp_path: Path) -> None:
    """Another place, length, digest, segment or event says nothing of it."""
    bench = Bench(tmp_path, 1)
    told = telling(Draft(event=Event.LEDGER_TORN), REGION)
    cases = {
        "right": (told, NAME, REGION, True),
        "segment": (told, "000000000001.jsonl", REGION, False),
        "offset": (told, NAME, Region(NAME, 101, REGION.data), False),
        "length": (told, NAME, Region(NAME, 100, REGION.data + b"\n"), False),
        "digest": (told, NAME, Region(NAME, 100, REGION.data.upper()), False),
        "event": (telling(intent(), REGION), NAME, REGION, False),
        "nothing": (Draft(event=Event.LEDGER_TORN), NAME, REGION, False),
    }
    for name, (draft, segment, region, answer) in cases.items():
        line = bench.written_by(draft)[:-1]
        assert tells_of(line, segment, region) is answer, name
    assert not tells_of(b"torn", NAME, REGION)
