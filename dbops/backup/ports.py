"""What backup needs of an engine: an instant to read, and a place to restore into.

An engine differs from another by what its snapshot yields and by its traits, never by its name.
All methods raise DbopsError only, and no row value stands in any error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from dbops.repository.frames import Payload
from dbops.repository.manifest import Facts, Gap
from dbops.repository.ranges import Proof, Stream

Advance = Callable[[int], None]
"""Told the bytes of work done since the last call."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Some ranges of one stream, read by one worker: `count` ranges from number `first` on.

    `spec` is the engine's own: what to read. `weight` estimates the bytes, for progress only.
    """

    stream: str
    payload: Payload
    first: int
    count: int
    weight: int
    spec: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A stream before it is read. `detail` goes into the catalogue and comes back for restore."""

    name: str
    payload: Payload
    units: tuple[Unit, ...]
    detail: dict[str, str] = field(default_factory=dict)

    @property
    def ranges(self) -> int:
        return sum(unit.count for unit in self.units)


class RangeSink(Protocol):
    """Takes ranges, one after another, cut into blocks anywhere."""

    def begin(self, stream: str, index: int, payload: Payload) -> None: ...

    def write(self, block: bytes, /) -> int: ...

    def end(self, records: int | None = None) -> None: ...


class UnitReader(Protocol):
    """One worker's connection to the snapshot."""

    def read(self, unit: Unit, sink: RangeSink) -> None:
        """Afterwards the sink has all ranges of the unit, whole; raises where any is short."""
        ...

    def close(self) -> None: ...


class ReaderRecipe(Protocol):
    """How a worker process joins the snapshot; it travels there by pickle, never by argv."""

    def open(self) -> UnitReader: ...


class Snapshot(Protocol):
    """One instant of one database, held open until its context ends."""

    @property
    def identity(self) -> str:
        """The engine's own identity of the database: what an alias cannot fake."""
        ...

    @property
    def server(self) -> str:
        """Product and version, as in "PostgreSQL 15.18"."""
        ...

    @property
    def taken_at(self) -> datetime:
        """The instant, in UTC."""
        ...

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What the database holds and this backup will not."""
        ...

    @property
    def recipe(self) -> ReaderRecipe: ...

    def streams(self) -> Sequence[StreamPlan]:
        """What is to be read."""
        ...

    def tables(self, key: bytes) -> dict[str, Proof]:
        """Proofs of rows, for tables that are not streams of rows themselves."""
        ...

    def facts(self, *, witness: bool) -> Facts:
        """Everything but rows that a restored copy must have again.

        Section `count` is always there: rows of each table, counted by another connection than
        the one that copies. With `witness` there is a section `witness`: sums over every row,
        made by the server.
        """
        ...

    def confirm(self) -> None:
        """Raises Failed where the instant did not hold to the end."""
        ...


class Contents(Protocol):
    """A backup as an engine sees it that restores it."""

    @property
    def title(self) -> str: ...

    @property
    def server(self) -> str:
        """The source's product and version."""
        ...

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Every stream, in the order that reads each pack once."""
        ...

    @property
    def facts(self) -> Facts: ...

    def open(self) -> AbstractContextManager[StreamReader]:
        """A reader of its own for each thread."""
        ...


class StreamReader(Protocol):
    """Reads streams of one backup; every range is checked against its digest."""

    def read(self, stream: Stream) -> Iterator[bytes]:
        """All bytes of the stream; they count only once the iterator has ended."""
        ...


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """How to restore: `tables` None means everything; `jobs` counts parallel loads."""

    tables: tuple[str, ...] | None = None
    jobs: int = 1
    advance: Advance = field(default=lambda _: None, compare=False)


@dataclass(frozen=True, slots=True)
class Traits:
    """What an engine can do; callers ask these, never its name."""

    parallel_read: bool


class Engine(Protocol):
    """One database of one engine: a source, a target, or a scratch copy."""

    @property
    def traits(self) -> Traits: ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Hold one instant; raises Refused where rows could be missed."""
        ...

    def identity(self) -> str:
        """The engine's own identity of what is there now, read without a backup.

        What an approval names beside the alias: another database behind the same alias has
        another one. For a target that does not exist yet it is the place alone, if the engine
        can tell.
        """
        ...

    def obstacles(self) -> tuple[str, ...]:
        """What a restore into this database would meet: names and counts; empty where nothing."""
        ...

    def left_out(self, contents: Contents, order: RestoreOrder) -> tuple[str, ...]:
        """What a restore of single tables cannot bring along, such as keys to other tables."""
        ...

    def refuse_unfit(self, contents: Contents) -> None:
        """Raises where a restore of everything would be refused even if nothing stood there.

        Called before `clear`: nothing may be removed for a restore that cannot succeed.
        """
        ...

    def clear(self) -> None:
        """Remove what `obstacles` named; only ever called when the user named the database."""
        ...

    def restore(self, contents: Contents, order: RestoreOrder) -> None:
        """Afterwards the database holds what the backup holds, or the restore has failed.

        With `order.tables` these tables are added, and nothing else is touched: Refused where one
        of them is there already.

        A crash leaves a target that is visibly unfinished, never one that looks whole.
        """
        ...

    def check(self) -> tuple[str, ...]:
        """What the engine's own checker finds wrong; empty where nothing."""
        ...

    def compare_schema(self, contents: Contents) -> tuple[str, ...]:
        """How the schema differs from the source's, beyond what facts show; names only."""
        ...


class ScratchPlace(Protocol):
    """Makes throw-away databases of one engine, never on the source."""

    @property
    def title(self) -> str:
        """What the certificate calls it, with the server's version."""
        ...

    def open(self, contents: Contents) -> AbstractContextManager[Engine]:
        """An empty database that can take the backup; gone when the context ends."""
        ...
