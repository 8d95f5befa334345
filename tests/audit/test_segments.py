"""Lines on disk: what is an entry, where the ledger ends, and how an entry is found."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.audit.entry import Draft, Event, Label, Phase
from dbops.audit.segments import (
    Extent,
    Segments,
    blocks,
    end_alike,
    first_entry,
    is_entry,
    locked,
    offset_near,
    sequence_of,
)
from dbops.errors import NotFound, Unreachable
from tests.audit.made_ledger import Made, heartbeat, intent, outcome

NAMED = Draft(
    event=Event.RESTORE_RUN,
    phase=Phase.INTENT,
    target="lab",
    work="restore-2026-11",
    names={Label.BACKUP: "a,'tool':'b{", Label.PATH: "/srv/检验 }"},
    approvals=("ab" * 32,),
)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "audit")


def extent_of(tmp_path: Path, data: bytes) -> Extent:
    path = tmp_path / "000000000000.jsonl"
    path.write_bytes(data)
    return Extent(path, 0, len(data))


def test_no_beginning_of_an_entry_is_an_entry(made: Made) -> None:
    """A torn line is never taken for a whole one, and neither are zeros of a power failure."""
    made.append(NAMED)
    made.append(intent())
    made.append(outcome(2))
    for line in made.text().splitlines():
        assert is_entry(line)
        for cut in range(len(line)):
            assert not is_entry(line[:cut])
            assert not is_entry(line[:cut] + bytes(len(line) - cut))
            assert not is_entry(bytes(cut + 1) + line[cut + 1 :])


def test_lines_that_end_alike_are_told_in_one_look(made: Made) -> None:
    """One line of another tool, cut short or with a zero in it, and they do not."""
    made.fill(3)
    lines = made.text().splitlines()
    assert end_alike(lines)
    for bad in (lines[1][:-1], lines[1].replace(b"0.2.0", b"0.3.0"), b"\0" + lines[1], b""):
        assert not end_alike([lines[0], bad, lines[2]])
        assert not end_alike([bad, lines[0]])


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")), max_size=20))
@settings(max_examples=50)
def test_blocks_hold_every_byte(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    """Lines and their offsets give back the file, whatever is in it."""
    data = b"\n".join(parts)
    extent = extent_of(tmp_path_factory.mktemp("seg"), data)
    found = [*blocks(extent)]
    again = b"".join(b"\n".join(block.lines) + b"\n" * block.whole for block in found)
    assert again == data
    assert all(data[block.offset :].startswith(block.lines[0]) for block in found)
    assert [block.whole for block in found[:-1]] == [True] * len(found[:-1])


def test_lines_longer_than_a_block_are_whole(tmp_path: Path) -> None:
    """Whatever stands there, a line is what lies between two newlines."""
    long = b"x" * (3 << 20)
    found = [*blocks(extent_of(tmp_path, b"a\n" + long + b"\nb\nrest"))]
    assert [line for block in found for line in block.lines] == [b"a", long, b"b", b"rest"]
    assert found[-1].offset == len(long) + 5
    assert not found[-1].whole


def test_the_lines_say_where_they_stand(made: Made) -> None:
    """Segment and offset lead back to the bytes."""
    made.fill(2)
    made.clock.move(days=20)
    made.fill(2)
    with made.newest().open("ab") as file:
        file.write(b"torn")
    found = [*made.segments.lines()]
    assert [line.whole for line in found] == [True] * 5 + [False]
    assert {line.segment for line in found} == {"000000000000.jsonl", "000000000003.jsonl"}
    for line in found:
        text = (made.directory / "seg" / line.segment).read_bytes()
        assert text[line.offset :].startswith(line.data)


def test_an_entry_is_found_by_halving(tmp_path: Path, made: Made) -> None:
    """Of a large segment only the neighbourhood of the entry is left to read."""
    made.fill(1)
    line = made.text().splitlines()[1]
    lines = [line.replace(b'"seq":1,', b'"seq":%d,' % number) for number in range(9000)]
    lines[4000:4000] = [b"torn"] * 50
    extent = extent_of(tmp_path, b"\n".join(lines) + b"\n")
    for sequence in (0, 1, 3999, 4000, 4001, 8999, 20_000):
        offset = offset_near(extent, sequence)
        block = next(blocks(extent, offset))
        assert sequence_of(block.lines[0]) <= sequence
        wanted = min(sequence, 8999)
        assert wanted - sequence_of(block.lines[0]) < 400


def test_the_first_entry_may_stand_behind_a_torn_one(tmp_path: Path, made: Made) -> None:
    """And there may be none."""
    made.fill(1)
    line = made.text().splitlines()[0]
    assert first_entry(extent_of(tmp_path, b"torn\n" + line + b"\n")) == line
    assert first_entry(extent_of(tmp_path, b"torn\n" + line)) is None


@pytest.mark.parametrize("garbage", [0, 1, 65_000, 70_000, 300_000])
def test_the_tail_is_what_stands_behind_the_last_entry(made: Made, garbage: int) -> None:
    """However long it is, and whatever newlines it has."""
    made.fill(1)
    whole = made.text()
    for rest in (b"x" * garbage, b"x" * garbage + b"\n", b"x\ny\n" * (garbage // 4)):
        made.newest().write_bytes(whole + rest)
        tail = made.segments.tail()
        assert tail.entry == whole.splitlines()[-1]
        assert (tail.end, tail.rest) == (len(whole), rest)


def test_other_files_are_no_segments(made: Made) -> None:
    """A copy that somebody left beside them is not read."""
    made.fill(1)
    (made.directory / "seg" / "000000000000.jsonl.bak").write_bytes(b"x")
    assert [path.name for path in made.segments.files()] == ["000000000000.jsonl"]


def test_a_ledger_that_is_not_there_is_said_to_be_missing(made: Made) -> None:
    """Reading makes nothing."""
    with pytest.raises(NotFound) as caught:
        made.segments.measure()
    assert caught.value.message == "there is no ledger here"
    assert caught.value.hint == "the first entry begins it: dbops audit heartbeat"
    assert made.segments.files() == ()
    assert not made.directory.exists()


def test_what_cannot_be_read_is_said_without_a_traceback(made: Made) -> None:
    """A segment that is a link is not followed."""
    made.fill(1)
    made.newest().rename(made.directory / "aside")
    (made.directory / "seg" / "000000000000.jsonl").symlink_to(made.directory / "aside")
    with pytest.raises(Unreachable) as caught:
        list(made.segments.lines())
    assert caught.value.code == "ledger-unreadable"
    assert caught.value.message == "the ledger cannot be read (ELOOP)"


def test_a_reader_waits_for_the_writer_and_not_for_good(made: Made) -> None:
    """A stopped process that holds the lock ends in an error that names the lock."""
    made.fill(1)
    lock = made.directory / "lock"
    with locked(lock, fcntl.LOCK_SH, os.O_RDONLY, 1), locked(lock, fcntl.LOCK_SH, os.O_RDONLY, 1):
        pass
    with (
        locked(lock, fcntl.LOCK_EX, os.O_RDWR),
        pytest.raises(Unreachable) as caught,
        locked(lock, fcntl.LOCK_SH, os.O_RDONLY, 0.01),
    ):
        pass
    assert caught.value.code == "ledger-busy"
    assert caught.value.message == "another process has held the ledger's lock for 0.01 seconds"


def test_a_lock_file_that_was_removed_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers with a lock of their own each would write over one another's sequence."""
    lock = tmp_path / "lock"
    real = os.open

    def open_and_lose(path: Path, flags: int, mode: int) -> int:
        descriptor = real(path, flags, mode)
        lock.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    holding = locked(lock, fcntl.LOCK_EX, os.O_RDWR | os.O_CREAT)
    with pytest.raises(Unreachable) as caught:
        holding.__enter__()
    assert caught.value.code == "ledger-busy"


def test_a_copy_without_a_lock_is_read(made: Made, tmp_path: Path) -> None:
    """An export or a backup of a ledger has no writer."""
    made.fill(2)
    copy = tmp_path / "copy" / "seg"
    copy.mkdir(parents=True)
    (copy / made.newest().name).write_bytes(made.text())
    assert len([*Segments(copy.parent).lines()]) == 3


def test_heartbeats_are_small(made: Made) -> None:
    """A year of them is not what fills the disk."""
    made.append(heartbeat())
    assert max(map(len, made.text().splitlines())) < 500
