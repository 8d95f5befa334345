"""PostgreSQL does what every change engine must do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import change_suite, change_suite_runs
from tests.engines.postgresql.change_database import PgChangeSite, change_site
from tests.fix_postgresql import PgServer


@pytest.fixture
def site(pg_change_empty: PgChangeSite) -> PgChangeSite:
    """It is empty again."""
    return pg_change_empty


class TestSeeing(change_suite.Seeing):
    """On PostgreSQL."""


class TestVerifying(change_suite.Verifying):
    """On PostgreSQL."""


class TestSettling(change_suite.Settling):
    """On PostgreSQL."""


class TestKeepingApart(change_suite.KeepingApart):
    """On PostgreSQL."""


class TestRunning(change_suite_runs.Running):
    """On PostgreSQL."""


class TestJournalling(change_suite_runs.Journalling):
    """On PostgreSQL."""


@pytest.fixture(scope="module")
def newest(pg17: PgServer) -> Iterator[PgChangeSite]:
    """A database of the newest version."""
    with change_site(pg17) as found:
        yield found


class TestJournallingOnTheNewest(change_suite_runs.Journalling):
    """What the catalogue says of the journal may change with the server's version."""

    @pytest.fixture
    def site(self, newest: PgChangeSite) -> PgChangeSite:
        """It is empty again."""
        newest.reset()
        return newest
