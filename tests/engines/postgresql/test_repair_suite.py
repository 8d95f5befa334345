"""PostgreSQL does what every repair engine must do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.postgresql.repair_database import PgSite, pg_site
from tests.engines.repair_suite import Reading, Running
from tests.engines.repair_suite_writes import Counting, Marking, WritingBack
from tests.fix_postgresql import PgServer


class TestReading(Reading):
    """On PostgreSQL."""


class TestRunning(Running):
    """On PostgreSQL."""


class TestCounting(Counting):
    """On PostgreSQL."""


class TestWritingBack(WritingBack):
    """On PostgreSQL."""


class TestMarking(Marking):
    """On PostgreSQL."""


@pytest.fixture(scope="module")
def newest(pg17: PgServer) -> Iterator[PgSite]:
    """A database of the newest version."""
    with pg_site(pg17) as found:
        yield found


class TestCountingOnTheNewest(Counting):
    """What is counted may change with the server's version."""

    @pytest.fixture
    def site(self, newest: PgSite) -> PgSite:
        """It is empty again."""
        newest.reset()
        return newest
