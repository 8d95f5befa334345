"""Statements of a repair on their way to the server, and its answers, byte for byte.

Each statement goes alone through the extended protocol, which takes one statement and no more, and
without any placeholder syntax of the driver's, so that a percent sign is a percent sign. Answers
are the server's own output text.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from psycopg import generators
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.deferred import fire
from dbops.engines.postgresql.repair_faults import repairing
from dbops.errors import Failed, Refused
from dbops.repair.table import Value

UNKNOWN: Final = 0  # the server chooses, as it does for a literal in quotes
TEXT_ARRAY: Final = 1009
_ANSWERED = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY)


class Bind(NamedTuple):
    """A value to bind, in the server's encoding, and the OID of its type."""

    value: Value
    type: int = UNKNOWN


class Wire:
    """The way to the server of one session; `path` is the search path that holds just now.

    The path is set anew only where another one is wanted; after a statement of the script nobody
    knows what it is.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._path: str | None = None

    def execute(self, sql: bytes, binds: Sequence[Bind] = (), *, doing: str) -> PGresult:
        """The server's answer to one statement of the transaction; raises what `repairing` does.

        Raises Refused `transaction-lost` where no transaction is open: the statement would be one.
        """
        self.refuse_idle(doing)
        refuse_zeros((bind.value for bind in binds), doing)
        connection = self.session.connection
        with repairing(doing), connection.lock:
            connection.pgconn.send_query_params(
                sql, [bind.value for bind in binds], [bind.type for bind in binds]
            )
            results: list[PGresult] = connection.wait(generators.execute(connection.pgconn))
            result = results[0]
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding=self.session.encoding.codec)
        if result.status not in _ANSWERED:
            raise Failed(
                "statement-invalid",
                f"{doing}: the server answers with something else than rows",
                hint="a repair can neither copy nor replicate",
            )
        return result

    def rows(
        self, sql: bytes, binds: Sequence[Bind] = (), *, doing: str
    ) -> list[tuple[Value, ...]]:
        """All rows of one query."""
        return rows_of(self.execute(sql, binds, doing=doing))

    def fire_deferred(self, doing: str) -> None:
        """Afterwards deferred constraints were checked, and deferred triggers have run."""
        self.refuse_idle(doing)
        with repairing(doing):
            fire(self.session)

    def encode(self, text: str, doing: str) -> bytes:
        """The text in the server's encoding; Refused `name-not-encodable` where it has none."""
        try:
            return self.session.encoding.encode(text)
        except ValueError:
            raise Refused(
                "name-not-encodable",
                f"{doing}: a text has characters that {self.session.encoding.name} does not have",
                hint="use only characters that the database can hold",
            ) from None

    def search(self, schemas: Sequence[str]) -> None:
        """Names without a schema are looked up in these from now on."""
        path = ", ".join('"' + name.replace('"', '""') + '"' for name in schemas)
        if path != self._path:
            doing = "setting the search path"
            bind = Bind(self.encode(path, doing), 25)
            self.execute(b"SELECT pg_catalog.set_config('search_path', $1, true)", [bind],
                         doing=doing)  # fmt: skip
            self._path = path

    def refuse_idle(self, doing: str) -> None:
        """Raises Refused `transaction-lost` where no transaction is open."""
        if self.session.connection.pgconn.transaction_status == TransactionStatus.IDLE:
            raise transaction_lost(doing)

    def refuse_misread(self, doing: str) -> None:
        """Raises Refused `session-changed` where the server reads statements another way by now.

        It tells of these settings by itself, so asking costs nothing.
        """
        told = self.session.connection.info.parameter_status
        if told("client_encoding") != "SQL_ASCII" or told("standard_conforming_strings") != "on":
            raise Refused(
                "session-changed",
                f"{doing}: the script changed how the server reads statements",
                hint="take client_encoding and standard_conforming_strings out of the script",
            )

    def forget_path(self) -> None:
        """Nobody knows the search path any more."""
        self._path = None


def rows_of(result: PGresult) -> list[tuple[Value, ...]]:
    """All rows of an answer."""
    columns = range(result.nfields)
    return [
        tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)
    ]


def refuse_zeros(values: Iterable[Value], doing: str) -> None:
    """Raises Failed `value-refused` where a text has a byte that would end it on its way."""
    if any(value is not None and b"\0" in value for value in values):
        raise Failed(
            "value-refused",
            f"{doing}: a value holds a zero byte, which PostgreSQL's text cannot hold",
            hint="correct the parameter or the payload",
        )


def array(values: Sequence[bytes]) -> Bind:
    """These texts as one value of type text[]."""
    quoted = (b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"' for value in values)
    return Bind(b"{" + b",".join(quoted) + b"}", TEXT_ARRAY)


def transaction_lost(doing: str) -> Refused:
    """What is said where the transaction of the repair is not open."""
    return Refused(
        "transaction-lost",
        f"{doing}: the repair's transaction is not open any more",
        hint="take whatever ends it out of the script; nothing was recorded",
    )
