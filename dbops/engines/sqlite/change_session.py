"""A change on a SQLite file: implements the `ChangeSession` port.

All steps of a part are one transaction, the rows of the journal among them: after a crash SQLite
takes back all of it, or it was committed. One writer at a time: from `begin` on nobody else writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Final

import apsw

from dbops.change.ports import (
    CommitUnknown,
    JournalEntry,
    Lock,
    Remains,
    SessionOrder,
    StepEffect,
    TableSize,
)
from dbops.change.schema import ObjectName, Schema
from dbops.change.step import Step
from dbops.engines.sqlite.change_faults import ChangePlace, titled
from dbops.engines.sqlite.change_guard import ChangeGuard
from dbops.engines.sqlite.change_hold import held
from dbops.engines.sqlite.change_journal import CREATE, is_there, read_journal, write_journal
from dbops.engines.sqlite.change_schema import JOURNAL, OWN, read_change_schema
from dbops.engines.sqlite.change_settle import (
    Faults,
    Suspects,
    find_faults,
    foreign_keys,
    worse,
)
from dbops.engines.sqlite.change_sizes import count_tables, size_tables
from dbops.engines.sqlite.change_written import Counting
from dbops.engines.sqlite.connect import open_source, open_work
from dbops.engines.sqlite.repair_faults import code_name
from dbops.engines.sqlite.repair_guard import Mode
from dbops.engines.sqlite.repair_session import SERVER
from dbops.errors import DbopsError, Failed, Refused
from dbops.sql.written import Written

FILE_LOCK: Final = Lock("the whole file", "RESERVED", "writes")
"""From BEGIN IMMEDIATE to COMMIT nobody else writes: https://www.sqlite.org/lockingv3.html"""


