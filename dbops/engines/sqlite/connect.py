"""Opening SQLite files: the source for reading only, private copies as nobody else sees them.

apsw brings its own SQLite. The standard library's `sqlite3` must never open the same file in the
same process: closing the one would drop the other's POSIX locks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw

from dbops.engines.sqlite.faults import BUSY_SECONDS, missing, not_readable, translated

_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


@contextmanager
def open_source(name: str, path: Path) -> Iterator[apsw.Connection]:
    """A read-only connection to a database that others may be using."""
    _refuse_unreadable(name, path)
    with translated(name, path):
        connection = apsw.Connection(_uri(path, "mode=ro"), flags=_READ_ONLY)
    try:
        connection.set_busy_timeout(BUSY_SECONDS * 1000)
        yield connection
    finally:
        connection.close()


def _refuse_unreadable(name: str, path: Path) -> None:
    """SQLite has one error for what is missing and what may not be read."""
    try:
        found = stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        raise not_readable(name, path) from None
    except OSError:
        found = False
    if not found:
        raise missing(name, path)
    if not os.access(path, os.R_OK, effective_ids=True):
        raise not_readable(name, path)


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
