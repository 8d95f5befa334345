"""Read units of a snapshot into packs: in this process, or in several.

Workers are processes because a Python process hashes rows on one core only. A worker gets its
snapshot and its orders over a pipe. When a worker dies or fails, the others are stopped and the
whole read fails: packs that were stored by then are garbage, not a backup.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from dbops.backup.ports import Advance, RangeSink, ReaderRecipe, Unit
from dbops.errors import DbopsError, Failed
from dbops.repository.frames import Payload
from dbops.repository.packing import PackOrder, PackWriter, WrittenPack
from dbops.repository.ports import Store

REPORT_BYTES = 1 << 20
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """What every worker needs to know. All of it can be pickled."""

    recipe: ReaderRecipe
    store: Store
    pack: PackOrder


class CountingSink:
    """Passes ranges on and tells how many bytes went by, now and then."""

    def __init__(self, inner: RangeSink, advance: Advance) -> None:
        self._inner = inner
        self._advance = advance
        self._pending = 0

    def begin(self, stream: str, index: int, payload: Payload) -> None:
        self._inner.begin(stream, index, payload)

    def write(self, block: bytes, /) -> int:
        self._pending += len(block)
        if self._pending >= REPORT_BYTES:
            self.report()
        return self._inner.write(block)

    def end(self, records: int | None = None) -> None:
        self._inner.end(records)

    def report(self) -> None:
        done, self._pending = self._pending, 0
        self._advance(done)


def read_units(
    order: ReadOrder, units: Sequence[Unit], jobs: int, advance: Advance
) -> tuple[WrittenPack, ...]:
    """Afterwards every range of every unit lies in a pack in the store.

    `advance` is told bytes as read. Raises the first error of any worker.
    """
    if jobs <= 1 or len(units) <= 1:
        return _read_here(order, units, advance)
    with _crew(order, min(jobs, len(units))) as crew:
        return _dispatch(crew, list(reversed(units)), advance)


def _read_here(
    order: ReadOrder, units: Iterable[Unit], advance: Advance
) -> tuple[WrittenPack, ...]:
    writer = PackWriter(order.store, order.pack)
    sink = CountingSink(writer, advance)
    reader = order.recipe.open()
    try:
        for unit in units:
            reader.read(unit, sink)
        writer.flush()
        sink.report()
    finally:
        writer.abandon()
        reader.close()
    return tuple(writer.packs)


# What travels from a worker to its master: bytes done, a request for work, packs at the end, or
# the error that ended it.
Message = int | None | tuple[WrittenPack, ...] | DbopsError


@dataclass(frozen=True, slots=True)
class _Worker:
    process: SpawnProcess
    channel: Connection


@contextmanager
def _crew(order: ReadOrder, jobs: int) -> Iterator[list[_Worker]]:
    context = multiprocessing.get_context("spawn")
    crew: list[_Worker] = []
    try:
        for _ in range(jobs):
            mine, theirs = context.Pipe()
            process = context.Process(target=_work, args=(order, theirs), daemon=True)
            process.start()
            theirs.close()
            crew.append(_Worker(process, mine))
        yield crew
    finally:
        for worker in crew:
            worker.channel.close()
        for worker in crew:
            worker.process.join(STOP_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _dispatch(crew: list[_Worker], units: list[Unit], advance: Advance) -> tuple[WrittenPack, ...]:
    busy = {worker.channel: worker for worker in crew}
    packs: list[WrittenPack] = []
    while busy:
        for channel in wait(list(busy)):
            assert isinstance(channel, Connection)  # noqa: S101 - only connections wait here
            message = _receive(channel)
            if isinstance(message, DbopsError):
                raise message
            if isinstance(message, tuple):
                packs += message
                busy.pop(channel)
            elif message is None:
                _send(channel, units.pop() if units else None)
            else:
                advance(message)
    return tuple(packs)


def _receive(channel: Connection) -> Message:
    try:
        message: Message = channel.recv()
    except (EOFError, ConnectionResetError):
        raise _died() from None
    return message


def _send(channel: Connection, unit: Unit | None) -> None:
    try:
        channel.send(unit)
    except (BrokenPipeError, ConnectionResetError):
        raise _died() from None


def _died() -> Failed:
    return Failed(
        "worker-died",
        "a backup worker ended without a word; no backup was made",
        hint="look for an out-of-memory kill: dmesg; then run the command again",
    )


def _work(order: ReadOrder, channel: Connection) -> None:
    """The life of a worker: ask for a unit, read it, until there are no more."""
    # Ctrl-C reaches the whole group; the master decides, and its closed pipe ends the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where the master is gone, so is whatever it wanted: nobody is left to be told.
    with suppress(BrokenPipeError, ConnectionResetError):
        channel.send(_outcome(order, channel))


def _outcome(order: ReadOrder, channel: Connection) -> tuple[WrittenPack, ...] | DbopsError:
    try:
        return _read_here(order, _requested(channel), channel.send)
    except DbopsError as failure:
        return failure
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return ()
    except Exception as bug:  # noqa: BLE001 - a traceback on standard error could show rows
        return _bug(bug)


def _bug(bug: Exception) -> DbopsError:
    frame = traceback.extract_tb(bug.__traceback__)[-1]
    place = f"{frame.filename.rpartition('dbops/')[2]}:{frame.lineno}"
    return Failed(
        "bug",
        f"a bug in a backup worker: {type(bug).__name__} at {place}",
        hint="report this line; the command can be run again safely",
    )


def _requested(channel: Connection) -> Iterator[Unit]:
    channel.send(None)
    while (unit := channel.recv()) is not None:
        yield unit
        channel.send(None)
