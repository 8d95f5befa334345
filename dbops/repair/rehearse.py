"""Rehearse a repair on a copy: run it, take it back, and try to take it back twice.

The copy is thrown away afterwards; what it has shown is written down by `rehearsal`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dbops.crypto.age import Identity
from dbops.errors import Failed, Partly, Refused
from dbops.repair.batches import run_batches
from dbops.repair.bundle import Bundle
from dbops.repair.bundles import BundlePlace
from dbops.repair.evidence import UndoEvidence
from dbops.repair.manifest import Repair, UndoOf
from dbops.repair.ports import RepairEngine, RepairSession, RepairTraits, SessionOrder
from dbops.repair.rehearsal import Rehearsal, RehearsalOrder, write_down
from dbops.repair.report import RunReport
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder, session_order
from dbops.repair.table import TableName
from dbops.repair.transaction import Stage
from dbops.repair.undo import undo_repair

_NOT_PREPARED: Final = "repair-not-prepared"
_NOT_RUN: Final = frozenset({"undo-not-run", _NOT_PREPARED})  # not there yet
_AGAIN: Final = "undo-already"


def _unobserved(_stage: Stage) -> None:
    """Nobody waits for the stages of what is only tried."""


def rehearse(
    order: RehearsalOrder,
    engine: RepairEngine,
    prepare: Callable[[Sequence[TableName]], None],
    now: Callable[[], datetime],
    observe: Callable[[Stage], None] = _unobserved,
) -> Rehearsal:
    """Return the evidence that the repair does what it says, and can be taken back.

    `engine` is the copy, as the role that repairs; `prepare` makes it ready for repairs of these
    tables, and is called where it is not. Afterwards the copy has been repaired and restored.
    Raises what `run_repair` and `undo_repair` raise, as they would on the database itself; Refused
    `rehearse-rows` where the rows have no room in the folder; Failed `undo-repeatable` where a
    second undo was not refused.
    """
    repair = order.repair
    _prepare(repair, engine, prepare)
    secret = Identity.generate()
    place = BundlePlace(order.directory)
    reports = _run(_run_order(order, engine, secret), engine, place, observe)
    bundles = [_opened(each, place, secret) for each in reports]
    undo_of = UndoOf(repair.id, tuple(each.sha256 for each in reports))
    undone = _take_back(order, undo_of, bundles, engine, place, secret)
    return write_down(order, reports, bundles, UndoEvidence(undone.rows, _AGAIN), now())


def rehearse_undo(
    order: RehearsalOrder,
    bundles: Sequence[Bundle],
    engine: RepairEngine,
    now: Callable[[], datetime],
    observe: Callable[[Stage], None] = _unobserved,
) -> Rehearsal:
    """Return the evidence that the undo takes the run back, once.

    `bundles` are those that its manifest names, opened; the copy is of a backup that was taken
    after the run. Raises what `undo_repair` raises, as it would on the database itself; Refused
    `rehearse-early` where the backup does not know of the run yet; and as `rehearse`.
    """
    secret = Identity.generate()
    place = BundlePlace(order.directory)
    source = _AsSource(engine, bundles[0].header.identity) if bundles else engine
    try:
        undo = _undo_order(order, order.repair, source, secret)
        report = _once(undo, bundles, source, place, observe)
    except Refused as refusal:
        if refusal.code not in _NOT_RUN:
            raise
        raise Refused(
            "rehearse-early",
            f"{order.backup} was taken before the run that {order.repair.id} takes back",
            hint="take a newer backup, and verify it: dbops backup run, dbops backup verify",
        ) from None
    done = [_opened(report, place, secret)]
    return write_down(order, (report,), done, UndoEvidence(report.rows, _AGAIN), now())


@dataclass(frozen=True, slots=True)
class _AsSource:
    """A copy under its source's name: an undo is of the very database that the run was on."""

    copy: RepairEngine
    source: str

    @property
    def traits(self) -> RepairTraits:
        return self.copy.traits

    def identity(self) -> str:
        return self.source

    def session(self, order: SessionOrder) -> AbstractContextManager[RepairSession]:
        return self.copy.session(replace(order, identity=None))

    def committed(self, run: str, work: str) -> bool:
        return self.copy.committed(run, work)

    def prepare_sql(self, tables: Sequence[TableName], read: Sequence[TableName] = ()) -> str:
        return self.copy.prepare_sql(tables, read)

    def remove_sql(self) -> str:
        return self.copy.remove_sql()

    def install(self, sql: str) -> None:
        self.copy.install(sql)