class SqliteChangeSession:
    """Implements `ChangeSession`; whoever opened the connection closes it."""

    def __init__(
        self,
        connection: apsw.Connection,
        guard: ChangeGuard,
        at: ChangePlace,
        order: SessionOrder,
        clock: Callable[[], datetime],
        kept: ExitStack,
    ) -> None:
        self._connection = connection
        self._guard = guard
        self._at = at
        self._name = at.place.name
        self._order = order
        self._clock = clock
        self._kept = kept
        self._holds = False
        self._begun = False  # neither committed nor rolled back since
        self._open = False  # and fit for more
        self._noted: int | None = None  # the last row of the journal that this transaction wrote
        self._told = False  # that the file is locked
        self._keys: dict[str, list[apsw.SQLiteValues]] = {}  # of each table at the begin
        self._counting = Counting(connection) if order.measured else None

    @property
    def server(self) -> str:
        return SERVER

    def prepare(self) -> None:
        """Afterwards the journal is there; Refused `change-journal` for another table."""
        with self._doing("the journal"), self._guard.ending():
            if is_there(self._connection, self._name):
                return
            self._connection.execute("BEGIN IMMEDIATE")
            if not is_there(self._connection, self._name):
                self._connection.execute(CREATE)
            self._connection.execute("COMMIT")

    def schema(self) -> Schema:
        with self._doing("the catalogue"), self._instant():
            return read_change_schema(self._connection)

    def sizes(self) -> Mapping[ObjectName, TableSize]:
        with self._doing("the sizes of tables"), self._instant():
            return size_tables(self._connection, read_change_schema(self._connection))

    def counts(self) -> Mapping[ObjectName, int]:
        with self._doing("counting rows"), self._instant():
            return count_tables(self._connection, read_change_schema(self._connection))

    def journal(self) -> tuple[JournalEntry, ...]:
        with self._doing("the journal"), self._instant():
            return read_journal(self._connection, self._name)

    def hold_work(self) -> None:
        self._require_writing()
        if not self._holds:
            self._kept.enter_context(held(self._name, self._at.place.path))
            self._holds = True

    def begin(self) -> None:
        with self._doing("the transaction"):
            self._connection.execute("BEGIN" if self._order.read_only else "BEGIN IMMEDIATE")
            self._guard.forget()
            self._keys = foreign_keys(self._connection)
            if self._counting is not None:
                self._counting.begin()
        self._begun, self._open, self._noted = True, True, None
        self._told = False

    def lock(self, locks: Sequence[Lock]) -> None:
        """BEGIN IMMEDIATE is the one lock of a file, and its wait the only one."""

    def run(self, step: Step) -> StepEffect:
        self._require_writing()
        self._require_open()
        self._open = False  # what fails here leaves a transaction that can only be rolled back
        began = time.monotonic()
        dropped, self._guard.rewritten = set(self._guard.dropped), set()
        try:
            self._judged(step)
        except Refused as refusal:
            message = f"{self._name}: {titled(step)} is refused: {refusal.message}"
            raise Refused(refusal.code, message, hint=refusal.hint) from None
        seconds = time.monotonic() - began
        self._refuse_own(step)
        if self._counting is not None:
            with self._doing("counting the rows that were written"):
                self._counting.look()
        self._open = True
        self._require_open()
        locks = () if self._told else (FILE_LOCK,)
        self._told = True
        return StepEffect(seconds, locks, self._rewritten(dropped))

    def run_alone(self, step: Step) -> StepEffect:
        raise Refused(
            "change-statement",
            f"{self._name}: {titled(step)} cannot stand outside of a transaction",
            hint="SQLite runs each step of a change inside one",
        )

    def remains(self, step: Step) -> Remains:  # noqa: ARG002 - no step stands alone
        return Remains.NOTHING

    def clean_up(self, step: Step) -> None:
        """No step stands alone, so none leaves anything."""

    def verify(self, step: Step) -> bool:
        self._guard.only_reads(only=True)
        try:
            found = self._judged(step)
        except Refused as refusal:
            raise self._form(step, refusal.message) from None
        finally:
            self._guard.only_reads(only=False)
        if len(found) != 1 or len(found[0]) != 1:
            raise self._form(step, "it yields no single value")
        value = found[0][0]
        if value not in {0, 1, None} or isinstance(value, str | bytes):
            raise self._form(step, "its value is neither true nor false")
        return value == 1

    def settle(self, *, whole: bool = True) -> tuple[str, ...]:  # noqa: ARG002 - rows are the same
        if not self._connection.in_transaction or self._order.read_only:
            return ()
        self._require_open()
        with self._doing("checking the tables"), self._guard.timed():
            suspects = self._suspects()
            return worse(find_faults(self._connection, suspects), lambda: self._before(suspects))

    def written(self) -> Mapping[ObjectName, Written] | None:
        self._require_open()
        return None if self._counting is None else self._counting.written()

    def note(self, entries: Sequence[JournalEntry]) -> None:
        self._require_writing()
        if self._begun:
            self._require_open()
        with self._doing("the journal"), ExitStack() as ending:
            if not self._begun:
                ending.enter_context(self._guard.ending())
                self._connection.execute("BEGIN IMMEDIATE")
            write_journal(self._connection, entries, self._clock())
            if not self._begun:
                self._connection.execute("COMMIT")
            elif entries:
                self._noted = self._connection.last_insert_rowid()

    def commit(self) -> None:
        self._require_open()
        self._open = False
        try:
            with self._guard.ending():
                self._connection.execute("COMMIT")
        except apsw.Error as failure:
            raise self._uncommitted(failure) from None
        self._begun = False

    def rollback(self) -> None:
        self._begun = self._open = False
        with self._doing("the ROLLBACK"), self._guard.ending():
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _judged(self, step: Step) -> list[apsw.SQLiteValues]:
        """The first two rows of what the step yields; it has run, where the guard lets it."""
        found: list[apsw.SQLiteValues] = []
        single, running = self._guard.trace_single(step.sql), False

        def trace(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
            nonlocal running
            running = True
            return single(cursor, sql, bindings)

        try:
            with self._guard.mode(Mode.INSTALL):
                cursor = self._connection.cursor()
                cursor.exec_trace = trace
                for row in cursor.execute(step.sql, can_cache=False):
                    if len(found) < 2:
                        found.append(row)
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise self._at.fault(failure, titled(step), running=running) from None
        return found

    def _form(self, step: Step, why: str) -> Refused:
        return Refused(
            "verify-form",
            f"{self._name}: {titled(step)} of verify.sql cannot be judged: {why}",
            hint="write a query of one row with one value, which is 1, 0 or NULL",
        )

    def _refuse_own(self, step: Step) -> None:
        """RENAME does not tell the authorizer the new name."""
        hidden = self._tables().keys() & OWN - self._keys.keys()
        if hidden:
            message = f"{self._name}: {titled(step)} is refused: it makes {min(hidden)}"
            hint = "give the table another name: dbops keeps this one for itself"
            raise Refused("change-statement", message, hint=hint)

    def _rewritten(self, dropped: set[str]) -> tuple[str, ...]:
        """Tables written anew by the last step: by DROP COLUMN, or made again after DROP TABLE."""
        again = {low: name for low, name in self._tables().items() if low in dropped}
        self._guard.dropped -= again.keys()
        return tuple(sorted({*again.values(), *self._guard.rewritten}))

    def _tables(self) -> dict[str, str]:
        """Every table's name by its name in lower case."""
        found = self._connection.execute(
            "SELECT lower(name), name FROM main.sqlite_schema WHERE type = 'table'"
        )
        return {str(low): str(name) for low, name in found}

    def _suspects(self) -> Suspects:
        """Tables that the steps can have set against the schema, whatever they are called now."""
        now, guard = foreign_keys(self._connection), self._guard
        renamed = now.keys() - self._keys.keys()
        keyed = {name for name, keys in now.items() if keys != self._keys.get(name, [])}
        related = guard.related | renamed | keyed
        written = guard.written | guard.dropped
        if related - now.keys():  # what was written may be called otherwise now, as may others
            related |= guard.altered
            written |= guard.altered | renamed
        return Suspects(related, written)

    def _before(self, suspects: Suspects) -> Faults:
        """What was wrong already, as another connection still sees it; nothing where it cannot."""
        place = self._at.place
        try:
            # SQLite forgets CHECK constraints on a connection that is read-only.
            with open_work(place.name, place.path, read_only=False) as committed:
                committed.set_busy_timeout(int(place.lock_wait.total_seconds() * 1000))
                committed.execute("PRAGMA query_only = ON")
                return find_faults(committed, suspects)
        except (apsw.Error, DbopsError):
            return Faults()

    def _uncommitted(self, failure: apsw.Error) -> DbopsError:
        """What became of a COMMIT that failed; the journal is asked where SQLite does not say."""
        if self._connection.in_transaction:  # a lock: all is still to be had
            self.rollback()
            return self._at.fault(failure, "the COMMIT")
        self._connection.close(force=True)
        if self._is_absent():
            return Failed(
                "change-commit",
                f"{self._name}: COMMIT ended with {code_name(failure)}, and nothing was changed",
                hint="look at the disk and its space: df -h; dmesg",
            )
        return CommitUnknown(
            "commit-unknown",
            f"{self._name}: COMMIT ended with {code_name(failure)}: it took place, or it did not",
            hint=f"dbops change resume {self._order.work} finds out",
        )

    def _is_absent(self) -> bool:
        """Whether a new connection sees for sure that the last row of the journal is not there."""
        place = self._at.place
        if self._noted is None:
            return False
        query = f"SELECT count(*) FROM main.{JOURNAL} WHERE sequence = ?"  # noqa: S608 - constant
        try:
            with open_source(place.name, place.path) as asked:
                return bool(asked.execute(query, (self._noted,)).get == 0)
        except (apsw.Error, DbopsError):
            return False

    @contextmanager
    def _instant(self) -> Iterator[None]:
        """What is read in the context is of one moment."""
        if self._connection.in_transaction:
            yield
            return
        with self._guard.ending():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise self._at.fault(failure, what) from None

    def _require_writing(self) -> None:
        if self._order.read_only:
            raise self._at.reads_only()

    def _require_open(self) -> None:
        if self._open and (self._guard.ended or not self._connection.in_transaction):
            self._open = False
        if not self._open:
            raise self._at.lost()
