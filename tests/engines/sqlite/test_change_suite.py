"""SQLite passes the compliance suite of change engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import change_suite, change_suite_runs
from tests.engines.sqlite.changes import SqliteChangeSite


@pytest.fixture
def site(tmp_path: Path) -> SqliteChangeSite:
    """An empty SQLite file."""
    (tmp_path / "lab.db").touch()
    return SqliteChangeSite(tmp_path / "lab.db")


class TestSeeing(change_suite.Seeing):
    """Schemas, sizes and counts."""


class TestVerifying(change_suite.Verifying):
    """Questions."""


class TestSettling(change_suite.Settling):
    """Foreign keys."""


class TestKeepingApart(change_suite.KeepingApart):
    """Locks, identity, reading sessions."""


class TestRunning(change_suite_runs.Running):
    """Steps."""


class TestJournalling(change_suite_runs.Journalling):
    """The journal."""
