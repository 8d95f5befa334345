"""What SQL may do during a repair, as SQLite's authorizer sees it, and whether it stays in time.

The authorizer is asked when a statement is prepared, for the programs of triggers, views and
foreign keys too, so that nothing has to be read out of the text. Only statements that it saw run:
text that a repair brings is never taken from apsw's cache of prepared statements.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum, auto
from typing import Final

import apsw

from dbops.errors import Refused

MARKER_TABLE: Final = "dbops_run"
STEPS: Final = 10_000  # of SQLite's machine between two looks at the clock

_READS: Final = {
    apsw.SQLITE_SELECT,
    apsw.SQLITE_READ,
    apsw.SQLITE_FUNCTION,
    apsw.SQLITE_RECURSIVE,
}
_WRITES: Final = {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE}
_CONTROL: Final = {apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT}
_FILES: Final = {apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH}
_TEMPORARY_TABLE: Final = {apsw.SQLITE_CREATE_TEMP_TABLE, apsw.SQLITE_DROP_TEMP_TABLE}
_FUNCTIONS: Final = {"load_extension", "fts3_tokenizer"}
_PRAGMAS: Final = {"data_version", "page_size"}  # full-text search asks them when it is read


class Mode(Enum):
    """Whose statement is being prepared."""

    OWN = auto()
    READING = auto()  # a predicate or a condition
    SCRIPT = auto()
    INSTALL = auto()  # the text of `prepare_sql`, which somebody approved


class Guard:
    """Watches one connection. `temporary` tables may be made, `virtual` ones not written."""

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        limit: timedelta,
        temporary: Collection[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._limit = limit.total_seconds()
        self._monotonic = monotonic
        self._temporary = {name.lower() for name in temporary}
        self._virtual: set[str] = set()
        self._mode = Mode.OWN
        self._refusal: Refused | None = None
        self._on_data = False
        self._deadline: float | None = None
        self._ending = False
        self.ended = False
        connection.authorizer = self._authorize
        connection.set_progress_handler(self._is_late, STEPS)
        connection.set_commit_hook(self._commits)
        connection.set_rollback_hook(self._rolls_back)

    def know_virtual(self, names: Collection[str]) -> None:
        """Afterwards writes to these virtual tables are refused."""
        self._virtual = {name.lower() for name in names}

    @contextmanager
    def mode(self, mode: Mode) -> Iterator[None]:
        """What is prepared in the context is judged so; raises Refused where it may not be."""
        self._mode, self._refusal, self._on_data = mode, None, False
        try:
            with self.timed():
                yield
        except apsw.Error:
            if self._refusal is None:
                raise
            raise self._refusal from None
        finally:
            self._mode = Mode.OWN

    @contextmanager
    def timed(self) -> Iterator[None]:
        """What SQLite does in the context ends with InterruptError when it takes too long."""
        self.arm()
        try:
            yield
        finally:
            self.disarm()

    def arm(self) -> None:
        """From now on SQLite has the time that one statement may take."""
        self._deadline = self._monotonic() + self._limit

    def disarm(self) -> None:
        """From now on SQLite may take any time."""
        self._deadline = None

    @contextmanager
    def ending(self) -> Iterator[None]:
        """In the context the transaction may end."""
        self._ending = True
        try:
            yield
        finally:
            self._ending = False

    def trace_one(self, text: str) -> Callable[[apsw.Cursor, str, object], bool]:
        """A tracer that lets `text` run only if it is one statement on data and nothing else."""

        def trace(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:  # noqa: ARG001
            if len(sql) != len(text):
                self._refuse("statement-kind", "it is more than one statement")
                return False
            if cursor.is_explain or not self._on_data:
                self._refusal = self._refusal or _no_data()
                return False
            return True

        return trace

    def _is_late(self) -> bool:
        return self._deadline is not None and self._monotonic() > self._deadline

    def _commits(self) -> bool:
        """A commit that nobody asked for becomes a rollback."""
        if not self._ending:
            self.ended = True
        return not self._ending

    def _rolls_back(self) -> None:
        if not self._ending:
            self.ended = True

    def _authorize(
        self, op: int, first: str | None, second: str | None, base: str | None, by: str | None
    ) -> int:
        if self._mode is Mode.OWN or self._may(op, first or "", second or "", base or "", by):
            return apsw.SQLITE_OK
        return apsw.SQLITE_DENY

    def _may(self, op: int, first: str, second: str, base: str, by: str | None) -> bool:
        if op == apsw.SQLITE_FUNCTION and second.lower() in _FUNCTIONS:
            return self._refuse("forbidden-write", f"it calls {second}")
        if op in _CONTROL:
            return self._refuse("transaction-control", "it would end or nest the transaction")
        if op in _FILES:
            return self._refuse("statement-kind", "it reaches for another file")
        if op in _READS:
            self._on_data = self._on_data or op == apsw.SQLITE_SELECT
            return True
        if op == apsw.SQLITE_PRAGMA and first in _PRAGMAS and not second:
            return True
        if self._mode is Mode.INSTALL:
            return True
        if self._mode is Mode.READING:
            return self._refuse("condition-form", "it does more than read")
        if op in _WRITES:
            return self._may_write(first, base, by)
        return self._may_define(op, first, second, base)

    def _may_write(self, table: str, base: str, by: str | None) -> bool:
        self._on_data = True
        name = table.lower()
        through = f" (through {by})" if by else ""
        if base == "temp":
            return True
        if base != "main":
            return self._refuse("forbidden-write", f"it writes another database{through}")
        if name.startswith("sqlite_") or name == MARKER_TABLE:
            return self._refuse("forbidden-write", f"it writes {table}{through}")
        if name in self._virtual:
            return self._refuse("forbidden-write", f"it writes the virtual table {table}{through}")
        return True

    def _may_define(self, op: int, first: str, second: str, base: str) -> bool:
        """Declared temporary tables may be made, with their keys, and dropped."""
        name, table = first.lower(), second.lower()
        if op in _TEMPORARY_TABLE and name in self._temporary:
            self._on_data = True
            return True
        if op == apsw.SQLITE_CREATE_TEMP_INDEX and table in self._temporary:
            return True
        if op == apsw.SQLITE_CREATE_TABLE and (name, base) == ("sqlite_sequence", "temp"):
            return True
        if op == apsw.SQLITE_REINDEX and base == "temp":
            return True
        if op in _TEMPORARY_TABLE:
            return self._refuse("statement-kind", f"the temporary table {first} is not declared")
        return self._refuse("statement-kind", "it is no statement on data")

    def _refuse(self, code: str, why: str) -> bool:
        if self._refusal is None:
            self._refusal = Refused(
                code, f"a statement is refused: {why}", hint="a repair reads and writes rows only"
            )
        return False


def _no_data() -> Refused:
    return Refused(
        "statement-kind",
        "a statement is refused: it is no statement on data",
        hint="a repair reads and writes rows only",
    )
