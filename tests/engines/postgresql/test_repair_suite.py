"""PostgreSQL does what every repair engine must do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.postgresql.repair_database import PgSite, pg_site
from tests.engines.repair_suite import Reading, Running
from tests.engines.repair_suite_writes import Counting, Marking, WritingBack
from tests.fix_postgresql import PgServer


@pytest.fixture
def site(pg15: PgServer) -> Iterator[PgSite]:
    """A fresh database."""
    with pg_site(pg15) as made:
        yield made


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
