"""Eight writers that are killed and started again, over and over: what they were told holds."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dbops.audit.scan import entries
from tests.audit import rfc9162
from tests.audit.made_ledger import Made
from tests.crash.processes import fresh_random, note

ROOT = Path(__file__).parents[2]
WRITERS = 8
LONGEST = 300.0  # seconds for the whole run

# Appends until it is killed, and says each number only when the ledger has acknowledged it. The
# name of the round stands in the entry, so that an acknowledgement belongs to one line only. The
# first writer has a slow disk that takes a line in pieces: it is the one that leaves torn tails.
WRITER = """
import os, sys, time
from pathlib import Path
from dbops.audit.entry import Draft, Event
from tests.audit.made_ledger import Made
made = Made(Path(sys.argv[1]))
most = int(sys.argv[3])
write = os.write
def write_a_piece(descriptor, data):
    time.sleep(0.0005)
    return write(descriptor, data[:100])
if sys.argv[2].startswith("w0"):
    os.write = write_a_piece
ledger = made.ledger(segment_most=200_000)
count = 0
while ledger.size < most:
    target = f"{sys.argv[2]}-{count}"
    entry = ledger.append(Draft(event=Event.BACKUP_RUN, target=target))
    write(1, f"{entry.sequence} {target}\\n".encode())
    count += 1
"""


@dataclass
class Writer:
    """One place among the eight: the process that runs there, and what all of them were told."""

    made: Made
    number: int
    most: int
    acknowledged: dict[int, str] = field(default_factory=dict)
    rounds: int = 0
    killed: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.rounds += 1
        name = f"w{self.number}-r{self.rounds}"
        with self.told.open("wb") as told:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WRITER, self.made.directory, name, str(self.most)],
                cwd=ROOT,
                stdout=told,
                start_new_session=True,
            )

    @property
    def told(self) -> Path:
        """Where the process that runs now says what it was told."""
        return self.made.directory.with_name(f"{self.made.directory.name}-{self.number}.told")

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.collect()
        self.killed += 1

    def collect(self) -> int:
        """Wait for the end and take what it had been told; a cut-off last word is no word."""
        assert self.process is not None
        status, self.process = self.process.wait(), None
        for line in self.told.read_bytes().split(b"\n")[:-1]:
            number, _, target = line.decode().partition(" ")
            self.acknowledged[int(number)] = target
        return status


def write_and_kill(
    made: Made, most: int, pause: float, random_source: random.Random
) -> list[Writer]:
    """Eight processes append until there are `most` entries; one is killed about every `pause`."""
    writers = [Writer(made, number, most) for number in range(WRITERS)]
    end = time.monotonic() + LONGEST
    for writer in writers:
        writer.start()
    while any(not writer.ended for writer in writers):
        assert time.monotonic() < end, "the writers do not get done"
        time.sleep(random_source.uniform(0, 2 * pause))
        victim = random_source.choice([writers[0], *writers])
        if not victim.ended:
            victim.kill()
            victim.start()
    for writer in writers:
        assert writer.collect() == 0
    return writers


def hold_what_was_told(made: Made, writers: list[Writer]) -> None:
    """The chain is whole but for told tails, and each acknowledged entry stands at its number."""
    made.append()  # whoever died last left no word of it
    seen = made.scan()
    assert (seen.faults, seen.tail_torn) == ((), None)
    found = {entry.sequence: entry.draft.target for entry in entries(made.segments)}
    lost = [
        (number, target)
        for writer in writers
        for number, target in writer.acknowledged.items()
        if found.get(number) != target
    ]
    assert lost == []
    torn = {(tail.segment, tail.offset) for tail in seen.torn}
    whole = [line.data for line in made.segments.lines() if (line.segment, line.offset) not in torn]
    assert len(whole) == seen.size
    assert seen.root == rfc9162.mth(whole)
    killed = sum(writer.killed for writer in writers)
    told = sum(len(writer.acknowledged) for writer in writers)
    note(f"{seen.size} entries, {told} acknowledged, {killed} killed, {len(seen.torn)} torn")
    assert killed > 0


def run(made: Made, most: int, pause: float) -> None:
    writers = write_and_kill(made, most, pause, fresh_random())
    hold_what_was_told(made, writers)
    assert made.ledger().tiles.size == made.scan().size


def test_writers_that_are_killed_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """Eight processes that append and are killed at random; the cache keeps in step, too."""
    run(Made(tmp_path / "audit"), 2500, 0.25)


@pytest.mark.sweep
@pytest.mark.parametrize("pause", [0.1, 0.3, 1.0])
def test_ten_thousand_entries_of_killed_writers(tmp_path: Path, pause: float) -> None:
    """10,000 entries; with many deaths most processes hardly get to write, with few they do."""
    run(Made(tmp_path / "audit"), 10_000, pause)
