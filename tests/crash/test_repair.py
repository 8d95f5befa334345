"""Repairs whose process, connection or server dies: all of it took place or nothing, as told."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbops.engines.postgresql.connect import Parameters
from dbops.estate.values import SqliteAddress
from dbops.repair.resume import Fate
from dbops.repair.transaction import Stage
from tests.crash.fragile_server import FragileServer, fragile_server
from tests.crash.processes import fresh_random, note
from tests.crash.repair_ward import Attempt, How, Ward
from tests.crash.repairing import DONE, Children, children
from tests.engines.postgresql.repair_database import PgSite, parameters_of, pg_site
from tests.engines.sqlite.repairs import SqliteSite
from tests.fix_postgresql import PgServer
from tests.repair.bench import Bench

KILLS = [pytest.param(4, id="4"), pytest.param(50, id="50", marks=pytest.mark.sweep)]
STAGES = [stage for stage in Stage if stage is not Stage.ROLLED_BACK]
HOWS = list(How)
AT_STAGES = [
    *((How.RUN, stage) for stage in STAGES),
    *((How.UNDO, stage) for stage in (Stage.SCRIPT, Stage.COMMITTING, Stage.COMMITTED)),
    *((How.BATCHES, stage) for stage in (Stage.SEALED, Stage.COMMITTED)),
]


@pytest.fixture(scope="module")
def forking() -> Iterator[Children]:
    """The processes that die come from here."""
    with children() as found:
        yield found


@pytest.fixture(scope="module")
def site(pg15: PgServer) -> Iterator[PgSite]:
    """A database for all tests of this module."""
    with pg_site(pg15) as found:
        yield found


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Where bundles lie."""
    place = tmp_path / "bundles"
    place.mkdir(mode=0o700)
    return place


@pytest.fixture
def sqlite_ward(tmp_path: Path, bundles: Path, forking: Children) -> Ward:
    """A ward in a file."""
    path = tmp_path / "lab.db"
    path.touch()
    ward = Ward(Bench(SqliteSite(path), bundles), forking, SqliteAddress(name="lab", path=path))
    ward.build()
    return ward


@pytest.fixture
def postgresql_ward(site: PgSite, bundles: Path, forking: Children) -> Ward:
    """A ward on a server."""
    site.reset()
    ward = Ward(Bench(site, bundles), forking, login(site))
    ward.build()
    return ward


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request: pytest.FixtureRequest) -> Ward:
    """A ward of each engine."""
    found = request.getfixturevalue(f"{request.param}_ward")
    assert isinstance(found, Ward)
    return found


def login(site: PgSite) -> Parameters:
    """How the repair role comes in."""
    return parameters_of(site.database.server, site.database.name, site.engine.repair_role)


@dataclass(frozen=True)
class Span:
    """Seconds of an undisturbed attempt: until the rows are judged, and to its end."""

    judged: float
    whole: float

    def times(self, factor: float) -> Span:
        """A longer or a shorter one."""
        return Span(self.judged * factor, self.whole * factor)


def measured(ward: Ward, how: How) -> Span:
    """One that nobody disturbs."""
    attempt = ward.attempt(how)
    begun = time.monotonic()
    child = ward.start(attempt)
    assert child.reach(Stage.AFTER)
    judged = time.monotonic() - begun
    assert child.finish() == DONE
    span = Span(judged, time.monotonic() - begun)
    assert ward.check(attempt) is Fate.COMMITTED
    return span


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments(ward: Ward, kills: int) -> None:
    """Whenever a run, an undo or one of several batches is killed, nothing is half done."""
    source = fresh_random()
    spans = {how: measured(ward, how) for how in HOWS}
    fates = Counter[tuple[How, Fate]]()
    killed = 0
    for number in range(kills):
        how = HOWS[number % len(HOWS)]
        attempt = ward.attempt(how)
        died = die(ward, attempt, spans[how], source, late=number % 2 == 1)
        spans[how] = spans[how].times(1.1 if died else 0.6)  # other work makes it slow and fast
        killed += died
        fates[how, ward.check(attempt)] += 1
    note(f"{killed} killed: {dict(fates)}")
    assert killed >= kills // 3, "most had ended before they were killed"


