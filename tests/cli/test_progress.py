"""Progress: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from dbops.cli.progress import LINE_EVERY_SECONDS, Progress
from tests.support.estate import DATABASE, found_test_estate

ROWS = 15_000  # of 4 kB: a good second of work
NOISE = (
    "CREATE TABLE noise(v BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    f" WHERE i < {ROWS}) INSERT INTO noise SELECT randomblob(4000) FROM n;"
)


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


def _on_a_terminal(root: Path) -> tuple[str, str]:
    """What a backup prints on standard output, and what it shows on a terminal of 80 columns."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-m", "dbops", "--estate", str(root), "backup", "run", DATABASE],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    )
    os.close(slave)
    shown = b""
    try:
        while block := os.read(master, 1 << 16):
            shown += block
    except OSError:
        pass  # so a terminal without its last writer ends, on Linux
    finally:
        os.close(master)
    out, _ = process.communicate()
    assert process.returncode == 0, shown
    return out, shown.decode()


def test_a_terminal_gets_a_bar_that_goes_away(tmp_path: Path) -> None:
    """Bytes, rate and time left are shown while the backup runs; at the end the line is empty."""
    found_test_estate(tmp_path / "estate", NOISE)
    out, shown = _on_a_terminal(tmp_path / "estate")
    assert re.fullmatch(rf"{DATABASE}@1  \d+\.\d MB read, \d+\.\d MB stored in \d+\.\d s\n", out)
    frame = rf"{DATABASE}: +\d+%\|.*\| \d+\.\dM/6\d\.\dM \[\d\d:\d\d<\d\d:\d\d, +\d+(\.\d+)?MB/s\]"
    assert re.search(frame, shown), shown
    assert re.search(r"\r *\r$", shown), shown[-100:]


def test_short_work_leaves_a_terminal_alone(tmp_path: Path) -> None:
    """A backup of an instant shows no bar, and so leaves none behind."""
    found_test_estate(tmp_path / "estate")
    out, shown = _on_a_terminal(tmp_path / "estate")
    assert out.startswith(f"{DATABASE}@1  ")
    assert shown == ""
