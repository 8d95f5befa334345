"""A change that dies at each of its moments, on its way up and down, by kill -9 and by a cut.

What is there afterwards is known of each moment, exactly, and so is where resume brings it.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from dbops.change.fate import Became, Fate
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Moment
from dbops.change.standing import State, standing_of_work
from dbops.change.step import Direction
from dbops.engines.postgresql.connect import Parameters
from dbops.errors import DbopsError, Unreachable
from dbops.estate.values import SqliteAddress
from tests.change.bench import APART_DOWN, APART_TOUCHES, APART_UP, Bench
from tests.crash.changing import Changers, How, Order, changers
from tests.crash.processes import wait_until
from tests.engines.postgresql.change_database import change_site
from tests.engines.postgresql.repair_database import parameters_of
from tests.engines.sqlite.changes import SqliteChangeSite
from tests.fix_postgresql import PgServer

SETTLING = 30.0  # seconds
WAYS = {Direction.UP: How.RUN, Direction.DOWN: How.REVERT}
MADE_IN_FILE = (
    "SELECT name FROM sqlite_schema WHERE name = 'room'"
    " UNION ALL SELECT name FROM pragma_table_info('ward') WHERE name = 'phone'"
)
MADE_ON_SERVER = (
    "SELECT relname::text FROM pg_class WHERE relname IN ('room', 'visit_note')"
    " UNION ALL SELECT attname::text FROM pg_attribute"
    " WHERE attrelid = 'his.ward'::regclass AND attname = 'phone'"
)
TERMINATE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True)
class Left:
    """What a death leaves: what is told of the change, its steps done, and what is there of it."""

    fate: Fate
    done: int
    made: frozenset[str]


def left(times: int, fate: Fate, done: int, *made: str) -> list[Left]:
    """As many moments in a row leave this."""
    return [Left(fate, done, frozenset(made))] * times


# Judged, begun, two steps, before COMMIT, behind it.
IN_FILE = {
    Direction.UP: left(5, Fate.NOTHING, 0) + left(1, Fate.WHOLE, 2, "room", "phone"),
    Direction.DOWN: left(5, Fate.WHOLE, 2, "room", "phone") + left(1, Fate.RETURNED, 2),
}
# Judged, begun, a step, before COMMIT; behind it, before the index; behind it, and again a
# transaction up to its COMMIT; behind it.
ON_SERVER = {
    Direction.UP: left(4, Fate.NOTHING, 0)
    + left(2, Fate.HALF, 1, "room")
    + left(4, Fate.HALF, 2, "room", "visit_note")
    + left(1, Fate.WHOLE, 3, "room", "visit_note", "phone"),
    Direction.DOWN: left(4, Fate.WHOLE, 3, "room", "visit_note", "phone")
    + left(2, Fate.HALF, 1, "room", "visit_note")
    + left(4, Fate.HALF, 2, "room")
    + left(1, Fate.RETURNED, 3),
}
HALF = [number for number, each in enumerate(ON_SERVER[Direction.UP]) if each.fate is Fate.HALF]


def _nobody(_moment: Moment) -> None:
    """Nobody looks on."""


@dataclass
class Ward:
    """A database, a change of it, and what is expected of its deaths."""

    bench: Bench
    where: SqliteAddress | Parameters
    order: ChangeRun
    before: Schema
    query: str
    expected: dict[Direction, list[Left]]

    def new(self) -> Ward:
        """The same, and the database knows nothing of the change."""
        return replace(self, order=replace(self.order, plan=secrets.token_hex(32)))

    def anew(self) -> ChangeRun:
        """The same change, in a run of its own."""
        return replace(self.order, run=secrets.token_hex(16))

    def made(self) -> frozenset[str]:
        """What is there of the change, valid or not."""
        return frozenset(str(name) for (name,) in self.bench.site.rows(self.query))

    def left(self) -> Left:
        """What is told of it once the server has noticed its death, and what is there."""
        found: list[Became] = []

        def ask() -> bool:
            with suppress(Unreachable):
                found.append(what_became(self.order, self.bench.site.engine))
            return bool(found)

        assert wait_until(ask, SETTLING), "nobody gets to know what became of the change"
        return Left(found[0].fate, found[0].done, self.made())

    def expect(self, direction: Direction, number: int, onward: Onward) -> None:
        """This is left, and resume brings what is half done to its end."""
        found = self.left()
        assert found == self.expected[direction][number]
        became, report = resume_change(self.anew(), self.bench.site.engine, onward, _nobody)
        assert became.fate is found.fate
        assert (report is not None) is (found.fate is Fate.HALF)


@pytest.fixture(scope="module")
def forking() -> Iterator[Changers]:
    """The processes that die come from here."""
    with changers() as found:
        yield found


@pytest.fixture
def file_ward(tmp_path: Path) -> Ward:
    """A file, and a change in one transaction."""
    path = tmp_path / "lab.db"
    path.touch()
    bench = Bench(SqliteChangeSite(path))
    bench.build()
    order = bench.order(rehearsed=bench.rehearsed())
    where = SqliteAddress(name="lab", path=path)
    return Ward(bench, where, order, bench.schema(), MADE_IN_FILE, IN_FILE)


@pytest.fixture(scope="module")
def founded(pg15: PgServer) -> Iterator[Ward]:
    """A database on a server, and a change in three parts, the second outside of a transaction."""
    with change_site(pg15) as site:
        site.reset()
        bench = Bench(site)
        bench.build()
        seen = bench.rehearsed(APART_UP)
        order = bench.order(APART_UP, APART_DOWN, "SELECT true;", APART_TOUCHES, rehearsed=seen)
        limits = replace(order.change.limits, lock_wait=timedelta(seconds=5))
        order = replace(order, change=replace(order.change, limits=limits))
        where = parameters_of(pg15, site.database.name, pg15.superuser)
        yield Ward(bench, where, order, seen.source, MADE_ON_SERVER, ON_SERVER)


@pytest.fixture
def server_ward(founded: Ward) -> Ward:
    """Nothing of the change is there, whatever became of the test before."""
    stood = standing_of_work(founded.bench.journal(), founded.order.work).values()
    if founded.made() or any(each.state is not State.NOTHING for each in stood):
        founded.bench.rebuild()
    return founded.new()


Dies = Callable[[Ward, Direction, int], None]


def killed(ward: Ward, direction: Direction, number: int, forking: Changers) -> None:
    """A process of its own dies there: not a line of it runs any more."""
    order = Order(ward.where, WAYS[direction], ward.anew(), dies=number)
    assert forking.start(order).finish() == -signal.SIGKILL


def cut_off(ward: Ward, direction: Direction, number: int) -> None:
    """The server ends all connections there; what is said of it is how far it came."""
    ahead, said = [number], ""

    def observe(_moment: Moment) -> None:
        ahead[0] -= 1
        if ahead[0] == -1:
            ward.bench.site.run(TERMINATE)

    does = run_change if direction is Direction.UP else revert_change
    try:
        does(ward.anew(), ward.bench.site.engine, observe)
    except DbopsError as fault:
        said = fault.code
    half = ward.expected[direction][number].fate is Fate.HALF
    last = number + 1 == len(ward.expected[direction])
    assert said == ("" if last else "change-partly" if half else "connection-lost")
    assert ahead[0] == -1 or not last, "there are more moments"


@pytest.fixture(params=["killed", "cut off"])
def dies(request: pytest.FixtureRequest, forking: Changers) -> Dies:
    """How it dies at a moment."""
    return partial(killed, forking=forking) if request.param == "killed" else cut_off


def goes_both_ways(ward: Ward, dies: Dies) -> None:
    """It dies at all moments that leave nothing half done, the last one of each way included."""
    for direction, expected in ward.expected.items():
        for number, each in enumerate(expected):
            if each.fate is not Fate.HALF:
                dies(ward, direction, number)
                ward.expect(direction, number, Onward.FINISH)
    assert ward.bench.schema() == ward.before


def test_a_file_is_as_before_or_behind(file_ward: Ward, forking: Changers) -> None:
    """Killed at any moment of either way: one transaction took place, or it did not."""
    goes_both_ways(file_ward, partial(killed, forking=forking))


def test_a_server_is_as_before_or_behind(server_ward: Ward, dies: Dies) -> None:
    """Where no part is committed, or all are, nothing is left to be done."""
    goes_both_ways(server_ward, dies)


@pytest.mark.parametrize("number", HALF)
def test_what_is_half_done_is_finished(server_ward: Ward, dies: Dies, number: int) -> None:
    """Each way is gone to its end from where it broke off, and the parts that are done are not
    done twice.
    """
    for direction, expected in server_ward.expected.items():
        dies(server_ward, direction, number)
        server_ward.expect(direction, number, Onward.FINISH)
        assert server_ward.left() == expected[-1]


@pytest.mark.parametrize("number", HALF[:3])  # behind these it stands as at the third
def test_what_is_half_done_is_taken_back(server_ward: Ward, forking: Changers, number: int) -> None:
    """Whatever of it is there goes."""
    killed(server_ward, Direction.UP, number, forking)
    server_ward.expect(Direction.UP, number, Onward.REVERT)
    assert server_ward.left() == server_ward.expected[Direction.DOWN][-1]
