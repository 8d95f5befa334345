"""The programs that read a snapshot: what they carry, how they end, and what is left of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dbops.backup.ports import Unit
from dbops.engines.postgresql.reading import PostgresqlReader
from dbops.engines.postgresql.snapshot import take_snapshot
from dbops.errors import DbopsError, Failed, Unreachable
from tests.engines.postgresql.collecting import CollectingSink, parameters, read_all
from tests.engines.postgresql.processes import commands, until
from tests.fix_postgresql import Connection, PgDatabase


def test_no_child_carries_the_password(pg_database: PgDatabase) -> None:
    """Neither the arguments nor the environment of psql hold it, and no file lies about."""
    params = parameters(pg_database)
    assert params.password is not None
    with pg_database.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 10) AS n")
    with take_snapshot(params, [pg_database.server.installation]) as snapshot:
        reader = snapshot.recipe.open()
        (unit,) = next(p for p in snapshot.streams() if p.name == "public.t").units
        reader.read(unit, CollectingSink())
        children = [pid for pid, line in commands().items() if "--no-psqlrc" in line and _mine(pid)]
        assert len(children) == 1
        for pid in children:
            for file in ("cmdline", "environ"):
                assert params.password.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
        reader.close()
    assert params.password not in repr(params)


def _mine(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return f"PPid:\t{os.getpid()}\n" in status


def _break_while_reading(
    database: PgDatabase, destroy: Callable[[Connection], None]
) -> tuple[DbopsError, CollectingSink]:
    """The error of reading a table while something is destroyed after its first block."""
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT n, repeat('x', 1000) AS pad FROM generate_series(1, 60000) n"
        )
    destroyed = threading.Event()

    class Destroying(CollectingSink):
        def write(self, block: bytes, /) -> int:
            if not destroyed.is_set() and "public.t" in str(self._open):
                destroyed.set()
                with database.connect() as connection:
                    destroy(connection)
            return super().write(block)

    sink = Destroying()
    with take_snapshot(parameters(database), [database.server.installation]) as snapshot:
        reader = snapshot.recipe.open()
        units = next(p for p in snapshot.streams() if p.name == "public.t").units
        with pytest.raises(DbopsError) as caught:
            _read(reader, units, sink)
        reader.close()
    return caught.value, sink


def _read(reader: PostgresqlReader, units: Sequence[Unit], sink: CollectingSink) -> None:
    for unit in units:
        reader.read(unit, sink)


def test_a_connection_lost_half_way_is_an_error(pg_database: PgDatabase) -> None:
    """A terminated backend ends the read with an error, and no later range is whole."""

    def terminate(connection: Connection) -> None:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query ~ 'COPY' AND application_name = 'dbops' AND datname = current_database()"
        )

    failure, sink = _break_while_reading(pg_database, terminate)
    assert isinstance(failure, Unreachable)
    assert failure.code == "connection-lost"
    assert failure.message == "reading public.t: the connection was lost (57P01)"
    assert len(sink.rows("public.t")) < 60000


def test_a_killed_psql_is_an_error(pg_database: PgDatabase) -> None:
    """A psql that is killed ends the read with an error that says so."""

    def kill(connection: Connection) -> None:
        for pid, line in commands().items():
            if "--no-psqlrc" in line and _mine(pid):
                os.kill(pid, 9)

    failure, sink = _break_while_reading(pg_database, kill)
    assert isinstance(failure, Failed)
    assert failure.code == "client-killed"
    assert failure.message == "reading public.t: psql was ended by signal 9"
    assert len(sink.rows("public.t")) < 60000


def test_a_closed_reader_leaves_no_child(pg_database: PgDatabase) -> None:
    """After `close` no psql of this process is left."""
    with pg_database.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
    with take_snapshot(parameters(pg_database), [pg_database.server.installation]) as snapshot:
        read_all(snapshot)
    assert until(lambda: not [p for p, c in commands().items() if "--no-psqlrc" in c and _mine(p)])


def test_joining_a_snapshot_that_is_gone_fails(pg_database: PgDatabase) -> None:
    """A worker that comes too late reads nothing."""
    with pg_database.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
    with take_snapshot(parameters(pg_database), [pg_database.server.installation]) as snapshot:
        recipe = replace(snapshot.recipe, snapshot="00000003-0000001B-1")
        with pytest.raises(Failed) as caught:
            recipe.open()
    assert caught.value.message == "joining the snapshot: the snapshot does not exist any more"
