"""Whatever is done and whatever comes between: undo restores what nobody touched, or refuses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import apsw
import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings

from dbops.errors import DbopsError
from dbops.repair.report import RunReport
from tests.engines.postgresql.repair_database import PgSite
from tests.engines.sqlite.repairs import SqliteSite
from tests.repair.bench import Bench, repair, watch
from tests.repair.random_work import (
    DATA,
    LATER,
    SCHEMAS,
    SCRIPTS,
    TABLES,
    Rows,
    Schema,
    by_key,
    differing_keys,
    operations,
)

# The bench is made anew for each example, by hand.
EXAMPLES = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
FEW = settings(EXAMPLES, max_examples=8)
SOME = settings(EXAMPLES, max_examples=150)
MANY = settings(EXAMPLES, max_examples=1000)
CONSTRAINTS = {"constraint", "constraint-violated"}


class Trial(Protocol):
    """A transaction of somebody else's, statement by statement."""

    def try_(self, statement: str) -> bool:
        """Whether the statement ran; if not, it left nothing."""
        ...

    def rows(self, query: str) -> list[tuple[object, ...]]: ...


class SqliteTrial:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def try_(self, statement: str) -> bool:
        try:
            with self._connection:
                self._connection.execute(statement)
        except apsw.ConstraintError:
            return False
        return True

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self._connection.execute(query)]


class PgTrial:
    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def try_(self, statement: str) -> bool:
        try:
            with self._connection.transaction():
                self._connection.execute(statement.encode())
        except psycopg.IntegrityError:
            return False
        return True

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return list(self._connection.execute(query.encode()).fetchall())


@contextmanager
def trial(bench: Bench, *, keep: bool) -> Iterator[Trial]:
    """A transaction that enforces foreign keys; its work stays where `keep` says so."""
    if isinstance(bench.site, PgSite):
        with bench.site.database.connect() as pg:
            pg.autocommit = False
            yield PgTrial(pg)
            pg.commit() if keep else pg.rollback()
    elif isinstance(bench.site, SqliteSite):
        lite = apsw.Connection(str(bench.site.path))
        lite.execute("PRAGMA foreign_keys = ON; BEGIN")
        yield SqliteTrial(lite)
        lite.execute("COMMIT" if keep else "ROLLBACK")
        lite.close()


def run_some(bench: Bench, statements: Sequence[str]) -> RunReport | None:
    """Run those of the statements that do not fail; None where they write nothing."""
    with trial(bench, keep=False) as tried:
        before = by_key(tried.rows)
        kept = [statement for statement in statements if tried.try_(statement)]
        wanted = operations(before, by_key(tried.rows))
    if not kept:
        return None
    names = {"a": "u", "b": "a", "c": "up"}
    watches = [
        watch(
            table,
            insert=wanted[table].inserted,
            update=wanted[table].updated,
            delete=wanted[table].deleted,
            may_change=("v", "x", "y", names[table]),
            rewrites=True,
        )
        for table in TABLES
    ]
    return bench.run(repair(*watches), "; ".join(kept))


def check(bench: Bench, schema: Schema, data: list[str], work: list[str], later: list[str]) -> None:
    """Run, let somebody work, undo: every row is as before, or all are as they were left."""
    bench.site.run(*schema.statements)
    bench.site.prepare(*TABLES)
    with trial(bench, keep=True) as filling:
        for statement in schema.spelled(data):
            filling.try_(statement)
    before = by_key(bench.site.rows)
    run = run_some(bench, schema.spelled(work))
    assume(run is not None and run.rows)
    assert run is not None
    after = by_key(bench.site.rows)
    with trial(bench, keep=True) as somebody:
        for statement in schema.spelled(later):
            somebody.try_(statement)
    left = by_key(bench.site.rows)
    judge(bench, schema, run, (before, after, left))


def judge(bench: Bench, schema: Schema, run: RunReport, states: tuple[Rows, Rows, Rows]) -> None:
    before, after, left = states
    ours, theirs = differing_keys(before, after), differing_keys(after, left)
    refusal = undo_or_refusal(bench, run)
    now = by_key(bench.site.rows)
    if refusal is None:
        assert not ours & theirs
        assert {(t, key): now[t].get(key) for t, key in ours} == {
            (t, key): before[t].get(key) for t, key in ours
        }
        assert differing_keys(left, now) <= ours
        return
    assert now == left
    assert (bench.markers("w-1-undo"), len(bench.files)) == ([], 1)
    if ours & theirs:
        assert refusal in {"undo-conflict", "undo-already"}
    else:
        # Only what others did beside these rows may forbid it, or a unique value that two of
        # the rows had taken from each other.
        assert refusal in {"undo-children", *CONSTRAINTS}
        assert theirs or schema.unique


def undo_or_refusal(bench: Bench, run: RunReport) -> str | None:
    """The code of the error, None where all was undone."""
    try:
        bench.undo(run)
    except DbopsError as error:
        return error.code
    return None


@given(schema=SCHEMAS, data=DATA, work=SCRIPTS, later=LATER)
@EXAMPLES
def test_run_then_undo_on_sqlite(
    schema: Schema, data: list[str], work: list[str], later: list[str]
) -> None:
    """Random schema, rows, statements and later edits."""
    with tempfile.TemporaryDirectory() as directory:
        check(lite_bench(Path(directory)), schema, data, work, later)


@given(schema=SCHEMAS, data=DATA, work=SCRIPTS, later=LATER)
@FEW
def test_run_then_undo_on_postgresql(
    pg_repair_site: PgSite, schema: Schema, data: list[str], work: list[str], later: list[str]
) -> None:
    """The same on a server."""
    pg_repair_site.reset()
    with tempfile.TemporaryDirectory() as directory:
        check(Bench(pg_repair_site, Path(directory)), schema, data, work, later)


@pytest.mark.sweep
@given(schema=SCHEMAS, data=DATA, work=SCRIPTS, later=LATER)
@MANY
def test_run_then_undo_many_times(
    schema: Schema, data: list[str], work: list[str], later: list[str]
) -> None:
    """The same, long enough to meet rare orders of tables."""
    with tempfile.TemporaryDirectory() as directory:
        check(lite_bench(Path(directory)), schema, data, work, later)


@pytest.mark.sweep
@given(schema=SCHEMAS, data=DATA, work=SCRIPTS, later=LATER)
@SOME
def test_run_then_undo_many_times_on_a_server(
    pg_repair_site: PgSite, schema: Schema, data: list[str], work: list[str], later: list[str]
) -> None:
    """The same on a server, where each example takes its time."""
    pg_repair_site.reset()
    with tempfile.TemporaryDirectory() as directory:
        check(Bench(pg_repair_site, Path(directory)), schema, data, work, later)


def lite_bench(directory: Path) -> Bench:
    """A bench over an empty SQLite file."""
    (directory / "lab.db").touch()
    (directory / "bundles").mkdir(mode=0o700)
    return Bench(SqliteSite(directory / "lab.db"), directory / "bundles")
