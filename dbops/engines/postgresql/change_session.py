"""One PostgreSQL connection on which a schema change runs: the parts, assembled into the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Final

import psycopg

from dbops.change.ports import (
    JournalEntry,
    Lock,
    LockTimeout,
    Remains,
    SessionOrder,
    StepEffect,
    TableSize,
)
from dbops.change.schema import ObjectName, Schema
from dbops.change.step import Step
from dbops.engines.postgresql import change_alone, change_opening
from dbops.engines.postgresql.change_alone_before import Before
from dbops.engines.postgresql.change_alone_effects import expected_of, locks_of, rewritten_of
from dbops.engines.postgresql.change_beside import Beside
from dbops.engines.postgresql.change_counting import invalid_indexes, row_counts, table_sizes
from dbops.engines.postgresql.change_effects import Footprint
from dbops.engines.postgresql.change_end import fire_deferred, refuse_deferred
from dbops.engines.postgresql.change_faults import (
    answers,
    change_fault,
    commit_unknown,
    transaction_lost,
)
from dbops.engines.postgresql.change_journal import make_journal, note_entries, read_journal
from dbops.engines.postgresql.change_locks import LEAST, Patience, bound_waits, take_locks
from dbops.engines.postgresql.change_opening import (
    Clock,
    State,
    pin,
    pins_of,
    refuse_changed,
    state_of,
)
from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.change_verify import verified
from dbops.engines.postgresql.change_watch import watched
from dbops.engines.postgresql.change_wire import (
    cancel_running,
    command,
    encoded,
    is_idle,
    is_open,
    send,
)
from dbops.engines.postgresql.change_words import place, refuse_control, target_of
from dbops.engines.postgresql.change_written import Counting
from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.faults import server_fault
from dbops.errors import DbopsError, Refused, TryAgain
from dbops.sql.written import Written

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_LOOK: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresqlChangeSession:
    """Implements the `ChangeSession` port.

    Steps run with an empty search path, so they name everything with its schema. A function whose
    body does not needs a SET clause of its own, or SET LOCAL check_function_bodies = off before it.
    """

    def __init__(self, session: Session, order: SessionOrder, clock: Clock) -> None:
        self._session = session
        self._order = order
        self._clock = clock
        self._pins = pins_of(session, order)
        self._held = False
        self._finished: set[str] = set()
        self._began: State | None = None
        self._footprint: Footprint | None = None
        self._beside: Beside | None = None
        self._counting: Counting | None = None
        self._patience = Patience(order.lock_wait, clock.monotonic)
        pin(session, self._pins)
        self._opened = state_of(session, "opening the session")
        if not order.read_only:
            change_opening.refuse_unfit(session, self._opened)
            make_journal(session)
        self._before = Before(session, order)

    @property
    def server(self) -> str:
        return self._session.server

    def schema(self) -> Schema:
        """Outside of a transaction, as of one instant. Raises LockTimeout as well."""
        try:
            return read_schema(self._session)
        except TryAgain as failure:
            if failure.code != "lock-timeout":
                raise
            raise LockTimeout(failure.code, failure.message, hint=failure.hint) from None

    def sizes(self) -> Mapping[ObjectName, TableSize]:
        return table_sizes(self._session)

    def counts(self) -> Mapping[ObjectName, int]:
        return row_counts(self._session)

    def journal(self) -> tuple[JournalEntry, ...]:
        return read_journal(self._session)

    def hold_work(self) -> None:
        if not self._held:
            self._refuse_within("taking the lock")
            change_opening.lock_work(self._session, self._order, self._clock)
            self._held = True

    def begin(self) -> None:
        doing = "beginning the change's transaction"
        self._refuse_read_only(doing)
        self._refuse_within(doing)
        pin(self._session, self._pins)
        command(self._session, _BEGIN, doing=doing)
        self._began = state_of(self._session, doing)
        self._footprint = Footprint(self._session)
        self._beside = Beside(self._session)
        self._counting = Counting(self._session) if self._order.measured else None
        self._patience = Patience(self._order.lock_wait, self._clock.monotonic)

    def lock(self, locks: Sequence[Lock]) -> None:
        doing = "locking the tables"
        self._refuse_read_only(doing)
        footprint = self._open(doing)
        take_locks(self._session, locks, self._patience)
        footprint.added()  # they are no step's own

    def run(self, step: Step) -> StepEffect:
        doing = place(step)
        self._refuse_read_only(doing)
        refuse_control(step)
        footprint = self._open(doing)
        statement = encoded(self._session, step.sql, doing)
        self._patience.begin()
        self._bound(doing)
        began = self._clock.monotonic()
        try:
            send(self._session, statement, doing)
        except psycopg.Error as error:
            at = place(step, error.diag.statement_position)
            raise change_fault(self._session, error, at) from None
        seconds = self._clock.monotonic() - began
        self._watch(doing)
        self._refuse_reached(doing)
        if self._counting is not None:
            self._counting.look()
        locks, rewritten = footprint.added()
        return StepEffect(seconds, locks, rewritten)

    def run_alone(self, step: Step) -> StepEffect:
        """Raises Failed `change-step` as well where it ended well and did not do its work."""
        doing = place(step)
        self._refuse_read_only(doing)
        refuse_control(step)
        target_of(step)
        self._refuse_within(doing)
        pin(self._session, self._pins)
        if step.digest in self._finished and self.remains(step) is Remains.DONE:
            return StepEffect(0.0)
        expected = expected_of(self._session, step)
        statement = encoded(self._session, step.sql, doing)
        with self._measuring() as seen:
            began = self._clock.monotonic()
            try:
                send(self._session, statement, doing)
            except psycopg.Error as error:
                raise self._fault(error, doing) from None
            seconds = self._clock.monotonic() - began
        pin(self._session, self._pins)
        self._refuse_changed(state_of(self._session, doing), doing)
        change_alone.refuse_unfinished(self._session, step)
        rewritten = rewritten_of(self._session, expected)
        return StepEffect(seconds, locks_of(expected, seen), rewritten)

    def remains(self, step: Step) -> Remains:
        """An index to be dropped that was not valid before it began is as good as untouched."""
        return change_alone.remains_of(self._session, step, self._before.invalid(step))

    def clean_up(self, step: Step) -> None:
        """What was being dropped or detached is that for good: it cannot be taken back.

        Running the step again does nothing then.
        """
        doing = f"cleaning up after {place(step)}"
        self._refuse_read_only(doing)
        self._refuse_within(doing)
        pin(self._session, self._pins)
        if change_alone.clean_up(self._session, step, self._before.invalid(step)):
            self._finished.add(step.digest)

    def verify(self, step: Step) -> bool:
        """Inside of a transaction, or in one of its own that only reads."""
        if is_open(self._session):
            found = verified(self._session, step)
            self._watch(f"the question at line {step.line}")
            return found
        self._refuse_within(place(step))
        command(self._session, _LOOK, doing=place(step))
        try:
            return verified(self._session, step)
        finally:
            self._end_look()

    def settle(self, *, whole: bool = True) -> tuple[str, ...]:
        """Raises Failed `change-step` where a deferred constraint does not hold.

        At the end of the whole change it names the indexes that became invalid since the session
        was opened: until then one of a partitioned table waits for those of the partitions.
        """
        if is_open(self._session) and self._began is not None:
            doing = "checking deferred constraints"
            fire_deferred(self._session, doing)
            self._watch(doing)
            self._refuse_reached(doing)
        if not whole:
            return ()
        return tuple(
            f"index {wrong}"
            for oid, wrong in invalid_indexes(self._session).items()
            if oid not in self._before.opened
        )

    def written(self) -> Mapping[ObjectName, Written] | None:
        self._open("counting the rows that were written")
        return None if self._counting is None else self._counting.written()

    def note(self, entries: Sequence[JournalEntry]) -> None:
        doing = "writing the journal"
        self._refuse_read_only(doing)
        if self._began is not None:
            self._open(doing)
            if self._beside is not None:
                self._beside.note(doing)
            note_entries(self._session, entries)
        elif entries:
            self._refuse_within(doing)
            pin(self._session, self._pins)
            command(self._session, _BEGIN, doing=doing)
            note_entries(self._session, entries)
            self._commit(doing)
            self._before.noted(entries)

    def commit(self) -> None:
        """Raises Refused `change-deferred` where COMMIT would do more than what is done by now."""
        doing = f"committing {self._order.work}"
        self._open(doing)
        refuse_deferred(self._session, doing)
        self._watch(doing)
        if self._beside is not None:
            self._beside.refuse_altered(doing)
        self._commit(doing)
        self._began = self._footprint = self._beside = self._counting = None

    def rollback(self) -> None:
        self._began = self._footprint = self._beside = self._counting = None
        if not self._session.connection.closed:
            command(self._session, "ROLLBACK", doing="rolling back")

    def close(self) -> None:
        """Afterwards nothing of the session is left on the server that others could wait for.

        A statement that nobody waits for any more is cancelled: closing the connection would not
        end it.
        """
        session = self._session
        cancel_running(session)
        if is_idle(session) or session.connection.closed:
            statements = ["SELECT pg_catalog.pg_advisory_unlock_all()"] if self._held else []
        else:
            statements = ["ROLLBACK", "SELECT pg_catalog.pg_advisory_unlock_all()"]
        for statement in statements:
            with suppress(DbopsError):  # what the server cannot be told it notices by itself
                command(session, statement, doing="closing the session")

    def _commit(self, doing: str) -> None:
        try:
            status = self._session.connection.execute(b"COMMIT").statusmessage
        except psycopg.Error as error:
            raise self._fault(error, doing) from None
        if status != "COMMIT":
            raise transaction_lost(doing)

    def _fault(self, error: psycopg.Error, doing: str) -> DbopsError:
        """Of a statement that may have taken place all the same."""
        if answers(self._session, error):
            return change_fault(self._session, error, doing)
        return commit_unknown(doing)

    def _open(self, doing: str) -> Footprint:
        """Raises Refused `transaction-lost` where the change's transaction is not open."""
        self._refuse_lost(doing)
        if self._footprint is None or not is_open(self._session):
            raise transaction_lost(doing)
        return self._footprint

    def _refuse_lost(self, doing: str) -> None:
        """Raises Unreachable where the connection is gone: no script ended its transaction."""
        if self._session.connection.closed:
            raise server_fault(None, doing)

    def _watch(self, doing: str) -> None:
        """Behind a step: its settings are gone, and role and transaction are the same."""
        self._refuse_lost(doing)
        if not is_open(self._session):
            raise transaction_lost(doing)
        pin(self._session, self._pins)
        if self._began is not None:
            self._bound(doing)
        now = state_of(self._session, doing)
        self._refuse_changed(now, doing)
        known = self._began
        if known is not None:
            if now.began != known.began or known.xid not in (None, now.xid):
                raise transaction_lost(doing)
            self._began = now

    def _measuring(self) -> AbstractContextManager[Mapping[int, str]]:
        return watched(self._session) if self._order.measured else nullcontext({})

    def _bound(self, doing: str) -> None:
        bound_waits(self._session, self._patience.left(LEAST), doing)

    def _refuse_changed(self, now: State, doing: str) -> None:
        refuse_changed(self._opened, now, held=self._held, doing=doing)

    def _refuse_reached(self, doing: str) -> None:
        """Raises Refused `change-statement` for what no comparison would see."""
        if self._beside is not None:
            self._beside.refuse_reached(doing)

    def _refuse_read_only(self, doing: str) -> None:
        if self._order.read_only:
            raise Refused(
                "read-only",
                f"{doing}: this session only reads",
                hint=f"what changes a database: dbops change run {self._order.work}",
            )

    def _refuse_within(self, doing: str) -> None:
        """Raises Refused `transaction-control` where a transaction is open already."""
        self._refuse_lost(doing)
        if not is_idle(self._session):
            raise Refused(
                "transaction-control",
                f"{doing}: a transaction is open already",
                hint="it has to be committed or rolled back first",
            )

    def _end_look(self) -> None:
        if not self._session.connection.closed and not is_idle(self._session):
            command(self._session, "ROLLBACK", doing="ending the reading")
