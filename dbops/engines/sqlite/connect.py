"""Opening SQLite files: the source for reading only, private copies as nobody else sees them.

apsw brings its own SQLite. The standard library's `sqlite3` must never open the same file in the
same process: closing the one would drop the other's POSIX locks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw

from dbops.engines.sqlite.faults import BUSY_SECONDS, translated
from dbops.errors import NotFound

_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


@contextmanager
def open_source(name: str, path: Path) -> Iterator[apsw.Connection]:
    """A read-only connection to a database that others may be using."""
    if not path.is_file():
        raise NotFound(
            "database-missing",
            f"{name}: {path} cannot be opened",
            hint=f"check the path in dbops.toml and its owner: ls -l {path}",
        )
    with translated(name, path):
        connection = apsw.Connection(_uri(path, "mode=ro"), flags=_READ_ONLY)
    try:
        connection.set_busy_timeout(BUSY_SECONDS * 1000)
        yield connection
    finally:
        connection.close()


@contextmanager
def open_copy(name: str, path: Path) -> Iterator[apsw.Connection]:
    """A connection to a finished copy that nobody writes: no locks, no journal beside it."""
    with translated(name, path):
        connection = apsw.Connection(_uri(path, "mode=ro&immutable=1"), flags=_READ_ONLY)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def create_private(name: str, path: Path) -> Iterator[apsw.Connection]:
    """A new, empty database file that only this account can read (mode 0600)."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with translated(name, path):
        connection = apsw.Connection(str(path))
    try:
        yield connection
    finally:
        connection.close()


def quoted(identifier: str) -> str:
    """The identifier as SQL text means it."""
    return '"' + identifier.replace('"', '""') + '"'


def _uri(path: Path, query: str) -> str:
    return f"file:{quote(str(path))}?{query}"