def _opened(report: RunReport, place: BundlePlace, secret: Identity) -> Bundle:
    return place.open(place.find(report.sha256), (secret,), report.sha256)


def _prepare(
    repair: Repair, engine: RepairEngine, prepare: Callable[[Sequence[TableName]], None]
) -> None:
    """The copy is as the database is: only where nobody prepared that is it done here."""
    try:
        with engine.session(session_order(repair)) as session:
            session.begin()
    except Refused as refusal:
        if refusal.code != _NOT_PREPARED:
            raise
        prepare(written_tables(repair))


def written_tables(repair: Repair) -> tuple[TableName, ...]:
    """Return the tables that the repair writes, as its manifest names them, each once."""
    watched = [watch.table for watch in repair.watches]
    return tuple(dict.fromkeys((*watched, *(effect.table for effect in repair.side_effects))))


def _run_order(order: RehearsalOrder, engine: RepairEngine, secret: Identity) -> RunOrder:
    return RunOrder(
        repair=order.repair,
        script=order.script,
        payload=order.payload,
        plan=order.work.plan,
        run=order.token(),
        database=order.repair.database,
        identity=engine.identity(),
        recipients=(secret.recipient,),
        key=order.token() + order.token(),
        scratch=order.directory,
    )


def _run(
    order: RunOrder, engine: RepairEngine, place: BundlePlace, observe: Callable[[Stage], None]
) -> tuple[RunReport, ...]:
    """Run it as it will be run: in one transaction, or in batches."""
    if order.repair.batch is None:
        return (run_repair(order, engine, place, observe),)
    try:
        return run_batches(order, engine, place, observe).batches
    except Partly as failure:
        # What stayed of it is on a copy: nothing was done by halves.
        raise Refused(failure.code, failure.message, hint=failure.hint) from None


def _take_back(
    order: RehearsalOrder,
    undo_of: UndoOf,
    bundles: Sequence[Bundle],
    engine: RepairEngine,
    place: BundlePlace,
    secret: Identity,
) -> RunReport:
    """Undo the run, and see that it is undone once only."""
    repair = order.repair
    undo = replace(repair, undo_of=undo_of, watches=(), before=(), after=(), batch=None)
    return _once(_undo_order(order, undo, engine, secret), bundles, engine, place, _unobserved)


def _undo_order(
    order: RehearsalOrder, undo: Repair, engine: RepairEngine, secret: Identity
) -> UndoOrder:
    return UndoOrder(
        repair=undo,
        plan=order.work.plan,
        run=order.token(),
        database=undo.database,
        identity=engine.identity(),
        recipients=(secret.recipient,),
        key=order.token() + order.token(),
    )


def _once(
    order: UndoOrder,
    bundles: Sequence[Bundle],
    engine: RepairEngine,
    place: BundlePlace,
    observe: Callable[[Stage], None],
) -> RunReport:
    """Undo it, and see that it cannot be undone again."""
    undone = undo_repair(order, bundles, engine, place, observe)
    try:
        again = replace(order, run=hashlib.sha256(order.run.encode()).hexdigest()[:32])
        undo_repair(again, bundles, engine, place, _unobserved)
    except Refused as refusal:
        if refusal.code == _AGAIN:
            return undone
        raise
    raise Failed(
        "undo-repeatable",
        f"the undo of {bundles[0].header.work} was done twice, and not refused the second time",
        hint="do not run it; report this with dbops doctor",
    )
