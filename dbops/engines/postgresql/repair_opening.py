"""How a repair's transaction is opened and kept as it was opened: settings, role, counters.

A script can change settings of its session, and so can whatever it calls. What decides how values
are printed, how long anything waits and whether a commit is durable is set anew behind it; what
decides whether triggers fire, who writes and whether writes are counted must not have changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dbops.engines.postgresql.connect import PINNED, Session
from dbops.engines.postgresql.repair_marker import lock_work, refuse_unprepared
from dbops.errors import Refused
from dbops.repair.ports import SessionOrder

IDLE: Final = timedelta(minutes=10)
_DOING = "opening the transaction"

_PIN = """
    SELECT pg_catalog.set_config(s.name, s.setting, true)
    FROM unnest(%s::text[], %s::text[]) AS s (name, setting)"""
# A commit that is not on disk when it returns would be no commit.
_SYNCHRONOUS = "SELECT CASE v WHEN 'off' THEN 'on' ELSE v END FROM current_setting(%s) AS v"
_POWERS = """
    SELECT DISTINCT p.what FROM pg_catalog.pg_roles AS r, LATERAL (VALUES
        (r.rolsuper, 'is a superuser'), (r.rolreplication, 'may replicate'),
        (r.rolbypassrls, 'passes row security by'), (r.rolcreaterole, 'makes roles'),
        (r.rolname IN ('pg_execute_server_program', 'pg_write_server_files',
            'pg_write_all_data'), r.rolname)) AS p (has, what)
    WHERE p.has AND pg_has_role(current_user, r.oid, 'MEMBER') ORDER BY 1"""
_SETTABLE = """
    SELECT s FROM unnest(ARRAY['session_replication_role', 'track_counts']) AS s
    WHERE has_parameter_privilege(current_user, s, 'SET') ORDER BY 1"""
_SETTABLE_SINCE = 15
_SHOWN = "SELECT current_setting(s) FROM unnest(%s::text[]) WITH ORDINALITY AS n (s, n) ORDER BY n"
_TAKEN = """
    SELECT c.relname FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (%s)
    ORDER BY 1"""
_STATE = """
    SELECT current_user::text, session_user::text, current_setting('session_replication_role'),
        current_setting('track_counts')"""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was true when the transaction began.

    `pins` are the settings and their values, `shown` the same as the server shows them.
    """

    began: datetime
    pins: Mapping[str, str]
    shown: tuple[str, ...]
    state: tuple[str, ...]


def open_transaction(session: Session, order: SessionOrder) -> Opened:
    """Afterwards the transaction is open, isolated, pinned and bounded, and the work is locked.

    A read-only one locks nothing. Raises Refused `counters-off`, `role-too-strong`,
    `server-read-only`, `repair-not-prepared`, and Unreachable `work-running`.
    """
    access = "READ ONLY" if order.read_only else "READ WRITE"
    session.run(f"BEGIN ISOLATION LEVEL REPEATABLE READ {access}", doing=_DOING)
    pins = {
        **PINNED,
        "lock_timeout": _milliseconds(order.lock_wait),
        "statement_timeout": _milliseconds(order.statement),
        "idle_in_transaction_session_timeout": _milliseconds(IDLE),
        "client_encoding": "SQL_ASCII",
        "synchronous_commit": session.value(_SYNCHRONOUS, ["synchronous_commit"], doing=_DOING),
    }
    pin(session, pins)
    if not order.read_only:
        _refuse_standby(session)
    refuse_strong_role(session)
    refuse_unprepared(session)
    state = _state(session)
    _refuse_state(state)
    if not order.read_only:
        lock_work(session, order.work)
    began: datetime = session.value("SELECT now()", doing=_DOING)
    return Opened(began.astimezone(UTC), pins, _shown(session, pins), state)


def pin(session: Session, pins: Mapping[str, str]) -> None:
    """Afterwards these settings hold for the transaction."""
    session.rows(_PIN, [list(pins), list(pins.values())], doing="pinning settings")


def refuse_changed_state(session: Session, opened: Opened) -> None:
    """Raises Refused `session-changed` where another role, or other rules, hold by now."""
    if _state(session) != opened.state:
        raise Refused(
            "session-changed",
            "the script left another role, or other rules for triggers or counters, behind",
            hint="take SET ROLE and settings out of the script and of what it calls",
        )


def refuse_changed_pins(session: Session, opened: Opened) -> None:
    """Raises Refused `session-changed` where values would be printed, or waited for, otherwise.

    To be asked behind what reads rows: a predicate can call what changes a setting.
    """
    if _shown(session, opened.pins) != opened.shown:
        raise Refused(
            "session-changed",
            "a predicate or a condition changed the settings of the session",
            hint="take set_config out of repair.yml, and out of what it calls",
        )


def refuse_names(session: Session, order: SessionOrder, path: Sequence[str]) -> None:
    """Raises Refused `search-path`, and `temporary-taken` for a name that hides a table."""
    reserved = sorted(name for name in path if name.startswith("pg_"))
    if reserved:
        raise Refused(
            "search-path",
            f"the search path names {reserved[0]}, which the server itself looks through",
            hint="name only schemas of the application under search_path",
        )
    taken = session.rows(_TAKEN, [list(order.temporary), list(path)], doing=_DOING)
    if taken:
        raise Refused(
            "temporary-taken",
            f"the search path has a table {taken[0][0]} that a temporary one would hide",
            hint="give the temporary table another name",
        )


def refuse_strong_role(session: Session) -> None:
    """Raises Refused `role-too-strong` for a role that could do more than any count shows."""
    powers = [what for (what,) in session.rows(_POWERS, doing=_DOING)]
    if session.major >= _SETTABLE_SINCE and not powers:
        powers = [f"may set {name}" for (name,) in session.rows(_SETTABLE, doing=_DOING)]
    if powers:
        raise Refused(
            "role-too-strong",
            f"role {session.parameters.user} is too strong for repairs: {', '.join(powers)}",
            hint="let repairs log in as the role that dbops repair prepare makes",
        )


def _refuse_standby(session: Session) -> None:
    if session.value("SELECT pg_is_in_recovery()", doing=_DOING):
        raise Refused(
            "server-read-only",
            f"the server at {session.parameters.where} is a standby and takes no writes",
            hint="name the primary server in dbops.toml",
        )


def _refuse_state(state: tuple[str, ...]) -> None:
    _, _, replication, counting = state
    if counting != "on":
        raise Refused(
            "counters-off",
            "the server does not count writes: track_counts is off",
            hint="set track_counts = on on the server",
        )
    if replication != "origin":
        raise Refused(
            "session-changed",
            "triggers would not fire: session_replication_role is not origin",
            hint="take session_replication_role back from the role or the database",
        )


def _shown(session: Session, pins: Mapping[str, str]) -> tuple[str, ...]:
    """But for the search path, which changes all the time."""
    names = [name for name in pins if name != "search_path"]
    return tuple(value for (value,) in session.rows(_SHOWN, [names], doing=_DOING))


def _state(session: Session) -> tuple[str, ...]:
    (row,) = session.rows(_STATE, doing=_DOING)
    return tuple(row)


def _milliseconds(time: timedelta) -> str:
    return str(max(1, round(time.total_seconds() * 1000)))
