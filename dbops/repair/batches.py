"""Run a large repair in batches: each a transaction with its own bundle and its own marker.

All together it is no transaction any more: what the first batches committed stays where a later
one is refused. The marker of each says how far all have come, so that the next run goes on there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dbops.errors import DbopsError, Partly, Refused
from dbops.repair.batch_bounds import Bounds, next_bounds
from dbops.repair.batch_progress import BatchProgress, add_counts, judge_totals, part_of
from dbops.repair.bundles import BundlePlace
from dbops.repair.execute import Executed, Part, execute
from dbops.repair.judgement import Breach
from dbops.repair.manifest import Batch, Repair
from dbops.repair.ports import (
    Marker,
    MarkerKind,
    RepairEngine,
    RepairSession,
)
from dbops.repair.report import RunReport
from dbops.repair.run import already_run, ready, refuse_other_database
from dbops.repair.run_order import RunOrder, session_order
from dbops.repair.table import TableName
from dbops.repair.transaction import Ready, Stage, Waiting, transact
from dbops.sql.written import Written


@dataclass(frozen=True, slots=True)
class BatchesReport:
    """The batches that this run committed, in order. `counts` are those of all runs of the plan."""

    batches: tuple[RunReport, ...]
    counts: Mapping[TableName, Written]


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch that committed, and how far all have come with it."""

    report: RunReport
    progress: BatchProgress


def run_batches(
    order: RunOrder,
    engine: RepairEngine,
    place: BundlePlace,
    observe: Callable[[Stage], None],
    waiting: Waiting | None = None,
) -> BatchesReport:
    """Afterwards every batch is committed, and the counts of all are what the manifest expects.

    Goes on after the last batch that the database has a marker of. `before` is checked with the
    first batch, `after` and that the counts are reached with the last; no batch may exceed them.
    Raises as `run.run_repair` where nothing was committed by this run, else Partly with the same
    code: the batches before stay, each with its bundle. A crash leaves whole batches.
    """
    batch = order.repair.batch
    if batch is None:
        raise ValueError("the manifest has no batches")
    refuse_other_database(order.repair.id, order.identity, engine)
    waiting = waiting or Waiting()
    done: list[_Batch] = []
    while not done or not done[-1].progress.whole:
        try:
            done.append(_next(order, batch, len(done), engine, place, observe, waiting))
        except DbopsError as error:
            raise _partly(error, len(done)) from None
    return BatchesReport(tuple(each.report for each in done), done[-1].progress.counts)


def _next(
    order: RunOrder,
    batch: Batch,
    number: int,
    engine: RepairEngine,
    place: BundlePlace,
    observe: Callable[[Stage], None],
    waiting: Waiting,
) -> _Batch:
    started = waiting.monotonic()

    def body(session: RepairSession) -> Ready[_Batch]:
        last = last_batch(order, session.markers(order.repair.id))
        so_far = None if last is None else BatchProgress.parse(last.upto or "")
        if so_far is not None and so_far.whole:
            raise already_run(order.repair.id)
        bounds = next_bounds(session, batch, None if so_far is None else so_far.last)
        part = _part(order, session, number, last, so_far, bounds)
        executed = execute(session, engine.traits, order, part, place, observe)
        return _ready(order, executed, engine, place, so_far, bounds)

    made, attempts = transact(
        engine, session_order(order.repair, order.identity), body, observe, waiting
    )
    seconds = waiting.monotonic() - started
    return replace(made, report=replace(made.report, attempts=attempts, seconds=seconds))


def last_batch(order: RunOrder, markers: tuple[Marker, ...]) -> Marker | None:
    """Return the marker of the last batch of this plan that committed."""
    own = [
        marker
        for marker in markers
        if marker.plan == order.plan and marker.kind is MarkerKind.REPAIR
    ]
    return max(own, key=lambda marker: marker.batch, default=None)


def _part(
    order: RunOrder,
    session: RepairSession,
    number: int,
    last: Marker | None,
    so_far: BatchProgress | None,
    bounds: Bounds,
) -> Part:
    repair = order.repair
    following = 0 if last is None else last.batch + 1
    written = {} if so_far is None else so_far.counts
    wanted = _wanted(repair, session)
    watched = {session.shape(watch.table).table for watch in repair.watches}
    used = sum(ops.total for table, ops in written.items() if table in watched)

    def check(counts: Mapping[TableName, Written]) -> tuple[Breach, ...]:
        return judge_totals(wanted, add_counts(written, counts), whole=bounds.is_last)

    if order.approved and following >= len(order.approved):
        raise Refused(
            "not-as-approved",
            f"{repair.id} needs more batches than the {len(order.approved)} that were approved",
            hint=f"rehearse it again: dbops repair rehearse {repair.id}",
        )
    return Part(
        run=part_of(order.run, number),
        limit=repair.limits.rows - used,
        script=() if bounds.is_empty else order.script,
        before=repair.before if last is None else (),
        after=repair.after if bounds.is_last else (),
        approved=order.approved[following] if order.approved else None,
        batch=following,
        whole=False,
        arguments=bounds.arguments,
        check=check,
    )


def _wanted(repair: Repair, session: RepairSession) -> dict[TableName, Written]:
    """What all batches together are to write, by the tables' names in the catalogue."""
    watched = {session.shape(watch.table).table: watch.expect for watch in repair.watches}
    appended = {
        session.shape(effect.table).table: Written(inserted=effect.inserted)
        for effect in repair.side_effects
    }
    return {**appended, **watched}


def _ready(
    order: RunOrder,
    executed: Executed,
    engine: RepairEngine,
    place: BundlePlace,
    so_far: BatchProgress | None,
    bounds: Bounds,
) -> Ready[_Batch]:
    written = {} if so_far is None else so_far.counts
    counts = add_counts(written, executed.counts)
    progress = BatchProgress(bounds.last, counts, bounds.is_last)
    one = ready(order, executed, engine.traits, place, upto=progress.text())
    made = _Batch(one.report, progress)
    return Ready(made, one.bundle, one.markers, one.declared, one.writes)


def _partly(error: DbopsError, committed: int) -> DbopsError:
    """What was committed before stays, and the error says so."""
    if not committed:
        return error
    batches = "1 batch of this run is" if committed == 1 else f"{committed} batches of this run are"
    return Partly(error.code, f"{error.message}; {batches} committed", hint=error.hint)
