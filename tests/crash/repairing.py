"""Repairs in processes that may be killed: `python -m tests.crash.repairing`, orders on stdin.

`Children` starts it. It imports everything once and forks for each order, so that a new process
costs some milliseconds; the process tells each stage as it is reached.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dbops.crypto.age import Identity
from dbops.engines.postgresql.connect import Parameters
from dbops.engines.postgresql.repair import PostgresqlRepairEngine
from dbops.engines.sqlite.repair import SqliteRepairEngine
from dbops.errors import DbopsError
from dbops.estate.values import SqliteAddress
from dbops.repair.batches import run_batches
from dbops.repair.bundles import BundlePlace
from dbops.repair.ports import RepairEngine
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder
from dbops.repair.transaction import Stage
from dbops.repair.undo import undo_repair
from tests.repair.bench import AT_ONCE

ROOT = Path(__file__).parents[2]
DONE, ERROR, END, PID = "DONE", "ERROR", "END", "PID"
LONGEST = 60.0  # seconds for anything that is waited for


@dataclass(frozen=True)
class Order:
    """What a child is to run, and where; at the stages of `pauses` it waits for `Child.resume`."""

    where: SqliteAddress | Parameters
    directory: Path
    identity: Identity
    what: RunOrder | UndoOrder
    pauses: frozenset[Stage] = frozenset()

    @property
    def engine(self) -> RepairEngine:
        """An engine of this process's own."""
        where = self.where
        if isinstance(where, SqliteAddress):
            return SqliteRepairEngine(where)
        return PostgresqlRepairEngine(
            parameters=lambda: where, admin=lambda: where, repair_role=where.user
        )


@dataclass
class Children:
    """The process that forks."""

    process: subprocess.Popen[bytes]
    _told: bytes = b""

    def start(self, order: Order) -> Child:
        """A child that begins at once."""
        assert self.process.stdin is not None
        self.process.stdin.write(pickle.dumps(order).hex().encode() + b"\n")
        word, _, number = self.line().partition(" ")
        assert word == PID, word
        child = Child(self, os.pidfd_open(int(number)))
        child.resume()
        return child

    def line(self) -> str:
        """The next thing that is told."""
        assert self.process.stdout is not None
        end = time.monotonic() + LONGEST
        while b"\n" not in self._told:
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            block = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            assert block, "the children say nothing any more"
            self._told += block
        line, _, self._told = self._told.partition(b"\n")
        return line.decode()

    def resume(self) -> None:
        """The child that waits goes on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")


@dataclass
class Child:
    """One process at work."""

    children: Children
    handle: int
    stages: list[Stage] = field(default_factory=list)
    said: str | None = None
    status: int | None = None

    def resume(self) -> None:
        """It goes on from where it waits."""
        self.children.resume()

    def reach(self, stage: Stage) -> bool:
        """Whether it came there, rather than to its end."""
        while stage not in self.stages and self.status is None:
            self._hear()
        return stage in self.stages

    def finish(self) -> str:
        """Wait for its end; returns what it said last: DONE, or ERROR and a code."""
        while self.status is None:
            self._hear()
        return self.said or ""

    def kill(self) -> bool:
        """SIGKILL; whether it was still running."""
        if self.status is None:
            with suppress(ProcessLookupError):  # it has ended just now
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        self.finish()
        return self.status == -signal.SIGKILL

    def _hear(self) -> None:
        word, _, rest = self.children.line().partition(" ")
        if word == END:
            self.status = int(rest)
            os.close(self.handle)
        elif word in {DONE, ERROR}:
            self.said = f"{word} {rest}".rstrip()
        else:
            self.stages.append(Stage[word])


@contextmanager
def children() -> Iterator[Children]:
    """The process that forks, for the length of the `with`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.repairing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=ROOT,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Children(process)
    finally:
        process.stdin.close()  # it ends when it is told nothing more
        process.wait(LONGEST)
        process.stdout.close()


def _work(order: Order) -> None:
    engine, place = order.engine, BundlePlace(order.directory)

    def observe(stage: Stage) -> None:
        _tell(stage.name)
        if stage in order.pauses:
            _read_line()

    what = order.what
    try:
        if isinstance(what, UndoOrder):
            undo_of = what.repair.undo_of
            assert undo_of is not None
            bundles = [
                place.open(place.find(sha256), [order.identity], sha256)
                for sha256 in undo_of.bundles
            ]
            undo_repair(what, bundles, engine, place, observe, AT_ONCE)
        elif what.repair.batch is not None:
            run_batches(what, engine, place, observe, AT_ONCE)
        else:
            run_repair(what, engine, place, observe, AT_ONCE)
    except DbopsError as error:
        _tell(f"{ERROR} {error.code}")
    else:
        _tell(DONE)


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
            _tell(f"{PID} {os.getpid()}")
            _read_line()
            _work(order)
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    _tell(f"{END} {os.waitstatus_to_exitcode(ended)}")


if __name__ == "__main__":
    # Orders are pickled under this module's name, and this is another copy of it.
    sys.modules["tests.crash.repairing"] = sys.modules["__main__"]
    while told := _read_line():
        if told.strip():  # an empty line was for a child that was killed before it read it
            # Whoever writes to its standard input is the test that started it.
            _fork_and_work(pickle.loads(bytes.fromhex(told.decode())))  # noqa: S301
