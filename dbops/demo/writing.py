"""Writes the made-up databases with the standard library's SQLite, in a process of its own.

    python -m dbops.demo.writing build DIRECTORY SEED
    python -m dbops.demo.writing live DIRECTORY SEED
    python -m dbops.demo.writing act DIRECTORY ACT
    python -m dbops.demo.writing digest DIRECTORY TABLE

The rest of dbops reads SQLite through another copy of the library. Two copies in one process would
drop each other's file locks (POSIX locks belong to the process), so this module is not imported by
the rest of dbops: `dbops/demo/hospital.py` starts it as a child.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from random import Random

from dbops.demo.kinds.assignment import FileLayout, kinds, layout_of
from dbops.demo.systems import DemoSystem, read_systems
from dbops.demo.tables import Column, Kind, Table
from dbops.demo.values import HISTORY, Batch, Value
from dbops.demo.wrong_ward import DATABASE, STATEMENTS, Act

Keys = dict[str, Sequence[Value]]


def main(arguments: Sequence[str]) -> None:
    """Do what `arguments` say: the work, a directory, and what the work needs to know."""
    work, directory, what = arguments
    os.umask(0o077)
    wards = Path(directory, f"{DATABASE}.db")
    match work:
        case "act":
            act_in_database(wards, Act(what))
        case "digest":
            print(digest_of_table(wards, what))  # noqa: T201 - the parent reads it
        case _:
            _in_every_database(work, Path(directory), int(what))


def _in_every_database(work: str, directory: Path, seed: int) -> None:
    kind_of = kinds()
    verb = {"build": build_database, "live": live_in_database}[work]
    for system in read_systems():
        verb(directory / f"{system.code}.db", system, kind_of[system.code], seed)


def build_database(path: Path, system: DemoSystem, kind: Kind, seed: int) -> None:
    """Write the new database of `system`; a crash leaves a file that is not to be used."""
    rng = _random(seed, system, "build")
    scale = rng.uniform(0.85, 1.15)
    layout = layout_of(system.code)
    with _opened(path) as database:
        _lay_out(database, layout, system.no)
        database.execute("BEGIN")
        _fill(database, kind, rng, scale)
        for table in kind.tables:
            for index in table.index_ddl():
                database.execute(index)
        for definition in kind.definitions:
            database.execute(definition)
        database.execute("COMMIT")
        if layout.wal:
            database.execute("PRAGMA journal_mode = WAL")


def live_in_database(path: Path, system: DemoSystem, kind: Kind, seed: int) -> None:
    """Do one day's work in the database of `system`, in one transaction."""
    rng = _random(seed, system, "live")
    today = (date.fromisoformat(HISTORY[-1]) + timedelta(days=1 + seed % 365)).isoformat()
    with _opened(path) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("BEGIN")
        keys = {table.name: _keys(database, table) for table in kind.tables}
        for table in kind.tables:
            _work(database, table, rng, today, keys)
        database.execute("COMMIT")


def act_in_database(path: Path, act: Act) -> None:
    """Do what one person does in the story of the wrong ward, in one transaction."""
    with _opened(path) as database:
        database.execute("BEGIN")
        for statement, bound in STATEMENTS[act]:
            database.execute(statement, bound)
        database.execute("COMMIT")


def digest_of_table(path: Path, table: str) -> str:
    """The sha256 of every value of the table, with its type, in the order of the keys."""
    seen = hashlib.sha256()
    with _opened(path) as database:
        for row in database.execute(f'SELECT * FROM "{table}" ORDER BY 1'):  # noqa: S608 - own names
            seen.update(repr(row).encode())
    return seen.hexdigest()


def _random(seed: int, system: DemoSystem, work: str) -> Random:
    """Return random numbers that depend on nothing but the seed, the system and the work."""
    return Random(f"{seed}/{system.code}/{work}")  # noqa: S311 - made-up data, not a secret


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database without waiting for the disk: nobody misses a demo after a power cut."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        yield database


def _lay_out(database: sqlite3.Connection, layout: FileLayout, number: int) -> None:
    database.execute(f"PRAGMA page_size = {layout.page_size}")
    database.execute(f"PRAGMA encoding = '{layout.encoding}'")
    database.execute(f"PRAGMA auto_vacuum = {'FULL' if layout.auto_vacuum else 'NONE'}")
    database.execute(f"PRAGMA user_version = {number}")
    database.execute("PRAGMA journal_mode = OFF")


def _fill(database: sqlite3.Connection, kind: Kind, rng: Random, scale: float) -> None:
    keys: Keys = {}
    for table in kind.tables:
        database.execute(table.ddl())
        count = round(table.rows * scale) if table.grows else table.rows
        batch = Batch(rng, 1, count, HISTORY, keys)
        keys[table.name] = _insert(database, table, batch)


def _insert(database: sqlite3.Connection, table: Table, batch: Batch) -> Sequence[Value]:
    """Insert the batch and return the new keys."""
    values = [column.make(batch) for column in table.columns]
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - own names
    database.executemany(statement, zip(*values, strict=True))
    return values[0]


def _keys(database: sqlite3.Connection, table: Table) -> list[Value]:
    name = table.columns[0].name
    statement = f'SELECT {name} FROM "{table.name}" ORDER BY {name}'  # noqa: S608 - own names
    return [key for (key,) in database.execute(statement)]


def _work(
    database: sqlite3.Connection,
    table: Table,
    rng: Random,
    today: str,
    keys: Mapping[str, Sequence[Value]],
) -> None:
    """Change about 1 % of the rows, remove about 0.5 %, and add about 1.5 %."""
    present = list(keys[table.name])
    for name in table.changing:
        chosen = rng.sample(present, k=1 + len(present) // 100)
        batch = Batch(rng, 1, len(chosen), (today,), keys)
        _change(database, table, table.column(name), chosen, batch)
    if table.shrinks:
        _remove(database, table, rng.sample(present, k=1 + len(present) // 200))
    if table.grows:
        last = present[-1]
        first = last + 1 if isinstance(last, int) else 1
        _insert(database, table, Batch(rng, first, 1 + len(present) * 3 // 200, (today,), keys))


def _change(
    database: sqlite3.Connection, table: Table, column: Column, chosen: list[Value], batch: Batch
) -> None:
    where = f"WHERE {table.columns[0].name} = ?"
    statement = f'UPDATE "{table.name}" SET {column.name} = ? {where}'  # noqa: S608 - own names
    database.executemany(statement, zip(column.make(batch), chosen, strict=True))


def _remove(database: sqlite3.Connection, table: Table, chosen: list[Value]) -> None:
    where = f"WHERE {table.columns[0].name} = ?"
    statement = f'DELETE FROM "{table.name}" {where}'  # noqa: S608 - own names
    database.executemany(statement, ((key,) for key in chosen))


if __name__ == "__main__":
    main(sys.argv[1:])
