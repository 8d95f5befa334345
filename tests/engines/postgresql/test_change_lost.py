"""A connection that is lost in the middle of a change of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from dbops.change.ports import ChangeSession, CommitUnknown
from dbops.errors import Unreachable
from tests.engines.change_suite_site import (
    ChangeSite,
    add_phone,
    begun,
    entry,
    journal_of,
    reading,
    step,
)
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.processes import until


@pytest.fixture
def site(pg_change_hospital: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    return pg_change_hospital


def backend(site: PgChangeSite, condition: str = "true") -> list[object]:
    """The process of the change's session, while the condition holds of it."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbops' AND datname ="
    query += f" '{site.database.name}' AND backend_type = 'client backend' AND {condition}"
    return [pid for (pid,) in site.rows(query)]


def cut(site: PgChangeSite) -> None:
    """The change's session is ended by the server."""
    (pid,) = backend(site)
    site.run(f"SELECT pg_terminate_backend({pid})")


def is_changed(site: ChangeSite) -> bool:
    """Whether wards have the column."""
    with reading(site) as session:
        return site.column("ward", "phone") in session.schema().objects


def test_in_a_step(site: PgChangeSite) -> None:
    """It is Unreachable, and nothing happened."""
    with begun(site) as session, ThreadPoolExecutor(1) as pool:
        session.run(add_phone(site))
        sleeping = pool.submit(session.run, step("SELECT pg_sleep(30)", 2, line=8))
        assert until(lambda: len(backend(site, "wait_event = 'PgSleep'")) == 1)
        cut(site)
        with pytest.raises(Unreachable) as caught:
            sleeping.result(30)
        with pytest.raises(Unreachable) as after:
            session.run(add_phone(site))
        session.rollback()
    assert not isinstance(caught.value, CommitUnknown)
    assert (caught.value.code, after.value.code) == ("connection-lost", "connection-lost")
    assert caught.value.message == "step 2 at line 8: the connection was lost (57P01)"
    assert not is_changed(site)


def test_before_commit(site: PgChangeSite) -> None:
    """That nothing was committed is known, so it is not said to be unknown."""
    with begun(site) as session:
        session.run(add_phone(site))
        cut(site)
        with pytest.raises(Unreachable) as caught:
            session.commit()
    assert not isinstance(caught.value, CommitUnknown)
    assert caught.value.code == "connection-lost"
    assert not is_changed(site)


def test_within_commit(site: PgChangeSite) -> None:
    """Nobody knows until the journal is asked: here the transaction had not been committed."""
    temporary = "CREATE TEMPORARY TABLE t (i integer) ON COMMIT DELETE ROWS"
    with begun(site, lock_wait=timedelta(seconds=30)) as session, site.connect() as other:
        session.run(step(temporary))
        session.commit()
        session.begin()
        session.run(add_phone(site))
        session.run(step("INSERT INTO pg_temp.t VALUES (1)", 2))
        session.note([entry(1)])
        ((name,),) = site.rows("SELECT oid::regclass::text FROM pg_class WHERE relname = 't'")
        other.execute(f"BEGIN; LOCK TABLE {name} IN ACCESS SHARE MODE".encode())
        commit_and_cut(site, session, "relation", other.rollback)
    assert journal_of(site) == ()
    assert not is_changed(site)


def test_behind_commit(site: PgChangeSite) -> None:
    """Nobody knows until the journal is asked: here the transaction had been committed."""
    with begun(site) as session:
        session.run(add_phone(site))
        session.note([entry(1)])
        site.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        try:
            assert until(lambda: site.rows("SHOW synchronous_standby_names") == [("nobody",)])
            commit_and_cut(site, session, "SyncRep")
        finally:
            site.run("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    assert [one.step for one in journal_of(site)] == [1]
    assert is_changed(site)


def commit_and_cut(
    site: PgChangeSite,
    session: ChangeSession,
    waits: str,
    behind: Callable[[], None] = lambda: None,
) -> None:
    """The connection is cut once the server waits there within COMMIT; `behind` lets it end."""
    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(session.commit)
        assert until(lambda: len(backend(site, f"wait_event = '{waits}'")) == 1)
        cut(site)
        behind()
        with pytest.raises(CommitUnknown) as caught:
            committing.result(30)
    assert caught.value.code == "commit-unknown"
    assert caught.value.message == (
        "committing c-1: the connection was lost before the answer came"
    )
