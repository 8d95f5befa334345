"""What a change needs of an engine: the schema as a value, steps, and a journal beside the data.

All methods raise DbopsError only, and no row value stands in any error. A session whose context
ends without `commit` is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from dbops.change.schema import ObjectName, Schema
from dbops.change.step import Direction, Step
from dbops.errors import Unreachable
from dbops.sql.written import Written


class LockTimeout(Unreachable):
    """A lock was not to be had within `lock_wait`: nothing was changed."""


class CommitUnknown(Unreachable):
    """The connection was lost at COMMIT, or in a step outside a transaction: nobody knows."""


class Progress(StrEnum):
    """How far a step has come, as the journal says it."""

    BEGAN = "began"  # a step outside a transaction: what it did is to be looked at
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ChangeTraits:
    """What the engine can do; callers ask these, never its name.

    `dialect` is sqlglot's name for its SQL. Where DDL is not transactional every step is a part of
    its own. `schemas` says whether names have a schema in front, `locks` whether a session can tell
    which locks it holds.
    """

    transactional_ddl: bool
    dialect: str
    schemas: bool
    locks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOrder:
    """How to open a session; `lock_wait` and `statement` bound each statement.

    Where `identity` is given the session itself is of that database, or Refused
    `change-database`: a name may lead to another server each time. `read_only` sessions change
    nothing. `measured` ones, of a rehearsal, look on while a step runs that holds its locks no
    longer than itself, and count the rows that steps write. `start` is the schema in which the
    change began, where a rehearsal saw it.
    """

    work: str
    lock_wait: timedelta
    statement: timedelta
    identity: str | None = None
    read_only: bool = False
    measured: bool = False
    start: Schema | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, order=True)
class Lock:
    """A lock that a statement took, and what others cannot do meanwhile.

    `blocks` is "reads" (and so all else), "writes", or in words what less than that it keeps away.
    """

    object: str
    mode: str
    blocks: str


@dataclass(frozen=True, slots=True)
class StepEffect:
    """What a step came to: how long it took, and the locks that it added to those held before.

    `rewritten` are the tables whose storage was written anew, and the indexes of other tables.
    """

    seconds: float
    locks: tuple[Lock, ...] = ()
    rewritten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSize:
    """About how many rows a table has, or just how many where `counted`; bytes with its indexes."""

    rows: int
    bytes: int
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A row of `dbops_change`: a step that began or is done. Rows are only ever added.

    `run` names the attempt, `plan` names the reviewed files by a digest, `sha256` is that of the
    step's text; `sequence` counts the rows of the journal. `approval` is the sha256 of the signed
    request under which it ran, empty where none was asked for.
    """

    run: str
    work: str
    plan: str
    direction: Direction
    step: int
    name: str
    sha256: str
    progress: Progress
    sequence: int = 0
    approval: str = ""


class Remains(StrEnum):
    """What a step outside a transaction has left that nobody saw end."""

    NOTHING = "nothing"  # it can run again
    HALF = "half"  # something that has to be cleaned up first: an index that is not valid
    DONE = "done"


class ChangeSession(Protocol):
    """One connection to one database, on which a change runs."""

    @property
    def server(self) -> str:
        """Product and version, as in "PostgreSQL 15.18"."""
        ...

    def schema(self) -> Schema:
        """The schema as this session sees it now, uncommitted changes of its own included.

        dbops' own objects (the markers of repairs, the journal) are left out.
        """
        ...

    def sizes(self) -> Mapping[ObjectName, TableSize]:
        """About how large each table is, without reading it."""
        ...

    def counts(self) -> Mapping[ObjectName, int]:
        """The rows of each table, counted."""
        ...

    def journal(self) -> tuple[JournalEntry, ...]:
        """All that the journal says, in its order; empty where there is none."""
        ...

    def hold_work(self) -> None:
        """Afterwards nobody else runs a change on this database; Unreachable `change-running`."""
        ...

    def begin(self) -> None:
        """Afterwards a transaction is open that can write."""
        ...

    def lock(self, locks: Sequence[Lock]) -> None:
        """Afterwards the transaction holds those of the locks that can be taken beforehand.

        All of them, and what the steps wait for behind them, in one `lock_wait`. Objects that are
        not there are passed by. Raises `LockTimeout`.
        """
        ...

    def run(self, step: Step) -> StepEffect:
        """Run a step inside the transaction; its script's own transaction control is refused.

        Raises `LockTimeout`; Refused `transaction-control` and `transaction-lost`; Failed
        `change-step` with the server's code, and names only.
        """
        ...

    def run_alone(self, step: Step) -> StepEffect:
        """Run a step outside of any transaction; raises as `run`, and `CommitUnknown`."""
        ...

    def remains(self, step: Step) -> Remains:
        """What a step outside a transaction has left, as the catalogue says now."""
        ...

    def clean_up(self, step: Step) -> None:
        """Afterwards what a step outside a transaction left half done is gone.

        What was being dropped or detached may be so for good then: it remains as DONE.
        """
        ...

    def verify(self, step: Step) -> bool:
        """Whether the query's one value is true; Refused `verify-form` where there is not one."""
        ...

    def settle(self, *, whole: bool = True) -> tuple[str, ...]:
        """Afterwards deferred constraints and triggers have run.

        Returns sentences about what is wrong now, such as rows whose parents are missing; where it
        is not the `whole` change that ends here, not of what later steps may end.
        """
        ...

    def written(self) -> Mapping[ObjectName, Written] | None:
        """What the open transaction has written, of the tables of which it wrote any rows.

        Whatever wrote them: a block, a function, a trigger, a foreign key. Tables are called as
        they are now; of those that are gone nothing is said. None where the session is not
        `measured`, and where not all could be counted.
        """
        ...

    def note(self, entries: Sequence[JournalEntry]) -> None:
        """Afterwards the entries are in the journal: at COMMIT, or at once outside of one."""
        ...

    def commit(self) -> None:
        """Afterwards the transaction is durable; raises `CommitUnknown` where nobody knows."""
        ...

    def rollback(self) -> None:
        """Afterwards nothing of the transaction happened."""
        ...


class ChangeEngine(Protocol):
    """One database whose schema can be read and changed."""

    @property
    def traits(self) -> ChangeTraits: ...

    def identity(self) -> str:
        """The engine's own identity of the database, as approvals name it."""
        ...

    def is_alone(self, step: Step) -> bool:
        """Whether the engine runs the statement only outside of a transaction."""
        ...

    def session(self, order: SessionOrder) -> AbstractContextManager[ChangeSession]:
        """A connection of its own; nothing of it is left afterwards.

        Sessions that are not read-only find the journal there, or make it.
        """
        ...
