"""Connections to a PostgreSQL server, all with the same pinned settings.

What the server prints depends on its session: time zone, styles, rounding, search path. A database
or a role can bring hostile ones along (`ALTER DATABASE ... SET`), so every connection, of the
driver and of client programs, asks for dbops' own at its start, where they win. Text travels in the
server's own encoding, unconverted, because a conversion can fail or lose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.faults import connect_fault, server_fault, translated
from dbops.errors import DbopsError, Refused
from dbops.estate.values import PostgresqlAddress, Secret, SslMode

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import AdaptContext, Buffer
    from psycopg.rows import TupleRow

CONNECT_SECONDS: Final = 10
OLDEST_SERVER: Final = 12

PINNED: Mapping[str, str] = MappingProxyType(
    {
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "intervalstyle": "postgres",
        "extra_float_digits": "3",
        "bytea_output": "hex",
        "xmlbinary": "base64",
        "xmloption": "content",
        "lc_monetary": "C",
        "search_path": "",
        "row_security": "off",  # an error rather than rows silently left out
        "standard_conforming_strings": "on",
        "array_nulls": "on",
        "quote_all_identifiers": "off",
        "synchronize_seqscans": "off",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "off",
        "default_transaction_deferrable": "off",
    }
)

# Newer servers end sessions for further reasons; the names do not exist on older ones.
UNLIMITED: Final = (
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
    " WHERE name IN ('transaction_timeout', 'idle_session_timeout')"
)

# A network that swallows packets is noticed after about a minute, not after two hours.
KEEPALIVE: Mapping[str, str] = MappingProxyType(
    {
        "keepalives": "1",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
        "connect_timeout": str(CONNECT_SECONDS),
    }
)

_UNKNOWN, _ANY_OTHER = 705, 0  # the type of untyped literals; every type without a loader
_TEXT_TYPES = ("text", "name", "varchar", "bpchar", '"char"', _UNKNOWN, _ANY_OTHER)


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to log in to one database. It travels to workers by pickle and is shown nowhere."""

    host: str
    port: int
    dbname: str
    user: str
    password: str | None = field(repr=False)
    sslmode: SslMode
    sslrootcert: Path | None

    @property
    def where(self) -> str:
        """HOST:PORT, for messages."""
        return f"{self.host}:{self.port}"


def parameters(address: PostgresqlAddress, resolve: Callable[[Secret], str]) -> Parameters:
    """The address with its secret fetched by `resolve`; raises what `resolve` raises."""
    return Parameters(
        host=address.host,
        port=address.port,
        dbname=address.dbname,
        user=address.user,
        password=resolve(address.password) if address.password is not None else None,
        sslmode=address.sslmode,
        sslrootcert=address.sslrootcert,
    )


