"""Appending: durable when it returns, in order, in the right segment, and stopped by doubt."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from dbops.audit.append import Ledger, LedgerPlace
from dbops.audit.entry import Draft, Entry, Event, Label, decode
from dbops.audit.scan import entries
from dbops.errors import DbopsError, Failed, Unreachable
from tests.audit import rfc9162
from tests.audit.made_ledger import (
    ACTOR,
    BOOT,
    ORIGIN,
    START,
    ZONE,
    Made,
    heartbeat,
    intent,
    outcome,
)

DAMAGED_HINT = "see all that is wrong with it: dbops audit verify"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "audit")


def stopped(made: Made) -> str:
    """What the ledger says that will not be appended to; nothing is written."""
    before = made.text()
    with pytest.raises(Failed) as caught:
        made.append()
    assert (caught.value.code, caught.value.hint) == ("ledger-damaged", DAMAGED_HINT)
    assert made.text() == before
    return caught.value.message


def test_the_first_entry_opens_the_ledger(made: Made) -> None:
    """Entry 0 names the ledger; what was asked for is entry 1."""
    entry = made.ledger().append(intent())
    opening, first = entries(made.segments)
    assert first == entry
    assert (opening.draft.event, opening.draft.names) == (
        Event.LEDGER_OPEN,
        {Label.ORIGIN: ORIGIN},
    )
    assert (opening.sequence, opening.previous, entry.sequence) == (0, "0" * 64, 1)


def test_an_entry_says_who_when_and_where(made: Made) -> None:
    """The caller says what was done, and the ledger the rest."""
    made.clock.now = START.astimezone(ZONE) + timedelta(microseconds=5)
    assert made.ledger().append(intent()) == Entry(
        sequence=1,
        previous=sha256(b"\0" + made.text().splitlines()[0]).hexdigest(),
        at=START,
        offset=480,
        host="db-host-1",
        boot=BOOT,
        actor=ACTOR,
        tool="dbops 0.2.0",
        draft=intent(),
    )


def test_each_line_carries_the_hash_of_the_line_before(made: Made) -> None:
    """As anybody can check with sha256sum: a zero byte, then the line."""
    for _ in range(5):
        made.append()
    before = "0" * 64
    for number, line in enumerate(made.text().splitlines()):
        value = json.loads(line)
        assert (value["seq"], value["prev"]) == (number, before)
        before = sha256(b"\0" + line).hexdigest()


def test_the_cache_holds_the_tree_of_the_lines(made: Made) -> None:
    """The leaves that the cache has are those of an independent reading of the lines."""
    made.fill(20)
    tiles = made.ledger().tiles
    lines = made.text().splitlines()
    assert [tiles.leaf(n) for n in range(tiles.size)] == [rfc9162.mth([line]) for line in lines]


def test_the_ledger_is_for_its_account_alone(made: Made) -> None:
    """Who reads it may learn who keeps what; whoever is to read it is let in by a person."""
    old = os.umask(0)
    try:
        made.append()
    finally:
        os.umask(old)
    modes = {
        path.relative_to(made.directory).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [made.directory, *made.directory.rglob("*")]
        if not path.is_relative_to(made.directory / "tile")
    }
    assert modes == {".": 0o700, "lock": 0o600, "seg": 0o700, "seg/000000000000.jsonl": 0o600}


def test_several_ledgers_of_one_process_take_turns(made: Made) -> None:
    """Each append looks at the disk anew."""
    one, other = made.ledger(), made.ledger()
    numbers = [ledger.append(heartbeat()).sequence for ledger in (one, other, one, one, other)]
    assert numbers == [1, 2, 3, 4, 5]
    assert made.scan().faults == ()
    assert one.size == other.size == 6
    assert Made(made.directory / "none").ledger().size == 0


def test_a_month_begins_a_segment(made: Made) -> None:
    """A segment's name is its first entry's number."""
    made.fill(2)
    made.clock.move(days=9)  # the first of December in UTC
    made.fill(2)
    made.clock.move(days=-3)  # a clock that was set back does not go back to the old one
    made.fill(1)
    names = [path.name for path in made.segments.files()]
    assert names == ["000000000000.jsonl", "000000000003.jsonl"]
    assert made.scan().faults == ()


def test_a_segment_that_has_its_bytes_gets_no_more(made: Made) -> None:
    """So that it can be copied, checked and archived as it is."""
    ledger = made.ledger(segment_most=1000)
    for _ in range(9):
        ledger.append(heartbeat())
    sizes = [extent.size for extent in made.segments.extents()]
    assert len(sizes) > 2
    assert all(1000 <= size < 1500 for size in sizes[:-1])
    assert made.scan().faults == ()
    assert made.scan().size == 10


def test_an_empty_segment_is_filled(made: Made) -> None:
    """A writer that died after making the file has done no harm."""
    made.fill(2)
    made.segments.path_of(3).touch()
    assert made.append() == 3
    assert made.scan().faults == ()
    assert [path.stat().st_size > 0 for path in made.segments.files()] == [True, True]


@pytest.mark.parametrize("first", [2, 4])
def test_an_empty_segment_of_another_number_is_no_crash(made: Made, first: int) -> None:
    """What stood in it is gone."""
    made.fill(2)
    made.segments.path_of(first).touch()
    words = f"the ledger is damaged: entries before number {first} are missing"
    assert stopped(made) == words


def test_a_ledger_of_another_origin_is_not_continued(made: Made) -> None:
    """Two hosts, or a renamed one, do not write one ledger."""
    made.append()
    with pytest.raises(Failed) as caught:
        made.ledger(origin="hospital/main/dbops/other").append(heartbeat())
    assert caught.value.message == (
        "the ledger is damaged: its first entry does not open hospital/main/dbops/other"
    )


def test_a_last_entry_of_unknown_form_stops(made: Made) -> None:
    """An entry that this tool cannot read may have been edited."""
    made.append()
    made.newest().write_bytes(made.text().replace(b"ledger.heartbeat", b"ledger.heartbreak"))
    assert stopped(made) == (
        "the ledger is damaged: its last line is not in the form that is written"
    )


def test_an_edited_last_entry_stops(made: Made) -> None:
    """The cache knows what was written."""
    made.append(intent("lab"))
    made.newest().write_bytes(made.text().replace(b'"lab"', b'"lib"'))
    assert stopped(made) == "the ledger is damaged: entry 1 is not the one that was written"


def test_an_edited_last_entry_stops_even_where_the_cache_lags(made: Made) -> None:
    """The lines that it lacks must continue those that it has."""
    made.fill(3)
    tiles = made.directory / "tile"
    kept = (tiles / "0").read_bytes()
    made.append()
    (tiles / "0").write_bytes(kept)
    lines = made.text().splitlines()
    forged = lines[3].replace(b'"pid":4321', b'"pid":4322')
    old, new = (sha256(b"\0" + line).hexdigest().encode() for line in (lines[3], forged))
    made.newest().write_bytes(
        b"".join(line + b"\n" for line in [*lines[:3], forged, lines[4].replace(old, new)])
    )
    assert stopped(made) == "the ledger is damaged: entry 3 is not the one that was written"


def test_a_ledger_that_got_shorter_stops(made: Made) -> None:
    """Cut to fewer whole lines, or emptied, or gone."""
    made.fill(3)
    whole = made.text().splitlines(keepends=True)
    made.newest().write_bytes(b"".join(whole[:2]))
    assert stopped(made) == "the ledger is damaged: it once had 4 entries, and 2 are there"
    made.newest().write_bytes(b"")
    assert stopped(made) == "the ledger is damaged: it once had 4 entries, and 0 are there"
    made.newest().unlink()
    assert stopped(made) == "the ledger is damaged: it once had 4 entries, and 0 are there"


def test_a_broken_link_behind_the_cache_stops(made: Made) -> None:
    """A cache that is made anew is made of lines that fit together."""
    made.fill(4)
    made.newest().write_bytes(made.text().replace(b'"seq":2', b'"seq":7'))
    for path in (made.directory / "tile").iterdir():
        path.unlink()
    assert stopped(made) == ("the ledger is damaged: entry 7 does not fit to what stands before it")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tile: tile.unlink(),
        lambda tile: os.truncate(tile, 0),
        lambda tile: os.truncate(tile, 70),
        lambda tile: tile.write_bytes(tile.read_bytes() + b"torn"),
        lambda tile: tile.write_bytes(tile.read_bytes()[:-32] + bytes(32)),
        lambda tile: tile.write_bytes(bytes(tile.stat().st_size)),
    ],
    ids=["gone", "empty", "short", "torn", "zero-at-the-end", "zeros"],
)
def test_a_cache_that_a_power_failure_spoilt_is_made_anew(
    made: Made, spoil: Callable[[Path], object]
) -> None:
    """It is not durable, and says nothing against the lines."""
    made.fill(5)
    spoil(made.directory / "tile" / "0")
    assert made.append() == 6
    tiles = made.ledger().tiles
    leaves = [rfc9162.mth([line]) for line in made.text().splitlines()]
    assert [tiles.leaf(n) for n in range(tiles.size)] == leaves


def test_a_cache_that_cannot_be_written_stops_nothing(made: Made) -> None:
    """The line is durable, and that is what counts."""
    made.directory.mkdir()
    (made.directory / "tile").write_bytes(b"a file where a directory should be")
    ledger = made.ledger()
    assert [ledger.append(heartbeat()).sequence for _ in range(3)] == [1, 2, 3]
    (made.directory / "tile").unlink()
    made.append()
    assert made.ledger().tiles.size == 5


def test_what_an_entry_cannot_hold_is_not_written(made: Made) -> None:
    """A host's name that breaks the form of a line would look like a torn one ever after."""
    made.append()
    before = made.text()
    place = LedgerPlace(made.directory, ORIGIN, "db", 'dbops "evil"')
    with pytest.raises(Failed) as caught:
        Ledger(place, made.clock, ACTOR, BOOT, ZONE).append(heartbeat())
    assert caught.value.code == "ledger-entry-form"
    with pytest.raises(Failed) as caught:
        made.append(Draft(event=Event.BACKUP_RUN, approvals=("ab" * 32,) * 1000))
    assert caught.value.code == "ledger-entry-long"
    assert made.text() == before


