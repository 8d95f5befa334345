"""Real `dbops` processes: started, watched and killed, with everything that they started."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.warm import run_warm

MARK = "DBOPS_TEST_RUN"
LOOK_SECONDS = 0.001
DEAR_LOOK_SECONDS = 0.02  # where a look costs some milliseconds of everybody's time
RUN_SECONDS = 120.0
_PROC = Path("/proc")


def note(text: str) -> None:
    """Say it where pytest shows it when the test fails."""
    sys.stdout.write(text + "\n")


def fresh_random() -> random.Random:
    """A generator whose seed is printed; DBOPS_TEST_SEED repeats an earlier one."""
    seed = int(os.environ.get("DBOPS_TEST_SEED") or secrets.randbits(32))
    note(f"DBOPS_TEST_SEED={seed}")
    return random.Random(seed)


def wait_until(
    happened: Callable[[], bool], seconds: float = RUN_SECONDS, look: float = LOOK_SECONDS
) -> bool:
    """Whether it happened within the time; `look` are the seconds between two looks."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(look)
    return True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass
class Run:
    """One `dbops` process in a session of its own."""

    process: subprocess.Popen[str]
    mark: str
    began: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def finish(self) -> Outcome:
        """Wait for the end; whoever still holds the output open is waited for, too."""
        try:
            out, err = self.process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return Outcome(self.process.returncode, out, err)

    def kill(self) -> bool:
        """SIGKILL for the process alone; whether it was still running then."""
        self.process.send_signal(signal.SIGKILL)
        status = self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return status == -signal.SIGKILL

    def relatives(self) -> dict[int, str]:
        """The processes that it started and that are alive: number and command line."""
        found = {}
        for entry in _PROC.iterdir():
            if entry.name.isdecimal() and int(entry.name) != self.process.pid:
                command = self._command_of_relative(entry)
                if command is not None:
                    found[int(entry.name)] = command
        return found

    def _command_of_relative(self, entry: Path) -> str | None:
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            marked = self.mark.encode() in (entry / "environ").read_bytes()
            if fields[0] in "ZX" or not (marked or int(fields[3]) == self.process.pid):
                return None
            return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            return None  # it ended while we looked


def start(estate: Path, *words: str, environ: Mapping[str, str] | None = None) -> Run:
    """Start `dbops` on the estate file or directory."""
    mark = f"{MARK}={secrets.token_hex(8)}"
    name, _, value = mark.partition("=")
    process = subprocess.Popen(
        [sys.executable, "-m", "dbops", "--estate", str(estate), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**(os.environ if environ is None else environ), name: value},
        start_new_session=True,
    )
    return Run(process, mark)


def dbops(estate: Path, *words: str, environ: Mapping[str, str] | None = None) -> Outcome:
    """Run `dbops` to its end, in a session of its own; it may be warm, `start` never is."""
    done = run_warm(
        ["--estate", str(estate), *words], environ=environ, new_session=True, timeout=RUN_SECONDS
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def is_locked(path: Path) -> bool:
    """Whether any process holds an flock on the file; asking disturbs nobody."""
    try:
        file = f":{path.stat().st_ino} "
        locks = Path("/proc/locks").read_text()
    except OSError:
        return False
    # "1: FLOCK  ADVISORY  WRITE 708 fd:00:2621 0 EOF"; a waiting one has "->" as second word.
    return file in locks and any(
        file in line and "FLOCK" in line.split()[1:2] for line in locks.splitlines()
    )


@dataclass(frozen=True, slots=True)
class Span:
    """How long an undisturbed run takes, in seconds: until its work begins, and the work."""

    starting: float
    working: float


def measure(begin: Callable[[], Run], working: Callable[[], bool]) -> Span:
    """The time of one undisturbed run, whose work lasts as long as `working` says so.

    It must end well and say nothing on standard error.
    """
    run = begin()
    assert wait_until(lambda: working() or run.ended), "the run neither worked nor ended"
    starting = run.seconds
    assert wait_until(lambda: not working() or run.ended), "the run does not end"
    span = Span(starting, run.seconds - starting)
    outcome = run.finish()
    assert (outcome.status, outcome.err) == (0, "")
    return span


def kill_at(run: Run, working: Callable[[], bool], span: Span, part: float) -> bool:
    """Kill the run at `part` of its work; before 0, while it starts. Whether it still ran."""
    if part < 0:
        time.sleep(-part * span.starting)
        return run.kill()
    assert wait_until(lambda: working() or run.ended), "the run neither worked nor ended"
    time.sleep(part * span.working)
    return run.kill()


def spread_moments(random_source: random.Random, count: int) -> list[float]:
    """Parts of the work, one at random in each of `count - 1` equal slices, and one before it."""
    slices = count - 1
    moments = [(index + random_source.random()) / slices for index in range(slices)]
    return [-random_source.random(), *moments]
