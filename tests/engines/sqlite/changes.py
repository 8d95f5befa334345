"""A SQLite file as the site of the change suite, and short ways into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dbops.change.diff import compare_schemas
from dbops.change.ports import ChangeSession, StepEffect
from dbops.change.schema import ObjectKind, ObjectName, Schema
from dbops.change.touch import touch_of
from dbops.engines.sqlite.change import SqliteChangeEngine
from dbops.estate.values import SqliteAddress
from tests.engines.change_suite_site import reading, step
from tests.engines.sqlite.files import held
from tests.engines.sqlite.repairs import SqliteSite


@dataclass(frozen=True)
class SqliteChangeSite(SqliteSite):
    """Implements the suite's `ChangeSite` over one file."""

    @property
    def engine(self) -> SqliteChangeEngine:  # type: ignore[override] # another port's
        return SqliteChangeEngine(SqliteAddress(name="lab", path=self.path))

    def full(self, table: str) -> str:
        return table

    def table(self, table: str) -> ObjectName:  # type: ignore[override] # another port's
        return ObjectName(ObjectKind.TABLE, (table,))

    def column(self, table: str, name: str) -> ObjectName:
        return ObjectName(ObjectKind.COLUMN, (table, name))

    def spoil_journal(self) -> None:
        self.run("CREATE TABLE dbops_change (what TEXT)")

    @contextmanager
    def holding(self, table: str) -> Iterator[None]:  # noqa: ARG002 - all of the file
        with held(self.path, "BEGIN IMMEDIATE"):
            yield


def schema_of(site: SqliteChangeSite) -> Schema:
    """The schema as another session reads it."""
    with reading(site) as session:
        return session.schema()


def ran(session: ChangeSession, *statements: str) -> list[StepEffect]:
    """Each has run as a step, in order."""
    return [session.run(step(text, number)) for number, text in enumerate(statements, 1)]


def lines(before: Schema, after: Schema) -> list[str]:
    """The differences as the lines of `touches:` that cover just them."""
    return [touch_of(each).line for each in compare_schemas(before, after)]
