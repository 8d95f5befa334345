"""`dbops change` killed or cut off at random: resume settles it, and ledger and schema agree."""

from __future__ import annotations

import random
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from dbops.audit.entry import Effect
from dbops.change.attempts import recorded_changes
from dbops.change.step import Direction
from tests.cli import changes
from tests.cli.ops import found_ops
from tests.crash.change_lab import VISIT, WARD, WARD_INDEX, Lab, ask_nothing
from tests.crash.processes import Outcome, Run, dbops, fresh_random, note, wait_until
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.estate import run_sql
from tests.support.ledger import entries_of
from tests.support.postgresql_estate import add_lab

SETTLING = 30.0  # seconds
SWEEP = pytest.mark.sweep


class Verb(StrEnum):
    """What dies."""

    RUN = "run"
    REVERT = "revert"
    RESUME = "resume"


@dataclass
class Ward(Lab):
    """A change of three parts on the server; whoever dies is settled by resume."""

    spans: dict[Verb, float] = field(default_factory=dict)
    starting: float = 0.0  # seconds until the last one had written its intent

    @property
    def ways(self) -> list[tuple[str, ...]]:
        """How it can be settled; what was not rehearsed and is half done can only be finished."""
        return [()]

    @property
    def whole(self) -> tuple[str, ...]:
        """What the change makes."""
        return ("note", "phone", "ward_name")

    def prepare(self, verb: Verb, source: random.Random) -> None:
        """A new change stands as what is to die needs it."""
        self.rebuild()
        if verb is Verb.REVERT:
            assert self.dbops("run").status == 0
        elif verb is Verb.RESUME:
            run = self.begin(Verb.RUN)
            time.sleep(source.random() * self.spans[Verb.RUN])
            run.kill()

    def rebuild(self) -> None:
        """A new change of a database that knows none."""
        self.write(WARD, WARD_INDEX, VISIT)

    def dbops(self, verb: str, *more: str) -> Outcome:
        words = () if verb == "resume" else ("--yes",)
        return dbops(self.ops.root, "change", verb, self.work, *words, *more)

    def settle(self, source: random.Random) -> str:
        """Afterwards resume has settled it; what must hold then holds. Returns what it said."""
        back = source.choice(self.ways)
        found: list[Outcome] = []

        def ask() -> bool:
            found.append(self.dbops("resume", *back))
            return found[-1].status != 11  # the server has not noticed the death yet

        assert wait_until(ask, SETTLING), found[-1]
        assert found[-1].status == 0, found[-1]
        assert self.dbops("resume").err.startswith("nothing is open: ")
        self.agree()
        return found[-1].out.rpartition("): ")[2].strip() or "nothing was open"

    def agree(self) -> None:
        """The schema is the start or the end, and the ledger says which."""
        stands = self.stands()
        runs = [
            each for each in recorded_changes(entries_of(self.ops.root)) if each.work == self.work
        ]
        assert all(each.effect is not Effect.UNKNOWN for each in runs), runs
        done = [each for each in runs if each.effect is Effect.COMMITTED]
        assert (bool(done) and done[-1].direction is Direction.UP) is stands

    def stands(self) -> bool:
        """Whether the change is there, all of it."""
        made = tuple(map(str, self.made()))
        assert made in {(), self.whole}
        return made == self.whole

    def measure(self) -> None:
        """How long each works that nobody disturbs, in seconds from its intent to its end."""
        self.rebuild()
        for verb in (Verb.RUN, Verb.REVERT):
            run = self.begin(verb)
            begun = run.seconds
            assert run.finish().status == 0
            self.spans[verb] = run.seconds - begun
        self.spans[Verb.RESUME] = self.spans[Verb.RUN]

    def begin(self, verb: Verb) -> Run:
        """A process that has written its intent; a resume writes none, and is at work by then."""
        before = self.recorded_bytes()
        run = self.start(verb)
        if verb is Verb.RESUME:
            time.sleep(self.starting / 2)
        else:
            assert wait_until(lambda: self.recorded_bytes() > before or run.ended)
            self.starting = run.seconds
        return run

    def recorded_bytes(self) -> int:
        """How large the ledger is."""
        return sum(path.stat().st_size for path in (self.ops.root / "audit" / "seg").iterdir())


