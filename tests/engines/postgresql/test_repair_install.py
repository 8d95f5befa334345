"""The text that makes a database ready for repairs: all of it happens, or it is said."""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError
from dbops.repair.ports import CommitUnknown
from tests.engines.postgresql.repair_database import PgSite, pg_site
from tests.fix_postgresql import PgServer


@pytest.mark.parametrize("end", ["SELECT 1", "SELECT 1 / 0"])
def test_a_text_that_commits_by_itself(pg15: PgServer, end: str) -> None:
    """What came before its own COMMIT is there, and nobody says that nothing happened."""
    with pg_site(pg15) as site, pytest.raises(CommitUnknown):
        site.engine.install(f"CREATE TABLE public.made (n integer); COMMIT; {end};")


def test_a_text_that_fails(pg15: PgServer) -> None:
    """Nothing of it has happened."""
    with pg_site(pg15) as site:
        with pytest.raises(DbopsError) as caught:
            site.engine.install("CREATE TABLE public.made (n integer); SELECT 1 / 0;")
        assert not isinstance(caught.value, CommitUnknown)
        assert _made(site) == [(None,)]


def _made(site: PgSite) -> list[tuple[object, ...]]:
    return site.rows("SELECT to_regclass('public.made')::text")
