"""Where PostgreSQL backups are restored to be proven: never on the source, gone afterwards.

Without a configured server an ephemeral one is started from local programs (`cluster`), in the
source's major version; where that is not installed, in the next newer one, and then
`compare_schema` says that nothing was proven. On a configured server a database of its own is made,
`dbops_scratch_...`, and dropped; one that a killed process left is dropped by the next.

What restored code could reach is left out: `selection.NOT_IN_SCRATCH` (user mappings hold
passwords of other servers, subscriptions connect to them) and tablespaces (directories of the
host). Roles are made without password and login. On a configured server they get no attributes
either, and are dropped with the last database that needs them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from dbops.backup.ports import Contents, Engine
from dbops.engines.postgresql.binaries import (
    SERVER_TOOLS,
    Installation,
    find_installations,
    server_of,
)
from dbops.engines.postgresql.checking import has_amcheck
from dbops.engines.postgresql.cluster import SUPERUSER, scratch_cluster
from dbops.engines.postgresql.connect import Parameters, Session, connect, quoted
from dbops.engines.postgresql.database import create_database, read_properties
from dbops.engines.postgresql.engine import PostgresqlEngine, address_of, parameters_of
from dbops.engines.postgresql.opening import schema_stream, source_major
from dbops.engines.postgresql.roles import create_roles, drop_scratch_roles, read_roles
from dbops.engines.postgresql.streams import DATABASE, ROLES
from dbops.engines.postgresql.watchdog import sweep_leftovers
from dbops.errors import NotFound, Refused
from dbops.estate.values import PostgresqlScratch, SslMode

PREFIX = "dbops_scratch_"

# A database is younger than its first connection; only files tell how old it is.
_LEFT_BEHIND = """
    SELECT datname FROM pg_database AS d WHERE starts_with(datname, 'dbops_scratch_')
        AND (pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification
            < now() - interval '1 minute'
        AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datid = d.oid)"""


class PostgresqlScratchPlace:
    """Implements the `ScratchPlace` port.

    `parent` is where an ephemeral server's directory is made; its account must be able to enter
    it. `password` answers for `chosen.server`. `installations` are looked for where not given.
    """

    def __init__(
        self,
        parent: Path,
        chosen: PostgresqlScratch,
        password: Callable[[], str | None],
        installations: Sequence[Installation] | None = None,
    ) -> None:
        self._parent = parent
        self._chosen = chosen
        self._password = password
        self._given = installations
        self._version = ""

    @property
    def title(self) -> str:
        """What was used; the server's version is known once it was opened."""
        kind = "ephemeral" if self._chosen.server is None else "configured"
        return f"{kind} scratch server, {self._version}".rstrip(", ")

    @contextmanager
    def open(self, contents: Contents) -> Iterator[Engine]:
        """An empty database that can take the backup; gone when the context ends.

        Raises NotFound where no server of the source's version or a newer one is installed,
        Refused where the configured one is older, Failed where none can be started.
        """
        with self._server(contents) as server:
            with self._database(server, contents) as copy:
                yield PostgresqlEngine(
                    address_of(copy, copy.dbname),
                    lambda: copy.password,
                    self._installations(),
                    lambda wanted: self._database(server, wanted),
                    scratch=True,
                )

    @contextmanager
    def reference(self, contents: Contents) -> Iterator[Parameters]:
        """An empty database to load definitions into, for a comparison outside scratch."""
        with self._server(contents) as server, self._database(server, contents) as empty:
            yield empty

    def _installations(self) -> Sequence[Installation]:
        if self._given is None:
            self._given = find_installations()
        return self._given

    @contextmanager
    def _server(self, contents: Contents) -> Iterator[Parameters]:
        """A server with the roles that the backup needs."""
        with ExitStack() as stack:
            params = (
                stack.enter_context(self._ephemeral(source_major(contents)))
                if self._chosen.server is None
                else parameters_of(self._chosen.server, self._password)
            )
            with connect(params) as session:
                self._refuse_unfit(session, contents)
                checks = "" if has_amcheck(session) else " without amcheck"
                self._version = f"{session.server}{checks}"
                roles = read_roles(schema_stream(contents).detail.get(ROLES, ""))
                if self._chosen.server is not None:
                    _sweep(session)
                    stack.callback(_drop_roles, params)
                create_roles(session, roles, attributes=self._chosen.server is None)
            yield params

    @contextmanager
    def _ephemeral(self, major: int) -> Iterator[Parameters]:
        sweep_leftovers(self._parent)
        installation = _fitting(major, self._installations())
        account = self._chosen.account if os.geteuid() == 0 else None
        with scratch_cluster(installation, self._parent, account=account) as cluster:
            yield Parameters(
                host=str(cluster.socket_directory),
                port=cluster.port,
                dbname="postgres",
                user=SUPERUSER,
                password=None,
                sslmode=SslMode.DISABLE,
                sslrootcert=None,
            )

    @contextmanager
    def _database(self, server: Parameters, contents: Contents) -> Iterator[Parameters]:
        """A new database there, kept from being swept by a connection of its own."""
        properties = read_properties(schema_stream(contents).detail.get(DATABASE, ""))
        name = f"{PREFIX}{secrets.token_hex(6)}"
        with connect(server) as session:
            create_database(session, name, properties)
        copy = replace(server, dbname=name)
        try:
            with connect(copy):
                yield copy
        finally:
            with connect(server) as session:
                session.run(f"DROP DATABASE {quoted(name)} {_force(session)}", doing="cleaning up")

    def _refuse_unfit(self, session: Session, contents: Contents) -> None:
        if session.major < source_major(contents):
            raise Refused(
                "scratch-too-old",
                f"the scratch server at {session.parameters.where} is {session.server}, "
                f"the backup is of {contents.server}",
                hint=f"name a scratch server of version {source_major(contents)} in dbops.toml",
            )
        if not session.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            raise Refused(
                "scratch-needs-superuser",
                f"role {session.parameters.user} is no superuser of the scratch server at "
                f"{session.parameters.where}",
                hint="name a superuser for the scratch server in dbops.toml",
            )


def _fitting(major: int, installations: Sequence[Installation]) -> Installation:
    """The programs of this major version, else of the next newer one that is installed."""
    try:
        return server_of(major, installations)
    except NotFound:
        newer = [one for one in installations if one.major > major and one.has(SERVER_TOOLS)]
        if not newer:
            raise
        return min(newer, key=lambda one: one.major)


def _sweep(session: Session) -> None:
    """Databases of dead processes are dropped."""
    for (name,) in session.rows(_LEFT_BEHIND, doing="sweeping scratch databases"):
        session.run(f"DROP DATABASE IF EXISTS {quoted(name)}", doing="sweeping scratch databases")


def _drop_roles(params: Parameters) -> None:
    with connect(params) as session:
        drop_scratch_roles(session)


def _force(session: Session) -> str:
    return "WITH (FORCE)" if session.major >= 13 else ""
