"""Steps of a change on their way to the server, each alone and as it was written.

Through the extended protocol the server takes one statement and no more, and nothing stands for a
placeholder of the driver's, so a percent sign is a percent sign.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import psycopg
from psycopg import generators
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

from dbops.engines.postgresql.change_faults import changing
from dbops.engines.postgresql.connect import Session
from dbops.errors import Failed, Refused

_CANCEL_SECONDS: Final = 5.0
_ANSWERED: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY)


def send(session: Session, statement: bytes, doing: str) -> PGresult:
    """The server's answer to one statement; raises psycopg.Error where it is an error.

    Raises Failed `change-step` where it is no rows, and closes the connection, which waits for
    something else then.
    """
    connection = session.connection
    with connection.lock:
        connection.pgconn.send_query_params(statement, None)
        results: list[PGresult] = connection.wait(generators.execute(connection.pgconn))
    result = results[0]
    if result.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(result, encoding=session.encoding.codec)
    if result.status not in _ANSWERED:
        session.close()
        raise Failed(
            "change-step",
            f"{doing}: the server answers with something else than rows",
            hint="a change can neither copy nor replicate",
        )
    return result


def encoded(session: Session, text: str, doing: str) -> bytes:
    """The text in the server's encoding; Refused `name-not-encodable` where it has none."""
    try:
        return session.encoding.encode(text)
    except ValueError:
        raise Refused(
            "name-not-encodable",
            f"{doing}: a text has characters that {session.encoding.name} does not have",
            hint="use only characters that the database can hold",
        ) from None


def ask(
    session: Session, query: str, params: Sequence[object] | None = None, *, doing: str
) -> list[TupleRow]:
    """All rows of a query of dbops' own; raises what `changing` does.

    Without `params` a percent sign is a percent sign.
    """
    with changing(session, doing):
        return session.connection.execute(encoded(session, query, doing), params).fetchall()


def command(
    session: Session, statement: str, params: Sequence[object] | None = None, *, doing: str
) -> str:
    """The server's word for what it did; raises what `changing` does."""
    with changing(session, doing):
        cursor = session.connection.execute(encoded(session, statement, doing), params)
        return cursor.statusmessage or ""


def cancel_running(session: Session) -> None:
    """Afterwards the server was asked to end what it still works at for this session, if anything.

    Whoever is interrupted between sending a statement and waiting for its answer leaves one. A
    server that cannot be asked notices by itself that the connection is gone, at its next answer.
    """
    if not session.connection.closed and _status(session) == TransactionStatus.ACTIVE:
        with suppress(psycopg.Error):
            session.connection.cancel_safe(timeout=_CANCEL_SECONDS)


def is_open(session: Session) -> bool:
    """Whether a transaction is open in which something can run."""
    return _status(session) == TransactionStatus.INTRANS


def is_idle(session: Session) -> bool:
    """Whether no transaction is open."""
    return _status(session) == TransactionStatus.IDLE


def _status(session: Session) -> TransactionStatus:
    return TransactionStatus(session.connection.pgconn.transaction_status)
