"""A ward whose visits are repaired by processes that die, and what must hold after each death.

The rows are looked at by plain SQL, and what they are to be is worked out here, without dbops.
Every check leaves the rows as they were built.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from dbops.engines.postgresql.connect import Parameters
from dbops.errors import Unreachable
from dbops.estate.values import SqliteAddress
from dbops.repair.batches import run_batches
from dbops.repair.manifest import Batch, Limits, Repair, UndoOf
from dbops.repair.ports import MarkerKind
from dbops.repair.resume import Became, Fate, OpenRun, what_became
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder
from dbops.repair.table import TableName
from dbops.repair.transaction import Stage
from dbops.repair.undo import undo_repair
from tests.crash.processes import DEAR_LOOK_SECONDS, wait_until
from tests.crash.repairing import Child, Children, Order
from tests.repair.bench import AT_ONCE, Bench, Rows, repair, watch

VISITS, MOVED, BATCH = 500, 400, 120
WORK, UNDO = "w-1", "w-1-undo"
SETTLING = 30.0  # seconds
LIMITS = Limits(rows=5000, lock_wait=timedelta(seconds=5), statement=timedelta(seconds=60))
BUILD = (
    "CREATE TABLE visit (id integer NOT NULL PRIMARY KEY, ward text NOT NULL, note text)",
    "CREATE TABLE bill (id integer NOT NULL PRIMARY KEY, amount integer NOT NULL)",
    "INSERT INTO visit VALUES "
    + ", ".join(f"({n}, '{'OLD' if n <= MOVED else 'ORT'}', '患者{n}')" for n in range(VISITS)),
    "INSERT INTO bill VALUES " + ", ".join(f"({n}, {n * 7})" for n in range(90)),
)
SCRIPT = """
UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD';
DELETE FROM bill WHERE id % 3 = 0;
INSERT INTO bill SELECT id + 1000, amount FROM bill WHERE id % 3 = 1;
"""
SLICE = "ward = 'OLD' AND id BETWEEN :batch_first AND :batch_last"
MOVE_SLICE = f"UPDATE visit SET ward = 'ORT' WHERE {SLICE}"
_CONTENTS = (
    "SELECT 'visit' AS t, id, ward, note FROM visit"
    " UNION ALL SELECT 'bill', id, CAST(amount AS text), NULL FROM bill ORDER BY 1, 2"
)


class How(StrEnum):
    """What the process does that dies."""

    RUN = "run"
    UNDO = "undo"
    BATCHES = "batches"


@dataclass(frozen=True)
class Attempt:
    """One thing to be run, and all rows before and after it."""

    how: How
    what: RunOrder | UndoOrder
    begin: Rows
    end: Rows
    first: RunOrder | None = None  # what an undo takes back


@dataclass
class Ward:
    """A database, and the processes that work on it."""

    bench: Bench
    children: Children
    where: SqliteAddress | Parameters

    def build(self) -> None:
        """The tables are there."""
        self.bench.site.run(*BUILD)
        self.bench.site.prepare("visit", "bill")

    def contents(self) -> Rows:
        """All rows."""
        return self.bench.site.rows(_CONTENTS)

    def attempt(self, how: How) -> Attempt:
        """What is to be run next; for an undo, there is a run to be taken back."""
        built = self.contents()
        if how is How.BATCHES:
            return Attempt(how, self._order(_batches(), MOVE_SLICE), built, list(_moved(built)))
        order = self._order(_whole(), SCRIPT)
        repaired = sorted(_moved(built, bills=True), key=lambda row: (row[0], row[1]))
        if how is How.RUN:
            return Attempt(how, order, built, repaired)
        self._run(order)
        return Attempt(how, self._undo([order]), repaired, built, order)

    def start(self, attempt: Attempt, *pauses: Stage) -> Child:
        """A process that runs it, and waits at these stages."""
        bench = self.bench
        order = Order(self.where, bench.directory, bench.identity, attempt.what, frozenset(pauses))
        return self.children.start(order)

    def became(self, what: RunOrder | UndoOrder) -> Became:
        """What became of it, as soon as anybody knows."""
        kind = MarkerKind.UNDO if isinstance(what, UndoOrder) else MarkerKind.REPAIR
        run = OpenRun(1, what.run, what.repair.id, kind)
        found: list[Became] = []

        def ask() -> bool:
            with suppress(Unreachable):
                found.append(what_became(run, self.bench.site.engine))
            return bool(found)

        assert wait_until(ask, SETTLING, DEAR_LOOK_SECONDS), (
            "nobody gets to know what became of the run"
        )
        return found[0]

    def check(self, attempt: Attempt) -> Fate:
        """All that must hold after a death; then the attempt is brought to its end, and undone."""
        became = self.became(attempt.what)
        assert self.contents() == _expected(attempt, became)
        self._tidy(became)
        runs = [attempt.what]
        if became.fate is not Fate.COMMITTED:
            runs.append(replace(attempt.what, run=secrets.token_hex(16)))
            self._run(runs[-1])
        assert self.contents() == attempt.end
        if attempt.how is not How.UNDO:
            self._run(self._undo(runs))
            assert self.contents() == attempt.begin
        self._forget_bundles()
        return became.fate

    def _tidy(self, became: Became) -> None:
        """As `dbops repair resume` does; then whole bundles are left, one for each commit."""
        place = self.bench.place
        place.sweep()
        for stored in () if became.unused is None else place.of_run(became.unused):
            place.remove(stored.path)
        left = {stored.run for stored in place.all(became.run.work)}
        assert left == {marker.run for marker in became.markers}
        assert len(self.bench.files) == len(place.all()), "an unfinished file is left"
        for marker in became.markers:
            stored = place.find(marker.bundle)
            changes = list(place.open(stored, [self.bench.identity], marker.bundle))
            assert changes or became.progress is not None  # the last batches have nothing to do

    def _run(self, what: RunOrder | UndoOrder) -> None:
        """Here, by nobody who dies."""
        engine, place = self.bench.site.engine, self.bench.place
        if isinstance(what, RunOrder):
            run_batches_or_all = run_repair if what.repair.batch is None else run_batches
            run_batches_or_all(what, engine, place, _ignore, AT_ONCE)
            return
        undo_of = what.repair.undo_of
        assert undo_of is not None
        identities = [self.bench.identity]
        bundles = [place.open(place.find(one), identities, one) for one in undo_of.bundles]
        undo_repair(what, bundles, engine, place, _ignore, AT_ONCE)

    def _order(self, manifest: Repair, sql: str) -> RunOrder:
        return self.bench.order(manifest, sql)

    def _undo(self, runs: Iterable[RunOrder | UndoOrder]) -> UndoOrder:
        """Of all that these runs committed."""
        sha256s = [marker.bundle for run in runs for marker in self.became(run).markers]
        manifest = repair(work=UNDO, undo_of=UndoOf(WORK, tuple(sha256s)), limits=LIMITS)
        return UndoOrder(
            repair=manifest,
            plan=secrets.token_hex(32),
            run=secrets.token_hex(16),
            database="lab",
            identity=self.bench.site.engine.identity(),
            recipients=[self.bench.identity.recipient],
            key=secrets.token_hex(32),
        )

    def _forget_bundles(self) -> None:
        for stored in self.bench.place.all():
            self.bench.place.remove(stored.path)


def _whole() -> Repair:
    visits = watch("visit", "ward = 'OLD'", update=MOVED + 1, may_change=["ward"])
    return repair(visits, watch("bill", insert=30, delete=30), work=WORK, limits=LIMITS)


def _batches() -> Repair:
    visits = watch("visit", SLICE, update=MOVED + 1, may_change=["ward"])
    return repair(visits, work=WORK, limits=LIMITS, batch=Batch(TableName("", "visit"), BATCH))


def _moved(
    rows: Rows, *, upto: float = math.inf, bills: bool = False
) -> Iterator[tuple[object, ...]]:
    """What the rows are when the visits up to this one have moved."""
    for table, number, what, note in rows:
        assert isinstance(number, int)
        if table == "visit":
            yield (table, number, "ORT" if number <= upto else what, note)
        elif not bills or number % 3:
            yield (table, number, what, note)
            if bills and number % 3 == 1:
                yield (table, number + 1000, what, note)


def _expected(attempt: Attempt, became: Became) -> Rows:
    if became.fate is Fate.NOTHING:
        return attempt.begin
    if became.fate is Fate.COMMITTED:
        return attempt.end
    assert became.progress is not None
    return list(_moved(attempt.begin, upto=int(became.progress.last)))


def _ignore(_stage: Stage) -> None:
    """Nobody looks on."""
