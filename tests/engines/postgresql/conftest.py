"""The database on which sessions of repairs are tried."""

from __future__ import annotations

import pytest

from tests.engines.postgresql.repair_database import PgSite, pg_repair_site
from tests.engines.repair_site import hospital

__all__ = ["pg_repair_site"]


@pytest.fixture
def site(pg_repair_site: PgSite) -> PgSite:
    """It is empty again."""
    pg_repair_site.reset()
    return pg_repair_site


@pytest.fixture
def hospital_tables(site: PgSite) -> None:
    """The hospital's tables are there, and nothing else."""
    hospital(site)
