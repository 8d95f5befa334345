"""One pass: what an intact ledger is said to hold, and what is wrong with one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.audit import segments as reading
from dbops.audit.entry import Draft, Event, Phase
from dbops.audit.links import damaged, entries_about_work
from dbops.audit.scan import (
    ChainFault,
    FaultKind,
    Month,
    OpenIntent,
    Silence,
    TornTail,
    entries,
    entry_at,
    line_at,
    links,
    scan,
)
from dbops.audit.timeline import Clock
from dbops.errors import Failed, NotFound
from tests.audit import rfc9162
from tests.audit.made_ledger import ACTOR, BOOT, ORIGIN, START, Made, heartbeat, intent, outcome

NAME = "000000000000.jsonl"
Lines = list[bytes]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "audit")


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """The lines of an intact ledger of ten entries."""
    made = Made(tmp_path_factory.mktemp("ten"))
    made.fill(9)
    return made.text().splitlines()


def laid(made: Made, lines: Lines, end: bytes = b"\n") -> Made:
    """The ledger with these lines in its only segment."""
    (made.directory / "seg").mkdir(parents=True, exist_ok=True)
    (made.directory / "seg" / NAME).write_bytes(b"\n".join(lines) + end)
    return made


def edited(line: bytes) -> bytes:
    return line.replace(b'"uid":0', b'"uid":7')


def test_an_intact_ledger_is_what_its_lines_are(made: Made) -> None:
    """Size, root and the roots of its beginnings, as RFC 9162 has them, across segments."""
    ledger = made.ledger(segment_most=2000)
    for _ in range(12):
        ledger.append(heartbeat())
    lines = made.text().splitlines()
    assert len(made.segments.files()) > 2
    seen = scan(made.segments, roots=range(15), times=(0, 12, 13))
    assert (seen.size, seen.faults, seen.torn) == (13, (), ())
    assert seen.root == rfc9162.mth(lines)
    assert seen.roots == {size: rfc9162.mth(lines[:size]) for size in range(14)}
    assert seen.times == {0: START, 12: START}
    assert (seen.origin, seen.first_at, seen.last_at) == (ORIGIN, START, START)


def test_a_ledger_without_entries_is_empty(made: Made) -> None:
    """Nothing is wrong with it."""
    made.directory.mkdir()
    seen = scan(made.segments, roots=(0,))
    assert (seen.size, seen.faults, seen.origin, seen.last_at) == (0, (), None, None)
    assert seen.roots == {0: sha256(b"").digest()}
    assert [*entries(made.segments)] == []


def fault(kind: FaultKind, sequence: int, count: int = 1) -> tuple[FaultKind, int, int]:
    return kind, sequence, count


TAMPERINGS: dict[str, tuple[Callable[[Lines], Lines], list[tuple[FaultKind, int, int]]]] = {
    "a value edited": (
        lambda x: [*x[:4], edited(x[4]), *x[5:]],
        [fault(FaultKind.EDITED, 4)],
    ),
    "a byte of the form edited": (
        lambda x: [*x[:4], x[4].replace(b'"phase"', b'"phrase"'), *x[5:]],
        [fault(FaultKind.EDITED, 4)],
    ),
    "a byte of the end edited": (
        lambda x: [*x[:4], x[4][:-1] + b")", *x[5:]],
        [fault(FaultKind.EDITED, 4)],
    ),
    "a number edited": (
        lambda x: [*x[:4], x[4].replace(b'"seq":4', b'"seq":6'), *x[5:]],
        [fault(FaultKind.EDITED, 4)],
    ),
    "the opening edited": (
        lambda x: [edited(x[0]), *x[1:]],
        [fault(FaultKind.EDITED, 0)],
    ),
    "two values edited": (
        lambda x: [*x[:2], edited(x[2]), *x[3:6], edited(x[6]), *x[7:]],
        [fault(FaultKind.EDITED, 2), fault(FaultKind.EDITED, 6)],
    ),
    "two values edited side by side": (
        lambda x: [*x[:2], edited(x[2]), edited(x[3]), *x[4:]],
        [fault(FaultKind.EDITED, 2, 2)],
    ),
    "two lines made nonsense": (
        lambda x: [*x[:2], b"nonsense", b"", *x[4:]],
        [fault(FaultKind.EDITED, 2, 2)],
    ),
    "one line of two left out, the other nonsense": (
        lambda x: [*x[:2], b"nonsense", *x[4:]],
        [fault(FaultKind.EDITED, 2), fault(FaultKind.MISSING, 3)],
    ),
    "a line left out": (lambda x: [*x[:4], *x[5:]], [fault(FaultKind.MISSING, 4)]),
    "three lines left out": (lambda x: [*x[:4], *x[7:]], [fault(FaultKind.MISSING, 4, 3)]),
    "the beginning left out": (lambda x: x[3:], [fault(FaultKind.MISSING, 0, 3)]),
    "two lines exchanged": (
        lambda x: [*x[:4], x[5], x[4], *x[6:]],
        [fault(FaultKind.REORDERED, 4)],
    ),
    "a line moved back": (
        lambda x: [*x[:3], *x[4:8], x[3], *x[8:]],
        [fault(FaultKind.REORDERED, 3)],
    ),
    "a line twice": (lambda x: [*x[:5], x[4], *x[5:]], [fault(FaultKind.REORDERED, 4)]),
    "a line put in": (
        lambda x: [*x[:5], b"nonsense", *x[5:]],
        [fault(FaultKind.EDITED, 5)],
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
@pytest.mark.parametrize("block", [1, 700, 1 << 20])
def test_one_tampering_is_one_fault(
    made: Made, ten: Lines, name: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the lines are cut into blocks, and whatever way a block was looked at."""
    monkeypatch.setattr(reading, "_BLOCK", block)
    tamper, expected = TAMPERINGS[name]
    seen = laid(made, tamper(ten)).scan()
    assert [(found.kind, found.sequence, found.count) for found in seen.faults] == (
        expected if name != "the beginning left out" else [*expected, (FaultKind.MISNAMED, 3, 1)]
    )
    assert seen.size == 10
    assert seen.tail_torn is None
    with pytest.raises(Failed):
        list(links(made.segments))


