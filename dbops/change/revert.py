"""Take a change back that has run to its end, where nobody built on it since."""

from __future__ import annotations

import time
from collections.abc import Callable

from dbops.change.carry import carry_down
from dbops.change.going import Clock, Going, Observe, holding, look
from dbops.change.judging import refuse_altered_since
from dbops.change.ports import ChangeEngine
from dbops.change.report import ChangeReport
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Stage
from dbops.change.standing import (
    State,
    half_done,
    refuse_half_beside,
    refuse_used,
    standing_of,
    standing_of_work,
)
from dbops.change.step import Direction
from dbops.errors import Refused


def revert_change(
    order: ChangeRun,
    engine: ChangeEngine,
    observe: Observe,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> ChangeReport:
    """Afterwards down.sql has run, and what the change touched is as it was before.

    Columns that were dropped come back last; rows that went are not brought back. Raises Refused
    `change-no-down`, `change-not-run`, `change-returned`, `change-half-done` (of another change as
    well), `change-required` where a change that requires this one stands, `change-used`,
    `change-altered` where what it made was changed since, and as `run_change`. A crash leaves what
    `resume_change` finishes.
    """
    with holding(order, engine, observe, Clock(monotonic, sleep)) as held:
        going = held.turned(Direction.DOWN, instead=Direction.UP, committed=False)
        live = _judged(going)
        start = None if order.rehearsed is None else order.rehearsed.source
        return carry_down(going, live, start)


def _judged(going: Going) -> Schema:
    """Return the schema as it is, in which the change may be taken back."""
    order = going.order
    if not order.down:
        raise Refused(
            "change-no-down",
            f"{order.work} has no down.sql: it said that its loss is permanent",
            hint="write a change that goes on from here, or restore a backup",
        )
    _refuse_not_whole(going)
    refuse_half_beside(going.journal, order.work)
    _refuse_required(going)
    refuse_used(going.journal, order.author, Direction.DOWN)
    live = look(going)
    refuse_altered_since(order, live)
    going.tell(Stage.JUDGED)
    return live


def _refuse_not_whole(going: Going) -> None:
    order = going.order
    standing = standing_of(going.journal, order.plan)
    if standing.state is State.WHOLE:
        return
    if standing.state is State.HALF:
        raise half_done(order.work, standing)
    for plan, other in standing_of_work(going.journal, order.work).items():
        if other.state is not State.NOTHING:
            raise Refused(
                "change-not-run",
                f"another revision of {order.work} has run on this database (plan {plan[:12]})",
                hint="check that revision out, and take it back with its own down.sql",
            )
    if standing.done:  # of down.sql
        raise Refused(
            "change-returned",
            f"{order.work} was taken back on this database already",
            hint=f"see when: dbops audit log --work {order.work}",
        )
    raise Refused(
        "change-not-run",
        f"{order.work} has not run on this database",
        hint="see where it has: dbops change list",
    )


def _refuse_required(going: Going) -> None:
    for needing in going.order.required_by:
        found = standing_of_work(going.journal, needing).values()
        if any(each.state is not State.NOTHING for each in found):
            raise Refused(
                "change-required",
                f"{needing} requires {going.order.work}, and has run on this database",
                hint=f"take that one back first: dbops change revert {needing}",
            )
