"""Whether a transaction did what was declared, all of that, and nothing else; pure.

Why the counts prove it. Every insert or update makes one version of a row, every update or delete
ends one. A row of the difference with an after image shows a version that was made, one with a
before image shows a version that was ended. So where the engine counted as many versions made as
the difference shows, and as many ended, each single operation is in the difference: nothing was
written elsewhere, and no row twice. That an after image was really made here, and is no older row
for which the predicate came to hold, is what the engine's mark on the row says. An update that
changes a key, and a move between partitions, which counts as delete and insert, fall under the
same two sums. Attempts that were rolled back to a savepoint only add to what the engine counted,
and so can hide nothing.

With `rewrites` a row may be written more often than shows. Then no row outside of the watch may
carry this transaction's mark, and inserts less deletes must agree: an outside row that was
deleted, or that came to match, would change that sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbops.repair.compare import Seen
from dbops.repair.manifest import SideEffect, Watch
from dbops.repair.ports import RepairTraits, Strength, Writes
from dbops.repair.table import TableName, differing
from dbops.sql.written import Written

_NOTHING = Written()


@dataclass(frozen=True, slots=True)
class Breach:
    """One reason to roll back: a stable code, and a sentence that names tables and counts only."""

    code: str
    sentence: str


class Tally:
    """Counts what a comparison shows of one watch: `add` every stretch of it.

    `before` and `after` are the rows that matched the watch, `own` those that the transaction
    wrote and that were seen afterwards, `unwritten` the after images that it did not write.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Count for a table whose columns have these names."""
        self._names = tuple(names)
        self._updated: Counter[tuple[int, ...]] = Counter()
        self._inserted = 0
        self._deleted = 0
        self.before = 0
        self.after = 0
        self.own = 0
        self.unwritten = 0

    def add(self, seen: Seen) -> None:
        """Take a stretch of the comparison."""
        self.before += seen.before
        self.after += seen.after
        self.own += seen.own
        self.unwritten += seen.unwritten
        for _, before, after in seen.changes:
            if before is None:
                self._inserted += 1
            elif after is None:
                self._deleted += 1
            else:
                self._updated[differing(before, after)] += 1

    @property
    def ops(self) -> Written:
        """The operations that the difference shows."""
        return Written(self._inserted, self._updated.total(), self._deleted)

    @property
    def columns(self) -> dict[str, int]:
        """How many updated rows each column changed in, in the table's order."""
        counts: Counter[int] = Counter()
        for places, rows in self._updated.items():
            counts.update(dict.fromkeys(places, rows))
        return {self._names[place]: counts[place] for place in sorted(counts)}


@dataclass(frozen=True, slots=True)
class Watched:
    """A watch and what was seen of it; `table` is its name in full, as its shape has it."""

    watch: Watch
    table: TableName
    tally: Tally


@dataclass(frozen=True, slots=True)
class Approved:
    """What a run must show again: the rows' digest (hex) under `key`, and the counts.

    `key` is the bundle's key (hex) of the rehearsal. Without `digest` the counts are enough.
    """

    key: str
    digest: str | None
    tables: Mapping[TableName, Written]


def judge_run(
    watched: Sequence[Watched],
    side_effects: Sequence[SideEffect],
    writes: Writes,
    *,
    own_rows: Mapping[TableName, int],
    limit: int,
    traits: RepairTraits,
) -> tuple[Breach, ...]:
    """Return every reason why the transaction must not commit, the most serious first.

    Tables are named in full everywhere. `own_rows` has the rows written by this transaction of
    each table whose watch has `rewrites`; `limit` is the most rows that may be written; `traits`
    say which part of `writes` means anything, and whether rows carry their writer's mark.
    """
    strength = traits.counters
    counted = _counted(writes, strength)
    declared = [one.table for one in watched] + [effect.table for effect in side_effects]
    return (
        *(Breach("forbidden-write", sentence) for sentence in writes.objections),
        *_twice(declared),
        *_undeclared(counted, declared, strength),
        *_unwritten(watched, traits),
        *_uncounted(watched, side_effects, counted, own_rows, strength),
        *_unexpected(watched),
        *_not_permitted(watched),
        *_too_many(watched, limit),
    )


def judge_approved(
    watched: Sequence[Watched], digest: str, approved: Approved
) -> tuple[Breach, ...]:
    """Return why this is not what was approved; `digest` is that of this run's bundle."""
    shown = {one.table: one.tally.ops for one in watched}
    differ = sorted(
        table
        for table in shown.keys() | approved.tables.keys()
        if shown.get(table, _NOTHING) != approved.tables.get(table, _NOTHING)
    )
    found = [
        Breach(
            "not-as-approved",
            f"{table}: declared rows show {shown.get(table, _NOTHING)};"
            f" approved were {approved.tables.get(table, _NOTHING)}",
        )
        for table in differ
    ]
    if not found and approved.digest not in {None, digest}:
        rows = sum(ops.total for ops in shown.values())
        return (
            Breach(
                "not-as-approved",
                f"{_rows(rows)} written, as many as approved; but other rows, or other values",
            ),
        )
    return tuple(found)


