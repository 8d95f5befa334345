"""A hospital's changes carried out one after the other, as an engineer and dbops would do it.

Each is held against the rules, rehearsed on a copy and run on the original; at the end all of them
are taken back, the last one first.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from dbops.backup.ports import RestoreOrder
from dbops.change.diff_text import parse_diff
from dbops.change.manifest import Change
from dbops.change.manifest_text import parse_change
from dbops.change.parts import parts_of
from dbops.change.ports import ChangeEngine, SessionOrder, TableSize
from dbops.change.rehearsal import ChangeRehearsal, ChangeRehearsalOrder
from dbops.change.rehearse import rehearse_change
from dbops.change.rehearsed_files import difference_file, end_files, source_file
from dbops.change.report import ChangeReport
from dbops.change.revert import revert_change
from dbops.change.rules.finding import Facts
from dbops.change.rules.lint import lint
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun, Rehearsed
from dbops.change.schema import ObjectName, Schema
from dbops.change.schema_text import parse_schema
from dbops.change.script import steps_of, verify_steps
from dbops.change.stage import Moment
from dbops.change.step import Direction, Step
from dbops.engines.postgresql.change import PostgresqlChangeEngine
from dbops.engines.sqlite.change import SqliteChangeEngine
from dbops.estate.values import SqliteAddress
from dbops.review.finding import Report
from dbops.review.folder import read_work
from dbops.review.work import Work
from tests.engines.postgresql.repair_database import parameters_of
from tests.engines.postgresql.sealed import (
    back_up,
    engine_of,
    fresh_database,
    scratch_directory,
)
from tests.fix_postgresql import PgServer

PLACE = Path(__file__).parent
FOLDERS = tuple(sorted((PLACE / "changes").iterdir()))
NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)


class Original(Protocol):
    """A database as the hospital uses it, of which copies can be made."""

    @property
    def engine(self) -> ChangeEngine: ...

    def copied(self) -> AbstractContextManager[ChangeEngine]: ...


@dataclass(frozen=True, slots=True)
class PgOriginal:
    """A database of a running server."""

    server: PgServer
    name: str

    @property
    def engine(self) -> ChangeEngine:
        return self._engine(self.name)

    @contextmanager
    def copied(self) -> Iterator[ChangeEngine]:
        """Backed up and restored: a server prints some of a restored schema in other words."""
        name = f"{self.name}_copy"
        with scratch_directory() as directory, fresh_database(self.server, name):
            sealed = back_up(engine_of(self.server, self.name), directory)
            engine_of(self.server, name).restore(sealed.contents, RestoreOrder())
            yield self._engine(name)

    def _engine(self, name: str) -> PostgresqlChangeEngine:
        return PostgresqlChangeEngine(
            lambda: parameters_of(self.server, name, self.server.superuser)
        )


@dataclass(frozen=True, slots=True)
class SqliteOriginal:
    """A file that nobody has open."""

    path: Path

    @property
    def engine(self) -> ChangeEngine:
        return self._engine(self.path)

    @contextmanager
    def copied(self) -> Iterator[ChangeEngine]:
        copy = self.path.with_suffix(".copy")
        shutil.copyfile(self.path, copy)
        yield self._engine(copy)
        copy.unlink()

    def _engine(self, path: Path) -> SqliteChangeEngine:
        return SqliteChangeEngine(SqliteAddress(name="lab", path=path))


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change as its folder has it."""

    work: Work
    change: Change
    up: tuple[Step, ...]
    down: tuple[Step, ...]
    verify: tuple[Step, ...]

    @property
    def database(self) -> str:
        """The one of the last ring."""
        return self.change.databases[-1]


@dataclass(frozen=True, slots=True)
class Looked:
    """A database at one instant, with about how large its tables are, and their rows."""

    schema: Schema
    sizes: Mapping[ObjectName, TableSize]
    counts: Mapping[ObjectName, int]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the rules say of a change, and what it came to on a copy of `source`."""

    proposed: Proposed
    lint: Report
    source: Schema
    found: ChangeRehearsal


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of a change on the original."""

    rehearsal: Rehearsal
    order: ChangeRun
    report: ChangeReport

    @property
    def change(self) -> Change:
        """What it says of itself."""
        return self.order.change


