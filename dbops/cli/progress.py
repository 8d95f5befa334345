"""Progress on standard error: a bar on a terminal, nothing that fills a log elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn, Self

from tqdm import tqdm


class Progress:
    """Bytes, rate and time left, where standard error is a terminal."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._bar: tqdm[NoReturn] | None = None
        if not quiet and sys.stderr.isatty():
            self._bar = tqdm(
                desc=title, unit="B", unit_scale=True, leave=False, dynamic_ncols=True, delay=0.3
            )

    def expect(self, count: int) -> None:
        """The bytes that are to come, as far as can be told."""
        if self._bar is not None:
            self._bar.total = count
            self._bar.refresh()

    def advance(self, count: int) -> None:
        """Bytes done since the last call."""
        if self._bar is not None:
            self._bar.update(count)

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
