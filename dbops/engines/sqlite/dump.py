"""One instant of a SQLite file, as a private copy that is read page by page.

The online backup API copies in one step inside one read transaction, so that a busy writer cannot
make it start over for ever. A WAL database lets others write meanwhile: its rows are proven from
the source in that same transaction. Elsewhere a reader blocks writers, so the transaction only
counts the rows of every table, and the rows are proven from the copy.

The copy is the one plaintext that a backup leaves on disk: in the source's own directory, mode
0600, removed at the end; what a crash leaves is removed by the next backup.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from dbops.backup.ports import RangeSink, StreamPlan, Unit
from dbops.engines.sqlite.beside import private_name
from dbops.engines.sqlite.connect import create_private, open_copy, open_source
from dbops.engines.sqlite.faults import translated
from dbops.engines.sqlite.rows import list_tables, prove_table
from dbops.engines.sqlite.schema import read_facts
from dbops.errors import Failed, Refused
from dbops.repository.frames import Payload
from dbops.repository.manifest import Facts, Gap
from dbops.repository.ranges import Proof

PAGES_PER_RANGE = 256
FILE_STREAM = "file"
PAGE_SIZE = "page_size"
COPY_MARK = ".dbops-copy-"


def utc_now() -> datetime:
    """The host's clock: SQLite has no server whose clock would count."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PageReader:
    """Reads ranges of pages from the copy."""

    path: Path

    def read(self, unit: Unit, sink: RangeSink) -> None:
        """Afterwards the sink has the unit's ranges; raises Failed where the copy is short."""
        page_size, pages = (int(value) for value in unit.spec)
        with self.path.open("rb", buffering=0) as source:
            for index in range(unit.first, unit.first + unit.count):
                first = index * PAGES_PER_RANGE
                count = min(PAGES_PER_RANGE, pages - first)
                source.seek(first * page_size)
                block = source.read(count * page_size)
                if len(block) != count * page_size:
                    raise Failed(
                        "copy-short",
                        f"the private copy ends in range {index}",
                        hint="check the disk: dmesg; then run the command again",
                    )
                sink.begin(unit.stream, index, unit.payload)
                sink.write(block)
                sink.end(count)

    def close(self) -> None:
        """Nothing stays open between units."""


@dataclass(frozen=True, slots=True)
class PageRecipe:
    """How a worker reads the copy."""

    path: Path

    def open(self) -> PageReader:
        return PageReader(self.path)


class SqliteSnapshot:
    """Implements the `Snapshot` port over a private copy."""

    def __init__(
        self,
        name: str,
        copy: Path,
        taken_at: datetime,
        facts: Facts,
        tables: Callable[[bytes], dict[str, Proof]],
    ) -> None:
        self._copy = copy
        self._name = name
        self._facts = facts
        self._tables = tables
        self._taken_at = taken_at

    @property
    def identity(self) -> str:
        return f"sqlite:{self._facts['pragma']['application_id']}:{self._name}"

    @property
    def server(self) -> str:
        return f"SQLite {apsw.sqlite_lib_version()}"

    @property
    def taken_at(self) -> datetime:
        return self._taken_at

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return ()

    @property
    def recipe(self) -> PageRecipe:
        return PageRecipe(self._copy)

    def streams(self) -> Sequence[StreamPlan]:
        page_size = int(self._facts["pragma"]["page_size"])
        size = self._copy.stat().st_size
        pages = size // page_size
        ranges = -(-pages // PAGES_PER_RANGE)
        unit = Unit(FILE_STREAM, Payload.PAGES, 0, ranges, size, (page_size, pages))
        detail = {PAGE_SIZE: str(page_size)}
        return (StreamPlan(FILE_STREAM, Payload.PAGES, (unit,) if ranges else (), detail),)

    def tables(self, key: bytes) -> dict[str, Proof]:
        return self._tables(key)

    def facts(self, *, witness: bool) -> Facts:  # noqa: ARG002 - SQLite proves from the source
        return self._facts

    def confirm(self) -> None:
        """The copy is private: nothing can have changed it."""


@contextmanager
def take_snapshot(
    name: str, path: Path, clock: Callable[[], datetime] = utc_now
) -> Iterator[SqliteSnapshot]:
    """Hold one instant of the database; the copy is removed when the context ends."""
    with open_source(name, path) as source, _private_copy(name, path) as copy:
        with translated(name, path):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            taken_at = clock()
            facts = read_facts(source)
            _copy_pages(name, source, copy)
            writers_go_on = facts["pragma"]["journal_mode"] == "wal"
            if not writers_go_on:
                source.execute("COMMIT")
        _refuse_corrupt(name, copy)

        def tables(key: bytes) -> dict[str, Proof]:
            with translated(name, path):
                if writers_go_on:
                    return _prove_all(source, key)
                with open_copy(name, copy) as connection:
                    return _prove_all(connection, key)

        yield SqliteSnapshot(name, copy, taken_at, facts, tables)


def _prove_all(connection: apsw.Connection, key: bytes) -> dict[str, Proof]:
    return {table.name: prove_table(connection, table, key) for table in list_tables(connection)}


def _copy_pages(name: str, source: apsw.Connection, copy: Path) -> None:
    with create_private(name, copy) as target:
        target.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF").fetchall()
        with target.backup("main", source, "main") as backup:
            backup.step(-1)


def _refuse_corrupt(name: str, copy: Path) -> None:
    """A damaged database makes backups that can never be proven: say so on the first night."""
    with open_copy(name, copy) as connection, translated(name, copy):
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone() or ("",)
    if verdict != "ok":
        raise Failed(
            "database-corrupt",
            f"{name} is corrupt: SQLite's quick_check finds damage",
            hint="keep the file as it is, and restore the last proven backup: dbops backup list",
        )


@contextmanager
def _private_copy(name: str, path: Path) -> Iterator[Path]:
    """A name for the copy, whose file is gone when the context ends."""
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(private_name(path, COPY_MARK))
        except OSError as failure:
            reason = errno.errorcode.get(failure.errno or 0, "unknown")
            raise Refused(
                "copy-refused",
                f"{name}: no private copy can be made in {path.parent} ({reason})",
                hint=f"give this account write access to that directory: ls -ld {path.parent}",
            ) from None
        yield copy
