"""What the compliance suite of repair engines needs of an engine, and short ways to say things.

Each engine's tests make a `Site` fixture and inherit from the classes of `repair_suite`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from dbops.repair.parameter import Argument, ParameterType
from dbops.repair.ports import (
    Binding,
    Marker,
    MarkerKind,
    RepairEngine,
    RepairSession,
    SessionOrder,
)
from dbops.repair.table import KeyedRow, Row, Shape, TableName
from dbops.sql.statement import Bound, Piece, Statement

CANARY = "canary-4711"
ALL = Statement(("1 = 1",), 1)
NOTHING = Binding()

HOSPITAL = (
    "CREATE TABLE ward (code text NOT NULL PRIMARY KEY, name text)",
    "CREATE TABLE visit (id integer NOT NULL PRIMARY KEY, ward text REFERENCES ward (code),"
    " note text)",
    "CREATE TABLE bill (id integer NOT NULL PRIMARY KEY,"
    " visit integer NOT NULL REFERENCES visit (id) ON DELETE CASCADE, amount integer)",
    "CREATE TABLE audit (visit integer NOT NULL, what text NOT NULL, PRIMARY KEY (visit, what))",
    "INSERT INTO ward (code, name) VALUES ('OLD', 'closed'), ('ORT', 'orthopaedics')",
    "INSERT INTO visit (id, ward, note) VALUES (1, 'OLD', 'a'), (2, 'OLD', ''), (3, 'ORT', NULL),"
    " (10, 'ORT', 'd')",
    "INSERT INTO bill (id, visit, amount) VALUES (1, 1, 100), (2, 1, 200), (3, 2, 300)",
)
TABLES = ("ward", "visit", "bill", "audit")


class Site(Protocol):
    """One empty database of an engine, and ways into it besides the engine's."""

    @property
    def engine(self) -> RepairEngine: ...

    def run(self, *statements: str) -> None:
        """Each has run and is committed, on a connection of its own, as the database's owner."""
        ...

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What is committed, read on a connection of its own."""
        ...

    def table(self, name: str) -> TableName:
        """The full name of a table that `run` made without a schema."""
        ...

    def trigger(self, name: str, table: str, event: str, body: str) -> None:
        """After each row's `event` (INSERT, UPDATE or DELETE) `body` runs, with NEW and OLD."""
        ...

    def prepare(self, *tables: str) -> None:
        """The marker table is there, and a repair may write these tables."""
        ...


def sql(*pieces: Piece) -> Statement:
    """One statement of a script, or one predicate."""
    return Statement(pieces, 1)


def texts(**values: str | None) -> Binding:
    """These parameters, all of type text."""
    return Binding({name: Argument(ParameterType.TEXT, value) for name, value in values.items()})


def integers(**values: int) -> Binding:
    """These parameters, all of type integer."""
    return Binding(
        {name: Argument(ParameterType.INTEGER, str(value)) for name, value in values.items()}
    )


def order(work: str = "w-1", **more: object) -> SessionOrder:
    """How the suite opens sessions: waits are short."""
    settings: dict[str, object] = {
        "lock_wait": timedelta(milliseconds=200),
        "statement": timedelta(seconds=20),
        **more,
    }
    return SessionOrder(work=work, **settings)  # type: ignore[arg-type] # checked at run time


@contextmanager
def begun(site: Site, work: str = "w-1", **more: object) -> Iterator[RepairSession]:
    """A session whose transaction is open."""
    with site.engine.session(order(work, **more)) as session:
        session.begin()
        yield session


def read(
    session: RepairSession,
    shape: Shape,
    where: Statement = ALL,
    binding: Binding = NOTHING,
    *,
    lock: bool = False,
) -> list[KeyedRow]:
    """All rows of one reading."""
    return list(session.read(shape, where, binding, lock=lock))


def rows_of(found: Iterable[KeyedRow]) -> list[Row]:
    """Only what the rows hold."""
    return [one.row for one in found]


def marker(run: str, work: str = "w-1", **more: object) -> Marker:
    """A marker of a whole run of the plan "p", where nothing else is said."""
    settings: dict[str, object] = {
        "plan": "p",
        "kind": MarkerKind.REPAIR,
        "batch": 0,
        "bundle": "b",
        **more,
    }
    return Marker(run=run, work=work, **settings)  # type: ignore[arg-type] # checked at run time


def bound(name: str) -> Bound:
    """The place of a parameter."""
    return Bound(name)


def hospital(site: Site) -> None:
    """Wards, visits, their bills and an audit table are there, and a repair may write them."""
    site.run(*HOSPITAL)
    site.prepare(*TABLES)