@dataclass
class FileWard(Ward):
    """A change in one transaction, of a file."""

    @property
    def ways(self) -> list[tuple[str, ...]]:
        return [(), ("--revert",)]

    @property
    def whole(self) -> tuple[str, ...]:
        return ("referred_by", "visit_referred_by")

    def rebuild(self) -> None:
        path = self.ops.root / "example.db"
        for one in self.ops.root.glob("example.db*"):
            one.unlink()
        run_sql(path, changes.HOSPITAL)
        self.runs += 1
        self.work = f"2026-{self.runs}"
        changes.write(self.ops, self.work)
        self.ops.commit()

    def made(self) -> list[object]:

        query = (
            "SELECT name FROM pragma_table_info('visit') WHERE name = 'referred_by'"
            " UNION ALL SELECT name FROM sqlite_schema WHERE name = 'visit_referred_by'"
        )
        with closing(sqlite3.connect(self.ops.root / "example.db")) as connection:
            return [name for (name,) in connection.execute(query)]


def cut_off(ward: Ward, run: Run) -> bool:
    """Whether the run lost its connection: the server ends what sessions it has, or the next."""
    ended: list[object] = []

    def end() -> bool:
        over = run.ended  # before it is looked whether it has a session
        ended.extend(ward.ask(_TERMINATE))
        return over or bool(ended)

    assert wait_until(end)
    outcome = run.finish()
    assert outcome.status in ({0, 1, 3, 11} if ended else {0}), outcome
    return bool(ended) and outcome.status != 0


_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'dbops'"
)


@pytest.fixture
def ward(pg15: PgServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A database on a server, in an estate whose policy asks nothing of changes."""
    name = f"killed_{secrets.token_hex(6)}"
    pg15.create_database(name)
    ops = found_ops(tmp_path_factory.mktemp("killed") / "estate")
    add_lab(ops.root, PgDatabase(pg15, name))
    ask_nothing(ops)
    yield Ward(ops, PgDatabase(pg15, name))
    pg15.drop_database(name)


@pytest.fixture
def file_ward(pg15: PgServer, tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """A file in such an estate."""
    ops = found_ops(tmp_path_factory.mktemp("killed") / "estate")
    ask_nothing(ops)
    return FileWard(ops, PgDatabase(pg15, "postgres"))


def sweep(ward: Ward, deaths: int, *, sever: bool = False) -> None:
    """So many die, at random moments from their intent to their end."""
    source = fresh_random()
    ward.measure()
    fates = Counter[tuple[Verb, str]]()
    died = 0
    verbs = list(Verb)
    for number in range(6 * deaths):
        if died == deaths:
            break
        verb = verbs[number % len(verbs)]
        ward.prepare(verb, source)
        run = ward.begin(verb)
        time.sleep(source.random() * ward.spans[verb])
        hit = cut_off(ward, run) if sever else run.kill()
        ward.spans[verb] *= 1.05 if hit else 0.8
        died += hit
        fates[verb, ward.settle(source)] += 1
    note(f"{died} died: {dict(fates)}")
    assert died == deaths, "most had ended before"
    verified = dbops(ward.ops.root, "audit", "verify")
    assert "DANGLING" not in verified.out, verified


@pytest.mark.parametrize("deaths", [pytest.param(50, marks=SWEEP)])
def test_killed_on_a_server(ward: Ward, deaths: int) -> None:
    """kill -9: whatever it was at, resume finishes it or takes it back."""
    sweep(ward, deaths)


@pytest.mark.parametrize("deaths", [pytest.param(50, marks=SWEEP)])
def test_cut_off_from_a_server(ward: Ward, deaths: int) -> None:
    """The server ends its session: it says so, and resume settles what is left."""
    sweep(ward, deaths, sever=True)


@pytest.mark.parametrize("deaths", [1, pytest.param(50, marks=SWEEP)])
def test_killed_on_a_file(file_ward: Ward, deaths: int) -> None:
    """kill -9 of a change in one transaction: it took place, or it did not."""
    sweep(file_ward, deaths)
