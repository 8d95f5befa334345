"""Rehearse a change on a copy: up, down to where it was, and up again.

The copy is thrown away afterwards; what it has shown is written down by `rehearsal`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from dbops.change.carry import carry_down, carry_up
from dbops.change.diff import Difference, compare_schemas, is_only_order
from dbops.change.drift import told
from dbops.change.evidence import DownEvidence
from dbops.change.going import Clock, Going, Observe, holding, look, patiently
from dbops.change.manifest import DataLoss
from dbops.change.ports import ChangeEngine
from dbops.change.rehearsal import ChangeRehearsal, ChangeRehearsalOrder, Counted, write_down
from dbops.change.rehearsed_files import own_files
from dbops.change.report import ChangeReport
from dbops.change.run_order import ChangeRun
from dbops.change.schema import ObjectKind, ObjectName, Schema, refuse_unknown_then
from dbops.change.stage import Moment
from dbops.change.standing import refuse_missing, refuse_second_run
from dbops.change.step import Direction
from dbops.errors import HalfDone, Partly, Refused
from dbops.wording import listed, number

_COLUMN: Final = ObjectKind.COLUMN
_PARTITION_OF: Final = "partition of"


def _unobserved(_moment: Moment) -> None:
    """Nobody waits for the moments of what is only tried."""


def rehearse_change(
    order: ChangeRehearsalOrder,
    engine: ChangeEngine,
    now: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
    observe: Observe = _unobserved,
    monotonic: Callable[[], float] = time.monotonic,
) -> ChangeRehearsal:
    """Return the evidence that the change does what it says, and that down.sql takes it back.

    `engine` is the copy, as its administrator; afterwards the change has run there. Raises what
    `run_change` and `revert_change` raise, as they would on the database itself, but nothing is
    called half done: it is a copy. Besides Refused `change-rows` where rows vanish and the change
    declares no loss, `change-down` where something does not come back, and `change-again` where
    up.sql does something else the second time.
    """
    try:
        return _rehearsed(order, engine, now, observe, Clock(monotonic, sleep))
    except Partly as fault:
        what = fault.message.removeprefix(f"{order.change.id} is half done on {order.database}: ")
        raise Refused(
            fault.cause if isinstance(fault, HalfDone) else fault.code,
            f"on a copy of {order.backup}, and nowhere else: {what}",
            hint=fault.hint,
        ) from None


def _rehearsed(
    order: ChangeRehearsalOrder,
    engine: ChangeEngine,
    now: Callable[[], datetime],
    observe: Observe,
    clock: Clock,
) -> ChangeRehearsal:
    if order.source is not None:
        refuse_unknown_then(order.source, order.database)
    up, counted = _up(_run_of(order, engine), engine, observe, clock, order.backup)
    _refuse_vanished(order, counted.before, counted.after, up.before, up.after)
    if not order.down:
        return write_down(order, (up,), counted, None, now())
    down, counts = _down(_run_of(order, engine), engine, observe, clock, up.before)
    found = _came_back(order, up, down)
    _refuse_vanished(order, counted.before, counts, up.before, down.after, "down.sql")
    again, _ = _up(_run_of(order, engine), engine, observe, clock, order.backup)
    _refuse_other(order, up, again)
    return write_down(order, (up, down), replace(counted, down=counts), found, now())


def _run_of(order: ChangeRehearsalOrder, engine: ChangeEngine) -> ChangeRun:
    return ChangeRun(
        change=order.change,
        up=order.up,
        down=order.down,
        verify=order.verify,
        plan=own_files(order.work),
        run=order.token(),
        database=order.database,
        identity=engine.identity(),
        rehearsed=None,
        measured=True,
    )


def _up(
    run: ChangeRun, engine: ChangeEngine, observe: Observe, clock: Clock, backup: str
) -> tuple[ChangeReport, Counted]:
    """Return the report of up.sql, the rows before and after it, and the sizes before."""
    with holding(run, engine, observe, clock) as going:
        _refuse_journal(going, backup)
        live = look(going)
        before, (sizes, _) = _counts(going), patiently(going, going.session.sizes)
        report = carry_up(going, live, live)
        return report, Counted(before, _counts(going), None, sizes)


def _refuse_journal(going: Going, backup: str) -> None:
    """Raise as a run would; what the journal of a backup says may be settled since.

    Then a newer backup has it, and nothing else helps.
    """
    run = going.order
    anew = (
        f"take a new backup: dbops backup run {run.database}"
        f" && dbops backup verify {run.database} --level proven"
    )
    try:
        refuse_second_run(going.journal, run.work, run.plan)
        refuse_missing(going.journal, run.work, run.change.requires)
    except Refused as fault:
        if fault.code == "change-already":
            raise
        message = fault.message.replace(" this database", f" {backup}")
        hint = f"{fault.hint}; if that is done, {anew}"
        raise Refused(fault.code, message, hint=hint) from None


def _down(
    run: ChangeRun, engine: ChangeEngine, observe: Observe, clock: Clock, start: Schema
) -> tuple[ChangeReport, Mapping[ObjectName, int]]:
    """Return the report of down.sql, and the rows after it."""
    with holding(run, engine, observe, clock) as held:
        going = held.turned(Direction.DOWN, instead=Direction.UP, committed=False)
        report = carry_down(going, look(going), start)
        return report, _counts(going)


def _counts(going: Going) -> Mapping[ObjectName, int]:
    return patiently(going, going.session.counts)[0]


def _came_back(order: ChangeRehearsalOrder, up: ChangeReport, down: ChangeReport) -> DownEvidence:
    """Return how the schema came back; a column that was dropped may stand behind the others."""
    apart = compare_schemas(up.before, down.after)
    moved = tuple(each for each in apart if _is_moved(each, up))
    left = [each for each in apart if each not in moved]
    if left:
        raise Refused(
            "change-down",
            f"down.sql does not bring back what {order.change.id} changed: {told(left)}",
            hint="write what is missing into down.sql, and rehearse again",
        )
    columns = tuple(each.name.written for each in moved)
    return DownEvidence(not apart, columns, order.change.data_loss)


def _is_moved(difference: Difference, up: ChangeReport) -> bool:
    """Whether only the place of a column is another, in a table of which up.sql changed columns."""
    changed = {
        each.within[:1] or (each.name,)
        for each in up.differences
        if each.name.kind in {_COLUMN, ObjectKind.TABLE}
    }
    return is_only_order(difference) and difference.within[:1] in changed


def _refuse_other(order: ChangeRehearsalOrder, up: ChangeReport, again: ChangeReport) -> None:
    apart = [each for each in compare_schemas(up.after, again.after) if not _is_moved(each, up)]
    if apart:
        raise Refused(
            "change-again",
            f"after down.sql, up.sql of {order.change.id} comes to something else than the first"
            f" time: {told(apart)}",
            hint="write what is missing into down.sql, and rehearse again",
        )


def _refuse_vanished(
    order: ChangeRehearsalOrder,
    before: Mapping[ObjectName, int],
    after: Mapping[ObjectName, int],
    old: Schema,
    new: Schema,
    script: str = "up.sql",
) -> None:
    """Raise Refused `change-rows` where a table has fewer rows, and no loss is declared.

    One that was renamed has them under its new name; a partition may have given them to another.
    """
    if order.change.data_loss is not DataLoss.NONE:
        return
    fewer = {name: count for name, count in before.items() if after.get(name, 0) < count}
    lost = [
        f"{name.written} {number(count)} → {number(after[name]) if name in after else 'gone'}"
        for name, count in sorted(fewer.items())
        if (name in after or not _is_renamed(name, count, before, after, old, new))
        and not _is_beside(name, before, after, old, new)
    ]
    if lost:
        raise Refused(
            "change-rows",
            f"rows are lost by {script} of {order.change.id}: {listed(lost)}",
            hint="keep them, or declare data_loss in change.yml",
        )


def _is_renamed(
    name: ObjectName,
    count: int,
    before: Mapping[ObjectName, int],
    after: Mapping[ObjectName, int],
    old: Schema,
    new: Schema,
) -> bool:
    """Whether a table that came has as many rows, and all columns of the one that went."""
    columns = _columns(old, name)
    return any(
        rows == count and other not in before and columns <= _columns(new, other)
        for other, rows in after.items()
    )


def _is_beside(
    name: ObjectName,
    before: Mapping[ObjectName, int],
    after: Mapping[ObjectName, int],
    old: Schema,
    new: Schema,
) -> bool:
    """Whether all partitions of its table together have as many rows as before."""
    whole = _whole(old, name)
    if whole is None:
        return False
    rows, left = (
        sum(count for each, count in counts.items() if _whole(schema, each) == whole)
        for counts, schema in ((before, old), (after, new))
    )
    return rows <= left


def _whole(schema: Schema, table: ObjectName) -> str | None:
    """The table that it is a partition of, as the server spells it."""
    found = schema.objects.get(table)
    return None if found is None else found.properties.get(_PARTITION_OF)


def _columns(schema: Schema, table: ObjectName) -> set[str]:
    return {
        each.name.path[-1]
        for each in schema.objects.values()
        if each.of == table and each.name.kind is _COLUMN
    }
