"""Progress where there is no terminal."""

from __future__ import annotations

import pytest

from dbops.cli.progress import LINE_EVERY_SECONDS, Progress


class Ticking:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_long_work_says_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a line comes after each half minute, with bytes done and the rate."""
    clock = Ticking()
    with Progress("lab", quiet=False, clock=clock) as progress:
        progress.expect(4_000_000)
        progress.advance(1_000_000)
        clock.now += LINE_EVERY_SECONDS
        progress.advance(2_000_000)
        progress.advance(1)
    assert capsys.readouterr().err == "lab: 3.0 MB of about 4.0 MB, 100.0 kB/s\n"


def test_quiet_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A quiet run writes no progress, however long it takes."""
    clock = Ticking()
    with Progress("lab", quiet=True, clock=clock) as progress:
        clock.now += LINE_EVERY_SECONDS * 10
        progress.advance(1)
    assert capsys.readouterr().err == ""
