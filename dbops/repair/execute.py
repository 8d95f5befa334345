"""The reviewed statements in an open transaction: read before, run, read after, judge, seal.

Nothing here commits. Whatever fails raises, and the transaction that is open then ends unmade;
the bundle of a failed attempt is never given its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dbops.errors import Refused
from dbops.repair.binding import bind
from dbops.repair.bundle import BundleHeader, BundleSeal, BundleTable, BundleWriter
from dbops.repair.bundles import BundlePlace
from dbops.repair.compare import changes
from dbops.repair.judgement import (
    Approved,
    Breach,
    Tally,
    Watched,
    declared_twice,
    judge_approved,
    judge_run,
)
from dbops.repair.manifest import Condition, SideEffect, Watch
from dbops.repair.parameter import Argument
from dbops.repair.payload import check_columns
from dbops.repair.ports import MarkerKind, RepairSession, RepairTraits, Writes
from dbops.repair.refusals import (
    failed_conditions,
    keyed,
    refuse_breaches,
    refuse_keyless,
    refuse_unknown_columns,
    too_many_rows,
)
from dbops.repair.report import TableEffect, appended_to, effect_of
from dbops.repair.run_order import RunOrder
from dbops.repair.spool import Spool
from dbops.repair.table import KeyedRow, Shape, TableName, Value
from dbops.repair.transaction import Stage
from dbops.sql.statement import Statement
from dbops.sql.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One transaction of a run: the whole, or a batch.

    `whole` says that the counts which the manifest expects are those of this transaction; `check`
    says what else stands against it, given all counts. `limit` is in rows.
    """

    run: str
    limit: int
    script: tuple[Statement, ...]
    before: tuple[Condition, ...]
    after: tuple[Condition, ...]
    approved: Approved | None
    batch: int = 0
    whole: bool = True
    arguments: Mapping[str, Argument] | None = None
    check: Callable[[Mapping[TableName, Written]], tuple[Breach, ...]] = lambda _counts: ()


@dataclass(frozen=True, slots=True)
class Executed:
    """A transaction that is judged, sealed, and still open. The bundle is durable at `path`."""

    path: Path
    seal: BundleSeal
    header: BundleHeader
    tables: tuple[TableEffect, ...]
    appended: Mapping[TableName, int]
    writes: Writes
    declared: tuple[TableName, ...]

    @property
    def counts(self) -> dict[TableName, Written]:
        """What was written to each declared table."""
        appended = {table: Written(inserted=rows) for table, rows in self.appended.items()}
        return appended | {effect.table: effect.ops for effect in self.tables}


@dataclass(slots=True)
class _Watching:
    """A watch set of this transaction, with its catalogue names, and what was seen of it."""

    watch: Watch
    shape: Shape
    spool: Spool
    tally: Tally


def execute(
    session: RepairSession,
    traits: RepairTraits,
    order: RunOrder,
    part: Part,
    place: BundlePlace,
    observe: Callable[[Stage], None],
) -> Executed:
    """Return what the statements did, in the transaction that `session` has open.

    Refused with the code of the first breach, and what the session raises. Afterwards either the
    bundle is durable, or there is none.
    """
    with ExitStack() as stack:
        return _Execution(session, traits, order, part, observe, stack).through(place)


