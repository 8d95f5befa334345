"""The bench of this room: each engine's database in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.postgresql.repair_database import PgSite, pg_repair_site
from tests.engines.repair_site import Site
from tests.engines.sqlite.repairs import SqliteSite
from tests.repair.bench import Bench

__all__ = ["pg_repair_site"]


@pytest.fixture
def sqlite_bench(tmp_path: Path) -> Bench:
    """A bench over an empty SQLite file."""
    (tmp_path / "lab.db").touch()
    return _bench(SqliteSite(tmp_path / "lab.db"), tmp_path)


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