def test_a_fault_says_where_it_was_noticed(made: Made, ten: Lines) -> None:
    """An edited line is noticed at the one behind it."""
    lines = [*ten[:4], edited(ten[4]), *ten[5:]]
    seen = laid(made, lines).scan()
    offset = sum(len(line) + 1 for line in lines[:5])
    assert seen.faults == (ChainFault(FaultKind.EDITED, 4, 1, NAME, offset),)


def test_the_tree_ends_before_the_first_fault(made: Made, ten: Lines) -> None:
    """Roots of what stands before it are still told, and no others."""
    laid(made, [*ten[:4], *ten[5:]])
    seen = scan(made.segments, roots=(3, 4, 5, 9, 10))
    assert seen.roots == {size: rfc9162.mth(ten[:size]) for size in (3, 4)}
    assert seen.root == rfc9162.mth(ten[:4])


def test_a_segment_under_another_name_is_named(made: Made) -> None:
    """Entries are looked for by the names of segments."""
    made.fill(2)
    made.clock.move(days=20)
    made.fill(3)
    made.newest().rename(made.segments.path_of(4))
    assert [(found.kind, found.sequence) for found in made.scan().faults] == [
        (FaultKind.MISNAMED, 3)
    ]


def test_a_segment_that_is_gone_is_missing(made: Made) -> None:
    """With all its entries."""
    for _ in range(3):
        made.fill(2)
        made.clock.move(days=31)
    assert [path.name for path in made.segments.files()][1] == "000000000003.jsonl"
    made.segments.path_of(3).unlink()
    assert [(found.kind, found.sequence, found.count) for found in made.scan().faults] == [
        (FaultKind.MISSING, 3, 2)
    ]


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["open", "ended"])
def test_a_tail_that_nobody_told_of_yet_is_torn_and_no_fault(
    made: Made, ten: Lines, end: bytes
) -> None:
    """Its writer died just now; a whole entry without its newline is a tail, too."""
    whole = sum(len(line) + 1 for line in ten[:9])
    for rest in (ten[9][:50], ten[9]) if not end else (ten[9][:50],):
        seen = laid(made, [*ten[:9], rest], end).scan()
        assert seen.faults == ()
        assert seen.size == 9
        assert seen.tail_torn == TornTail(NAME, whole, len(rest), None)
        assert len([*entries(made.segments)]) == 9


def test_torn_bytes_that_were_changed_are_a_fault(made: Made) -> None:
    """What the ledger tells of them is checked."""
    made.fill(2)
    with made.newest().open("ab") as file:
        file.write(b"torn")
    made.fill(2)
    assert [tail.sequence for tail in made.scan().torn] == [3]
    made.newest().write_bytes(made.text().replace(b"torn\n", b"tarn\n"))
    seen = made.scan()
    assert [(found.kind, found.sequence) for found in seen.faults] == [(FaultKind.EDITED, 3)]
    assert seen.torn == ()


def test_intents_without_an_end_are_open(made: Made) -> None:
    """An outcome or a closing ends one; whose process it was stands with it."""
    ledger = made.ledger()
    for target in ("lab", "oa", "pacs"):
        ledger.append(intent(target))
    ledger.append(outcome(1))
    ledger.append(Draft(event=Event.LEDGER_CLOSE, of=3, reason="the host lost power"))
    assert made.scan().open_intents == (
        OpenIntent(2, Event.BACKUP_RUN, "oa", None, START, BOOT, ACTOR.pid, ACTOR.started),
    )


