"""Whoever stops a change (Ctrl-C, SIGTERM, SIGHUP) is told what is there now.

The first signal ends what is under way: the server's statement is cancelled, the part rolled back.
A COMMIT is not ended by it, since nobody would know then what became of it: its answer is awaited
and recorded, and the next thing is not begun. While things are put in order a second signal is
answered and does nothing; the third one ends dbops at once.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from dbops.change.stage import SoFar, Stage
from dbops.change.step import Direction
from dbops.errors import Interrupted

if TYPE_CHECKING:
    from types import FrameType

    from dbops.change.stage import Moment

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HELD: Final = frozenset({Stage.COMMITTING, Stage.COMMITTED})
_BEGINS: Final = frozenset({Stage.JUDGED, Stage.BEGUN, Stage.ALONE, Stage.WAITING})
_PATIENCE: Final = 3  # signals
_WAITS = "remark: what is being committed or written is awaited, and nothing more is begun\n"
_ENDING = "remark: it is being put in order; one more ends dbops at once, and who knows what then\n"


_Handlers = dict[signal.Signals, Any]


class Stopping:
    """How often the process was asked to stop, and how far what it does has come."""

    def __init__(self) -> None:
        self.so_far = SoFar()
        self._asked = 0
        self._held = False
        self._owed = False  # asked while it was held, and not ended yet

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self._asked += 1
        if self._asked >= _PATIENCE or (self._asked == 1 and not self._held):
            self._owed = False
            raise KeyboardInterrupt
        self._owed = self._owed or self._held
        os.write(2, (_WAITS if self._owed else _ENDING).encode())

    def observe(self, moment: Moment) -> None:
        """Hold signals back from COMMIT on; raises KeyboardInterrupt before more is begun."""
        self.so_far = self.so_far.after(moment)
        if moment.stage in _HELD:
            self._held = True
        elif moment.stage in _BEGINS:
            self.release()

    def begin(self) -> None:
        """Afterwards nothing has come anywhere; raises KeyboardInterrupt where that was asked."""
        self.so_far = SoFar()
        self.release()

    def release(self) -> None:
        """Signals end what is under way again; raises KeyboardInterrupt where one was held back."""
        self._held = False
        if self._owed:
            self._owed = False
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """What stands in the context gets to its end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False


@contextmanager
def stopping() -> Iterator[Stopping]:
    """In the context signals are heard so; what the process ignores, as under nohup, stays so."""
    found = Stopping()
    with _handled(found.hear):
        yield found


class Deferral:
    """Signals that came and were not heard yet."""

    def __init__(self) -> None:
        self._came: list[int] = []

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self._came.append(number)

    def catch_up(self) -> None:
        """Each is heard now, as whoever is in charge of it wishes."""
        while self._came:
            signal.raise_signal(self._came.pop(0))


@contextmanager
def around() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Signals wait until the context ends, or for a context within, which is returned.

    What is written around work, as a ledger's intent and outcome, is written whole, and each intent
    that is there has somebody who knows of it.
    """
    deferral = Deferral()

    @contextmanager
    def work() -> Iterator[None]:
        with _restored(kept):
            deferral.catch_up()
            yield

    with _handled(deferral.note) as kept:
        yield work
    deferral.catch_up()


@contextmanager
def _handled(how: Callable[[int, FrameType | None], None]) -> Iterator[_Handlers]:
    """In the context each signal is handled so, but for those that the process ignores.

    Returns who handled them before. Only the main thread can do that; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    kept = {number: was for number, was in found.items() if was not in {signal.SIG_IGN, None}}
    for number in kept:
        signal.signal(number, how)
    try:
        yield kept
    finally:
        for number, was in kept.items():
            signal.signal(number, was)


@contextmanager
def _restored(kept: _Handlers) -> Iterator[None]:
    """In the context signals are handled as they were before."""
    now = {number: signal.getsignal(number) for number in kept}
    for number, was in kept.items():
        signal.signal(number, was)
    try:
        yield
    finally:
        for number, how in now.items():
            signal.signal(number, how)


def run_interrupted(work: str, database: str, so_far: SoFar, steps: int) -> Interrupted:
    """What is said of a run or a revert of `steps` steps that was stopped there."""
    up = so_far.direction is Direction.UP
    done = f"{_steps(so_far.steps, steps)} of {so_far.direction.file}"
    back = f"; or take it back: dbops change resume {work} --revert" if up else ""
    if so_far.doubtful:
        stay = f"{done} stay, and " if so_far.steps else ""
        return Interrupted(
            "interrupted-unknown",
            f"interrupted: {stay}nobody knows whether the last part of {work} took place on"
            f" {database}",
            hint=f"it asks the database: dbops change resume {work}",
        )
    if so_far.effect:
        half = f"{work} is half done on {database}: {done} stay"
        if so_far.steps == steps:
            half = f"{done} are done on {database}, and the end of {work} is not recorded"
        hint = f"finish it: dbops change resume {work}{back}"
        return Interrupted("interrupted-partly", f"interrupted: {half}", hint=hint)
    rolled = ": what had begun was rolled back" if so_far.begun else ""
    return Interrupted(
        "interrupted",
        f"interrupted: {work} changed nothing on {database}{rolled}",
        hint=f"to try again: dbops change {'run' if up else 'revert'} {work}",
    )


def resume_interrupted(work: str, database: str, so_far: SoFar, *, back: bool) -> Interrupted:
    """What is said of a resume that was stopped there; how much was done before it is not known.

    `back` says that it was on the way back.
    """
    hint = f"to go on: dbops change resume {work}{' --revert' if back else ''}"
    if so_far.doubtful:
        message = f"nobody knows whether the last part of {work} took place on {database}"
        return Interrupted("interrupted-unknown", f"interrupted: {message}", hint=hint)
    if so_far.effect:
        more = "1 more step" if so_far.steps == 1 else f"{so_far.steps} more steps"
        be = "is" if so_far.steps == 1 else "are"
        file = so_far.direction.file
        message = f"{more} of {file} {be} done on {database}, and {work} is not at its end"
        return Interrupted("interrupted-partly", f"interrupted: {message}", hint=hint)
    message = f"{work} stands on {database} as it stood: the resume changed nothing"
    return Interrupted("interrupted", f"interrupted: {message}", hint=hint)


def _steps(done: int, steps: int) -> str:
    return f"all {steps} steps" if done == steps else f"{done} of {steps} steps"
