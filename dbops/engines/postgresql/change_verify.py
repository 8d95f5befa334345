"""The questions of `verify.sql`: one value each, asked so that nothing can be written."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from psycopg.pq.abc import PGresult

from dbops.change.step import Step
from dbops.engines.postgresql.change_faults import changing
from dbops.engines.postgresql.change_wire import command, encoded, send
from dbops.engines.postgresql.change_words import is_query
from dbops.engines.postgresql.connect import Session
from dbops.errors import DbopsError, Refused

_TRUE: Final = frozenset({b"t", b"true", b"1"})
_FALSE: Final = frozenset({b"f", b"false", b"0", None})


def verified(session: Session, step: Step) -> bool:
    """Whether the query's one value is true; NULL is not.

    It runs in a transaction that is open, which afterwards is as it was before. Raises Refused
    `verify-form`, and Failed `change-step` where it cannot run, or writes.
    """
    doing = f"the question at line {step.line}"
    if not is_query(step):
        raise _form(doing, "it is no query")
    statement = encoded(session, step.sql, doing)
    command(session, "SAVEPOINT dbops_verify", doing=doing)
    try:
        command(session, "SET LOCAL transaction_read_only = on", doing=doing)
        with changing(session, doing):
            result = send(session, statement, doing)
    finally:
        with suppress(DbopsError):  # where the connection is lost nothing is left to take back
            command(session, "ROLLBACK TO SAVEPOINT dbops_verify", doing=doing)
            command(session, "RELEASE SAVEPOINT dbops_verify", doing=doing)
    return _value(result, doing)


def _value(result: PGresult, doing: str) -> bool:
    if result.nfields != 1 or result.ntuples != 1:
        raise _form(doing, f"it yields {result.ntuples} rows of {result.nfields} columns")
    found = result.get_value(0, 0)
    if found not in _TRUE | _FALSE:
        raise _form(doing, "its value is neither true nor false")
    return found in _TRUE


def _form(doing: str, what: str) -> Refused:
    return Refused(
        "verify-form",
        f"{doing}: {what}",
        hint="write SELECT ... that yields one row of one column, true or false",
    )
