"""SQLite passes the compliance suite of repair engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import repair_suite, repair_suite_writes
from tests.engines.sqlite.repairs import SqliteSite


@pytest.fixture
def site(tmp_path: Path) -> SqliteSite:
    """An empty SQLite file."""
    (tmp_path / "lab.db").touch()
    return SqliteSite(tmp_path / "lab.db")


class TestReading(repair_suite.Reading):
    """Shapes, readings, look-ups."""


class TestRunning(repair_suite.Running):
    """Scripts."""


class TestCounting(repair_suite_writes.Counting):
    """What SQLite says was written."""


class TestWritingBack(repair_suite_writes.WritingBack):
    """Images written back."""


class TestMarking(repair_suite_writes.Marking):
    """Markers and bounds."""


class TestSettling(repair_suite_writes.Settling):
    """Deferred foreign keys."""
