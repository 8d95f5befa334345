"""The rows of an undo in an open transaction: lock, compare, take back, read again, seal.

Nothing here commits. Memory holds a batch of rows; only of tables that point at themselves the
rows that come back or go are held together, because their order depends on each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from dbops.errors import Refused
from dbops.repair.bundle import BundleHeader, BundleTable, BundleWriter
from dbops.repair.bundle_union import BundleUnion
from dbops.repair.bundles import BundlePlace
from dbops.repair.compare import BATCH_BYTES, BATCH_ROWS, Seen
from dbops.repair.conflicts import Conflicts, rows_text
from dbops.repair.execute import Executed
from dbops.repair.judgement import Breach, Tally, Watched, judge_run
from dbops.repair.manifest import Condition, SideEffect, Watch
from dbops.repair.orphans import refuse_children, refuse_wave_children
from dbops.repair.ports import Binding, MarkerKind, RepairSession, RepairTraits, Writes
from dbops.repair.refusals import failed_conditions, refuse_breaches, too_many_rows
from dbops.repair.report import appended_to, effect_of
from dbops.repair.run_order import UndoOrder
from dbops.repair.table import Change, KeyedRow, Row, Shape, TableName, differing, size_of
from dbops.repair.transaction import Stage
from dbops.repair.undo_order import Action, Step, action_of, undo_steps, waves
from dbops.sql.statement import Statement
from dbops.sql.written import Written

_EVERYWHERE: Final = Statement((), 0)


def take_back(
    session: RepairSession,
    traits: RepairTraits,
    order: UndoOrder,
    union: BundleUnion,
    place: BundlePlace,
    observe: Callable[[Stage], None],
) -> Executed:
    """Return what was taken back, in the transaction that `session` has open.

    Raises Refused with the codes of `undo.undo_repair`. Afterwards either the undo's own bundle is
    durable, or there is none.
    """
    return _Taking(session, traits, order, union, observe).through(place)


class _Taking:
    def __init__(
        self,
        session: RepairSession,
        traits: RepairTraits,
        order: UndoOrder,
        union: BundleUnion,
        observe: Callable[[Stage], None],
    ) -> None:
        self._session = session
        self._traits = traits
        self._order = order
        self._repair = order.repair
        self._union = union
        self._observe = observe
        self._shapes = [self._same_shape(table) for table in union.header.tables]
        self._tallies = [Tally(shape.names) for shape in self._shapes]
        self._tables = [
            BundleTable.of(shape, {*table.volatile, *order.repair.undo.volatile})
            for shape, table in zip(self._shapes, union.header.tables, strict=True)
        ]
        self._effects: dict[TableName, int | None] = dict.fromkeys(
            effect.table for effect in union.header.side_effects
        )
        for effect in order.repair.side_effects:
            self._effects[session.shape(effect.table).table] = effect.inserted

    def _same_shape(self, table: BundleTable) -> Shape:
        shape = self._session.shape(table.table)
        if shape.sha256 != table.schema:
            raise Refused(
                "undo-schema",
                f"{table.table} is defined in another way than when the repair ran",
                hint="its rows cannot go back as they were; write a new repair",
            )
        return shape

    def through(self, place: BundlePlace) -> Executed:
        steps = self._steps(self._classified())
        self._observe(Stage.BEFORE)
        self._refuse(self._failed(self._repair.before))
        for step in steps:
            self._apply(step)
        self._session.settle()
        self._observe(Stage.SCRIPT)
        failed = self._failed(self._repair.after)
        header = self._header()
        with place.create(self._repair.id, header.kind, header.batch, header.run) as file:
            with BundleWriter(file, self._order.recipients, header) as writer:
                self._verify(writer)
                seal = writer.close()
            writes = self._session.writes(self._declared)
            effects = self._side_effects(writes)
            self._refuse((*self._judged(writes, effects), *failed))
            self._observe(Stage.AFTER)
            path = file.finish()
        tables = tuple(
            effect_of(shape.table, tally, writes)
            for shape, tally in zip(self._shapes, self._tallies, strict=True)
        )
        appended = appended_to(effects, writes)
        return Executed(path, seal, header, tables, appended, writes, self._declared)

    def _classified(self) -> Counter[Step]:
        """Lock every row; all of them are as the repair left them."""
        conflicts, found = Conflicts(), Counter[Step]()
        for index, chunk in _chunked(self._union):
            shape = self._shapes[index]
            keys = [change.key for change in chunk]
            now = {one.order: one.row for one in self._session.fetch(shape, keys, lock=True)}
            names, actions = shape.names, Counter[Action]()
            for key, before, after in chunk:
                conflicts.see(shape.table, names, before, after, now.get(key))
                actions[action_of(before, after)] += 1
            for action, rows in actions.items():
                found[Step(action, shape.table)] += rows
        conflicts.refuse_any(self._union.header.work)
        if found.total() > self._repair.limits.rows:
            raise too_many_rows(self._repair.id, self._repair.limits.rows)
        return found

    def _steps(self, found: Counter[Step]) -> tuple[Step, ...]:
        links = (link for shape in self._shapes for link in (*shape.incoming, *shape.outgoing))
        return undo_steps(found.keys(), links)

    def _failed(self, conditions: Sequence[Condition]) -> list[Breach]:
        return failed_conditions(self._session, conditions, Binding())

    def _refuse(self, breaches: Sequence[Breach]) -> None:
        refuse_breaches(self._repair.id, breaches)

    def _apply(self, step: Step) -> None:
        index = [shape.table for shape in self._shapes].index(step.table)
        shape, action = self._shapes[index], step.action
        if action is Action.DELETE:
            going = (change.after for change in self._changes(index, action))
            refuse_children(self._session, shape, (row for row in going if row is not None))
        if action is not Action.UPDATE and _points_at_itself(shape):
            self._apply_waves(shape, action, list(self._changes(index, action)))
        else:
            self._session.apply(shape, map(_back, self._changes(index, action)))

    def _apply_waves(self, shape: Shape, action: Action, changes: Sequence[Change]) -> None:
        """Parents come back before their children, and go after them."""
        rows = [change.before if action is Action.INSERT else change.after for change in changes]
        images = [row for row in rows if row is not None]
        order = waves(images, shape)
        for wave in order if action is Action.INSERT else reversed(order):
            if action is Action.DELETE:
                refuse_wave_children(self._session, shape, [images[place] for place in wave])
            self._session.apply(shape, (_back(changes[place]) for place in wave))

    def _changes(self, index: int, action: Action) -> Iterator[Change]:
        for at, change in self._union:
            if at == index and action_of(change.before, change.after) is action:
                yield change

    def _verify(self, writer: BundleWriter) -> None:
        """Read every row again; it is as before the run, but for volatile columns."""
        for index, chunk in _chunked(self._union):
            shape, volatile = self._shapes[index], self._tables[index].volatile
            found = self._session.fetch(shape, [change.key for change in chunk], lock=False)
            now = {one.order: one.row for one in found}
            names, amiss = shape.names, Counter[str]()
            for key, before, _ in chunk:
                if now.get(key) != before:
                    amiss.update(_amiss(names, volatile, before, now.get(key)))
            if amiss:
                raise _differs(self._repair.id, shape.table, amiss)
            seen = _seen(chunk, found)
            self._tallies[index].add(seen)
            for change in seen.changes:
                writer.add(index, change)

    def _judged(self, writes: Writes, effects: Sequence[SideEffect]) -> tuple[Breach, ...]:
        """What was written is what was taken back, and what triggers may append."""
        watched = [self._watched(number, writes) for number in range(len(self._shapes))]
        return judge_run(
            watched,
            effects,
            writes,
            own_rows={
                one.table: self._session.own_rows(shape)
                for one, shape in zip(watched, self._shapes, strict=True)
                if one.watch.rewrites
            },
            limit=self._repair.limits.rows,
            traits=self._traits,
        )

    @property
    def _declared(self) -> tuple[TableName, ...]:
        return (*(shape.table for shape in self._shapes), *self._effects)

    def _watched(self, number: int, writes: Writes) -> Watched:
        """Every row of it was compared with what it must be; only writes elsewhere are unknown.

        Where the counts do not agree at once, a trigger may have written a row twice: then the
        rows that this transaction wrote are counted.
        """
        shape, tally = self._shapes[number], self._tallies[number]
        agreed = writes.tables.get(shape.table, Written()) == tally.ops
        rewrites = self._traits.own_rows and not agreed
        watch = Watch(shape.table, _EVERYWHERE, tally.ops, shape.names, rewrites)
        return Watched(watch, shape.table, tally)

    def _side_effects(self, writes: Writes) -> tuple[SideEffect, ...]:
        """As this manifest counts them; those of the run's manifest as many as there are."""
        return tuple(
            SideEffect(
                table, writes.tables.get(table, Written()).inserted if exact is None else exact
            )
            for table, exact in self._effects.items()
        )

    def _header(self) -> BundleHeader:
        order = self._order
        return BundleHeader(
            run=order.run,
            work=self._repair.id,
            plan=order.plan,
            kind=MarkerKind.UNDO,
            database=order.database,
            identity=order.identity,
            server=self._session.server,
            encoding=self._session.encoding,
            at=self._session.began,
            key=order.key,
            undoes=self._union.header.run,
            tables=tuple(self._tables),
            side_effects=self._union.header.side_effects,
        )


