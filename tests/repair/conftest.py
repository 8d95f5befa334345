"""The bench of this room: each engine's database in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.postgresql.repair_database import PgSite, pg_site
from tests.engines.repair_site import Site
from tests.engines.sqlite.repairs import SqliteSite
from tests.fix_postgresql import PgServer
from tests.repair.bench import Bench


@pytest.fixture
def sqlite_bench(tmp_path: Path) -> Bench:
    """A bench over an empty SQLite file."""
    (tmp_path / "lab.db").touch()
    return _bench(SqliteSite(tmp_path / "lab.db"), tmp_path)


@pytest.fixture(scope="package")
def pg_repair_site(pg15: PgServer) -> Iterator[PgSite]:
    """A database for all tests of this room: making one takes longer than most of them."""
    with pg_site(pg15) as found:
        yield found


@pytest.fixture
def postgresql_bench(pg_repair_site: PgSite, tmp_path: Path) -> Bench:
    """A bench over a PostgreSQL database that is empty again."""
    pg_repair_site.reset()
    return _bench(pg_repair_site, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """A bench over an empty database of each engine."""
    found = request.getfixturevalue(f"{request.param}_bench")
    assert isinstance(found, Bench)
    return found


def _bench(site: Site, directory: Path) -> Bench:
    place = directory / "bundles"
    place.mkdir(mode=0o700)
    return Bench(site, place)
