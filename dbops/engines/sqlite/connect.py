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

from dbops.engines.sqlite.faults import (
    BUSY_SECONDS,
    missing,
    not_readable,
    not_writable,
    translated,
)

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
def open_work(name: str, path: Path, *, read_only: bool) -> Iterator[apsw.Connection]:
    """A connection to a database that others may be using, to work on it; it is never made.

    Says what is wrong with a file that cannot be read, or has to be written and cannot
    (Refused `database-read-only`); whatever is open in it at the end is rolled back.
    """
    with open_source(name, path):
        pass
    if not read_only and not _is_writable(path):
        raise not_writable(name, path)
    with translated(name, path):
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
        uri = f"file:{quote(str(path))}"
        connection = apsw.Connection(uri, flags=flags | apsw.SQLITE_OPEN_URI)
    try:
        yield connection
    finally:
        connection.close(force=True)


def _is_writable(path: Path) -> bool:
    """SQLite writes the file, and makes its journal beside it."""
    return os.access(path, os.W_OK, effective_ids=True) and os.access(
        path.resolve().parent, os.W_OK | os.X_OK, effective_ids=True
    )


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
