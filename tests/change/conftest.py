"""The bench of this room: each engine's database in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.change.bench import Bench
from tests.engines.postgresql.change_database import PgChangeSite, change_site
from tests.engines.sqlite.changes import SqliteChangeSite
from tests.fix_postgresql import PgServer


@pytest.fixture
def sqlite_bench(tmp_path: Path) -> Bench:
    """A bench over a SQLite file."""
    (tmp_path / "lab.db").touch()
    bench = Bench(SqliteChangeSite(tmp_path / "lab.db"))
    bench.build()
    return bench


@pytest.fixture(scope="package")
def pg_change_site(pg15: PgServer) -> Iterator[PgChangeSite]:
    """A database for all tests of this room: making one takes longer than most of them."""
    with change_site(pg15) as found:
        yield found


@pytest.fixture
def postgresql_bench(pg_change_site: PgChangeSite) -> Bench:
    """A bench over a PostgreSQL database that has only what every test begins with."""
    pg_change_site.reset()
    bench = Bench(pg_change_site)
    bench.build()
    return bench


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """A bench over a database of each engine."""
    found = request.getfixturevalue(f"{request.param}_bench")
    assert isinstance(found, Bench)
    return found
