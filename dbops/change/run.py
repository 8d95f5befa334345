"""Run a reviewed change: what was rehearsed is what comes of it, or nothing does.

In one transaction where the engine can; else part by part, each written into the database's own
journal, so that `resume` knows where a run broke off.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from dbops.change.carry import carry_up
from dbops.change.drift import refuse_drift
from dbops.change.going import Clock, Going, Observe, holding, look
from dbops.change.ports import ChangeEngine
from dbops.change.report import ChangeReport
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Stage
from dbops.change.standing import refuse_missing, refuse_second_run, refuse_used
from dbops.change.step import Direction


def run_change(
    order: ChangeRun,
    engine: ChangeEngine,
    observe: Observe,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> ChangeReport:
    """Afterwards the change has run to its end, was judged, and the journal says so.

    `observe` is told each moment; `sleep` passes seconds between two attempts. All that can be
    known before the first write is judged before it: Refused `change-database`, `change-journal`,
    `change-already`, `change-half-done`, `change-requires`, `change-used`, `schema-unknown`,
    `change-drift`;
    Unreachable `change-running`. What is raised later says how far it came, as `carry_up`. A crash
    leaves nothing, or parts that the journal names; `resume_change` finds out which.
    """
    with holding(order, engine, observe, Clock(monotonic, sleep)) as going:
        live = _judged(going)
        return carry_up(going, live, live)


def _judged(going: Going) -> Schema:
    """Return the schema as it is, on which the change may run."""
    order, journal = going.order, going.journal
    refuse_second_run(journal, order.work, order.plan)
    refuse_missing(journal, order.work, order.change.requires)
    refuse_used(journal, order.author, Direction.UP)
    live = look(going)
    if order.rehearsed is not None:
        refuse_drift(order.work, order.database, order.rehearsed.source, live)
    going.tell(Stage.JUDGED)
    return live
