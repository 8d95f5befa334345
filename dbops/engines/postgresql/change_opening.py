"""How a change's session is opened, and kept as it was opened: settings, role, lock, transaction.

The search path is empty: a name without its schema fails, loudly, and means the same on every
server. What decides how long anything waits, how texts are read and printed and whether a commit
is durable is set anew behind each step; who writes, whether triggers fire and who holds the lock
must not have changed. A step can still set what it likes for its own duration.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from dbops.change.ports import SessionOrder
from dbops.engines.postgresql.change_wire import ask
from dbops.engines.postgresql.connect import PINNED, Session
from dbops.errors import Refused, Unreachable

IDLE: Final = timedelta(minutes=30)
_DOING: Final = "opening the session"

_PIN: Final = """
    SELECT pg_catalog.set_config(s.name, s.setting, false)
    FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.text[]),
        pg_catalog.unnest(%s::pg_catalog.text[])) AS s (name, setting)"""
# A commit that is not on disk when it returns would be no commit.
_SYNCHRONOUS: Final = """
    SELECT CASE v WHEN 'off' THEN 'on' ELSE v END FROM current_setting('synchronous_commit') AS v"""
_TRY: Final = "SELECT pg_catalog.pg_try_advisory_lock(%s::bigint)"
_PAUSE: Final = 0.05  # seconds
_STATE: Final = """
    SELECT current_user::pg_catalog.text, session_user::pg_catalog.text,
        pg_catalog.current_setting('session_replication_role'),
        EXISTS (SELECT FROM pg_catalog.pg_locks AS l WHERE l.locktype = 'advisory'
            AND l.pid = pg_catalog.pg_backend_pid() AND l.objsubid = 1 AND l.granted
            AND l.classid = %s::pg_catalog.oid AND l.objid = %s::pg_catalog.oid),
        pg_catalog.txid_current_if_assigned(), pg_catalog.now()::pg_catalog.text"""


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


WORK_KEY: Final = _key("dbops change")
"""The advisory lock of whoever changes a database: the first 8 bytes of a sha256."""
JOURNAL_KEY: Final = _key("dbops change journal")


class State(NamedTuple):
    """Who the session is, and which transaction; `xid` is None before the first write."""

    user: str
    login: str
    replication: str
    holds: bool
    xid: int | None
    began: str

    @property
    def who(self) -> tuple[str, str, str]:
        """What no step may change."""
        return (self.user, self.login, self.replication)


def pins_of(session: Session, order: SessionOrder) -> Mapping[str, str]:
    """The settings that hold behind each step."""
    ((synchronous,),) = ask(session, _SYNCHRONOUS, doing=_DOING)
    return {
        **PINNED,
        "lock_timeout": _milliseconds(order.lock_wait),
        "statement_timeout": _milliseconds(order.statement),
        "idle_in_transaction_session_timeout": _milliseconds(IDLE),
        "default_transaction_read_only": "on" if order.read_only else "off",
        "client_encoding": "SQL_ASCII",
        "client_min_messages": "error",
        "synchronous_commit": synchronous,
    }


def pin(session: Session, pins: Mapping[str, str]) -> None:
    """Afterwards these settings hold for the session, until the transaction is rolled back.

    Of the session, not of the transaction: what a step set beyond it would come back at COMMIT.
    """
    ask(session, _PIN, [list(pins), list(pins.values())], doing="pinning settings")


def state_of(session: Session, doing: str) -> State:
    """What is true of the session now."""
    low, high = WORK_KEY & 0xFFFFFFFF, (WORK_KEY >> 32) & 0xFFFFFFFF
    ((*found,),) = ask(session, _STATE, [high, low], doing=doing)
    return State(*found)


def refuse_unfit(session: Session, state: State) -> None:
    """Raises Refused `server-read-only`, and `session-changed` where triggers would not fire."""
    ((standby,),) = ask(session, "SELECT pg_catalog.pg_is_in_recovery()", doing=_DOING)
    if standby:
        raise Refused(
            "server-read-only",
            f"the server at {session.parameters.where} is a standby and takes no writes",
            hint="name the primary server in dbops.toml",
        )
    if state.replication != "origin":
        raise Refused(
            "session-changed",
            "triggers would not fire: session_replication_role is not origin",
            hint="take session_replication_role back from the role or the database",
        )


def refuse_other_database(order: SessionOrder, identity: str) -> None:
    """Raises Refused `change-database` where the change was judged for another one."""
    if order.identity not in {None, identity}:
        raise Refused(
            "change-database",
            f"{order.work} is of another database than the one that answers now",
            hint="let one name lead to one server, and run the command again",
        )


def refuse_changed(opened: State, now: State, *, held: bool, doing: str) -> None:
    """Raises Refused `session-changed` where a step left another role, rules or no lock behind."""
    if now.who != opened.who:
        raise Refused(
            "session-changed",
            f"{doing}: it left another role, or other rules for triggers, behind",
            hint="take SET ROLE and session_replication_role out of the script; ALTER ... OWNER "
            "gives an object to another role",
        )
    if held and not now.holds:
        raise Refused(
            "session-changed",
            f"{doing}: it let go of the lock that keeps other changes out",
            hint="take pg_advisory_unlock out of the script, and of what it calls",
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """How time is told and passed, in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def lock_work(session: Session, order: SessionOrder, clock: Clock) -> None:
    """Afterwards nobody else changes this database until the session ends.

    Asks again for the bound of each lock: a session that was cut off may end just now. It never
    waits in the server, where CREATE INDEX CONCURRENTLY of whoever holds the lock would wait for
    this session in turn. Raises Unreachable `change-running`.
    """
    doing = f"taking the lock for {order.work}"
    until = clock.monotonic() + order.lock_wait.total_seconds()
    while ask(session, _TRY, [WORK_KEY], doing=doing) != [(True,)]:
        if clock.monotonic() >= until:
            raise Unreachable(
                "change-running",
                f"{order.work}: another change runs in this database just now, or the server has "
                "not noticed its end yet",
                hint="wait until it is done: select * from pg_locks where locktype = 'advisory'",
            )
        clock.sleep(_PAUSE)


def _milliseconds(time: timedelta) -> str:
    return str(max(1, round(time.total_seconds() * 1000)))
