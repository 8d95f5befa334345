"""One SQLite file as source, target or scratch: assembles the parts into the engine port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from dbops.backup.ports import Contents, Engine, RestoreOrder, Traits
from dbops.doctor.finding import Finding
from dbops.engines.sqlite import restore
from dbops.engines.sqlite.connect import open_copy
from dbops.engines.sqlite.dump import SqliteSnapshot, take_snapshot, utc_now
from dbops.engines.sqlite.faults import translated
from dbops.engines.sqlite.identity import read_identity
from dbops.engines.sqlite.inspect import inspect_file
from dbops.estate.values import SqliteAddress
from dbops.locks import private_directory, sweep_directories

TRAITS = Traits(parallel_read=False)


@dataclass(frozen=True, slots=True)
class SqliteEngine:
    """Implements the `Engine` port for one file."""

    address: SqliteAddress
    clock: Callable[[], datetime] = utc_now

    @property
    def traits(self) -> Traits:
        return TRAITS

    def snapshot(self) -> AbstractContextManager[SqliteSnapshot]:
        return take_snapshot(self.address.name, self.address.path, self.clock)

    def identity(self) -> str:
        """Where the file really lies; with the snapshot's own identity where there is one."""
        return read_identity(self.address.name, self.address.path)

    def obstacles(self) -> tuple[str, ...]:
        return restore.find_obstacles(self.address.path)

    def left_out(self, contents: Contents, order: RestoreOrder) -> tuple[str, ...]:  # noqa: ARG002
        """Nothing: a table's own text names its keys, whether the other table is there or not."""
        return ()

    def refuse_unfit(self, contents: Contents) -> None:
        restore.refuse_no_room(self.address.path, contents)

    def clear(self) -> None:
        restore.clear(self.address.path)

    def restore(self, contents: Contents, order: RestoreOrder) -> None:
        restore.restore(self.address.name, self.address.path, contents, order)

    def inspect(self) -> tuple[Finding, ...]:
        """Implements `Inspectable`: can the file be opened, and copied beside itself?"""
        return tuple(inspect_file(self.address.name, self.address.path))

    def check(self) -> tuple[str, ...]:
        """SQLite's own integrity check; its words may hold values, so only its verdict is kept.

        A row that breaks a CHECK is not found: SQLite reads no checks where it may not write. Such
        a row came from the source, and a faithful copy has it too.
        """
        name, path = self.address.name, self.address.path
        with open_copy(name, path) as connection, translated(name, path):
            findings = connection.execute("PRAGMA integrity_check(100)").fetchall()
        if findings == [("ok",)]:
            return ()
        return (f"integrity_check finds {len(findings)} faults in the restored copy",)

    def compare_schema(self, contents: Contents) -> tuple[str, ...]:  # noqa: ARG002
        """Nothing beyond the facts: SQLite keeps every object's own text, and it is compared."""
        return ()


class SqliteScratch:
    """Implements the `ScratchPlace` port: a private directory for each copy.

    A directory stays locked while its owner lives; the next scratch removes those of the dead.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent

    @property
    def title(self) -> str:
        return f"SQLite {apsw.sqlite_lib_version()}, private directory"

    @contextmanager
    def open(self, contents: Contents) -> Iterator[Engine]:
        sweep_directories(self._parent)
        with private_directory(self._parent, "sqlite") as place:
            name = contents.title.partition("@")[0]
            yield SqliteEngine(SqliteAddress(name=name, path=place / "restored.db"))
