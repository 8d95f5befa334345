"""Whether a SQLite file can be backed up: opened, read, and copied beside itself."""

from __future__ import annotations

import glob
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import apsw

from dbops.doctor.finding import Finding, ok, problem, warning
from dbops.engines.sqlite.connect import open_source
from dbops.engines.sqlite.dump import COPY_MARK
from dbops.engines.sqlite.faults import translated
from dbops.locks import claim_if_dead

LARGE_WAL = 64 << 20


def inspect_file(name: str, path: Path) -> Iterator[Finding]:
    """Findings about the file; its rows are not read. Raises DbopsError where it does not open."""
    with open_source(name, path) as connection, translated(name, path):
        # The first statement that reads the file: the pragmas alone would not notice encryption.
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() or (0,)
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone() or ("",)
    size = path.stat().st_size
    yield ok(
        "sqlite-opens",
        f"SQLite {apsw.sqlite_lib_version()} opens {path}: {objects} objects,"
        f" {_megabytes(size)}, journal mode {mode}",
    )
    wal = _size(path.with_name(path.name + "-wal"))
    if wal > max(LARGE_WAL, size):
        yield warning(
            "sqlite-wal",
            f"the write-ahead log of {name} has grown to {_megabytes(wal)}:"
            " no checkpoint gets done",
            "end the reader that holds it up, then: PRAGMA wal_checkpoint(TRUNCATE)",
        )
    yield from _check_mode(name, path)
    yield from _check_place(name, path, size + wal)
    yield from _check_copies(name, path)


def _check_mode(name: str, path: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IROTH and path.parent.stat().st_mode & stat.S_IXOTH:
        yield warning(
            "sqlite-readable-by-all",
            f"every account of this host can read {name} (mode {mode:04o})",
            f"chmod o-rwx {path}",
        )


def _check_place(name: str, path: Path, needed: int) -> Iterator[Finding]:
    """A backup makes a private copy in the same directory."""
    if not os.access(path.parent, os.W_OK | os.X_OK):
        yield problem(
            "sqlite-directory",
            f"this account cannot write into {path.parent}, where {name} is copied for its backup",
            f"give it write access: ls -ld {path.parent}",
        )
        return
    free = shutil.disk_usage(path.parent).free
    text = f"{_megabytes(free)} are free beside {name}, and its copy needs {_megabytes(needed)}"
    if free < needed:
        yield problem("sqlite-room", text, f"free some space: df -h {path.parent}")
    else:
        yield ok("sqlite-room", text)


def _check_copies(name: str, path: Path) -> Iterator[Finding]:
    """Copies hold rows in clear; those of killed backups go with the next backup."""
    dead = 0
    for lock in path.parent.glob(f"{glob.escape(path.name)}{COPY_MARK}*.lock"):
        with claim_if_dead(lock) as is_dead:
            dead += is_dead
    if dead:
        yield warning(
            "sqlite-copies",
            f"{dead} private copies of {name} were left by backups that were killed",
            f"the next backup removes them: dbops backup run {name}",
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
