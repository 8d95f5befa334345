"""What the compliance suite of change engines needs of an engine, and short ways to say things.

Each engine's tests make a `ChangeSite` fixture and inherit from the classes of `change_suite` and
`change_suite_runs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol

from dbops.change.ports import ChangeEngine, ChangeSession, JournalEntry, Progress, SessionOrder
from dbops.change.schema import ObjectName
from dbops.change.step import Direction, Step

CANARY = "canary-4711"
WAIT = timedelta(milliseconds=200)


class ChangeSite(Protocol):
    """One empty database of an engine, and ways into it besides the engine's."""

    @property
    def engine(self) -> ChangeEngine: ...

    def run(self, *statements: str) -> None:
        """Each has run and is committed, on a connection of its own."""
        ...

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What is committed, read on a connection of its own."""
        ...

    def full(self, table: str) -> str:
        """How scripts and queries name a table of the suite."""
        ...

    def table(self, table: str) -> ObjectName:
        """How the schema names it."""
        ...

    def column(self, table: str, name: str) -> ObjectName:
        """How the schema names one of its columns."""
        ...

    def spoil_journal(self) -> None:
        """A table with the journal's name and other columns is there."""
        ...

    def holding(self, table: str) -> AbstractContextManager[None]:
        """Somebody else's transaction holds what a change of the table waits for."""
        ...


def hospital(site: ChangeSite) -> None:
    """Wards, and visits that point at them."""
    ward, visit = site.full("ward"), site.full("visit")
    site.run(
        f"CREATE TABLE {ward} (code varchar(20) NOT NULL PRIMARY KEY, name varchar(40))",
        f"CREATE TABLE {visit} (id integer NOT NULL PRIMARY KEY, ward varchar(20)"
        f" REFERENCES {ward} (code) DEFERRABLE INITIALLY DEFERRED)",
        f"INSERT INTO {ward} VALUES ('OLD', 'closed'), ('ORT', 'orthopaedics')",
        f"INSERT INTO {visit} VALUES (1, 'OLD'), (2, 'ORT'), (3, NULL)",
    )


def order(**more: object) -> SessionOrder:
    """How the suite opens sessions: waits are short."""
    settings: dict[str, object] = {
        "work": "c-1",
        "lock_wait": WAIT,
        "statement": timedelta(seconds=20),
        **more,
    }
    return SessionOrder(**settings)  # type: ignore[arg-type] # checked at run time


@contextmanager
def begun(site: ChangeSite, **more: object) -> Iterator[ChangeSession]:
    """A session whose transaction is open."""
    with site.engine.session(order(**more)) as session:
        session.begin()
        yield session


@contextmanager
def reading(site: ChangeSite) -> Iterator[ChangeSession]:
    """A session that only reads."""
    with site.engine.session(order(read_only=True)) as session:
        yield session


def step(sql: str, number: int = 1, line: int = 1) -> Step:
    """One statement of a script."""
    return Step(number, f"step {number}", sql, line)


def add_phone(site: ChangeSite) -> Step:
    """A step that any engine takes: wards get a column."""
    return step(f"ALTER TABLE {site.full('ward')} ADD COLUMN phone varchar(20)")


def entry(number: int = 1, **more: object) -> JournalEntry:
    """A step that is done, of the plan "p", where nothing else is said."""
    settings: dict[str, object] = {
        "run": "r-1",
        "work": "c-1",
        "plan": "p",
        "direction": Direction.UP,
        "step": number,
        "name": f"step {number}",
        "sha256": f"{number:064x}",
        "progress": Progress.DONE,
        **more,
    }
    return JournalEntry(**settings)  # type: ignore[arg-type] # checked at run time


def journal_of(site: ChangeSite) -> tuple[JournalEntry, ...]:
    """What another session reads."""
    with reading(site) as session:
        return session.journal()