class _Execution:
    def __init__(
        self,
        session: RepairSession,
        traits: RepairTraits,
        order: RunOrder,
        part: Part,
        observe: Callable[[Stage], None],
        stack: ExitStack,
    ) -> None:
        self._session = session
        self._traits = traits
        self._order = order
        self._repair = order.repair
        self._part = part
        self._observe = observe
        check_columns(order.repair, part.script, order.payload)
        self._binding = bind(session, order.repair, order.payload, part.arguments)
        self._watching = [self._watch(watch, stack) for watch in self._repair.watches]
        self._watching.sort(key=lambda one: one.shape.table)  # every run locks in one order
        self._effects = tuple(
            replace(effect, table=session.shape(effect.table).table)
            for effect in self._repair.side_effects
        )
        self._refuse_declaration()

    def _watch(self, watch: Watch, stack: ExitStack) -> _Watching:
        shape = self._session.shape(watch.table)
        refuse_keyless(shape)
        named = tuple(self._session.column(shape.table, name) for name in watch.may_change)
        spool = stack.enter_context(Spool(self._order.scratch))
        resolved = replace(watch, table=shape.table, may_change=named)
        return _Watching(resolved, shape, spool, Tally(shape.names))

    @property
    def _declared(self) -> tuple[TableName, ...]:
        return (
            *(one.shape.table for one in self._watching),
            *(effect.table for effect in self._effects),
        )

    def _refuse_declaration(self) -> None:
        volatile = self._repair.undo.volatile
        refuse_unknown_columns(volatile, [one.shape.names for one in self._watching])
        twice = declared_twice(self._declared)
        if twice:
            raise Refused(
                "declared-twice",
                f"{self._repair.id} declares a table twice: {', '.join(map(str, twice))}",
                hint="one watch set a table, and no side effect on a watched one",
            )
        if not self._traits.own_rows and any(one.watch.rewrites for one in self._watching):
            raise Refused(
                "rewrites-unproven",
                "this engine cannot tell the rows that a transaction wrote, so no row may be"
                " written twice",
                hint="write each row once, and remove rewrites from the manifest",
            )

    def through(self, place: BundlePlace) -> Executed:
        for one in self._watching:
            one.spool.extend(self._read(one, lock=True))
        self._observe(Stage.BEFORE)
        self._refuse_writing(Writes({}))
        refuse_breaches(self._repair.id, self._failed(self._part.before))
        for statement in self._part.script:
            self._run(statement)
        self._session.settle()
        self._observe(Stage.SCRIPT)
        # Before the rows are read again: what a condition's function may write is seen like all.
        failed = self._failed(self._part.after)
        writes = self._session.writes(self._declared)
        header = self._header()
        with place.create(self._repair.id, header.kind, header.batch, header.run) as file:
            with BundleWriter(file, self._order.recipients, header) as writer:
                self._compare(writer)
                seal = writer.close()
            self._refuse_writing(writes)
            refuse_breaches(self._repair.id, (*self._judged(writes, seal), *failed))
            effects = tuple(effect_of(one.shape.table, one.tally, writes) for one in self._watching)
            appended = appended_to(self._effects, writes)
            self._observe(Stage.AFTER)
            path = file.finish()
        return Executed(path, seal, header, effects, appended, writes, self._declared)

    def _read(self, one: _Watching, *, lock: bool) -> Iterator[KeyedRow]:
        rows = self._session.read(one.shape, one.watch.where, self._binding, lock=lock)
        return keyed(rows, one.shape)

    def _refuse_writing(self, known: Writes) -> None:
        """Reading rows wrote none: what a predicate calls could change rows that were read."""
        now = self._session.writes(self._declared)
        if (dict(now.tables), now.objections) != (dict(known.tables), known.objections):
            raise Refused(
                "undeclared-write",
                f"{self._repair.id} was rolled back: something was written while the rows of its"
                " watch sets were read",
                hint="take functions that write out of the predicates under watch",
            )

    def _run(self, statement: Statement) -> None:
        name = statement.rows
        if name is None:
            self._session.run(statement, self._binding)
        else:
            self._session.run_rows(statement, self._binding, name, self._rows(name))

    def _rows(self, name: str) -> Iterator[Mapping[str, Value]]:
        payload = self._order.payload
        if payload is not None:
            rows = payload.rows[name]
            for row in rows.rows:
                yield dict(zip(rows.columns, row, strict=True))

    def _failed(self, conditions: Sequence[Condition]) -> list[Breach]:
        return failed_conditions(self._session, conditions, self._binding)

    def _compare(self, writer: BundleWriter) -> None:
        left = self._part.limit
        for index, one in enumerate(self._watching):
            fetch = partial(self._session.fetch, one.shape, lock=False)
            for seen in changes(one.spool, self._read(one, lock=False), fetch):
                one.tally.add(seen)
                for change in seen.changes:
                    writer.add(index, change)
                if one.tally.ops.total > left:
                    raise too_many_rows(self._repair.id, self._repair.limits.rows)
            left -= one.tally.ops.total

    def _judged(self, writes: Writes, seal: BundleSeal) -> Iterator[Breach]:
        watched = [
            Watched(self._expecting(one), one.shape.table, one.tally) for one in self._watching
        ]
        rewritten = [one.shape for one in self._watching if one.watch.rewrites]
        yield from judge_run(
            watched,
            self._side_effects(writes),
            writes,
            own_rows={shape.table: self._session.own_rows(shape) for shape in rewritten},
            limit=self._part.limit,
            traits=self._traits,
        )
        appended = appended_to(self._effects, writes)
        counts = {table: Written(inserted=rows) for table, rows in appended.items()}
        yield from self._part.check(counts | {one.table: one.tally.ops for one in watched})
        if self._part.approved is not None:
            yield from judge_approved(watched, seal.digest, self._part.approved)

    def _expecting(self, one: _Watching) -> Watch:
        return one.watch if self._part.whole else replace(one.watch, expect=one.tally.ops)

    def _side_effects(self, writes: Writes) -> tuple[SideEffect, ...]:
        if self._part.whole:
            return self._effects
        counted = writes.tables
        return tuple(
            replace(effect, inserted=counted.get(effect.table, Written()).inserted)
            for effect in self._effects
        )

    def _header(self) -> BundleHeader:
        order, part = self._order, self._part
        volatile = self._repair.undo.volatile
        return BundleHeader(
            run=part.run,
            work=self._repair.id,
            plan=order.plan,
            kind=MarkerKind.REPAIR,
            database=order.database,
            identity=order.identity,
            server=self._session.server,
            encoding=self._session.encoding,
            at=self._session.began,
            key=order.key if part.approved is None else part.approved.key,
            batch=part.batch,
            undoes=None,
            tables=tuple(BundleTable.of(one.shape, volatile) for one in self._watching),
            side_effects=self._effects,
        )
