"""An index that is not valid was dropped half by a step, or was that way before it began."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.ports import ChangeSession, JournalEntry, LockTimeout, Progress, Remains
from dbops.change.schema import Schema
from dbops.change.step import Direction
from tests.engines.change_suite_site import entry, order, reading, step
from tests.engines.postgresql.change_database import PgChangeSite

DROP = step("DROP INDEX CONCURRENTLY his.visit_ward", 2)
UNIQUE = step("CREATE UNIQUE INDEX CONCURRENTLY visit_ward ON his.visit (ward)")
WAIT = timedelta(milliseconds=20)
INDEXES = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('his.visit_ward')"


@pytest.fixture
def site(pg_change_hospital: PgChangeSite) -> PgChangeSite:
    """It has the hospital's tables, and nothing else."""
    return pg_change_hospital


@contextmanager
def opened(site: PgChangeSite, start: Schema | None = None) -> Iterator[ChangeSession]:
    """A session that holds the work, of a change that began in the schema."""
    with site.engine.session(order(lock_wait=WAIT, start=start)) as session:
        session.hold_work()
        yield session


def schema(site: PgChangeSite) -> Schema:
    """As it is committed."""
    with reading(site) as session:
        return session.schema()


def began(direction: Direction = Direction.UP) -> JournalEntry:
    """The step is about to run."""
    noted = replace(entry(DROP.number), direction=direction, name=DROP.name)
    return replace(noted, sha256=DROP.digest, progress=Progress.BEGAN)


def whole(direction: Direction) -> JournalEntry:
    """All of the direction came to its end."""
    return replace(entry(0), direction=direction, name="whole", sha256="p" * 64)


def attempted(site: PgChangeSite, direction: Direction = Direction.UP) -> None:
    """Somebody's session began to drop the index, and a long reader kept it from that."""
    with opened(site) as session, site.holding("visit"):
        session.note([began(direction)])
        with pytest.raises(LockTimeout):
            session.run_alone(DROP)


def half_built(site: PgChangeSite) -> Schema:
    """Two equal rows failed a unique index: it is there, not valid. Returns the schema then."""
    site.run("INSERT INTO his.visit VALUES (8, 'ORT')")
    with site.connect() as connection:
        connection.autocommit = True
        with pytest.raises(Exception, match="could not create unique index"):
            connection.execute(UNIQUE.sql.encode())
    return schema(site)


def left(site: PgChangeSite, start: Schema | None) -> Remains:
    """What a session says that is opened now."""
    with opened(site, start) as session:
        return session.remains(DROP)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("known", [True, False])
def test_an_index_that_was_valid_is_dropped_half(
    site: PgChangeSite, direction: Direction, known: bool
) -> None:
    """Every later session knows it by the journal, and cleaning up drops it for good."""
    site.run("CREATE INDEX visit_ward ON his.visit (ward)")
    start = schema(site) if known else None
    attempted(site, direction)
    assert site.rows(INDEXES) == [(False,)]
    with opened(site, start) as session:
        assert session.remains(DROP) is Remains.HALF
        session.clean_up(DROP)
        assert session.remains(DROP) is Remains.DONE
        session.run_alone(DROP)  # nothing is left to do
    assert site.rows(INDEXES) == []


def test_an_index_that_was_not_valid_before_is_untouched(site: PgChangeSite) -> None:
    """The session that began the step knows it, and a later one where a rehearsal saw it."""
    start = half_built(site)
    with opened(site) as session, site.holding("visit"):
        session.note([began()])
        with pytest.raises(LockTimeout):
            session.run_alone(DROP)
        session.clean_up(DROP)
        assert session.remains(DROP) is Remains.NOTHING
    assert left(site, start) is Remains.NOTHING
    assert left(site, None) is Remains.HALF  # nobody knows: it is taken for the step's own
    assert site.rows(INDEXES) == [(False,)]


def test_on_the_way_back_the_start_tells_nothing(site: PgChangeSite) -> None:
    """What down.sql drops was made by up.sql, whatever bore its name before."""
    start = half_built(site)
    attempted(site, Direction.DOWN)
    assert left(site, start) is Remains.HALF


def test_an_attempt_that_was_stepped_back_from_tells_nothing(site: PgChangeSite) -> None:
    """What is not valid since is somebody else's doing, and not half of the next attempt."""
    site.run("CREATE INDEX visit_ward ON his.visit (ward)")
    attempted(site)
    assert left(site, None) is Remains.HALF
    with opened(site) as session:
        session.note([whole(Direction.DOWN)])
        assert session.remains(DROP) is Remains.NOTHING
    assert left(site, None) is Remains.NOTHING


def test_a_step_that_was_finished_runs_again_where_its_index_is_back(site: PgChangeSite) -> None:
    """A way back may drop by the same words what the way up has made anew."""
    site.run("CREATE INDEX visit_ward ON his.visit (ward)")
    attempted(site)
    with opened(site) as session:
        session.clean_up(DROP)
        site.run("CREATE INDEX visit_ward ON his.visit (id)")
        assert session.remains(DROP) is Remains.NOTHING
        session.run_alone(DROP)
    assert site.rows(INDEXES) == []
