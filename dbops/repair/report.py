"""What a run says of itself: tables, columns and counts, never a value; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dbops.repair.judgement import Tally
from dbops.repair.manifest import SideEffect
from dbops.repair.ports import MarkerKind, Strength, Writes
from dbops.repair.table import TableName
from dbops.sql.written import Written


@dataclass(frozen=True, slots=True)
class TableEffect:
    """One watched table. `ops` is the difference of its rows, `counted` what the database counted.

    `columns` has the columns that updates changed, and in how many rows. `before` and `after` are
    the rows of the two readings.
    """

    table: TableName
    ops: Written
    counted: Written
    columns: Mapping[str, int]
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One transaction that committed.

    `appended` are the rows that triggers put into declared side-effect tables, `sequences` those
    that advanced. `strength` and `counted_by` say what the counts rest on. `rows` is the number of
    rows in the bundle, which lies at `bundle`; `digest` is that of the difference, keyed by `key`
    (hex). `began` is the server's time in UTC.
    """

    run: str
    work: str
    plan: str
    kind: MarkerKind
    batch: int
    server: str
    began: datetime
    tables: tuple[TableEffect, ...]
    appended: Mapping[TableName, int]
    sequences: tuple[str, ...]
    strength: Strength
    counted_by: str
    bundle: Path
    sha256: str
    rows: int
    key: str
    digest: str
    attempts: int = 1
    seconds: float = 0.0

    @property
    def counts(self) -> dict[TableName, Written]:
        """The difference of each watched table, as an approval of it states it."""
        return {effect.table: effect.ops for effect in self.tables}


def effect_of(table: TableName, tally: Tally, writes: Writes) -> TableEffect:
    """Return what was seen of a watched table beside what the database counted."""
    counted = writes.tables.get(table, Written())
    return TableEffect(table, tally.ops, counted, dict(tally.columns), tally.before, tally.after)


def appended_to(effects: Iterable[SideEffect], writes: Writes) -> dict[TableName, int]:
    """Return how many rows the database counted into each declared side-effect table."""
    return {each.table: writes.tables.get(each.table, Written()).inserted for each in effects}
