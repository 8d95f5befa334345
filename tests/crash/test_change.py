"""Changes whose process is killed: nothing, all, or half of it and written down."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Effect, decode
from dbops.change.attempts import RecordedChange, recorded_changes
from dbops.change.fate import Became, Fate
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.standing import State
from dbops.change.step import Direction
from dbops.engines.postgresql.connect import Parameters
from dbops.errors import Unreachable
from dbops.estate.values import SqliteAddress
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, DOWN, TOUCHES, UP, Bench
from tests.crash.changing import Changers, How, Order, changers
from tests.crash.processes import fresh_random, note, wait_until
from tests.engines.postgresql.change_database import change_site
from tests.engines.postgresql.repair_database import parameters_of
from tests.engines.sqlite.changes import SqliteChangeSite
from tests.fix_postgresql import PgServer

KILLS = [pytest.param(3, id="3"), pytest.param(50, id="50", marks=pytest.mark.sweep)]
SETTLING = 30.0  # seconds
ROOMS = 20_000
FILL = (
    "INSERT INTO {room} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    f" WHERE i < {ROOMS}) SELECT 'room ' || i FROM n;"
)


@dataclass
class Ward:
    """A database, a change of it, and the processes that run it."""

    bench: Bench
    changers: Changers
    where: SqliteAddress | Parameters
    order: ChangeRun
    before: Schema
    ledgers: Path
    begun: int = 0

    @property
    def hows(self) -> list[How]:
        """What can die; one transaction is never half done, so there is nothing to resume."""
        apart = any(map(self.bench.site.engine.is_alone, self.order.up))
        return list(How) if apart else [How.RUN, How.REVERT]

    def prepare(self, how: How) -> None:
        """It stands as what is to be done needs it; what is to be resumed has died somewhere."""
        if how is How.REVERT:
            self.bench.run(self.order)
        elif how is not How.RUN:
            assert self.bench.killed_at(5, self.order)

    def start(self, how: How) -> Order:
        """The order of a process that does it."""
        self.begun += 1
        return Order(self.where, how, self.order, self.ledger)

    @property
    def ledger(self) -> Path:
        """Where the last of them is recorded: each in a ledger of its own."""
        return self.ledgers / str(self.begun)

    def recorded(self) -> RecordedChange | None:
        """What the ledger says of it; None where nothing was recorded, as of a resume."""
        files = sorted((self.ledger / "seg").glob("*.jsonl"))
        entries = [decode(line) for path in files for line in path.read_bytes().splitlines()]
        return next(iter(recorded_changes(entries)), None)

    def agree(self, how: How, became: Became) -> Effect | None:
        """What the ledger says is what the journal says, or that nobody knows."""
        found = self.recorded()
        if found is None:
            return None
        ended = Fate.WHOLE if how is How.RUN else Fate.RETURNED
        as_before = Fate.NOTHING if how is How.RUN else Fate.WHOLE
        if found.effect is Effect.NONE:
            assert became.fate is as_before
        elif found.effect is Effect.COMMITTED:
            assert became.fate in ({ended} if found.schema is not None else {ended, Fate.HALF})
        return found.effect

    def became(self) -> Became:
        """What became of it, as soon as the server has noticed the death."""
        found: list[Became] = []

        def ask() -> bool:
            with suppress(Unreachable):
                found.append(what_became(self.order, self.bench.site.engine))
            return bool(found)

        assert wait_until(ask, SETTLING), "nobody gets to know what became of the change"
        return found[0]

    def check(self, how: How, onward: Onward) -> Fate:
        """All that must hold after a death; then it is brought to an end, and built anew."""
        became = self.became()
        self.agree(how, became)
        differ = {line.partition(" ")[0] for line in self.bench.changed(self.before)}
        count = len(self.bench.changed(self.before))
        assert differ <= {"create"}
        if count not in {0, len(self.order.change.touches)}:
            assert became.fate is Fate.HALF
        if became.fate is not Fate.HALF:
            assert (count > 0) is (became.fate is Fate.WHOLE)
        anew = replace(self.order, run="a" * 32)
        resume_change(anew, self.bench.site.engine, onward, self.bench.observe)
        finishes = became.direction is Direction.UP and onward is Onward.FINISH
        whole = became.fate is Fate.WHOLE or (became.fate is Fate.HALF and finishes)
        assert self.bench.state() is (State.WHOLE if whole else State.NOTHING)
        assert (self.bench.schema() == self.before) is not whole
        self.bench.rebuild()
        return became.fate


@pytest.fixture(scope="module")
def forking() -> Iterator[Changers]:
    """The processes that die come from here."""
    with changers() as found:
        yield found


@pytest.fixture
def sqlite_ward(tmp_path: Path, forking: Changers) -> Ward:
    """A ward in a file, whose change is one transaction."""
    path = tmp_path / "lab.db"
    path.touch()
    bench = Bench(SqliteChangeSite(path))
    bench.build()
    order = bench.order(UP + FILL, DOWN, "SELECT 1 = 1;", TOUCHES, rehearsed=bench.rehearsed())
    return _ward(bench, forking, SqliteAddress(name="lab", path=path), order, tmp_path)


@pytest.fixture
def postgresql_ward(pg15: PgServer, forking: Changers, tmp_path: Path) -> Iterator[Ward]:
    """A ward on a server, whose change has three parts."""
    with change_site(pg15) as site:
        site.reset()
        bench = Bench(site)
        bench.build()
        rehearsed = bench.rehearsed(APART_UP)
        order = bench.order(
            APART_UP, APART_DOWN, "SELECT true;", APART_TOUCHES, rehearsed=rehearsed
        )
        where = parameters_of(pg15, site.database.name, pg15.superuser)
        yield _ward(bench, forking, where, order, tmp_path)


def _ward(
    bench: Bench,
    forking: Changers,
    where: SqliteAddress | Parameters,
    order: ChangeRun,
    ledgers: Path,
) -> Ward:
    limits = replace(order.change.limits, lock_wait=timedelta(seconds=5))
    order = replace(order, change=replace(order.change, limits=limits))
    return Ward(bench, forking, where, order, bench.schema(), ledgers)


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request: pytest.FixtureRequest) -> Ward:
    """A ward of each engine."""
    found = request.getfixturevalue(f"{request.param}_ward")
    assert isinstance(found, Ward)
    return found


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments(ward: Ward, kills: int) -> None:
    """Whenever a run, a revert or a resume is killed, the journal knows, and resume ends it."""
    source = fresh_random()
    spans = {how: measured(ward, how) for how in ward.hows}
    fates = Counter[tuple[How, Fate]]()
    killed = 0
    for number in range(6 * kills):
        if killed == kills:
            break
        how = ward.hows[number % len(ward.hows)]
        ward.prepare(how)
        died = die(ward, how, spans[how], source)
        spans[how] *= 1.1 if died else 0.6  # other work makes it slow and fast
        killed += died
        fates[how, ward.check(how, source.choice(list(Onward)))] += 1
    note(f"{killed} killed: {dict(fates)}")
    assert killed == kills, "most had ended before they were killed"


def measured(ward: Ward, how: How) -> float:
    """The seconds of one that nobody disturbs."""
    ward.prepare(how)
    begun = time.monotonic()
    assert ward.changers.start(ward.start(how)).finish() == 0
    span = time.monotonic() - begun
    ward.check(how, Onward.FINISH)
    return span


def die(ward: Ward, how: How, span: float, source: random.Random) -> bool:
    """Kill it at any moment; whether it still ran."""
    child = ward.changers.start(ward.start(how))
    time.sleep(source.random() * span)
    return child.kill()


BREAKS = [pytest.param(2, id="2"), pytest.param(50, id="50", marks=pytest.mark.sweep)]


@pytest.mark.parametrize("breaks", BREAKS)
def test_the_server_ends_the_connection_at_random_moments(
    postgresql_ward: Ward, pg15: PgServer, breaks: int
) -> None:
    """The process records its end, and it is what the journal and the schema say."""
    ward, source = postgresql_ward, fresh_random()
    assert isinstance(ward.where, Parameters)
    spans = {how: measured(ward, how) for how in ward.hows}
    said = Counter[tuple[How, Effect | None, Fate]]()
    lost = 0
    with pg15.connect("postgres") as connection:
        for number in range(6 * breaks):
            if lost == breaks:
                break
            how = ward.hows[number % len(ward.hows)]
            ward.prepare(how)
            child = ward.changers.start(ward.start(how))
            time.sleep(source.random() * spans[how])
            ended = connection.execute(_TERMINATE, [ward.where.dbname]).fetchall()
            well = child.finish() == 0
            spans[how] *= 1.1 if ended and not well else 0.6
            lost += bool(ended) and not well
            became, found = ward.became(), ward.recorded()
            assert found is None or found.ended is not None, "an intent without an outcome"
            said[how, ward.agree(how, became), became.fate] += 1
            ward.check(how, source.choice(list(Onward)))
    note(f"{lost} lost: {dict(said)}")
    assert lost == breaks, "most had ended before their connection was"


_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
