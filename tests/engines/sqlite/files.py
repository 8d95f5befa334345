"""SQLite files made, read and held by other processes, and this process without its powers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbops.engines.sqlite.engine import SqliteEngine
from dbops.estate.values import SqliteAddress

NOBODY = 65534

_READ = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
connection.text_factory = bytes
schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
for row in sorted(schema, key=repr):
    print(row)
tables = connection.execute(
    "SELECT name FROM sqlite_schema WHERE type = 'table'"
    " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
)
for (table,) in tables.fetchall():
    name = table.decode().replace('"', '""')
    print(table)
    for row in sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr):
        print(row)
"""

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
print("held", flush=True)
sys.stdin.read()
"""

# Every transaction adds one row to each of two tables: at any instant they hold equally many.
# A moment between them is all that a reader of a rollback journal gets; with none at all it can
# wait for ever.
_WRITE = """
import sqlite3, sys, threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
number = 0
while not stop.is_set():
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO one(v) VALUES (hex(randomblob(200)))")
    connection.execute("INSERT INTO two(v) VALUES (hex(randomblob(200)))")
    connection.execute("COMMIT")
    number += 1
    stop.wait(0.002)
    if number == 20:
        print("writing", flush=True)
"""


def engine(path: Path, name: str = "lab") -> SqliteEngine:
    return SqliteEngine(SqliteAddress(name=name, path=path))


def read_all(path: Path) -> bytes:
    """Schema and rows, as the standard library's SQLite reads them in another process."""
    command = [sys.executable, "-c", _READ, str(path)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


@contextmanager
def held(path: Path, *statements: str) -> Iterator[None]:
    """Another process has the file open and has run the statements."""
    with _child(_HOLD, path, *statements):
        yield


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Another process writes to the file all the time."""
    with _child(_WRITE, path):
        yield


@contextmanager
def _child(program: str, *arguments: object) -> Iterator[None]:
    child = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline()
        yield


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A directory that anybody can enter, seen without root's powers; for files made there before.

    Yields the directory while the process still has its powers; call `give_up` to lose them.
    """
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        try:
            yield Path(place)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)


def give_up() -> None:
    """Afterwards this process has no more rights than any other account."""
    if os.getuid() == 0:
        os.seteuid(NOBODY)
