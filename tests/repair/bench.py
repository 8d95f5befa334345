"""A bench for whole repairs: a real database, a place for bundles, and short ways to say a repair.

`Bench.run` and `Bench.undo` are the use-cases with nothing between; `Faulty` stands between a run
and its engine, and does something at a chosen call.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

from dbops.crypto.age import Identity
from dbops.repair.batches import BatchesReport, run_batches
from dbops.repair.bundles import BundlePlace
from dbops.repair.judgement import Approved
from dbops.repair.manifest import Condition, Limits, Repair, SideEffect, UndoOf, Watch
from dbops.repair.parameter import Parameter
from dbops.repair.payload import Payload
from dbops.repair.ports import RepairEngine, RepairSession, RepairTraits, SessionOrder
from dbops.repair.report import RunReport
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder
from dbops.repair.table import Change, TableName
from dbops.repair.transaction import Stage, Waiting
from dbops.repair.undo import undo_repair
from dbops.review.work import Risk
from dbops.sql.script import parse_fragment, parse_script
from dbops.sql.statement import Statement
from dbops.sql.written import Written
from tests.engines.repair_site import Site

Rows = list[tuple[object, ...]]
BRIEF = Limits(rows=1000, lock_wait=timedelta(milliseconds=300), statement=timedelta(seconds=20))
AT_ONCE = Waiting(sleep=lambda _seconds: None, patience=0.0)


def fragment(text: str) -> Statement:
    """A predicate or query of a manifest."""
    return parse_fragment(text, "repair.yml", 1)


def script(text: str) -> tuple[Statement, ...]:
    """The statements of a repair.sql."""
    return parse_script(f"{text}\n".encode(), "repair.sql")


def watch(
    table: str,
    where: str = "1 = 1",
    *,
    insert: int = 0,
    update: int = 0,
    delete: int = 0,
    may_change: Sequence[str] = (),
    rewrites: bool = False,
) -> Watch:
    """A watch set."""
    expect = Written(insert, update, delete)
    return Watch(TableName.parse(table), fragment(where), expect, tuple(may_change), rewrites)


def appends(table: str, rows: int) -> SideEffect:
    """A table that triggers append to."""
    return SideEffect(TableName.parse(table), rows)


def holds(sql: str, equals: str, title: str = "as it should be") -> Condition:
    """A condition."""
    return Condition(title, fragment(sql), equals)


def repair(*watches: Watch, work: str = "w-1", **more: object) -> Repair:
    """A manifest with these watch sets."""
    settings: dict[str, object] = {
        "id": work,
        "title": "a repair",
        "author": "zhang.wei@vendor",
        "ticket": "T-1",
        "risk": Risk.LOW,
        "database": "lab",
        "opened": None,
        "cause": None,
        "watches": watches,
        "limits": BRIEF,
        **more,
    }
    return Repair(**settings)  # type: ignore[arg-type] # checked at run time


def parameters(*given: Parameter) -> Mapping[str, Parameter]:
    """The parameters by name."""
    return {one.name: one for one in given}


@dataclass
class Bench:
    """One database of one engine, and what a host has beside it."""

    site: Site
    directory: Path
    identity: Identity = field(default_factory=Identity.generate)
    stages: list[Stage] = field(default_factory=list)
    at: dict[Stage, Callable[[], None]] = field(default_factory=dict)

    @property
    def place(self) -> BundlePlace:
        return BundlePlace(self.directory)

    @property
    def marker_table(self) -> str:
        """As SQL names it."""
        return "dbops.dbops_run" if self.site.engine.traits.schemas else "dbops_run"

    @property
    def files(self) -> list[str]:
        """What lies in the place, hidden files included."""
        return sorted(path.name for path in self.directory.iterdir())

    def observe(self, stage: Stage) -> None:
        """What a run tells; at some stages a test does something."""
        self.stages.append(stage)
        self.at.pop(stage, lambda: None)()

    def order(
        self,
        manifest: Repair,
        sql: str,
        *,
        payload: Payload | None = None,
        approved: tuple[Approved, ...] = (),
        plan: str | None = None,
    ) -> RunOrder:
        return RunOrder(
            repair=manifest,
            script=script(sql),
            payload=payload,
            plan=plan or secrets.token_hex(32),
            run=secrets.token_hex(16),
            database="lab",
            identity=self.site.engine.identity(),
            recipients=[self.identity.recipient],
            key=secrets.token_hex(32),
            scratch=self.directory,
            approved=approved,
        )

    def run(
        self, manifest: Repair, sql: str, engine: RepairEngine | None = None, **more: object
    ) -> RunReport:
        """Run the repair."""
        order = self.order(manifest, sql, **more)  # type: ignore[arg-type]
        return self.run_order(order, engine)

    def run_order(self, order: RunOrder, engine: RepairEngine | None = None) -> RunReport:
        """Run what is ordered."""
        self.stages.clear()
        return run_repair(order, engine or self.site.engine, self.place, self.observe, AT_ONCE)

    def run_batches(self, order: RunOrder, engine: RepairEngine | None = None) -> BatchesReport:
        """Run what is ordered, in batches."""
        self.stages.clear()
        return run_batches(order, engine or self.site.engine, self.place, self.observe, AT_ONCE)

    def undo(
        self, *runs: RunReport, engine: RepairEngine | None = None, **more: object
    ) -> RunReport:
        """Undo what these runs (the batches of one) wrote."""
        sha256s = tuple(run.sha256 for run in runs)
        settings = {
            "work": f"{runs[0].work}-undo",
            "undo_of": UndoOf(runs[0].work, sha256s),
            **more,
        }
        manifest = repair(**settings)  # type: ignore[arg-type]
        self.stages.clear()
        place = self.place
        bundles = [place.open(place.find(sha256), [self.identity], sha256) for sha256 in sha256s]
        order = UndoOrder(
            repair=manifest,
            plan=secrets.token_hex(32),
            run=secrets.token_hex(16),
            database="lab",
            identity=self.site.engine.identity(),
            recipients=[self.identity.recipient],
            key=secrets.token_hex(32),
        )
        chosen = engine or self.site.engine
        return undo_repair(order, bundles, chosen, place, self.observe, AT_ONCE)

    def changes(self, report: RunReport) -> list[tuple[int, Change]]:
        """What the sealed bundle of a run holds."""
        stored = self.place.find(report.sha256)
        return list(self.place.open(stored, [self.identity], report.sha256))

    def rows(self, table: str, order: str = "1") -> Rows:
        """The committed rows of a table."""
        return self.site.rows(f"SELECT * FROM {table} ORDER BY {order}")

    def markers(self, work: str = "w-1") -> list[str]:
        """The runs of a work that the database knows to have committed."""
        order = SessionOrder(
            work=work, lock_wait=BRIEF.lock_wait, statement=BRIEF.statement, read_only=True
        )
        with self.site.engine.session(order) as session:
            session.begin()
            return [marker.run for marker in session.markers(work)]


@dataclass
class Faulty:
    """An engine whose sessions do something before, after or instead of a call.

    The hooks are by the name of the session's method, each used up by its first call.
    """

    engine: RepairEngine
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    after: dict[str, Callable[[], None]] = field(default_factory=dict)
    sessions: int = 0

    def at(self, side: str) -> dict[str, Callable[[], None]]:
        """The hooks "before" or "after" a call."""
        return self.before if side == "before" else self.after

    @property
    def traits(self) -> RepairTraits:
        return self.engine.traits

    def identity(self) -> str:
        return self.engine.identity()

    @contextmanager
    def session(self, order: SessionOrder) -> Iterator[RepairSession]:
        self.sessions += 1
        with self.engine.session(order) as session:
            yield cast("RepairSession", _FaultySession(session, self))

    def committed(self, run: str, work: str) -> bool:
        self.before.pop("committed", lambda: None)()
        return self.engine.committed(run, work)

    def prepare_sql(self, tables: Sequence[TableName], read: Sequence[TableName] = ()) -> str:
        return self.engine.prepare_sql(tables, read)

    def remove_sql(self) -> str:
        return self.engine.remove_sql()

    def install(self, sql: str) -> None:
        self.engine.install(sql)


class _FaultySession:
    def __init__(self, session: RepairSession, faulty: Faulty) -> None:
        self._session = session
        self._faulty = faulty

    def __getattr__(self, name: str) -> object:
        found = getattr(self._session, name)
        if not callable(found):
            return found

        def call(*given: object, **named: object) -> object:
            self._faulty.before.pop(name, lambda: None)()
            result = found(*given, **named)
            self._faulty.after.pop(name, lambda: None)()
            return result

        return call


def raising(error: BaseException) -> Callable[[], None]:
    """What raises the error."""

    def fail() -> None:
        raise error

    return fail


def limited(manifest: Repair, rows: int) -> Repair:
    """The manifest with another limit of rows."""
    return replace(manifest, limits=replace(manifest.limits, rows=rows))
