"""A ward whose visits are repaired by processes that die, and what must hold after each death.

The rows are looked at by plain SQL. All of a `Ward`'s repairs lead from the rows as they were made
to the same rows afterwards, and every check takes them back again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from dbops.engines.postgresql.connect import Parameters
from dbops.errors import Unreachable
from dbops.estate.values import SqliteAddress
from dbops.repair.batch_progress import BatchProgress
from dbops.repair.batches import run_batches
from dbops.repair.manifest import Batch, Limits, UndoOf
from dbops.repair.ports import Marker, MarkerKind
from dbops.repair.resume import Became, Fate, OpenRun, what_became
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder
from dbops.repair.table import TableName
from dbops.repair.transaction import Stage
from dbops.repair.undo import undo_repair
from tests.crash.processes import wait_until
from tests.crash.repairing import Child, Children, Order
from tests.repair.bench import AT_ONCE, Bench, Rows, repair, watch

VISITS, MOVED, BATCH = 500, 400, 120
WORK = "w-1"
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
_CONTENTS = (
    "SELECT 'visit' AS t, id, ward, note FROM visit"
    " UNION ALL SELECT 'bill', id, CAST(amount AS text), NULL FROM bill ORDER BY 1, 2"
)


class How(StrEnum):
    """What the process does that dies."""

    RUN = "run"
    UNDO = "undo"
    BATCHES = "batches"


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

    def prepared(self, how: How) -> RunOrder | UndoOrder:
        """What is to be run next; for an undo, there is a run to be taken back."""
        if how is How.BATCHES:
            return self._batches()
        if how is How.RUN:
            return self._whole()
        done = run_repair(self._whole(), self.bench.site.engine, self.bench.place, _ignore, AT_ONCE)
        return self._undo([done.sha256])

    def start(self, what: RunOrder | UndoOrder, *pauses: Stage) -> Child:
        """A process that runs it, and waits at these stages."""
        bench = self.bench
        order = Order(self.where, bench.directory, bench.identity, what, frozenset(pauses))
        return self.children.start(order)

    def settled(self, what: RunOrder | UndoOrder) -> Became:
        """What became of it, as soon as anybody knows."""
        kind = MarkerKind.UNDO if isinstance(what, UndoOrder) else MarkerKind.REPAIR
        run = OpenRun(1, what.run, what.repair.id, kind)
        found: list[Became] = []

        def ask() -> bool:
            with suppress(Unreachable):
                found.append(what_became(run, self.bench.site.engine))
            return bool(found)

        assert wait_until(ask, 30.0), "nobody gets to know what became of the run"
        return found[0]

    def tidy(self, became: Became) -> None:
        """As `dbops repair resume` does; then only whole bundles of what committed are left."""
        place = self.bench.place
        place.sweep()
        for stored in () if became.unused is None else place.of_run(became.unused):
            assert stored.path.stat().st_size > 0
            place.remove(stored.path)
        kept = {stored.path.name for stored in place.all()}
        assert set(self.bench.files) == kept, "unfinished files are left"
        for marker in became.markers:
            rows = list(place.open(place.find(marker.bundle), [self.bench.identity], marker.bundle))
            assert became.progress is not None or len(rows) > 0
        runs = {marker.run for marker in became.markers}
        assert {stored.run for stored in place.all(became.run.work)} >= runs

    def take_back(self, markers: list[Marker]) -> None:
        """Undo what committed, and forget the bundles."""
        undo = self._undo([marker.bundle for marker in markers])
        self._undo_now(undo)
        for stored in self.bench.place.all():
            self.bench.place.remove(stored.path)

    def markers(self, plan: str) -> list[Marker]:
        """What the plan has committed, in order."""
        run = OpenRun(1, "-", WORK, MarkerKind.REPAIR)
        del run
        return [
            marker
            for marker in self._all_markers()
            if marker.plan == plan and marker.kind is MarkerKind.REPAIR
        ]

    def again(self, what: RunOrder | UndoOrder) -> None:
        """The same once more, under a new id, as after a new request."""
        anew = replace(what, run=secrets.token_hex(16))
        if isinstance(anew, UndoOrder):
            self._undo_now(anew)
        else:
            act: Callable[..., object] = run_repair if anew.repair.batch is None else run_batches
            act(anew, self.bench.site.engine, self.bench.place, _ignore, AT_ONCE)
