"""What a PostgreSQL error means in the middle of a schema change: codes and names, never values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import psycopg
from psycopg.pq import ConnStatus

from dbops.change.ports import CommitUnknown, LockTimeout
from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.faults import objects_of, server_fault
from dbops.errors import DbopsError, Failed, Refused

CODE: Final = "change-step"

_LOCKS: Final = {
    "55P03": "a lock was not to be had in time",
    "40P01": "it and somebody else waited for each other's locks",
}
# PL/pgSQL says so where a statement was made of texts; of another language nobody can tell.
_COMPOSED: Final = re.compile(r"EXECUTE|PL/(?!pgSQL)")
_CONTROL: Final = frozenset({"2D000", "25000", "25P01"})


class _Words(NamedTuple):
    words: str
    hint: str


_REHEARSE = "correct the script, and rehearse again"
_LOG = "the server's log has its words, at the time of this command"
_MISSING = _Words(
    "an object that it names is not there",
    "write names with their schema: steps run with an empty search path",
)
_SYNTAX = _Words("the server cannot read the statement", "try it in psql on a restored copy")
_WORDS: Final[dict[str, _Words]] = {
    "57014": _Words(
        "it took longer than it may, or somebody cancelled it",
        "raise limits.statement in change.yml, or do the work in smaller steps",
    ),
    "25001": _Words("the server runs it only outside of a transaction", _LOG),
    "25006": _Words("it writes where nothing may be written", _REHEARSE),
    "2BP01": _Words("other objects depend on what it drops", "drop those first, each by its name"),
    "42501": _Words("the login lacks a privilege", "grant it, or name another admin login"),
    "42601": _SYNTAX,
    "42P01": _MISSING,
    "42703": _Words("a column that it names is not there", _REHEARSE),
    "42704": _MISSING,
    "42883": _MISSING,
    "3F000": _Words("a schema that it names is not there", "correct its name, or create it first"),
    "55006": _Words(
        "an object is in use by this session", "let triggers run first: a step of its own"
    ),
    "55P04": _Words(
        "a new value of an enum cannot be used where it is made",
        "write -- part: name before the step that uses it: a transaction begins there",
    ),
}
_CLASSES: Final[dict[str, _Words]] = {
    "0A": _Words("the server does not do that", _REHEARSE),
    "21": _Words("a query yields more than its place takes", _REHEARSE),
    "22": _Words("a value does not fit", _REHEARSE),
    "23": _Words("a constraint refuses a row", "repair the rows first, then rehearse again"),
    "42": _Words("the server does not take the statement", _REHEARSE),
    "53": _Words("the server has no space or memory left", "free some, then run the command again"),
    "P0": _Words("a function or block raised an error", _LOG),
}
_OTHER: Final = _Words("the server reports an error", _LOG)


@contextmanager
def changing(session: Session, doing: str) -> Iterator[None]:
    """Whatever psycopg raises inside leaves as a DbopsError that holds names and codes only.

    Raises LockTimeout, Refused `transaction-control`, Failed `change-step`, and Unreachable
    `connection-lost`.
    """
    try:
        yield
    except psycopg.Error as error:
        raise change_fault(session, error, doing) from None


def change_fault(session: Session, error: psycopg.Error, doing: str) -> DbopsError:
    """The fault of a statement that failed within a change."""
    state = error.sqlstate or ""
    if not answers(session, error):
        return server_fault(state if state.startswith(("08", "57P")) else None, doing)
    # RAISE lets a function put any text into the fields that name objects, and a statement that a
    # block puts together calls what it makes as it likes.
    composed = _COMPOSED.search(error.diag.context or "") is not None
    objects = "" if composed or state.startswith("P0") else objects_of(error)
    named = f"{doing} ({objects})" if objects else doing
    if state in _LOCKS:
        return LockTimeout(
            "lock-timeout",
            f"{named}: {_LOCKS[state]} ({state})",
            hint="whose transactions are open: select pid, usename, xact_start from"
            " pg_stat_activity where xact_start is not null",
        )
    if state in _CONTROL:
        return Refused(
            "transaction-control",
            f"{named}: a change can neither end its transaction nor nest another ({state})",
            hint="take transaction control out of the script, and of the procedures that it calls",
        )
    found = _WORDS.get(state) or _CLASSES.get(state[:2]) or _OTHER
    return Failed(CODE, f"{named}: {found.words} ({state})", hint=found.hint)


def answers(session: Session, error: psycopg.Error) -> bool:
    """Whether an error is the server's answer, and not the loss of the connection."""
    connection = session.connection
    alive = not connection.closed and connection.pgconn.status == ConnStatus.OK
    return alive and error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P"))


def commit_unknown(doing: str) -> CommitUnknown:
    """What is said where the answer never came."""
    return CommitUnknown(
        "commit-unknown",
        f"{doing}: the connection was lost before the answer came",
        hint="dbops change resume tells whether it took place",
    )


def transaction_lost(doing: str) -> Refused:
    """What is said where the change's transaction is not open."""
    return Refused(
        "transaction-lost",
        f"{doing}: the change's transaction is not open",
        hint="take whatever ends it out of the script; what was not committed did not happen",
    )
