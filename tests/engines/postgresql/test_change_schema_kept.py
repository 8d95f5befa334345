"""What is prepared for reading schemas: compiled once, and never another's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.change_schema_kept import kept_rows
from dbops.engines.postgresql.connect import Session, connect
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.postgresql.repair_database import parameters_of

_KEPT = "SELECT name, generic_plans FROM pg_prepared_statements ORDER BY name"
# Whatever is prepared, prepared anew with these words, as a step could do it.
_REPLACED = """
    DO $$ DECLARE one record; BEGIN
        FOR one IN SELECT name, statement FROM pg_prepared_statements LOOP
            EXECUTE 'DEALLOCATE ' || one.name;
            EXECUTE {};
        END LOOP;
    END $$"""


@pytest.fixture
def session(pg_change_hospital: PgChangeSite) -> Iterator[Session]:
    """A session whose schema was read once."""
    place = pg_change_hospital.database
    with connect(parameters_of(place.server, place.name, place.server.superuser)) as session:
        read_schema(session)
        yield session


def test_a_session_compiles_once(session: Session) -> None:
    """The second time the server runs what it has, and nothing else is prepared."""
    before = session.rows(_KEPT)
    read_schema(session)
    assert len(before) == 3
    assert session.rows(_KEPT) == [(name, runs + 1) for name, runs in before]


@pytest.mark.parametrize(
    "step",
    [
        "DEALLOCATE ALL",
        "DISCARD ALL",
        _REPLACED.format("'PREPARE ' || one.name || ' AS SELECT 1'"),
        "SET standard_conforming_strings = off;" + _REPLACED.format("one.statement"),
        "SET search_path = his;" + _REPLACED.format("one.statement"),
    ],
)
def test_what_a_step_prepares_is_never_run(session: Session, step: str) -> None:
    """It is prepared anew, and the schema is the same."""
    before = read_schema(session)
    ran = session.rows(_KEPT)
    session.run(step)
    session.run("RESET ALL")
    assert read_schema(session) == before
    assert session.rows(_KEPT) == [(name, 1) for name, _ in ran]


def test_the_same_words_may_mean_another_thing(session: Session) -> None:
    """A string that was read under other settings is another string: it is not what is run."""
    session.run("SET search_path = pg_catalog")
    query = r"SELECT 'dbopsX' ~ '^dbops\.'"
    assert kept_rows(session, query, doing="a test") == [(False,)]
    session.run("SET standard_conforming_strings = off; SET escape_string_warning = off")
    session.run(_REPLACED.format("one.statement"))
    session.run("SET standard_conforming_strings = on")
    ((name,),) = session.rows("SELECT name FROM pg_prepared_statements WHERE statement ~ 'dbopsX'")
    assert session.rows(f"EXECUTE {name}") == [(True,)]
    assert kept_rows(session, query, doing="a test") == [(False,)]
