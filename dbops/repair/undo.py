"""Take a run back: every row as it was before, or, on one doubt, nothing at all.

An undo is a repair of its own: reviewed, run in one transaction, counted by the database, sealed
in a bundle, marked. It compares each row byte for byte with what the run left. There is no force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from dbops.errors import Refused
from dbops.repair.batch_progress import part_of
from dbops.repair.bundle import Bundle
from dbops.repair.bundle_union import BundleUnion
from dbops.repair.bundles import BundlePlace
from dbops.repair.execute import Executed
from dbops.repair.ports import Marker, MarkerKind, RepairEngine, RepairSession
from dbops.repair.report import RunReport
from dbops.repair.run import PlacedBundle, refuse_other_database, report_of
from dbops.repair.run_order import UndoOrder, session_order
from dbops.repair.transaction import Ready, Stage, Waiting, transact
from dbops.repair.undo_rows import take_back


def undo_repair(
    order: UndoOrder,
    bundles: Sequence[Bundle],
    engine: RepairEngine,
    place: BundlePlace,
    observe: Callable[[Stage], None],
    waiting: Waiting | None = None,
) -> RunReport:
    """Afterwards every row that the run wrote is as it was before it, and the undo is marked.

    `bundles` are those that the manifest names, in that order, opened. Columns that the run's
    manifest or this one calls volatile may differ, and what triggers appended stays. Raises
    `Refused` undo-already, undo-conflict, undo-children, undo-schema, undo-database, undo-bundles,
    undo-not-run and undo-differs, and as `run_repair`: then nothing was changed.
    """
    waiting = waiting or Waiting()
    started = waiting.monotonic()
    undo_of = order.repair.undo_of
    if undo_of is None:
        raise ValueError("an undo names the run that it takes back")
    union = BundleUnion(undo_of, bundles)
    refuse_other_database(order.repair.id, order.identity, engine)

    def body(session: RepairSession) -> Ready[RunReport]:
        _refuse_foreign(order, union, session)
        done = take_back(session, engine.traits, order, union, place, observe)
        bundle = PlacedBundle(place, done.path)
        report = report_of(done, engine.traits)
        return Ready(report, bundle, _markers(union, done), done.declared, done.writes)

    with _as_undone(undo_of.work):
        report, attempts = transact(
            engine, session_order(order.repair, order.identity), body, observe, waiting
        )
    return replace(report, attempts=attempts, seconds=waiting.monotonic() - started)


def _refuse_foreign(order: UndoOrder, union: BundleUnion, session: RepairSession) -> None:
    """The bundles are of this database, and of transactions that it knows to have committed."""
    work, header = union.header.work, union.header
    if header.identity != order.identity or header.encoding != session.encoding:
        raise Refused(
            "undo-database",
            f"the bundle of {work} was written on another database",
            hint="undo a run on the database that it ran on",
        )
    known = {(marker.run, marker.bundle) for marker in session.markers(work)}
    wanted = zip((each.run for each in union.headers), union.sha256s, strict=True)
    if not known.issuperset(wanted):
        raise Refused(
            "undo-not-run",
            f"{work} never committed on this database with the bundle that is named",
            hint=f"see what became of it: dbops repair resume {work}",
        )


def _markers(union: BundleUnion, done: Executed) -> tuple[Marker, ...]:
    """One for each transaction that is taken back: none can be taken back twice."""
    header = done.header
    return tuple(
        Marker(
            run=part_of(header.run, number),
            work=header.work,
            plan=header.plan,
            kind=MarkerKind.UNDO,
            batch=number,
            bundle=done.seal.sha256,
            undoes=undone.run,
        )
        for number, undone in enumerate(union.headers)
    )


@contextmanager
def _as_undone(work: str) -> Iterator[None]:
    """The marker's refusal says what it means for an undo."""
    try:
        yield
    except Refused as refusal:
        if refusal.code != "already-run":
            raise
        raise Refused(
            "undo-already",
            f"{work} has been undone already, as the database's own marker says",
            hint=f"see when: dbops audit log --work {work}",
        ) from None
