"""An engine whose databases are rows in memory: implements the `Engine` port without a server.

Rows are lines, two of them a range. What a real engine may get wrong can be asked for: a count
that differs, a worker that dies, a check that finds something, a restore that changes the rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dbops.backup.ports import (
    Contents,
    Engine,
    RangeSink,
    RestoreOrder,
    StreamPlan,
    Traits,
    Unit,
)
from dbops.errors import Failed, Refused
from dbops.repository.frames import Payload
from dbops.repository.manifest import Facts, Gap
from dbops.repository.ranges import COLUMNS, Proof

ROWS_PER_RANGE = 2
Rows = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MemoryReader:
    """Reads units; the process dies at the range `dies_at`, as for want of memory."""

    tables: dict[str, Rows]
    dies_at: tuple[str, int] | None
    short_at: tuple[str, int] | None
    buggy_at: tuple[str, int] | None

    def read(self, unit: Unit, sink: RangeSink) -> None:
        for index in range(unit.first, unit.first + unit.count):
            if (unit.stream, index) == self.dies_at:
                os._exit(9)
            if (unit.stream, index) == self.buggy_at:
                raise KeyError("canary 张三")
            if (unit.stream, index) == self.short_at:
                continue
            sink.begin(unit.stream, index, unit.payload)
            first = index * ROWS_PER_RANGE
            for row in self.tables[unit.stream][first : first + ROWS_PER_RANGE]:
                sink.write(row + b"\n")
            sink.end()

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class MemoryRecipe:
    """What travels to a worker."""

    tables: dict[str, Rows]
    dies_at: tuple[str, int] | None = None
    short_at: tuple[str, int] | None = None
    buggy_at: tuple[str, int] | None = None

    def open(self) -> MemoryReader:
        return MemoryReader(self.tables, self.dies_at, self.short_at, self.buggy_at)


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """One instant: the rows as they were."""

    tables_then: dict[str, Rows]
    recipe: MemoryRecipe
    facts_then: Facts
    broken: bool
    identity: str = "memory:1"
    server: str = "Memory 1"
    taken_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    gaps: tuple[Gap, ...] = ()

    def streams(self) -> Sequence[StreamPlan]:
        return [_plan(name, rows) for name, rows in self.tables_then.items()]

    def tables(self, key: bytes) -> dict[str, Proof]:  # noqa: ARG002 - the port's
        return {}

    def facts(self, *, witness: bool) -> Facts:  # noqa: ARG002 - the port's
        return self.facts_then

    def confirm(self) -> None:
        if self.broken:
            raise Failed("snapshot-lost", "the instant did not hold", hint="run it again")


def _plan(name: str, rows: Rows) -> StreamPlan:
    ranges = -(-len(rows) // ROWS_PER_RANGE)
    units = tuple(Unit(name, Payload.ROWS, index, 1, 1) for index in range(ranges))
    return StreamPlan(name, Payload.ROWS, units, {COLUMNS: "row"})


@dataclass(slots=True)
class MemoryEngine:
    """One database; `tables` hold rows without their newlines."""

    tables: dict[str, Rows] = field(default_factory=dict)
    extra: Facts = field(default_factory=dict)
    miscounts: dict[str, int] = field(default_factory=dict)
    dies_at: tuple[str, int] | None = None
    short_at: tuple[str, int] | None = None
    buggy_at: tuple[str, int] | None = None
    breaks: bool = False
    unfit: bool = False
    faults: tuple[str, ...] = ()
    schema_differences: tuple[str, ...] = ()
    traits: Traits = field(default_factory=lambda: Traits(parallel_read=True))

    @contextmanager
    def snapshot(self) -> Iterator[MemorySnapshot]:
        counts = {name: str(len(rows)) for name, rows in self.tables.items()}
        counts |= {name: str(count) for name, count in self.miscounts.items()}
        recipe = MemoryRecipe(dict(self.tables), self.dies_at, self.short_at, self.buggy_at)
        facts = {"count": counts, **self.extra}
        yield MemorySnapshot(dict(self.tables), recipe, facts, self.breaks)

    def identity(self) -> str:
        return "memory:1"

    def obstacles(self) -> tuple[str, ...]:
        return tuple(f"table {name}" for name in self.tables)

    def refuse_unfit(self, contents: Contents) -> None:  # noqa: ARG002
        if self.unfit:
            raise Refused("role-missing", "the target lacks a role", hint="create it first")

    def left_out(self, contents: Contents, order: RestoreOrder) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def clear(self) -> None:
        self.tables.clear()

    def restore(self, contents: Contents, order: RestoreOrder) -> None:
        with contents.open() as reader:
            for stream in contents.streams:
                if order.tables is None or stream.name in order.tables:
                    whole = b"".join(reader.read(stream))
                    self.tables[stream.name] = tuple(whole.splitlines())
        self.extra = {name: dict(part) for name, part in contents.facts.items() if name != "count"}

    def check(self) -> tuple[str, ...]:
        return self.faults

    def compare_schema(self, contents: Contents) -> tuple[str, ...]:  # noqa: ARG002 - the port's
        return self.schema_differences


class MutatingEngine(MemoryEngine):
    """A copy to which something happens after the restore."""

    __slots__ = ("_mutate",)

    def __init__(self, mutate: Callable[[MemoryEngine], None]) -> None:
        super().__init__()
        self._mutate = mutate

    def restore(self, contents: Contents, order: RestoreOrder) -> None:
        super().restore(contents, order)
        self._mutate(self)


@dataclass(frozen=True, slots=True)
class MemoryScratch:
    """Implements the `ScratchPlace` port; `mutate` is what happens to every restored copy."""

    mutate: Callable[[MemoryEngine], None] = field(default=lambda _: None)
    failure: Failed | None = None
    title: str = "Memory 1, nowhere"

    @contextmanager
    def open(self, contents: Contents) -> Iterator[Engine]:  # noqa: ARG002 - the port's
        if self.failure is not None:
            raise self.failure
        yield MutatingEngine(self.mutate)
