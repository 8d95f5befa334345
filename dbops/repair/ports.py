"""What a repair needs of an engine: one connection, one transaction, and an honest count.

All methods raise DbopsError only, and no row value stands in any error. A session whose context
ends without `commit` is rolled back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from dbops.errors import Unreachable
from dbops.repair.parameter import Argument
from dbops.repair.table import Change, KeyedRow, Reference, Shape, TableName, Value
from dbops.sql.statement import Statement
from dbops.sql.written import Written


class CommitUnknown(Unreachable):
    """The connection was lost at COMMIT: the transaction took place, or it did not."""


class Strength(StrEnum):
    """How much the engine's own counters prove of what a transaction wrote."""

    EXACT = "exact"  # rows by table and operation
    TOTAL = "total"  # all rows, and the tables
    TABLES = "tables"  # the tables


class MarkerKind(StrEnum):
    """What a row of the marker table stands for."""

    REPAIR = "repair"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class RepairTraits:
    """What the engine can do; callers ask these, never its name.

    `counted_by` names the engine's counters in evidence. `dialect` is sqlglot's name for its SQL.
    `own_rows` says whether a session can tell the rows that its transaction wrote, `overruling`
    whether an INSERT must say OVERRIDING SYSTEM VALUE where it gives a column that is `assigned`.
    """

    counters: Strength
    counted_by: str
    dialect: str
    schemas: bool
    roles: bool
    own_rows: bool
    overruling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOrder:
    """How to open a session. `lock_wait` bounds each wait for a lock, `statement` each statement.

    `search_path` applies to the script, the conditions and triggers. `temporary` are the temporary
    tables that the script may make. `read_only` sessions cannot write, and lock nothing. Where
    `identity` is given the session itself is of that database, or Refused `repair-database`: a
    name may lead to another server each time.
    """

    work: str
    lock_wait: timedelta
    statement: timedelta
    search_path: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()
    read_only: bool = False
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """What a statement's placeholders stand for, by parameter.

    `identifiers` are names as the catalogue spells them; the engine quotes them.
    """

    arguments: Mapping[str, Argument] = field(default_factory=dict)
    identifiers: Mapping[str, TableName | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writes:
    """What the engine counted since the transaction began.

    `tables` has every table with a write, attempted ones that were rolled back to a savepoint
    included; a partition counts at the declared table above it. `objections` are sentences about
    what else was done that no repair may do (names and counts only); `sequences` those that were
    advanced, which no rollback turns back.
    """

    tables: Mapping[TableName, Written]
    objections: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A row of `dbops_run`: a transaction of dbops that committed.

    `run` is unique. `plan` is the sha256 of the reviewed files, `bundle` of the sealed file.
    `undoes` is the run that an undo takes back; no run is taken back twice. `batch` counts from 0;
    `upto` says how far all batches have come (`batch_progress`: last key, counts, whether that is
    all), None without batches. A work's plan runs once per batch.
    """

    run: str
    work: str
    plan: str
    kind: MarkerKind
    batch: int
    bundle: str
    undoes: str | None = None
    upto: str | None = None


class RepairSession(Protocol):
    """One connection that begins one transaction, and ends it."""

    @property
    def server(self) -> str:
        """Product and version, as in "PostgreSQL 15.18"."""
        ...

    @property
    def encoding(self) -> str:
        """Python's name of the codec that the server's text is in."""
        ...

    @property
    def began(self) -> datetime:
        """When the transaction began, by the server's clock where it has one, in UTC."""
        ...

    def begin(self) -> None:
        """Afterwards the transaction is open: isolated, pinned, bounded, counters noted.

        Nobody else can run the same work on this database meanwhile. Raises Refused where the
        counters cannot be trusted or the account may do more than a repair should, and
        `repair-not-prepared` where the marker table is missing; Unreachable `work-running`.
        """
        ...

    def shape(self, table: TableName) -> Shape:
        """What the catalogue says; NotFound `no-table`, Refused `table-kind` for no plain table.

        A name without schema is looked up in the order's search path; the shape has it in full.
        """
        ...

    def column(self, table: TableName, name: str) -> str:
        """The column's name as the catalogue spells it, for an identifier; NotFound `no-column`."""
        ...

    def loose(self, shape: Shape) -> frozenset[str]:
        """The columns for which texts are equal that differ in case, accents or blanks at the end.

        What a query compares by another collation than the column's own is not known.
        """
        ...

    def read(
        self, shape: Shape, where: Statement, binding: Binding, *, lock: bool
    ) -> Iterator[KeyedRow]:
        """The rows for which `where` holds, ascending by `order`; locked where asked.

        Streamed: memory holds a bounded part of them.
        """
        ...

    def fetch(
        self, shape: Shape, orders: Sequence[tuple[bytes, ...]], *, lock: bool
    ) -> list[KeyedRow]:
        """Those of the rows with these orders that are there, in any order; one round trip."""
        ...

    def check(self, sql: Statement, binding: Binding) -> bytes | None:
        """The one value of the one row that the query yields; Refused `condition-form` else."""
        ...

    def run(self, statement: Statement, binding: Binding) -> int:
        """Run one statement of the script; returns the rows that the server says it touched.

        Raises Refused `transaction-control` for what would end or nest the transaction or is no
        statement on data, and `transaction-lost` where another transaction is open afterwards.
        """
        ...

    def run_rows(
        self, statement: Statement, binding: Binding, name: str, rows: Iterable[Mapping[str, Value]]
    ) -> int:
        """The same once for each of the rows of the parameter `name`."""
        ...

    def settle(self) -> None:
        """Afterwards every deferred constraint and trigger has run; settings are pinned again."""
        ...

    def writes(self, declared: Collection[TableName]) -> Writes:
        """What the engine counted; dbops' own marker and temporary tables are left out."""
        ...

    def own_rows(self, shape: Shape) -> int:
        """How many rows of the table, as it is now, this transaction wrote."""
        ...

    def apply(self, shape: Shape, changes: Iterable[Change]) -> int:
        """Write each change: from `before` to `after`, by full key, values exactly as given.

        Returns how many rows were written; a change that finds no row, or more than one, raises
        Refused `row-count`.
        """
        ...

    def children(self, reference: Reference, keys: Sequence[tuple[Value, ...]]) -> int:
        """How many rows of `reference.child` point at rows with these `target_columns`."""
        ...

    def markers(self, work: str) -> tuple[Marker, ...]:
        """What of this work has committed here, in the order of commits."""
        ...

    def mark(self, marker: Marker) -> None:
        """Afterwards the transaction holds the marker; Refused `already-run` where it is there."""
        ...

    def commit(self) -> None:
        """Afterwards the transaction is durable; raises `CommitUnknown` where nobody knows."""
        ...

    def rollback(self) -> None:
        """Afterwards nothing of the transaction happened."""
        ...


class RepairEngine(Protocol):
    """One database that can be repaired."""

    @property
    def traits(self) -> RepairTraits: ...

    def identity(self) -> str:
        """The engine's own identity of the database, as approvals name it."""
        ...

    def session(self, order: SessionOrder) -> AbstractContextManager[RepairSession]:
        """A connection of its own for one transaction; nothing of it is left afterwards."""
        ...

    def committed(self, run: str, work: str) -> bool:
        """Whether that run has committed, asked on a new connection.

        Raises Unreachable `work-running` while the server may still be at it.
        """
        ...

    def prepare_sql(self, tables: Sequence[TableName], read: Sequence[TableName] = ()) -> str:
        """The SQL text that makes the marker table and lets the repair role write these tables.

        It may read those of `read`, which scripts and conditions look up, and no more. Harmless
        where part of it has been done already. `remove_sql` takes it back.
        """
        ...

    def remove_sql(self) -> str:
        """The SQL text that removes what `prepare_sql` made."""
        ...

    def install(self, sql: str) -> None:
        """Afterwards the SQL text has run in one transaction, under the login that may do that."""
        ...
