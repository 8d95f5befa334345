"""The schema as a value: whatever somebody changes shows by name, and the way back is exact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from dbops.change.diff import compare_schemas
from dbops.change.schema import ObjectKind, Schema
from dbops.change.schema_text import schema_text
from dbops.change.touch import parse_touch, touches_of
from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.connect import Session, connect
from tests.engines.postgresql.change_schema_cases import (
    BASE,
    COLUMNS,
    CONSTRAINTS,
    INDEXES,
    TABLES,
    Case,
)
from tests.engines.postgresql.change_schema_cases_programs import DATABASE, PROGRAMS, RIGHTS, TYPES
from tests.engines.postgresql.repair_database import parameters_of
from tests.fix_postgresql import PgServer

CASES = (*TABLES, *COLUMNS, *CONSTRAINTS, *INDEXES, *PROGRAMS, *TYPES, *RIGHTS, *DATABASE)
NAME = "change_schema"


@dataclass(frozen=True, slots=True)
class Hospital:
    """A session whose open transaction has made the schema, and that schema as it was read."""

    session: Session
    base: Schema

    @contextmanager
    def changed(self, sql: str) -> Iterator[Schema]:
        """The schema after these statements; nothing of them stays."""
        self.session.run("SAVEPOINT start")
        try:
            self.session.run(sql)
            yield read_schema(self.session)
        finally:
            self.session.run("ROLLBACK TO SAVEPOINT start")

    def text_after(self, sql: str) -> str:
        """The text of the schema after these statements."""
        with self.changed(sql) as schema:
            return schema_text(schema).decode()


@pytest.fixture(scope="module")
def hospital(pg_server: PgServer) -> Iterator[Hospital]:
    """One database on each server, and one transaction in it, which is never committed."""
    pg_server.drop_database(NAME)
    pg_server.create_database(NAME)
    with connect(parameters_of(pg_server, NAME, pg_server.superuser)) as session:
        session.run("BEGIN")
        session.run("SET LOCAL search_path = public")
        session.run(BASE)
        yield Hospital(session, read_schema(session))
    pg_server.drop_database(NAME)


def touches(before: Schema, after: Schema) -> tuple[str, ...]:
    """The lines that a manifest would have."""
    return tuple(sorted(each.line for each in touches_of(compare_schemas(before, after))))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_change_shows(hospital: Hospital, case: Case) -> None:
    """What a case changes is what the difference names, no more; the way back is exact."""
    with hospital.changed(case.sql) as schema:
        found = touches(hospital.base, schema)
        assert found == tuple(sorted(case.touches))
        assert all(parse_touch(line) is not None for line in found)
        hospital.session.run(case.back)
        again = read_schema(hospital.session)
        assert touches(hospital.base, again) == ()
        assert again.digest == hospital.base.digest


def test_every_kind_is_there(hospital: Hospital) -> None:
    """The schema of these tests has every kind that PostgreSQL has."""
    kinds = {name.kind for name in hospital.base.objects}
    assert kinds == set(ObjectKind) - {ObjectKind.VIRTUAL_TABLE}
    assert hospital.base.unknown == ()
