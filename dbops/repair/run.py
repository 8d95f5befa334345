"""Run a reviewed repair: exactly what was approved is committed, or nothing.

DESIGN §6: one connection, one isolated transaction, the bundle durable before COMMIT, and dbops'
own marker inside the transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dbops.errors import Refused
from dbops.repair.bundles import BundlePlace
from dbops.repair.execute import Executed, Part, execute
from dbops.repair.ports import (
    Marker,
    MarkerKind,
    RepairEngine,
    RepairSession,
    RepairTraits,
)
from dbops.repair.report import RunReport
from dbops.repair.run_order import RunOrder, session_order
from dbops.repair.transaction import Ready, Stage, Waiting, transact


@dataclass(frozen=True, slots=True)
class PlacedBundle:
    """A bundle with a name, and the place that can take it away again."""

    place: BundlePlace
    path: Path

    def remove(self) -> None:
        """Afterwards the file is gone."""
        self.place.remove(self.path)


def run_repair(
    order: RunOrder,
    engine: RepairEngine,
    place: BundlePlace,
    observe: Callable[[Stage], None],
    waiting: Waiting | None = None,
) -> RunReport:
    """Afterwards the repair is committed, and its sealed before/after bundle lies in `place`.

    `observe` is told each stage as it is reached: up to COMMITTING nothing of it happened, from
    COMMITTED on all did. Raises `Refused` with the code of what did not hold, and what the engine
    raises: then the database is as it was and there is no bundle. Unreachable `commit-unknown`
    where nobody knows: the bundle stays, and `resume.what_became` finds out. A crash before
    COMMIT leaves at most a bundle whose run no marker names.
    """
    waiting = waiting or Waiting()
    started = waiting.monotonic()
    refuse_other_database(order.repair.id, order.identity, engine)
    part = Part(
        run=order.run,
        limit=order.repair.limits.rows,
        script=order.script,
        before=order.repair.before,
        after=order.repair.after,
        approved=order.approved[0] if order.approved else None,
    )

    def body(session: RepairSession) -> Ready[RunReport]:
        refuse_second_run(order, session)
        done = execute(session, engine.traits, order, part, place, observe)
        return ready(order, done, engine.traits, place, upto=None)

    report, attempts = transact(
        engine, session_order(order.repair, order.identity), body, observe, waiting
    )
    return replace(report, attempts=attempts, seconds=waiting.monotonic() - started)


def ready(
    order: RunOrder, done: Executed, traits: RepairTraits, place: BundlePlace, *, upto: str | None
) -> Ready[RunReport]:
    """Return what was executed with its marker; `upto` is that of a batch."""
    header = done.header
    marker = Marker(
        run=header.run,
        work=header.work,
        plan=order.plan,
        kind=MarkerKind.REPAIR,
        batch=header.batch,
        bundle=done.seal.sha256,
        upto=upto,
    )
    bundle = PlacedBundle(place, done.path)
    return Ready(report_of(done, traits), bundle, (marker,), done.declared, done.writes)


def report_of(done: Executed, traits: RepairTraits) -> RunReport:
    """Return what is told of what was executed; its attempts and seconds are not known yet."""
    header = done.header
    return RunReport(
        run=header.run,
        work=header.work,
        plan=header.plan,
        kind=header.kind,
        batch=header.batch,
        server=header.server,
        began=header.at,
        tables=done.tables,
        appended=done.appended,
        sequences=done.writes.sequences,
        strength=traits.counters,
        counted_by=traits.counted_by,
        bundle=done.path,
        sha256=done.seal.sha256,
        rows=done.seal.rows,
        key=header.key,
        digest=done.seal.digest,
    )


def refuse_other_database(work: str, identity: str, engine: RepairEngine) -> None:
    """Raise Refused `repair-database` where the engine's database is not the approved one."""
    if engine.identity() != identity:
        raise Refused(
            "repair-database",
            f"{work} was approved for another database than the one that answers now",
            hint="compare the identities: dbops review show " + work,
        )


def refuse_second_run(order: RunOrder, session: RepairSession) -> None:
    """Raise Refused `already-run` where this very plan has run here; the marker says so too."""
    for marker in session.markers(order.repair.id):
        if marker.plan == order.plan and marker.kind is MarkerKind.REPAIR:
            raise already_run(order.repair.id)


def already_run(work: str) -> Refused:
    """The refusal of a plan that has run."""
    return Refused(
        "already-run",
        f"{work} has run on this database already",
        hint=f"see when: dbops audit log --work {work}",
    )
