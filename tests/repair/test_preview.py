"""A look at the database itself reads beside whoever writes there, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw
import pytest

from dbops.cli.repair_preview import look
from dbops.cli.repairing import ReadRepair
from dbops.errors import DbopsError
from dbops.repair.manifest import Repair
from dbops.review.work import Kind, Work
from dbops.sql.written import Written
from tests.engines.postgresql.repair_database import PgSite
from tests.engines.repair_site import Site
from tests.engines.sqlite.repairs import SqliteSite
from tests.repair.bench import Bench, holds, repair, watch
from tests.repair.hospital import build, contents, moving


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD."""
    return build(bench)


def read(manifest: Repair) -> ReadRepair:
    """The repair as it was read from its folder."""
    return ReadRepair(Work(Kind.REPAIR, manifest.id, f"repairs/{manifest.id}", {}), manifest, ())


@contextmanager
def writer(site: Site) -> Iterator[None]:
    """Meanwhile nobody else may write or lock rows of visits; who only reads still may."""
    if isinstance(site, PgSite):
        with site.database.connect() as server, server.transaction():
            server.execute("LOCK TABLE visit IN EXCLUSIVE MODE")
            server.execute("UPDATE visit SET dept = 'ICU'")
            yield
        return
    assert isinstance(site, SqliteSite)
    connection = apsw.Connection(str(site.path))
    connection.execute("BEGIN IMMEDIATE; UPDATE visit SET dept = 'ICU'")
    yield
    connection.execute("COMMIT")
    connection.close()


def test_a_look_waits_for_nobody(ward: Bench) -> None:
    """It counts the rows that are committed; what somebody is just writing is not there yet."""
    unmet = holds("SELECT count(*) FROM visit WHERE dept = 'OLD'", "77", "77 are wrong")
    before = contents(ward)
    with writer(ward.site):
        seen = look(read(moving(before=(unmet,))), None, ward.site.engine)
        assert contents(ward) == before
    visit = ward.site.table("visit")
    assert seen.watched == ((visit, 5, Written(updated=5)),)
    assert [breach.code for breach in seen.unmet] == ["condition-failed"]
    assert (ward.markers(), ward.files) == ([], [])
    again = look(read(moving()), None, ward.site.engine)
    assert again.watched == ((visit, 0, Written(updated=5)),)


def test_a_look_writes_nothing(postgresql_bench: Bench) -> None:
    """Not even where a predicate calls a function that would: the transaction only reads."""
    ward = build(postgresql_bench)
    ward.site.run(
        "CREATE FUNCTION sly() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE public.visit SET note = 'sly'; RETURN true; END $$"
    )
    before = contents(ward)
    with pytest.raises(DbopsError):
        look(read(repair(watch("visit", "sly()"))), None, ward.site.engine)
    assert contents(ward) == before
