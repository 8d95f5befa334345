"""Fixtures for every test, one plugin for each thing that a test may need running."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.bytecode", "tests.prepared_clusters", "tests.fix_postgresql"]

# How long an example takes says something about the machine and nothing about the code.
settings.register_profile("dbops", deadline=None)
settings.load_profile("dbops")

_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made below it
_ROOM = 8 << 30  # bytes


def _hear_interrupts() -> None:
    """Afterwards whatever a test starts hears Ctrl-C, as it does in a terminal.

    What a shell starts in its background ignores it, and so would all that come from that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _lie_in_memory() -> None:
    """Afterwards temporary files lie in memory, where there is room for them, and TMPDIR unset.

    Tests kill processes, and never the machine: that bytes reach a disk proves nothing to them,
    and waiting for a slow one took a third of the time.
    """
    if "TMPDIR" in os.environ or not _MEMORY.is_dir():
        return
    room = os.statvfs(_MEMORY)
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if min(room.f_bavail * room.f_frsize, pages) < _ROOM:
        return
    place = _MEMORY / f"dbops-test-{os.geteuid()}"
    place.mkdir(mode=0o755, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.geteuid():
        return
    os.environ["TMPDIR"] = tempfile.tempdir = str(place)


_hear_interrupts()
_lie_in_memory()


_LONG = (
    "tests/crash/",
    "tests/cli/test_demo.py",
    "tests/docs/test_tutorial.py",
    "tests/engines/postgresql/test_huge_row.py",
    "tests/cli/test_canary.py",
    "tests/cli/test_repair_canary.py",
    "tests/cli/test_memory.py",
    "tests/cli/test_change_postgresql.py",
    "tests/change/test_hospital.py",
    "tests/engines/postgresql/test_proof.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: else one worker ends with it, and the others wait."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))
