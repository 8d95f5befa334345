"""Put a SQLite backup back: all of it as a file, or some of its tables into a new file.

The file is written beside the target under another name, checked, made durable, and linked to
its name: the target is the whole database or does not exist.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import apsw

from dbops.backup.ports import Contents, RestoreOrder
from dbops.engines.sqlite.beside import private_name
from dbops.engines.sqlite.connect import create_private, open_copy, quoted
from dbops.engines.sqlite.dump import FILE_STREAM
from dbops.engines.sqlite.faults import translated
from dbops.engines.sqlite.rows import list_tables
from dbops.errors import Failed, NotFound, Refused
from dbops.publish import give_name, sync_directory

RESTORE_MARK = ".dbops-restore-"
# A journal or log without its database would be replayed into the restored file.
COMPANIONS = ("-wal", "-shm", "-journal")


def find_obstacles(path: Path) -> tuple[str, ...]:
    """What stands where the database would come."""
    return tuple(f"{item} ({item.lstat().st_size} bytes)" for item in _standing(path))


def refuse_no_room(path: Path, contents: Contents) -> None:
    """Raises Failed where the restored file would not fit, even without the one that goes."""
    wanted = sum(stream.proof.bytes for stream in contents.streams)
    try:
        room = shutil.disk_usage(path.parent).free
    except OSError as failure:
        raise _unwritable(path.parent, failure) from None
    there = sum(item.lstat().st_size for item in _standing(path))
    if wanted > room + there:
        raise Failed(
            "no-space",
            f"{path.parent} has room for {room + there} bytes, the backup needs {wanted}",
            hint=f"free some space, or restore elsewhere: df -h {path.parent}",
        )


def _standing(path: Path) -> Iterator[Path]:
    found = [path, *(path.with_name(path.name + end) for end in COMPANIONS)]
    return (item for item in found if os.path.lexists(item))


def clear(path: Path) -> None:
    """Afterwards nothing stands there."""
    for item in (*(path.with_name(path.name + end) for end in COMPANIONS), path):
        try:
            item.unlink(missing_ok=True)
        except OSError as failure:
            raise Failed(
                "target-unwritable",
                f"{item} cannot be removed ({failure.strerror})",
                hint=f"see what it is, and move it away: ls -ld {item}",
            ) from None


def restore(name: str, path: Path, contents: Contents, order: RestoreOrder) -> None:
    """Afterwards `path` is the database, durable; or nothing is there and an error was raised."""
    if find_obstacles(path):
        raise Refused(
            "target-occupied",
            f"{path} is in the way of the restore",
            hint="name another path, or see: dbops restore run --help",
        )
    with _beside(path) as fresh:
        _write_pages(contents, fresh, order)
        if order.tables is None:
            _publish(fresh, path)
            return
        with _beside(path) as partial:
            _copy_tables(name, fresh, partial, order.tables)
            _publish(partial, path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            fresh = stack.enter_context(private_name(path, RESTORE_MARK))
        except OSError as failure:
            raise _unwritable(path.parent, failure) from None
        yield fresh


def _write_pages(contents: Contents, fresh: Path, order: RestoreOrder) -> None:
    stream = next((item for item in contents.streams if item.name == FILE_STREAM), None)
    with _created(fresh) as descriptor, os.fdopen(descriptor, "wb") as file:
        if stream is not None:
            with contents.open() as reader:
                for block in reader.read(stream):
                    file.write(block)
                    order.advance(len(block))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _created(fresh: Path) -> Iterator[int]:
    try:
        yield os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as failure:
        raise _unwritable(fresh.parent, failure) from None


def _unwritable(directory: Path, failure: OSError) -> Failed:
    return Failed(
        "target-unwritable",
        f"{directory} cannot take the restored database ({failure.strerror})",
        hint=f"check that it exists, is writable and has room: df -h {directory}",
    )


def _publish(fresh: Path, path: Path) -> None:
    """Give the finished file its name, unless somebody took it meanwhile."""
    try:
        give_name(fresh, path)
        sync_directory(path.parent)
    except FileExistsError:
        raise Refused(
            "target-occupied",
            f"{path} is in the way of the restore",
            hint="name another path, or see: dbops restore run --help",
        ) from None
    except OSError as failure:
        raise _unwritable(path.parent, failure) from None


def _copy_tables(name: str, whole: Path, partial: Path, tables: Sequence[str]) -> None:
    """Afterwards `partial` holds the named tables with their rows, indexes and triggers."""
    with open_copy(name, whole) as source:
        known = {str(row[0]) for row in source.execute(_TABLES)}
        encoding = source.execute("PRAGMA encoding").fetchone()
    missing = [table for table in tables if table not in known]
    if missing:
        raise NotFound(
            "no-table",
            f"the backup of {name} has no table {', '.join(missing)}",
            hint="dbops backup show names every table",
        )
    with create_private(name, partial) as target, translated(name, partial):
        target.execute(f"PRAGMA encoding = '{encoding[0] if encoding else 'UTF-8'}'")
        target.execute("ATTACH ? AS whole", (str(whole),))
        for table in tables:
            _copy_table(target, table)


_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
)


def _copy_table(target: apsw.Connection, table: str) -> None:
    statements = target.execute(
        "SELECT sql FROM whole.sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL"
        " ORDER BY type <> 'table', type = 'trigger'",
        (table,),
    ).fetchall()
    with target:
        target.execute(str(statements[0][0]))
        # A virtual table is not listed; its module numbers its rows.
        rowid = next((item.rowid for item in list_tables(target) if item.name == table), None)
        stored = target.execute(
            "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid", (table,)
        )
        names = [quoted(str(row[0])) for row in stored]
        columns = ", ".join([rowid, *names] if rowid else names)
        place = quoted(table)
        target.execute(f"INSERT INTO main.{place} ({columns}) SELECT {columns} FROM whole.{place}")  # noqa: S608 - quoted
        for (statement,) in statements[1:]:
            target.execute(str(statement))
