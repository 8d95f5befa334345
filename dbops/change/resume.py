"""What became of a change whose end nobody saw, and how it is brought to one.

The journal commits with the steps, so it knows. Of a step outside of a transaction that only began
the catalogue is asked. Whoever is killed here is asked about in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from dbops.change.carry import carry_back, carry_down, carry_up, has_left, partly
from dbops.change.fate import Became, Fate
from dbops.change.going import (
    Clock,
    Going,
    Observe,
    clean_up,
    holding,
    look,
    note,
    note_entry,
    patiently,
)
from dbops.change.judging import refuse_altered_since
from dbops.change.ports import ChangeEngine, CommitUnknown, Progress, Remains
from dbops.change.report import ChangeReport
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Moment, Stage
from dbops.change.standing import (
    Standing,
    State,
    brought_to_end,
    got_to_its_end,
    standing_of,
)
from dbops.change.step import Direction, Step
from dbops.errors import DbopsError


class Onward(StrEnum):
    """Where a half done change is to be brought."""

    FINISH = "finish"
    REVERT = "revert"


def what_became(order: ChangeRun, engine: ChangeEngine) -> Became:
    """Return what became of the change; nothing of it is changed.

    Raises Unreachable `change-running` while somebody may still be at it, Refused `change-journal`,
    `change-database`, and what else the engine raises where it cannot be asked.
    """
    with holding(order, engine, _unobserved, Clock()) as going:
        return _became(going)


def resume_change(
    order: ChangeRun,
    engine: ChangeEngine,
    onward: Onward,
    observe: Observe,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> tuple[Became, ChangeReport | None]:
    """Afterwards the change is whole or taken back; returns what was found, and what was done.

    Nothing is done to one that is not half done. One that was being taken back is taken back,
    whatever is asked. `order.run` is the id of this attempt. Raises Refused `change-half-done`
    where down.sql cannot take back what is done, and as `run_change` and `revert_change`.
    """
    with holding(order, engine, observe, Clock(monotonic, sleep)) as going:
        became = _became(going)
        # What is brought to an end ends under the request with which it began.
        approval = standing_of(going.journal, order.plan).approval
        going.order = order = replace(order, approval=approval, resumed=True)
        if became.fate is not Fate.HALF:
            _tidy(going, became)
            return became, None
        start = None if order.rehearsed is None else order.rehearsed.source
        if became.direction is Direction.DOWN:
            down = going.turned(Direction.DOWN, instead=None, committed=became.done > 0)
            return became, _taken_on(down, became, start)
        if onward is Onward.REVERT:
            return became, _reverted(going, became)
        up = going.turned(Direction.UP, instead=Direction.DOWN, committed=became.done > 0)
        return became, carry_up(up, start or look(up), start)


def _taken_on(down: Going, became: Became, start: Schema | None) -> ChangeReport:
    """Go on with down.sql; of a change that never got to its end all is compared, as at first."""
    if got_to_its_end(down.journal, down.order.plan):
        live, standing = look(down), standing_of(down.journal, down.order.plan)
        if not standing.done and not has_left(down, standing):
            refuse_altered_since(down.order, live)
        return carry_down(down, live, start)
    try:
        if became.began is not None and became.remains is Remains.HALF:
            _end_half(down, became.began)
            down.journal = down.session.journal()
        return carry_back(down, start)
    except DbopsError as fault:
        raise _still_half(down.order, fault) from None


def _became(going: Going) -> Became:
    order = going.order
    standing = standing_of(going.journal, order.plan)
    steps = order.scripts[standing.direction]
    began = next((step for step in steps if step.number == standing.began), None)
    remains = None if began is None else patiently(going, lambda: going.session.remains(began))[0]
    own = [entry for entry in going.journal if entry.plan == order.plan]
    return Became(
        fate=_fate(standing, remains),
        direction=standing.direction,
        done=len(standing.done),
        steps=len(steps),
        began=began,
        remains=remains,
        run=standing.run,
        wrote=frozenset(entry.run for entry in own),
        ended=brought_to_end(going.journal, order.plan),
    )


def _fate(standing: Standing, remains: Remains | None) -> Fate:
    if standing.state is State.WHOLE:
        return Fate.WHOLE
    if standing.state is State.NOTHING:
        return Fate.RETURNED if standing.done else Fate.NOTHING
    untouched = not standing.done and remains is Remains.NOTHING
    return Fate.NOTHING if untouched and standing.direction is Direction.UP else Fate.HALF


def _tidy(going: Going, became: Became) -> None:
    """Afterwards the journal does not keep a step as begun of which nothing is there."""
    if became.fate is Fate.NOTHING and became.began is not None:
        note_entry(going, going.order.author.whole(Direction.DOWN))


def _reverted(going: Going, became: Became) -> ChangeReport | None:
    """Take back what is done; where that is only what a step left half done, clean it up."""
    order, began = going.order, became.began
    if began is not None and became.remains is Remains.DONE:
        note(going, began, Progress.DONE)
    elif began is not None:
        try:
            _end_half(going, began)
        except DbopsError as fault:
            raise _still_half(order, fault) from None
    journal = going.session.journal()
    if not standing_of(journal, order.plan).done:
        note_entry(going, order.author.whole(Direction.DOWN))
        return None
    down = going.turned(Direction.DOWN, instead=None, committed=True)
    down.journal = journal
    start = None if order.rehearsed is None else order.rehearsed.source
    try:
        return carry_back(down, start)
    except DbopsError as fault:
        raise _still_half(order, fault) from None


def _end_half(going: Going, began: Step) -> None:
    """Afterwards nothing is left half done of the step: what was being dropped is gone, and noted.

    So is a partition that was being detached: to clean that up is to finish it.
    """
    clean_up(going, began)
    if going.session.remains(began) is Remains.DONE:
        note(going, began, Progress.DONE)
        going.tell(Stage.COMMITTED, began)
    else:
        going.tell(Stage.CLEANED, began)


def _still_half(order: ChangeRun, fault: DbopsError) -> DbopsError:
    """A refusal before anything was done stays one; what is half done stays said to be so."""
    keep = isinstance(fault, CommitUnknown) or fault.code == "change-half-done"
    return fault if keep else partly(order, fault, back=True)


def _unobserved(_moment: Moment) -> None:
    """Nobody waits for what is only looked at."""
