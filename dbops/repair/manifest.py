"""A repair as its author declares it: what may be written, how much, and what must hold; pure.

`manifest_text` reads it from `repair.yml`. Parameters are already in place in the counts; the SQL
still has its placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from dbops.repair.parameter import Parameter
from dbops.repair.table import TableName
from dbops.review.work import Risk
from dbops.sql.statement import Statement
from dbops.sql.written import Written

LOCK_WAIT = timedelta(seconds=5)
STATEMENT = timedelta(seconds=60)
KEEP = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Watch:
    """A set of rows that the repair may write: those of `table` for which `where` holds.

    `expect` is exactly what is written there. `may_change` are the columns that an update may
    change. With `rewrites` one row may be updated more than once, or to what it was. A `line` of 0
    is one that no file holds.
    """

    table: TableName
    where: Statement
    expect: Written
    may_change: tuple[str, ...] = ()
    rewrites: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class SideEffect:
    """A table that triggers append to: so many inserts, which are counted and never undone."""

    table: TableName
    inserted: int
    line: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """A query of one value that must be `equals`, as the server prints it."""

    title: str
    sql: Statement
    equals: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """`rows` is the most that may be written in all; the times bound each wait and statement."""

    rows: int
    lock_wait: timedelta = LOCK_WAIT
    statement: timedelta = STATEMENT


@dataclass(frozen=True, slots=True)
class UndoRules:
    """How the repair is taken back.

    `volatile` columns may differ afterwards from what they were, because triggers set them; they
    still count in the comparison before. `keep` is how long the bundle is wanted.
    """

    volatile: tuple[str, ...] = ()
    keep: timedelta = KEEP


@dataclass(frozen=True, slots=True)
class Batch:
    """A large repair in parts of `rows` rows of `table`, by its one-column key.

    The script and the watch sets use `:batch_first` and `:batch_last`, both inclusive.
    """

    table: TableName
    rows: int


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the data were wrong, and the ticket of what stops that from happening again."""

    found: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class UndoOf:
    """The run that is taken back: its work and the sha256 of each of its bundles, in order."""

    work: str
    bundles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A lint finding that the author lets stand, and why."""

    rule: str
    why: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """The whole manifest. Either `undo_of` is given, or `watches` and a script.

    `database` is an alias of the estate. `opened` is the day on which the ticket was opened,
    `clocks` the names of the deadlines that run from it. `search_path` and `temporary` (names of
    temporary tables that the script makes) are for engines that have such a thing. `show` are the
    columns that may be shown outside of sealed files.
    """

    id: str
    title: str
    author: str
    ticket: str | None
    risk: Risk
    database: str
    opened: date | None
    cause: Cause | None
    clocks: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    watches: tuple[Watch, ...] = ()
    side_effects: tuple[SideEffect, ...] = ()
    before: tuple[Condition, ...] = ()
    after: tuple[Condition, ...] = ()
    limits: Limits
    undo: UndoRules = UndoRules()
    show: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()
    batch: Batch | None = None
    undo_of: UndoOf | None = None
    accepted: tuple[Accepted, ...] = ()
    playbook: str | None = None
