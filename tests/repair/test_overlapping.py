"""Two repairs of overlapping rows at once: the later one waits, and then is whole or refused."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from dbops.errors import DbopsError
from dbops.repair.manifest import Repair
from dbops.repair.report import RunReport
from dbops.repair.transaction import Stage
from tests.engines.postgresql.repair_database import PgSite
from tests.repair.bench import BRIEF, Bench, repair, watch
from tests.repair.hospital import MOVE, build, moving

PATIENT = replace(BRIEF, lock_wait=timedelta(seconds=30))


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD."""
    return build(bench)


@dataclass
class Later:
    """A repair that another thread begins while the first holds its rows."""

    bench: Bench
    manifest: Repair
    sql: str
    found: list[RunReport | DbopsError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.found.append(self.bench.run(self.manifest, self.sql))
        except DbopsError as error:
            self.found.append(error)

    def begin(self) -> None:
        """It is under way; on a server it waits for the first one's rows."""
        self.thread.start()
        site = self.bench.site
        until = time.monotonic() + 20
        while isinstance(site, PgSite) and not is_waiting(site):
            assert time.monotonic() < until, "the second does not wait"
            time.sleep(0.01)

    def end(self) -> RunReport | DbopsError:
        self.thread.join(30)
        (found,) = self.found
        return found


def is_waiting(site: PgSite) -> bool:
    """Whether the role that repairs waits for a lock."""
    role = site.engine.repair_role
    query = f"SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = '{role}'"
    return bool(site.rows(query))


def beside(ward: Bench, manifest: Repair, sql: str) -> RunReport | DbopsError:
    """What becomes of a repair that begins while visits are moved from OLD to ORT."""
    later = Later(Bench(ward.site, ward.directory, ward.identity), manifest, sql)
    ward.at[Stage.SCRIPT] = later.begin
    ward.run(moving(), MOVE)
    return later.end()


def columns(ward: Bench) -> list[tuple[object, object]]:
    """Ward and note of each visit."""
    return [(row[2], row[3]) for row in ward.rows("visit")]


def test_what_still_fits_is_done_after_the_first(ward: Bench) -> None:
    """It sees the rows as the first left them, and both are whole: rows, bundles and markers."""
    watched = watch("visit", "id <= 7", update=7, may_change=["note"])
    manifest = repair(watched, work="w-2", limits=PATIENT)
    done = beside(ward, manifest, "UPDATE visit SET note = 'x' WHERE id <= 7")
    assert isinstance(done, RunReport), done
    assert columns(ward) == [("ORT", "x")] * 7 + [("ORT", f"n{n}") for n in range(8, 13)]
    changes = [change for _, change in ward.changes(done)]
    assert [(change.before or ())[2] for change in changes] == [b"ORT"] * 7
    assert (len(ward.files), len(ward.markers()), len(ward.markers("w-2"))) == (2, 1, 1)
    ward.undo(done, work="w-2-undo")
    assert columns(ward) == [("ORT", f"n{n}") for n in range(1, 13)]


def test_what_no_longer_fits_is_refused(ward: Bench) -> None:
    """The rows that it speaks of are others by now: nothing of it is left."""
    watched = watch("visit", "dept = 'OLD'", update=5, may_change=["note"])
    manifest = repair(watched, work="w-2", limits=PATIENT)
    refused = beside(ward, manifest, "UPDATE visit SET note = 'x' WHERE dept = 'OLD'")
    assert isinstance(refused, DbopsError)
    assert refused.code == "expect-differs"
    assert columns(ward) == [("ORT", f"n{n}") for n in range(1, 13)]
    assert (len(ward.files), ward.markers("w-2")) == (1, [])
