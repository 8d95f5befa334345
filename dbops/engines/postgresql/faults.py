"""What a PostgreSQL error means to the person at the keyboard.

The server's words carry row values (`Key (name)=(...)`) and may quote what was sent, so they are
never shown or kept: an error is known by its SQLSTATE, and named by the objects it concerns.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.errors import DbopsError, Failed, NotFound, Refused, TryAgain, Unreachable

if TYPE_CHECKING:
    import psycopg

# The files of procedural languages in the server's source, such as pl_exec.c and plpy_elog.c.
_LANGUAGE: Final = re.compile(r"pl_|plpy|plperl|pltcl|plv8|plr")


@dataclass(frozen=True, slots=True)
class _Fault:
    kind: type[DbopsError]
    code: str
    words: str
    hint: str


_LOGIN = _Fault(
    Unreachable,
    "login-refused",
    "the server refuses the login",
    "check user and password in dbops.toml, and pg_hba.conf on the server",
)
_GONE = _Fault(
    Unreachable,
    "connection-lost",
    "the connection was lost",
    "check that the server runs, then run the command again",
)
_STARTING = _Fault(
    Unreachable,
    "server-unavailable",
    "the server is starting, stopping or in recovery",
    "wait until the server accepts connections, then run the command again",
)
_LOCKED = _Fault(
    TryAgain,
    "lock-timeout",
    "a lock was not granted in time",
    "wait until the work that holds the lock is done: select * from pg_locks where not granted",
)
_FULL = _Fault(
    Failed,
    "server-out-of-space",
    "the server has no space or memory left",
    "free space on the server, then run the command again",
)
_RACE = _Fault(
    Failed,
    "transaction-conflict",
    "another transaction was in the way",
    "run the command again",
)
_CHANGED = _Fault(
    Failed,
    "object-missing",
    "an object is not there",
    "run the command again; something was dropped or renamed meanwhile",
)
_DAMAGED = _Fault(
    Failed,
    "source-damaged",
    "the server found damaged data",
    "check the database with pg_amcheck, and look at the server's log",
)

# By SQLSTATE, then by its class; the first that fits.
_FAULTS: dict[str, _Fault] = {
    "28P01": _LOGIN,
    "28000": _LOGIN,
    "3D000": _Fault(
        NotFound,
        "database-missing",
        "the database does not exist",
        "check dbname in dbops.toml",
    ),
    "53300": _Fault(
        Unreachable,
        "too-many-connections",
        "the server has no connection left",
        "lower jobs in dbops.toml, or raise max_connections on the server",
    ),
    "53100": _FULL,
    "53200": _FULL,
    "57P01": _GONE,
    "57P02": _GONE,
    "57P03": _STARTING,
    "57P04": _GONE,
    "57P05": _GONE,
    "57014": _Fault(
        Failed,
        "statement-cancelled",
        "the statement was cancelled",
        "somebody cancelled it on the server; run the command again",
    ),
    "42501": _Fault(
        Refused,
        "permission-denied",
        "the role lacks a privilege",
        "dbops doctor names what the role needs",
    ),
    "55P03": _LOCKED,
    "55006": _Fault(
        Unreachable,
        "object-in-use",
        "an object is in use",
        "wait until nobody uses it, then run the command again",
    ),
    "40001": _RACE,
    "40P01": _RACE,
    "42P01": _CHANGED,
    "42703": _CHANGED,
    "42704": _CHANGED,
    "42883": _CHANGED,
    "3F000": _CHANGED,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
_CLASSES: dict[str, _Fault] = {"08": _GONE, "53": _FULL, "40": _RACE}
_OTHER = _Fault(
    Failed,
    "server-error",
    "the server reported an error",
    "look the SQLSTATE up in the server's log at the time of this command",
)

# libpq gives no SQLSTATE for a login that fails, only text, and that in the language of the
# server's lc_messages. These words choose a code and go nowhere else; text that none of them
# fits is a login that failed for a reason which only the server's log tells.
_LOGIN_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"password authentication failed|no password supplied"), "28P01"),
    (re.compile(r"认证失败"), "28P01"),
    (re.compile(r'database ".*" does not exist|数据库 ".*" 不存在', re.DOTALL), "3D000"),
    (re.compile(r"too many (clients|connections)|connection slots|连接数?(太多|过多)"), "53300"),
    (re.compile(r"pg_hba\.conf|role \".*\" does not exist|not permitted to log in"), "28000"),
    (re.compile(r"角色 ?\".*\" ?不存在"), "28000"),
    (re.compile(r"permission denied for database"), "42501"),
    (re.compile(r"is (starting up|shutting down|not accepting|not yet accepting)"), "57P03"),
)
_UNANSWERED = re.compile(
    r"Connection refused|No such file or directory|could not translate host name|timeout expired"
    r"|timed out|No route to host|Network is unreachable|Connection reset|closed the connection"
    r"|could not connect|Permission denied|failed to resolve|not known|resolution",
)
_TLS = re.compile(r"SSL|certificate", re.IGNORECASE)
_SQLSTATE = re.compile(rb"(?:ERROR|FATAL|PANIC): +([0-9A-Z]{5})\b")


def connect_fault(error: psycopg.Error, where: str, user: str, dbname: str) -> DbopsError:
    """The fault of a login that failed; `where` is HOST:PORT or the socket's directory."""
    state = error.sqlstate or _login_state(str(error))
    if state is not None:
        fault = _fault_of(state)
        return fault.kind(
            fault.code,
            f"database {dbname} at {where} as role {user}: {fault.words} ({state})",
            hint=fault.hint,
        )
    text = str(error)
    if _TLS.search(text):
        return Unreachable(
            "tls-failed",
            f"server {where}: no connection with the sslmode asked for",
            hint="check sslmode and sslrootcert in dbops.toml against the server's certificate",
        )
    if _UNANSWERED.search(text):
        return Unreachable(
            "server-unreachable",
            f"no PostgreSQL server answers at {where}",
            hint="check host and port in dbops.toml, and that the server runs",
        )
    return Unreachable(
        "login-refused",
        f"database {dbname} at {where} as role {user}: {_LOGIN.words}",
        hint="the server's log tells why",
    )


