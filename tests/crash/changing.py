"""Changes in processes that are killed: `python -m tests.crash.changing`, orders on stdin.

`changers` starts it. It imports everything once and forks for each order, so that a new process
costs some milliseconds.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from dbops.audit.actor import boot_id, observe_actor
from dbops.audit.append import Ledger, LedgerPlace
from dbops.audit.entry import Draft, Event, Label, Phase
from dbops.audit.recording import recorded
from dbops.change.going import Observe
from dbops.change.ports import ChangeEngine
from dbops.change.report import ChangeReport
from dbops.change.resume import Onward, resume_change
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.stage import Moment
from dbops.cli.change_entries import changed, follow_change
from dbops.engines.postgresql.change import PostgresqlChangeEngine
from dbops.engines.postgresql.connect import Parameters
from dbops.engines.sqlite.change import SqliteChangeEngine
from dbops.errors import DbopsError
from dbops.estate.values import SqliteAddress

ROOT = Path(__file__).parents[2]
LONGEST = 60.0  # seconds


class How(StrEnum):
    """What the process does that dies."""

    RUN = "run"
    REVERT = "revert"
    FINISH = "finish"
    TAKE_BACK = "take back"


@dataclass(frozen=True)
class Order:
    """What a child is to do, and where."""

    where: SqliteAddress | Parameters
    how: How
    what: ChangeRun
    ledger: Path | None = None  # where a run or a revert is recorded
    dies: int | None = None  # at the moment of this number, counted from 0

    @property
    def engine(self) -> ChangeEngine:
        """An engine of this process's own."""
        where = self.where
        if isinstance(where, SqliteAddress):
            return SqliteChangeEngine(where)
        return PostgresqlChangeEngine(lambda: where)


@dataclass
class Changers:
    """The process that forks; it does one order at a time."""

    process: subprocess.Popen[str]

    def start(self, order: Order) -> Changer:
        """A child that begins at once."""
        assert self.process.stdin is not None
        self.process.stdin.write(pickle.dumps(order).hex() + "\n")
        self.process.stdin.flush()
        handle = os.pidfd_open(int(self.line()))
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return Changer(self, handle)

    def line(self) -> str:
        """The next thing that is told."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the changers say nothing any more"
        return line.strip()


@dataclass
class Changer:
    """One process at work."""

    changers: Changers
    handle: int

    def kill(self) -> bool:
        """SIGKILL; whether it was still running."""
        with suppress(ProcessLookupError):  # it has ended just now
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        return self.finish() == -signal.SIGKILL

    def finish(self) -> int:
        """Wait for its end, and return its status: 0 where all went well."""
        status = int(self.changers.line())
        os.close(self.handle)
        return status


@contextmanager
def changers() -> Iterator[Changers]:
    """The process that forks, for the length of the `with`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.changing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Changers(process)
    finally:
        process.stdin.close()  # it ends when it is told nothing more
        process.wait(LONGEST)
        process.stdout.close()


def work(order: Order) -> None:
    """Do it, here, and record it where the order says so."""
    if order.ledger is None or order.how not in _EVENTS:
        _do(order, _ignore if order.dies is None else _killed_at(order.dies))
        return
    draft = Draft(
        event=_EVENTS[order.how],
        phase=Phase.INTENT,
        target=order.what.database,
        work=order.what.work,
        names={Label.RUN: order.what.run},
    )
    with recorded(_ledger(order.ledger), draft) as account:
        report = _do(order, follow_change(account))
        assert report is not None
        changed(account, report, report.digest)


_EVENTS = {How.RUN: Event.CHANGE_RUN, How.REVERT: Event.CHANGE_REVERT}


def _ledger(directory: Path) -> Ledger:
    place = LedgerPlace(directory, "ledger.test/changes", "host", "dbops")
    actor = observe_actor(os.environ)
    return Ledger(place, lambda: datetime.now(UTC), actor, boot_id(), ZoneInfo("UTC"))


def _do(order: Order, observe: Observe) -> ChangeReport | None:
    if order.how is How.RUN:
        return run_change(order.what, order.engine, observe)
    if order.how is How.REVERT:
        return revert_change(order.what, order.engine, observe)
    onward = Onward.FINISH if order.how is How.FINISH else Onward.REVERT
    return resume_change(order.what, order.engine, onward, observe)[1]


def _ignore(_moment: Moment) -> None:
    """Nobody looks on."""


def _killed_at(number: int) -> Observe:
    """SIGKILL to this process, at that moment."""
    left = [number]

    def observe(_moment: Moment) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


def _tell(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def _read_line() -> bytes:
    """Byte by byte, since the next line is for somebody else."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _fork_and_work(order: Order) -> None:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _tell(str(os.getpid()))
            _read_line()
            with suppress(DbopsError):
                work(order)
                status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    _tell(str(os.waitstatus_to_exitcode(ended)))


if __name__ == "__main__":
    # Orders are pickled under this module's name, and this is another copy of it.
    sys.modules["tests.crash.changing"] = sys.modules["__main__"]
    while told := _read_line():
        if told.strip():  # an empty line was for a child that was killed before it read it
            # Whoever writes to its standard input is the test that started it.
            _fork_and_work(pickle.loads(bytes.fromhex(told.decode())))  # noqa: S301