def die(ward: Ward, attempt: Attempt, span: Span, source: random.Random, *, late: bool) -> bool:
    """Kill it at any moment, or, where it is `late`, around its COMMIT; whether it still ran."""
    child = ward.start(attempt)
    if late and attempt.how is not How.BATCHES:
        child.reach(Stage.AFTER)
        time.sleep(source.random() * (span.whole - span.judged))
    else:
        time.sleep(source.random() * span.whole)
    return child.kill()


@pytest.mark.parametrize(("how", "stage"), AT_STAGES)
def test_killed_at_a_stage(ward: Ward, how: How, stage: Stage) -> None:
    """Up to COMMITTING nothing took place, and from COMMITTED on all did."""
    attempt = ward.attempt(how)
    child = ward.start(attempt, stage)
    assert child.reach(stage)
    assert child.kill()
    fate = ward.check(attempt)
    committed = Fate.PARTLY if how is How.BATCHES else Fate.COMMITTED
    assert fate is (committed if stage is Stage.COMMITTED else Fate.NOTHING)


@pytest.mark.parametrize(
    "breaks", [pytest.param(2, id="2"), pytest.param(30, id="30", marks=pytest.mark.sweep)]
)
def test_the_server_ends_the_connection_at_random_moments(
    postgresql_ward: Ward, site: PgSite, breaks: int
) -> None:
    """What the process says of it is what the database says; all of it took place or nothing."""
    source = fresh_random()
    spans = {how: measured(postgresql_ward, how) for how in HOWS}
    said = Counter[tuple[How, str, Fate]]()
    with site.database.server.connect("postgres") as connection:
        for number in range(breaks):
            how = HOWS[number % len(HOWS)]
            attempt = postgresql_ward.attempt(how)
            child = postgresql_ward.start(attempt)
            assert child.reach(Stage.BEGUN)
            time.sleep(source.random() * spans[how].whole)
            connection.execute(_TERMINATE, [site.engine.repair_role])
            last = child.finish()
            fate = postgresql_ward.check(attempt)
            said[how, last, fate] += 1
            assert (last == DONE) is (fate is Fate.COMMITTED)
    note(f"{dict(said)}")


_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


SERVER_DEATHS = [
    (How.RUN, Stage.COMMITTED),
    (How.UNDO, Stage.COMMITTING),
    (How.BATCHES, Stage.COMMITTED),
    *(pytest.param(how, stage, marks=pytest.mark.sweep) for how in HOWS for stage in STAGES),
]


@pytest.fixture(scope="module")
def fragile() -> Iterator[FragileServer]:
    """A server of this module's own."""
    with fragile_server() as found:
        yield found


@pytest.mark.parametrize(("how", "stage"), SERVER_DEATHS)
def test_the_server_is_killed(
    fragile: FragileServer, bundles: Path, forking: Children, how: How, stage: Stage
) -> None:
    """Its postmaster dies by SIGKILL at a stage; when it is back, it knows what took place."""
    with pg_site(fragile.server) as site:
        ward = Ward(Bench(site, bundles), forking, login(site))
        ward.build()
        attempt = ward.attempt(how)
        child = ward.start(attempt, stage)
        assert child.reach(stage)
        fragile.kill()
        child.resume()
        last = child.finish()
        fragile.start()
        fate = ward.check(attempt)
    assert (last == DONE) is (fate is Fate.COMMITTED)
    if stage is not Stage.COMMITTING:  # there a backend may commit before it notices
        committed = Fate.PARTLY if how is How.BATCHES else Fate.COMMITTED
        assert fate is (committed if stage is Stage.COMMITTED else Fate.NOTHING)