class Session:
    """One open connection in autocommit mode; transactions begin and end by statements.

    Text is `str` in both directions through `Encoding`, whatever the server's encoding. Every
    error leaves as a DbopsError. `connection` is psycopg's own, for COPY; wrap its use in
    `faults.translated`.
    """

    def __init__(self, connection: psycopg.Connection[TupleRow], params: Parameters) -> None:
        self.connection = connection
        self.parameters = params
        info = connection.info
        self.encoding = Encoding(info.parameter_status("server_encoding") or "SQL_ASCII")
        self.major = info.server_version // 10000
        self.version = (info.parameter_status("server_version") or "").split(" ")[0]
        self.backend = info.backend_pid
        self.kept: dict[str, str] = {}  # when each statement was prepared: see change_schema_kept

    @property
    def server(self) -> str:
        """Product and version, as in `PostgreSQL 15.18`."""
        return f"PostgreSQL {self.version}"

    def rows(
        self, query: str, params: Sequence[object] | None = None, *, doing: str = "catalog query"
    ) -> list[TupleRow]:
        """All rows of one query. With `params`, `%s` stands for each and `%%` for a percent."""
        with translated(doing):
            return self.connection.execute(self._encoded(query, doing), params).fetchall()

    def value(
        self, query: str, params: Sequence[object] | None = None, *, doing: str = "catalog query"
    ) -> Any:
        """The first column of the only row."""
        (row,) = self.rows(query, params, doing=doing)
        return row[0]

    def run(
        self, statement: str, params: Sequence[object] | None = None, *, doing: str = "statement"
    ) -> None:
        """Execute and expect nothing back."""
        with translated(doing):
            self.connection.execute(self._encoded(statement, doing), params)

    def close(self) -> None:
        """The connection is closed; an open transaction is rolled back by the server."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _encoded(self, query: str, doing: str) -> bytes:
        try:
            return self.encoding.encode(query)
        except ValueError:
            raise Refused(
                "name-not-encodable",
                f"{doing}: a name has characters that {self.encoding.name} does not have",
                hint="name only objects that exist in the database",
            ) from None


def connect(params: Parameters, *, dbname: str | None = None, lock_seconds: float = 0) -> Session:
    """A session in autocommit mode with the pinned settings.

    `dbname` names another database of the same server; `lock_seconds` above zero bounds every
    wait for a lock. Raises Unreachable, NotFound or Refused with names and codes only.
    """
    import psycopg  # noqa: PLC0415 - workers read through client programs, without the driver

    database = dbname or params.dbname
    try:
        connection = psycopg.connect(
            _conninfo(params, database, lock_seconds), autocommit=True, prepare_threshold=None
        )
    except psycopg.Error as error:
        raise connect_fault(error, params.where, params.user, database) from None
    try:
        return _prepared(connection, params)
    except psycopg.Error as error:
        connection.close()
        raise server_fault(error.sqlstate, "opening a session") from None
    except DbopsError:
        connection.close()
        raise


def _conninfo(params: Parameters, dbname: str, lock_seconds: float) -> str:
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - see `connect`

    return make_conninfo(
        conninfo_keepalive(),
        host=params.host,
        port=params.port,
        dbname=dbname,
        user=params.user,
        password=params.password,
        sslmode=params.sslmode.value,
        sslrootcert=str(params.sslrootcert) if params.sslrootcert else None,
        options=pinned_options(lock_seconds),
        application_name="dbops",
        client_encoding="SQL_ASCII",  # no conversion; a server of any encoding takes it
        hostaddr="",  # else libpq takes an address from the environment
    )


def _prepared(connection: psycopg.Connection[TupleRow], params: Parameters) -> Session:
    session = Session(connection, params)
    if session.major < OLDEST_SERVER:
        raise Refused(
            "server-too-old",
            f"the server is {session.server}; dbops reads PostgreSQL {OLDEST_SERVER} and newer",
            hint="upgrade the server",
        )
    connection.execute(UNLIMITED.encode())
    _adapt(connection, session.encoding)
    return session


def _adapt(connection: psycopg.Connection[TupleRow], encoding: Encoding) -> None:
    from psycopg.adapt import Dumper, Loader  # noqa: PLC0415 - see `connect`

    class NameLoader(Loader):
        def load(self, data: Buffer) -> str:
            return encoding.decode(bytes(data))

    class NameDumper(Dumper):
        oid = 0

        def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
            super().__init__(cls, context)

        def dump(self, obj: str) -> Buffer:
            return encoding.encode(obj)

    for kind in _TEXT_TYPES:
        connection.adapters.register_loader(kind, NameLoader)
    connection.adapters.register_dumper(str, NameDumper)


def pinned_options(lock_seconds: float = 0) -> str:
    """The pinned settings as libpq's `options` has them (also PGOPTIONS)."""
    settings = {**PINNED, "lock_timeout": f"{round(lock_seconds * 1000)}"}
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def client_env(
    params: Parameters, passfile: Path | None, encoding: Encoding, *, lock_seconds: float = 0
) -> dict[str, str]:
    """The whole environment of a client program; the password stays in `passfile`."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "PGHOST": params.host,
        "PGPORT": str(params.port),
        "PGUSER": params.user,
        "PGDATABASE": params.dbname,
        "PGSSLMODE": params.sslmode.value,
        "PGCLIENTENCODING": encoding.name,
        "PGAPPNAME": "dbops",
        "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
        "PGOPTIONS": pinned_options(lock_seconds),
    }
    if passfile is not None:
        environment["PGPASSFILE"] = str(passfile)
    if params.sslrootcert is not None:
        environment["PGSSLROOTCERT"] = str(params.sslrootcert)
    return environment


def quoted(name: str) -> str:
    """The name as an SQL identifier, always in quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as an SQL literal under `standard_conforming_strings`."""
    return "'" + text.replace("'", "''") + "'"


def conninfo_keepalive() -> str:
    """What a client program gets as its database argument: only what no variable can say."""
    return " ".join(f"{name}={value}" for name, value in KEEPALIVE.items())