def durable_steps(made: Made, patch: pytest.MonkeyPatch) -> list[str]:
    """What one append of a new process writes and syncs, in order, without the cache."""
    steps: list[str] = []
    write, fsync = os.write, os.fsync

    def name_of(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        return path.relative_to(made.directory.parent).as_posix()

    def noted_write(descriptor: int, data: bytes) -> int:
        steps.append(f"write {name_of(descriptor)}")
        return write(descriptor, data)

    def noted_fsync(descriptor: int) -> None:
        steps.append(f"fsync {name_of(descriptor)}")
        fsync(descriptor)

    with patch.context() as inner:
        inner.setattr(os, "write", noted_write)
        inner.setattr(os, "fsync", noted_fsync)
        made.append()
    return steps


def test_an_entry_and_the_way_to_it_are_on_the_disk(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One write, then its fsync; a new process trusts no name that it has not synced itself."""
    one = "audit/seg/000000000000.jsonl"
    names = ["fsync audit/seg", "fsync audit", "fsync ."]
    made_first = ["fsync .", "fsync audit"]
    first = durable_steps(made, monkeypatch)
    assert first == [
        *made_first,
        f"write {one}",
        f"fsync {one}",
        *names,
        f"write {one}",
        f"fsync {one}",
    ]
    assert durable_steps(made, monkeypatch) == [f"write {one}", f"fsync {one}", *names]
    made.clock.move(days=20)
    two = "audit/seg/000000000003.jsonl"
    # What an earlier writer may have left unsynced is on the disk before anything stands behind it.
    assert durable_steps(made, monkeypatch) == [
        f"fsync {one}",
        f"write {two}",
        f"fsync {two}",
        *names,
    ]


class Faulty:
    """Lets one of the calls that reach the disk fail, or fail after it took place."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.count = 0
        self._at, self._after = at, after
        for name in ("open", "write", "fsync"):
            patch.setattr(os, name, self._failing(getattr(os, name)))

    def _failing(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            self.count += 1
            if self.count != self._at:
                return real(*arguments, **options)
            if self._after:
                real(*arguments, **options)
            raise OSError(errno.EIO, "made to fail")

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
def test_every_call_that_fails_once_is_an_error_or_did_not_matter(
    tmp_path: Path, torn: bool, after: bool
) -> None:
    """Whatever fails, wherever: the next append succeeds, and nothing acknowledged is lost."""
    position, fired = 0, True
    while fired:
        position += 1
        made = Made(tmp_path / str(position))
        if torn:
            made.fill(1)
            with made.newest().open("ab") as file:
                file.write(b'{"v":1,"se')
        with pytest.MonkeyPatch.context() as patch:
            faulty = Faulty(patch, position, after)
            acknowledged = appended_or_refused(made)
        fired = faulty.count >= position
        second = made.ledger().append(intent("second"))
        seen = made.scan()
        assert (seen.faults, seen.tail_torn) == ((), None)
        found = [*entries(made.segments)]
        assert found[-1] == second
        assert fired or acknowledged is not None
        assert acknowledged is None or acknowledged in found
    assert position > 10


def appended_or_refused(made: Made) -> Entry | None:
    """The entry, or None where the ledger said that it could not."""
    try:
        return made.ledger().append(intent("first"))
    except DbopsError as failure:
        if failure.code not in {"ledger-unwritable", "ledger-unreadable"}:
            raise
        return None


def test_what_is_missing_is_named(made: Made, tmp_path: Path) -> None:
    """A place where nothing can be made is an error with the system's name for it."""
    (tmp_path / "audit").write_bytes(b"a file")
    with pytest.raises(Unreachable) as caught:
        made.append()
    assert caught.value.code == "ledger-unwritable"
    assert caught.value.message == "the ledger cannot be written (ENOTDIR)"
    assert caught.value.hint == f"look at it: ls -la {made.directory}"


def test_the_answer_is_what_the_line_says(made: Made) -> None:
    """What `append` returns is what a reader will find."""
    first = made.ledger().append(intent())
    second = made.ledger().append(outcome(first.sequence))
    assert [decode(line) for line in made.text().splitlines()][1:] == [first, second]