def declared_twice(tables: Iterable[TableName]) -> tuple[TableName, ...]:
    """Return the tables that stand there more than once: their rows would be counted twice."""
    return tuple(sorted(table for table, times in Counter(tables).items() if times > 1))


def _counted(writes: Writes, strength: Strength) -> dict[TableName, Written]:
    """Exact counters name what was written; weaker ones name what may have been."""
    exact = strength is Strength.EXACT
    return {table: ops for table, ops in writes.tables.items() if ops != _NOTHING or not exact}


def _twice(declared: Collection[TableName]) -> Iterator[Breach]:
    for table in declared_twice(declared):
        yield Breach("declared-twice", f"{table} is declared more than once")


def _undeclared(
    counted: Mapping[TableName, Written], declared: Collection[TableName], strength: Strength
) -> Iterator[Breach]:
    for table in sorted(counted.keys() - set(declared)):
        known = f" ({counted[table]})" if strength is Strength.EXACT else ""
        yield Breach("undeclared-write", f"{table} was written{known} and is not declared")


def _unwritten(watched: Sequence[Watched], traits: RepairTraits) -> Iterator[Breach]:
    for one in watched:
        if traits.own_rows and one.tally.unwritten:
            yield Breach(
                "count-differs",
                f"{one.table}: {_rows(one.tally.unwritten)} came to match the watch"
                " without being written by this run",
            )


def _uncounted(
    watched: Sequence[Watched],
    side_effects: Sequence[SideEffect],
    counted: Mapping[TableName, Written],
    own_rows: Mapping[TableName, int],
    strength: Strength,
) -> Iterator[Breach]:
    """Whether the engine's counts are those of the rows that were seen."""
    if strength is Strength.TABLES:
        return
    if strength is Strength.TOTAL:
        yield from _total_differs(watched, side_effects, counted)
        return
    for one in watched:
        engine = counted.get(one.table, _NOTHING)
        if one.watch.rewrites:
            yield from _rewritten(one, engine, own_rows.get(one.table))
        elif not _agrees(engine, one.tally.ops):
            yield _count_differs(one, engine)
    for effect in side_effects:
        engine = counted.get(effect.table, _NOTHING)
        if engine != Written(inserted=effect.inserted):
            yield Breach(
                "expect-differs",
                f"{effect.table}: side effects are to be {Written(inserted=effect.inserted)};"
                f" the engine counted {engine}",
            )


def _agrees(engine: Written, shown: Written) -> bool:
    """As many versions of rows made, and as many ended, as the difference shows."""
    made = engine.inserted + engine.updated == shown.inserted + shown.updated
    ended = engine.deleted + engine.updated == shown.deleted + shown.updated
    return made and ended


def _rewritten(one: Watched, engine: Written, own: int | None) -> Iterator[Breach]:
    shown = one.tally.ops
    net = engine.inserted - engine.deleted == shown.inserted - shown.deleted
    made = engine.inserted + engine.updated >= shown.inserted + shown.updated
    if not (net and made):
        yield _count_differs(one, engine)
    if own is None:
        yield Breach(
            "count-differs",
            f"{one.table}: nobody counted the rows that this run wrote, as rewrites needs it",
        )
    elif own != one.tally.own:
        yield Breach(
            "count-differs",
            f"{one.table}: this run wrote {_rows(own)}, of which {one.tally.own} are declared",
        )


def _count_differs(one: Watched, engine: Written) -> Breach:
    return Breach(
        "count-differs",
        f"{one.table}: declared rows show {one.tally.ops}; the engine counted {engine}",
    )


def _total_differs(
    watched: Sequence[Watched],
    side_effects: Sequence[SideEffect],
    counted: Mapping[TableName, Written],
) -> Iterator[Breach]:
    shown = sum(one.tally.ops.total for one in watched)
    appended = sum(effect.inserted for effect in side_effects)
    engine = sum(ops.total for ops in counted.values())
    if engine != shown + appended:
        yield Breach(
            "count-differs",
            f"declared rows show {shown} written and {appended} by side effects;"
            f" the engine counted {engine}",
        )


def _unexpected(watched: Sequence[Watched]) -> Iterator[Breach]:
    for one in watched:
        if one.tally.ops != one.watch.expect:
            yield Breach(
                "expect-differs",
                f"{one.table}: expected are {one.watch.expect}; declared rows show {one.tally.ops}",
            )


def _not_permitted(watched: Sequence[Watched]) -> Iterator[Breach]:
    for one in watched:
        for name, rows in one.tally.columns.items():
            if name not in one.watch.may_change:
                yield Breach(
                    "column-not-permitted",
                    f"{one.table}: column {name} changed in {_rows(rows)} and is not in may_change",
                )


def _too_many(watched: Sequence[Watched], limit: int) -> Iterator[Breach]:
    rows = sum(one.tally.ops.total for one in watched)
    if rows > limit:
        yield Breach("too-many-rows", f"{_rows(rows)} written; the limit is {limit}")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
