"""Progress on standard error: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from dbops.cli.render import say
from dbops.wording import size

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_EVERY_SECONDS = 30.0


class Progress:
    """Bytes, rate and time left; short work shows nothing."""

    def __init__(
        self, title: str, *, quiet: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._title = title
        self._quiet = quiet
        self._clock = clock
        self._began = self._said = clock()
        self._done = 0
        self._total = 0
        self._bar: tqdm[NoReturn] | None = None
        if not quiet and sys.stderr.isatty():
            from tqdm import tqdm  # a night without a terminal does not wait for it

            self._bar = tqdm(
                desc=title, unit="B", unit_scale=True, leave=False, dynamic_ncols=True, delay=0.3
            )

    def expect(self, count: int) -> None:
        """The bytes that are to come, as far as can be told."""
        self._total = count
        if self._bar is not None:
            self._bar.total = count

    def advance(self, count: int) -> None:
        """Bytes done since the last call."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif not self._quiet and self._clock() - self._said >= LINE_EVERY_SECONDS:
            self._said = self._clock()
            say(self._line())

    def _line(self) -> str:
        rate = self._done / max(self._clock() - self._began, 0.001)
        of = f" of about {size(self._total)}" if self._total else ""
        return f"{self._title}: {size(self._done)}{of}, {size(round(rate))}/s"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
