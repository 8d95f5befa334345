"""Snapshots of a database that is being rebuilt all the time equal one instant, or are none.

Every writer keeps an invariant in each of its transactions, so a snapshot that mixes two instants
breaks it: accounts always hold the same total, and a table that is emptied and filled again always
holds the same number of rows, all of one generation, written down in another table.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psycopg

from dbops.backup.ports import RestoreOrder
from dbops.backup.prove import prove
from dbops.engines.postgresql.connect import connect
from dbops.engines.postgresql.engine import PostgresqlEngine, parameters_of
from dbops.engines.postgresql.scratch import PostgresqlScratchPlace
from dbops.engines.postgresql.snapshot import take_snapshot
from dbops.errors import DbopsError
from dbops.estate.values import PostgresqlScratch
from tests.engines.postgresql.collecting import CollectingSink, parameters, read_all
from tests.engines.postgresql.sealed import (
    Sealed,
    back_up,
    engine_of,
    fresh_database,
    scratch_directory,
)
from tests.fix_postgresql import Connection, PgDatabase, PgServer, on_one_server

ROWS = 2000
WHOLE = 3  # snapshots that must succeed
BACKED_UP = 2  # backups that must succeed, each restored and proven
ROUNDS = 40  # attempts at most
# What may be raised instead of a backup; anything else is a bug.
ALLOWED = {
    "schema-moving",
    "schema-changed",
    "lock-timeout",
    "transaction-conflict",
    "client-failed",
    "object-missing",
}

_SETUP = f"""
    CREATE TABLE account (id integer PRIMARY KEY, balance bigint, pad text);
    INSERT INTO account SELECT n, 1000, repeat('x', 200) FROM generate_series(1, {ROWS}) AS n;
    CREATE TABLE filled (n integer PRIMARY KEY, generation integer, pad text);
    INSERT INTO filled SELECT n, 0, repeat('y', 200) FROM generate_series(1, {ROWS}) AS n;
    CREATE TABLE generation AS SELECT 0 AS g;
    CREATE VIEW total AS SELECT sum(balance) FROM account"""
_FILL = f"""
    TRUNCATE filled;
    UPDATE generation SET g = g + 1;
    INSERT INTO filled SELECT n, g, repeat('y', 200)
        FROM generate_series(1, {ROWS}) AS n, generation"""


def _move(connection: Connection, choice: random.Random) -> None:
    """Money goes from one account to another, in many rows at once."""
    step = choice.randint(2, 7)
    with connection.transaction():
        connection.execute(
            "UPDATE account SET balance = balance + CASE WHEN id %% 2 = 0 THEN 5 ELSE -5 END"
            " WHERE id <= %s AND id %% %s < 2",
            (ROWS // (2 * step) * 2 * step, 2 * step),
        )


def _fill(connection: Connection, choice: random.Random) -> None:
    with connection.transaction():
        for statement in _FILL.split(";"):
            connection.execute(statement.encode())


def _rewrite(connection: Connection, choice: random.Random) -> None:
    """The same rows in another file."""
    table, index = choice.choice([("account", "account_pkey"), ("filled", "filled_pkey")])
    statements = (
        f"VACUUM FULL {table}",
        f"CLUSTER {table} USING {index}",
        f"VACUUM {table}",
        f"REINDEX TABLE {table}",
    )
    connection.execute(choice.choice(statements).encode())


def _create(connection: Connection, choice: random.Random) -> None:
    """A pair of tables that are only ever there together, and with a column only together."""
    name = f"pair_{choice.randint(1, 3)}"
    with connection.transaction():
        connection.execute(f"DROP TABLE IF EXISTS {name}_a, {name}_b".encode())
        if choice.random() < 0.8:
            for side in ("a", "b"):
                connection.execute(
                    f"CREATE TABLE {name}_{side} AS SELECT generate_series(1, 50) AS n".encode()
                )


def _alter(connection: Connection, choice: random.Random) -> None:
    """A column comes and goes in both tables of the invariant at once."""
    verb = choice.choice(["ADD COLUMN IF NOT EXISTS extra integer", "DROP COLUMN IF EXISTS extra"])
    with connection.transaction():
        for table in ("account", "filled"):
            connection.execute(f"ALTER TABLE {table} {verb}".encode())


# Each writer and how long it rests between two works, in seconds: definitions change less often
# than rows do.
WRITERS = ((_move, 0.0), (_fill, 6.0), (_rewrite, 6.0), (_create, 6.0), (_alter, 6.0))


@contextmanager
def busy(database: PgDatabase) -> Iterator[list[int]]:
    """All writers are at work; yields how often each of them was done."""
    stop = threading.Event()
    done = [0] * len(WRITERS)

    def write(place: int) -> None:
        choice = random.Random(place)
        work, rest = WRITERS[place]
        with database.connect() as connection:
            connection.execute("SET client_min_messages = error")
            while not stop.is_set():
                try:
                    work(connection, choice)
                    done[place] += 1
                except psycopg.errors.DeadlockDetected:
                    continue
                stop.wait(rest * choice.random())

    with ThreadPoolExecutor(len(WRITERS)) as pool:
        writing: list[Future[None]] = [pool.submit(write, place) for place in range(len(WRITERS))]
        try:
            yield done
        finally:
            stop.set()
        for each in writing:
            each.result(60)


def _check(sink: CollectingSink, columns: dict[str, str]) -> None:
    def values(stream: str, column: str) -> list[int]:
        place = columns[stream].split(", ").index(column)
        return [int(row.rstrip(b"\n").split(b"\t")[place]) for row in sink.rows(stream)]

    assert len(values("public.account", "id")) == ROWS
    assert sum(values("public.account", "balance")) == ROWS * 1000
    (generation,) = values("public.generation", "g")
    assert values("public.filled", "generation") == [generation] * ROWS
    assert ("extra" in columns["public.account"]) == ("extra" in columns["public.filled"])
    for number in (1, 2, 3):
        pair = [f"public.pair_{number}_{side}" for side in ("a", "b")]
        assert (pair[0] in columns) == (pair[1] in columns)
        assert all(len(sink.rows(name)) == 50 for name in pair if name in columns)


def _set_up(database: PgDatabase) -> None:
    with database.connect() as connection:
        for statement in _SETUP.split(";"):
            connection.execute(statement.encode())


@on_one_server
def test_a_snapshot_of_a_busy_database_is_one_instant(pg_database: PgDatabase) -> None:
    """TRUNCATE, CLUSTER, VACUUM FULL, DROP, CREATE, ALTER and updates never show half-done."""
    _set_up(pg_database)
    whole, refused = 0, []
    with busy(pg_database) as done:
        for _ in range(ROUNDS):
            if whole == WHOLE:
                break
            try:
                with take_snapshot(
                    parameters(pg_database), [pg_database.server.installation]
                ) as snapshot:
                    sink = read_all(snapshot)
                    counts = snapshot.facts(witness=True)["count"]
                    snapshot.confirm()
            except DbopsError as failure:
                refused.append(failure.code)
                continue
            plans = snapshot.streams()
            _check(sink, {p.name: p.detail["columns"] for p in plans if "columns" in p.detail})
            assert {n: int(c) for n, c in counts.items()} == {n: len(sink.rows(n)) for n in counts}
            whole += 1
    assert whole == WHOLE
    assert all(done), "a test without writers proves nothing"
    assert set(refused) <= ALLOWED


def _attempt(server: PgServer, database: str, place: Path, refused: list[str]) -> Sealed | None:
    """A backup, or None and nothing that could be taken for one."""
    place.mkdir()
    try:
        return back_up(engine_of(server, database), place)
    except DbopsError as failure:
        refused.append(failure.code)
    assert not list(place.glob("repository/**/manifest/*"))
    return None


def test_a_backup_of_a_busy_database_is_proven(pg17: PgServer) -> None:
    """What is backed up while definitions and rows change is restored and equals its instant."""
    refused: list[str] = []
    with fresh_database(pg17, "concurrency_source") as source, scratch_directory() as parent:
        _set_up(source)
        with busy(source) as done:
            attempts = (
                _attempt(pg17, source.name, parent / str(number), refused)
                for number in range(ROUNDS)
            )
            sealed = list(islice(filter(None, attempts), BACKED_UP))
        assert len(sealed) == BACKED_UP
        assert all(done), "a test without writers proves nothing"
        assert set(refused) <= ALLOWED
        place = PostgresqlScratchPlace(
            parent, PostgresqlScratch(), lambda: None, (pg17.installation,)
        )
        for each in sealed:
            with place.open(each.contents) as copy:
                copy.restore(each.contents, RestoreOrder(jobs=2))
                assert prove(copy, each.contents, lambda _: None) == ()
                assert isinstance(copy, PostgresqlEngine)
                with connect(parameters_of(copy.address, copy.password)) as session:
                    assert session.value("SELECT sum FROM public.total") == ROWS * 1000
