"""The databases on which sessions of repairs and of changes are tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import change_suite_site
from tests.engines.postgresql.change_database import PgChangeSite, change_site
from tests.engines.postgresql.repair_database import PgSite, pg_repair_site
from tests.engines.repair_site import hospital
from tests.fix_postgresql import PgServer

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


@pytest.fixture(scope="package")
def pg_change_site(pg15: PgServer) -> Iterator[PgChangeSite]:
    """A database for all tests of this room: making one takes longer than most of them."""
    with change_site(pg15) as found:
        yield found


@pytest.fixture(scope="package")
def pg_change_each(pg_server: PgServer) -> Iterator[PgChangeSite]:
    """The same on each of the servers."""
    with change_site(pg_server) as found:
        yield found


@pytest.fixture
def pg_change_empty(pg_change_site: PgChangeSite) -> PgChangeSite:
    """It has an empty schema, and nothing else."""
    pg_change_site.reset()
    return pg_change_site


@pytest.fixture
def pg_change_hospital(pg_change_empty: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    change_suite_site.hospital(pg_change_empty)
    return pg_change_empty