def _chunked(changes: Iterable[tuple[int, Change]]) -> Iterator[tuple[int, list[Change]]]:
    """Yield the changes by table, so many at once as one look-up holds."""
    at, chunk, size = 0, list[Change](), 0
    for index, change in changes:
        if chunk and (index != at or len(chunk) >= BATCH_ROWS or size >= BATCH_BYTES):
            yield at, chunk
            chunk, size = [], 0
        at = index
        chunk.append(change)
        size += size_of(change.before or ()) + size_of(change.after or ())
    if chunk:
        yield at, chunk


def _seen(chunk: Sequence[Change], found: Sequence[KeyedRow]) -> Seen:
    """The rows of a batch from what the run left to what is there now."""
    now = {one.order: one for one in found}
    made = []
    for key, _, after in chunk:
        there = now[key].row if key in now else None
        if there != after:
            made.append(Change(key, after, there))
    own = {one.order for one in found if one.own}
    unwritten = sum(key in now and key not in own for key, _, _ in made)
    left = sum(change.after is not None for change in chunk)
    return Seen(tuple(made), left, len(found), len(own), unwritten)


def _points_at_itself(shape: Shape) -> bool:
    return any(link.target == link.child for link in shape.outgoing)


def _back(change: Change) -> Change:
    return Change(change.key, change.after, change.before)


def _amiss(
    names: Sequence[str], volatile: Collection[str], wanted: Row | None, there: Row | None
) -> list[str]:
    """The columns in which a row is not as it must be; all of them where a row is too much."""
    if wanted is None or there is None:
        return [] if wanted is there else list(names)
    differ = (names[place] for place in differing(wanted, there))
    return [name for name in differ if name not in volatile]


def _differs(work: str, table: TableName, amiss: Mapping[str, int]) -> Refused:
    told = ", ".join(f"{name} in {rows_text(rows)}" for name, rows in sorted(amiss.items()))
    return Refused(
        "undo-differs",
        f"{work} was rolled back: after it {table} is not as before the repair ({told}),"
        " so something else changes what is written",
        hint="a column that a trigger sets is declared under undo: volatile",
    )
