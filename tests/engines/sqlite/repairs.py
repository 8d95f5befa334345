"""A SQLite file as the site of the repair suite, and short ways into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from dbops.engines.sqlite.repair import SqliteRepairEngine
from dbops.engines.sqlite.repair_values import Plain
from dbops.estate.values import SqliteAddress
from dbops.repair.table import TableName


@dataclass(frozen=True)
class SqliteSite:
    """Implements the suite's `Site` over one file."""

    path: Path

    @property
    def engine(self) -> SqliteRepairEngine:
        return SqliteRepairEngine(SqliteAddress(name="lab", path=self.path))

    def run(self, *statements: str) -> None:
        connection = apsw.Connection(str(self.path))
        try:
            for statement in statements:
                connection.execute(statement).fetchall()
        finally:
            connection.close()

    def put(self, statement: str, rows: Sequence[Sequence[Plain]]) -> None:
        """The statement has run for each of the rows, and is committed."""
        connection = apsw.Connection(str(self.path))
        try:
            with connection:
                connection.executemany(statement, [tuple(row) for row in rows])
        finally:
            connection.close()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        connection = apsw.Connection(str(self.path))
        try:
            return [tuple(row) for row in connection.execute(query)]
        finally:
            connection.close()

    def table(self, name: str) -> TableName:
        return TableName("", name)

    def trigger(self, name: str, table: str, event: str, body: str) -> None:
        self.run(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {body}; END")

    def prepare(self, *tables: str) -> None:
        self.engine.install(self.engine.prepare_sql([self.table(name) for name in tables]))


def made(path: Path, *statements: str) -> SqliteSite:
    """A file in which the statements have run, prepared for repairs."""
    site = SqliteSite(path)
    path.touch()
    site.run(*statements)
    site.prepare()
    return site