def server_fault(state: str | None, doing: str, objects: str = "") -> DbopsError:
    """The fault of a statement that failed; without a SQLSTATE the connection was lost.

    `doing` and `objects` hold names only.
    """
    fault = _fault_of(state) if state else _GONE
    named = f" ({objects})" if objects else ""
    code = f" ({state})" if state else ""
    return fault.kind(fault.code, f"{doing}{named}: {fault.words}{code}", hint=fault.hint)


def child_fault(tool: str, status: int, stderr: bytes, doing: str) -> DbopsError:
    """The fault of a client program that ended badly; of what it printed only a SQLSTATE is used.

    `status` is as `subprocess` counts it: below zero for a signal.
    """
    states = _SQLSTATE.findall(stderr)
    if states:
        return server_fault(states[0].decode("ascii"), doing)
    if status < 0:
        return Failed(
            "client-killed",
            f"{doing}: {tool} was ended by signal {-status}",
            hint="look for an out-of-memory kill: dmesg; then run the command again",
        )
    return Failed(
        "client-failed",
        f"{doing}: {tool} ended with status {status}",
        hint="check the connection to the server: dbops doctor",
    )


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Whatever psycopg raises inside leaves as a DbopsError that holds names and codes only."""
    import psycopg  # noqa: PLC0415 - workers read through client programs, without the driver

    try:
        yield
    except psycopg.Error as error:
        raise server_fault(error.sqlstate, doing, objects_of(error)) from None


def objects_of(error: psycopg.Error) -> str:
    """The objects that the server names in fields of their own; there these never hold values.

    A function of the database can raise an error that names whatever it likes there.
    """
    diag = error.diag
    if not diag.source_file or _LANGUAGE.match(diag.source_file):
        return ""
    table = ".".join(part for part in (diag.schema_name, diag.table_name) if part)
    return ", ".join(part for part in (table, diag.column_name, diag.constraint_name) if part)


def _fault_of(state: str) -> _Fault:
    return _FAULTS.get(state) or _CLASSES.get(state[:2]) or _OTHER


def _login_state(text: str) -> str | None:
    return next((state for words, state in _LOGIN_WORDS if words.search(text)), None)