def test_silence_and_months_are_told(made: Made) -> None:
    """Between which entries, and from which entry on a month is counted."""
    steps = [0.0, 23.9, 24.1, 3.0, 151.0, 1.0]
    times = []
    for hours in steps:
        made.clock.move(hours=hours)
        times.append(made.clock.now)
        made.append()
    seen = scan(made.segments, silence=timedelta(hours=24))
    assert seen.silences == (
        Silence(2, times[1], times[2]),
        Silence(4, times[3], times[4]),
    )
    assert seen.months == (Month("2026-11", 0, 4), Month("2026-12", 5, 6))
    assert scan(made.segments).silences == ()


@given(st.lists(st.integers(-200, 200), max_size=30), st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_a_clock_that_jumps_does_not_hide_a_silence(steps: list[int], longest: int) -> None:
    """However it is set back and forth, every gap that is too long is told, and no other."""
    at, ats, expected = START, [START], []
    for number, hours in enumerate(steps):
        at += timedelta(hours=hours)
        ats.append(at)
        if hours > longest:
            expected.append((number, at - timedelta(hours=hours), at))
    clock = timeline_of(ats, timedelta(hours=longest))
    assert [(found.after, found.begin, found.end) for found in clock] == expected


def timeline_of(ats: list[datetime], longest: timedelta) -> list[Silence]:
    clock = Clock((), longest)
    texts = [f"{at:%Y-%m-%dT%H:%M:%S}".encode() for at in ats]
    clock.see(0, texts[:3])
    if texts[3:]:
        clock.see(3, texts[3:])
    return clock.silences


def test_a_day_that_no_calendar_has_ends_no_pass(made: Made, ten: Lines) -> None:
    """A forger's date is somebody's fault, not a traceback."""
    forged = ten[4].replace(b"2026-11-22", b"2026-02-30")
    seen = laid(made, [*ten[:4], forged, *ten[5:]]).scan()
    assert [found.sequence for found in seen.faults] == [4]


def test_one_entry_is_found_by_its_number(made: Made) -> None:
    """In any segment; one that is not there is said not to be."""
    ledger = made.ledger(segment_most=1500)
    for _ in range(9):
        ledger.append(heartbeat())
    lines = made.text().splitlines()
    for number, line in enumerate(lines):
        assert line_at(made.segments, number) == line
        assert entry_at(made.segments, number).sequence == number
    with pytest.raises(NotFound) as caught:
        entry_at(made.segments, 10)
    assert caught.value.message == "the ledger has no entry 10"
    assert caught.value.hint == "see which there are: dbops audit log --last 20"


def test_entries_stop_before_the_first_that_does_not_fit(made: Made, ten: Lines) -> None:
    """What was yielded until then is intact."""
    laid(made, [*ten[:4], edited(ten[4]), *ten[5:]])
    found: list[int] = []
    with pytest.raises(Failed) as caught:
        found.extend(entry.sequence for entry in entries(made.segments))
    assert caught.value.message == (
        "the ledger is damaged: entry 5 does not fit to what stands before it"
    )
    assert caught.value.hint == damaged("x").hint


def test_entries_about_work_are_those_that_name_one(made: Made) -> None:
    """None of them is left out, whatever else stands between; the chain is checked all the same."""
    ledger = made.ledger()
    named = [
        entry.sequence
        for entry in (
            ledger.append(heartbeat()),
            ledger.append(Draft(event=Event.REVIEW_SEEN, work="2026-1")),
            ledger.append(intent(target="work")),
            ledger.append(replace(intent(), work="2026-1")),
        )
        if entry.draft.work is not None
    ]
    assert len(named) == 2
    assert [entry.sequence for entry in entries_about_work(made.segments)] == named
    made.newest().write_bytes(edited(made.text()))
    with pytest.raises(Failed):
        list(entries_about_work(made.segments))


def test_an_entry_of_unknown_form_is_not_yielded(made: Made, ten: Lines) -> None:
    """Even where its chain is in order."""
    last = ten[9].replace(b"ledger.heartbeat", b"ledger.heartbeats")
    laid(made, [*ten[:9], last])
    assert made.scan().faults == ()
    with pytest.raises(Failed) as caught:
        list(entries(made.segments))
    assert caught.value.message == (
        "the ledger is damaged: entry 9 is not in the form that is written"
    )


def test_links_carry_the_leaf_hash(made: Made, ten: Lines) -> None:
    """From any number on."""
    laid(made, ten)
    for start in (0, 4, 9, 10):
        assert [*links(made.segments, start)] == [
            (number, ten[number], sha256(b"\0" + ten[number]).digest())
            for number in range(start, 10)
        ]


def test_phases_are_read_from_the_head_of_a_line(made: Made) -> None:
    """A record that answers nothing opens nothing."""
    made.append(Draft(event=Event.BACKUP_RUN, phase=Phase.RECORD))
    assert made.scan().open_intents == ()
