"""What crash tests share: a PostgreSQL database of their own, of some megabytes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.crash.postgresql import fill
from tests.fix_postgresql import PgDatabase, PgServer

ROWS = 40_000


@pytest.fixture
def filled_database(pg15: PgServer) -> Iterator[PgDatabase]:
    """A database with a table of six megabytes, dropped after the test."""
    name = f"crash_{secrets.token_hex(6)}"
    pg15.create_database(name)
    database = PgDatabase(pg15, name)
    fill(database, "result", ROWS)
    yield database
    pg15.drop_database(name)