@dataclass(frozen=True, slots=True)
class History:
    """All changes of a database, and how each was taken back: last in, first out."""

    start: Looked
    carried: tuple[Carried, ...]
    reverted: tuple[ChangeReport, ...]
    end: Looked


def proposed(folder: Path) -> Proposed:
    """The change of a folder; raises Refused for what its grammar does not allow."""
    work = read_work(PLACE, folder)
    up, down = (steps_of(work, way) for way in Direction)
    return Proposed(work, parse_change(work), up, down, verify_steps(work))


def changes_of(database: str) -> tuple[Proposed, ...]:
    """All changes that a database is to have, in their order."""
    found = map(proposed, FOLDERS)
    return tuple(each for each in found if database in each.change.databases)


def history_of(original: Original, changes: tuple[Proposed, ...]) -> History:
    """Everything done, and everything taken back.

    The copy is made once and goes along: to make one for each change would cost more than to
    rehearse it.
    """
    start = looked(original.engine)
    before = start.schema
    carried: list[Carried] = []
    with original.copied() as copy:
        for each in changes:
            found = rehearsed(copy, each, before, start.sizes)
            order = _order(original.engine, found, changes)
            report = run_change(order, original.engine, unobserved)
            carried.append(Carried(found, order, report))
            before = report.after  # or the next run finds that the database has drifted
    reverted = tuple(
        revert_change(_anew(each.order), original.engine, unobserved) for each in reversed(carried)
    )
    return History(start, tuple(carried), reverted, looked(original.engine))


def looked(engine: ChangeEngine) -> Looked:
    """The schema and the rows of each table."""
    order = SessionOrder(
        work="look",
        lock_wait=timedelta(seconds=1),
        statement=timedelta(seconds=30),
        read_only=True,
    )
    with engine.session(order) as session:
        return Looked(session.schema(), session.sizes(), session.counts())


def unobserved(_moment: Moment) -> None:
    """Nobody looks on."""


def rehearsed(
    copy: ChangeEngine, found: Proposed, source: Schema, sizes: Mapping[ObjectName, TableSize]
) -> Rehearsal:
    """What the rules and a rehearsal on the copy say; the copy has the change afterwards."""
    dialect = copy.traits.dialect
    order = ChangeRehearsalOrder(
        work=found.work,
        change=found.change,
        up=found.up,
        down=found.down,
        verify=found.verify,
        host="verify-1",
        database=found.database,
        backup=f"{found.database}@12",
        taken=NOW - timedelta(hours=20),
        proof="restored and compared",
        source=source,
    )
    up, down = parts_of(found.up, copy), parts_of(found.down, copy)
    said = lint(found.change, up, down, dialect, Facts(source, sizes))
    return Rehearsal(found, said, source, rehearse_change(order, copy, lambda: NOW))


def _order(engine: ChangeEngine, found: Rehearsal, others: tuple[Proposed, ...]) -> ChangeRun:
    """What is run: with what stands in the files beside the change now, as a run reads them."""
    own = found.proposed
    change, database = own.change, own.database
    work = replace(own.work, files={**own.work.files, **found.found.files})
    source, difference = source_file(database), difference_file(database)
    paths = end_files(database, work.files)
    ends = {end: parse_diff(work.files[path], path) for end, path in paths.items()}
    return ChangeRun(
        change=change,
        up=own.up,
        down=own.down,
        verify=own.verify,
        plan=work.plan,
        run=secrets.token_hex(16),
        database=database,
        identity=engine.identity(),
        rehearsed=Rehearsed(
            parse_schema(work.files[source], source),
            parse_diff(work.files[difference], difference),
            found.found.evidence.locks,
            ends,
        ),
        required_by=tuple(each.change.id for each in others if change.id in each.change.requires),
    )


def _anew(order: ChangeRun) -> ChangeRun:
    return replace(order, run=secrets.token_hex(16))
