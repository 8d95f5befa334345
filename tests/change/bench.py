"""A bench for whole changes: a real database with tables, a view and triggers, and short words.

`Bench.order` is a change of it as it would be approved; `Bench.rehearsed` is what a rehearsal would
have seen, found in a transaction that is rolled back.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from dbops.change.diff import Difference, compare_schemas
from dbops.change.manifest import Change, DataLoss, Limits, Ring
from dbops.change.parts import judged_last, parts_of
from dbops.change.ports import (
    ChangeSession,
    CommitUnknown,
    JournalEntry,
    Lock,
    SessionOrder,
    StepEffect,
)
from dbops.change.report import ChangeReport
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun, Rehearsed
from dbops.change.schema import Schema
from dbops.change.script import parse_steps
from dbops.change.stage import Moment, Stage
from dbops.change.standing import State, standing_of
from dbops.change.step import Direction, Step
from dbops.change.touch import Touch, parse_touch, touches_of
from dbops.errors import Failed
from dbops.review.policy_document import FailedVerify
from dbops.review.work import Risk
from tests.change.wrapped import PassedOn, Wrapped
from tests.engines.change_suite_site import ChangeSite, journal_of, reading
from tests.engines.postgresql.change_database import PgChangeSite
from tests.engines.sqlite.changes import SqliteChangeSite

LIMITS = Limits(
    lock_wait=timedelta(milliseconds=100),
    statement=timedelta(seconds=20),
    attempts=3,
    pause=timedelta(seconds=10),
)
TABLES = (
    "CREATE TABLE {ward} (code varchar(20) NOT NULL PRIMARY KEY, name varchar(40))",
    "CREATE TABLE {visit} (id integer NOT NULL PRIMARY KEY, ward varchar(20), note varchar(40),"
    " CONSTRAINT visit_ward FOREIGN KEY (ward) REFERENCES {ward} (code)"
    " DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE {audit} (visit integer, what varchar(20))",
    "CREATE VIEW {open_visit} AS SELECT id, ward FROM {visit} WHERE ward IS NOT NULL",
    "INSERT INTO {ward} VALUES ('OLD', 'closed'), ('ORT', 'orthopaedics')",
    "INSERT INTO {visit} VALUES (1, 'OLD', 'a'), (2, 'ORT', 'b'), (3, NULL, 'b')",
)
UP = """
-- step: rooms
CREATE TABLE {room} (code varchar(20) NOT NULL PRIMARY KEY);
-- step: phones
ALTER TABLE {ward} ADD COLUMN phone varchar(20);
"""
DOWN = "ALTER TABLE {ward} DROP COLUMN phone; DROP TABLE {room};"
VERIFY = "SELECT count(*) = 0 FROM {room};"
TOUCHES = ("create table {room}", "create column {ward}.phone")


# A step in the middle that PostgreSQL runs only outside of a transaction.
APART_UP = """
CREATE TABLE {room} (code varchar(20) NOT NULL PRIMARY KEY);
-- step: notes
CREATE INDEX CONCURRENTLY visit_note ON {visit} (note);
ALTER TABLE {ward} ADD COLUMN phone varchar(20);
"""
APART_DOWN = """
ALTER TABLE {ward} DROP COLUMN IF EXISTS phone;
DROP INDEX CONCURRENTLY IF EXISTS {visit_note};
DROP TABLE IF EXISTS {room};
"""
APART_TOUCHES = (*TOUCHES, "create index {visit_note}")


class Died(BaseException):
    """A process that ends in the middle, as far as one that lives on can play that."""


@dataclass
class Deaf(Wrapped):
    """An engine whose sessions never hear the answer to a COMMIT that took place.

    Or, where they are deaf to `errors`, why a step outside of a transaction failed.
    """

    errors: bool = False

    def wrap(self, session: ChangeSession) -> object:
        return _DeafSession(session, errors=self.errors)


class _DeafSession(PassedOn):
    def __init__(self, session: ChangeSession, *, errors: bool) -> None:
        super().__init__(session)
        self._errors = errors

    def commit(self) -> None:
        self._session.commit()
        if not self._errors:
            raise CommitUnknown("commit-unknown", "no answer", hint="ask the journal")

    def run_alone(self, step: Step) -> StepEffect:
        with suppress(Failed):
            self._session.run_alone(step)
        return StepEffect(0.0)


@dataclass
class Bench:
    """One database, and changes of it."""

    site: ChangeSite
    moments: list[Moment] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def say(self, text: str) -> str:
        """The text with the full names of tables."""
        words = ("ward", "visit", "audit", "open_visit", "room", "bed", "visit_note")
        return text.format(**{word: self.site.full(word) for word in words})

    def rebuild(self) -> None:
        """All is as `build` made it, the journal gone."""
        if isinstance(self.site, SqliteChangeSite):
            self.site.path.unlink()
            self.site.path.touch()
        elif isinstance(self.site, PgChangeSite):
            self.site.reset()
        self.build()

    def build(self) -> None:
        """Wards, visits, a view, and a trigger that writes of visits."""
        self.site.run(*map(self.say, TABLES))
        insert = self.say("INSERT INTO {audit} VALUES (new.id, 'new')")
        if self.site.engine.traits.schemas:
            self.site.run(
                "CREATE FUNCTION his.noted() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN {insert}; RETURN NULL; END $$",
                "CREATE TRIGGER noted AFTER INSERT ON his.visit FOR EACH ROW"
                " EXECUTE FUNCTION his.noted()",
            )
        else:
            self.site.run(f"CREATE TRIGGER noted AFTER INSERT ON visit BEGIN {insert}; END")

    def steps(self, text: str) -> tuple[Step, ...]:
        """The steps of a script."""
        return parse_steps(f"{self.say(text)}\n".encode(), "up.sql") if text else ()

    def change(self, touches: Sequence[str] = TOUCHES, **more: object) -> Change:
        """A manifest."""
        settings: dict[str, object] = {
            "id": "c-1",
            "title": "a change",
            "author": "zhang.wei@contractor",
            "risk": Risk.LOW,
            "rings": (Ring("all", ("lab",)),),
            "touches": tuple(map(self.touch, touches)),
            "data_loss": DataLoss.NONE,
            "limits": LIMITS,
            **more,
        }
        return Change(**settings)  # type: ignore[arg-type] # checked at run time

    def touch(self, line: str) -> Touch:
        """One of the lines of `touches`."""
        found = parse_touch(self.say(line))
        assert found is not None, line
        return found

    def order(
        self,
        up: str = UP,
        down: str = DOWN,
        verify: str = VERIFY,
        touches: Sequence[str] = TOUCHES,
        *,
        plan: str = "p" * 64,
        rehearsed: Rehearsed | None = None,
        failed: FailedVerify = FailedVerify.STOP,
        **more: object,
    ) -> ChangeRun:
        """A change that is to run; `more` are keys of its manifest."""
        return ChangeRun(
            change=self.change(touches, **more),
            up=self.steps(up),
            down=self.steps(down),
            verify=self.steps(verify),
            plan=plan,
            run=secrets.token_hex(16),
            database="lab",
            identity=self.site.engine.identity(),
            rehearsed=rehearsed,
            on_failed_verify=failed,
        )

    def rehearsed(self, up: str = UP, down: str = "") -> Rehearsed:
        """What a rehearsal would have seen; an index that is built aside is built inside."""
        order = SessionOrder(work="c-1", lock_wait=LIMITS.lock_wait, statement=LIMITS.statement)
        locks: dict[tuple[Direction, int], tuple[Lock, ...]] = {}
        ends: dict[tuple[Direction, int], tuple[Difference, ...]] = {}
        after: list[Schema] = []
        with self.site.engine.session(order) as session:
            session.begin()
            before = session.schema()
            for direction, text in ((Direction.UP, up), (Direction.DOWN, down)):
                parts = judged_last(parts_of(self.steps(text), self.site.engine))
                for part in parts:
                    for step in part.steps:
                        inside = replace(step, sql=step.sql.replace("CONCURRENTLY ", ""))
                        locks[direction, step.number] = session.run(inside).locks
                    if part is not parts[-1]:
                        apart = compare_schemas(before, session.schema())
                        ends[direction, part.steps[-1].number] = apart
                after.append(session.schema())
            session.rollback()
        return Rehearsed(before, compare_schemas(before, after[0]), locks, ends)

    def run(self, order: ChangeRun) -> ChangeReport:
        """It has run."""
        return run_change(order, self.site.engine, self.observe, self.slept.append)

    def observe(self, moment: Moment) -> None:
        """Remember it."""
        self.moments.append(moment)

    def dies_at(self, number: int) -> Callable[[Moment], None]:
        """An observer that ends everything at the moment of this number, counted from 0."""
        left = [number]

        def observe(_moment: Moment) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Died

        return observe

    def killed_at(self, number: int, order: ChangeRun) -> bool:
        """Whether a run that dies at that moment got there, rather than to its end."""
        with suppress(Died):
            run_change(order, self.site.engine, self.dies_at(number), self.slept.append)
            return False
        return True

    @property
    def stages(self) -> list[Stage]:
        """The stages that were told."""
        return [moment.stage for moment in self.moments]

    def schema(self) -> Schema:
        """As it is committed."""
        with reading(self.site) as session:
            return session.schema()

    def journal(self) -> tuple[JournalEntry, ...]:
        """As it is committed."""
        return journal_of(self.site)

    def state(self, plan: str = "p" * 64) -> State:
        """How the change stands, as the journal says it."""
        return standing_of(self.journal(), plan).state

    def changed(self, before: Schema) -> list[str]:
        """What differs from before, as the lines of `touches` that cover it."""
        return [touch.line for touch in touches_of(compare_schemas(before, self.schema()))]

    def has(self, table: str) -> bool:
        """Whether a table is there."""
        return self.site.table(table) in self.schema().objects


def up_and_down(journal: Sequence[JournalEntry]) -> list[tuple[Direction, int]]:
    """The directions and steps of a journal."""
    return [(entry.direction, entry.step) for entry in journal]
