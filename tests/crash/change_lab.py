"""A database on a server whose changes are stopped and killed, and the estate around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dbops.audit.entry import Effect, Event, Result
from tests.cli import changes
from tests.cli.ops import Ops
from tests.crash.processes import Outcome, Run, start, wait_until
from tests.fix_postgresql import PgDatabase
from tests.support.ledger import deeds_of

HOSPITAL = """
DROP SCHEMA IF EXISTS his CASCADE; DROP SCHEMA IF EXISTS dbops CASCADE; CREATE SCHEMA his;
CREATE TABLE his.ward(code varchar(8) PRIMARY KEY, name text);
CREATE TABLE his.visit(id integer PRIMARY KEY, ward varchar(8));
INSERT INTO his.visit VALUES (1, 'ORT');
CREATE FUNCTION his.slow(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN $1; END $$;
"""
QUICK = """
CREATE OR REPLACE FUNCTION his.slow(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1';
"""
WARD = "ALTER TABLE his.ward ADD COLUMN phone text;\n"
WARD_INDEX = "CREATE INDEX CONCURRENTLY ward_name ON his.ward (name);\n"
VISIT = "ALTER TABLE his.visit ADD COLUMN note text;\n"
SLOW_CHECK = (
    "ALTER TABLE his.visit ADD CONSTRAINT slow CHECK (his.slow(id) > 0) NOT VALID;\n"
    "ALTER TABLE his.visit VALIDATE CONSTRAINT slow;\n"
)
SLOW_INDEX = "CREATE INDEX CONCURRENTLY visit_slow ON his.visit (his.slow(id));\n"
BACK = {
    WARD: "ALTER TABLE his.ward DROP COLUMN IF EXISTS phone;\n",
    WARD_INDEX: "DROP INDEX CONCURRENTLY IF EXISTS his.ward_name;\n",
    VISIT: "ALTER TABLE his.visit DROP COLUMN IF EXISTS note;\n",
    SLOW_CHECK: "ALTER TABLE his.visit DROP CONSTRAINT IF EXISTS slow;\n",
    SLOW_INDEX: "DROP INDEX CONCURRENTLY IF EXISTS his.visit_slow;\n",
}
TOUCHES = {
    WARD: "create column his.ward.phone",
    WARD_INDEX: "create index his.ward_name",
    VISIT: "create column his.visit.note",
    SLOW_CHECK: "create constraint his.visit.slow",
    SLOW_INDEX: "create index his.visit_slow",
}
PERSONAL = {WARD: "his.ward.phone: none", VISIT: "his.visit.note: none"}
SESSIONS = "application_name = 'dbops' AND datname = current_database()"
LOCKED = f"{SESSIONS} AND wait_event_type = 'Lock'"
SLEEPING = f"{SESSIONS} AND wait_event = 'PgSleep'"
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE "
MADE = """
SELECT attname FROM pg_attribute WHERE attname IN ('phone', 'note') AND NOT attisdropped
UNION SELECT conname FROM pg_constraint WHERE conname = 'slow'
UNION SELECT relname FROM pg_class WHERE relname IN ('ward_name', 'visit_slow') ORDER BY 1
"""


@dataclass
class Lab:
    """A database on a server, the estate that it stands in, and one change of it at a time."""

    ops: Ops
    database: PgDatabase
    work: str = ""
    runs: int = 0

    def ask(self, query: str) -> list[object]:
        with self.database.connect() as connection:
            return [row[0] for row in connection.execute(query.encode())]

    def write(self, *steps: str) -> None:
        """A new change has these steps, of a database that knows none."""
        with self.database.connect() as connection:
            connection.execute(HOSPITAL.encode())
        lines = "".join(steps).splitlines()
        accepted = [
            f'{{rule: PG-NOTVALID, at: "up.sql line {number}", why: t}}'
            for number, line in enumerate(lines, 1)
            if "VALIDATE" in line
        ]
        self.runs += 1
        self.work = f"2026-{self.runs}"
        changes.write(
            self.ops,
            self.work,
            up="".join(steps),
            down="".join(BACK[step] for step in reversed(steps)),
            verify="SELECT true;\n",
            touches=tuple(TOUCHES[step] for step in steps),
            databases="lab",
            more=f"why: t\npersonal: {{{', '.join(filter(None, map(PERSONAL.get, steps)))}}}\n"
            + (f"accepted: [{', '.join(accepted)}]\n" if accepted else ""),
        )
        self.ops.commit()

    def start(self, verb: str = "run") -> Run:
        words = () if verb == "resume" else ("--yes",)
        return start(self.ops.root, "change", verb, self.work, *words)

    def stopped(self, run: Run, where: str, *numbers: int) -> Outcome:
        """How it ended that was stopped as soon as a session of it stood there."""
        assert wait_until(lambda: self.ask(COUNT + where) != [0] or run.ended)
        assert not run.ended, run.finish()
        for number in numbers:
            run.process.send_signal(number)
        outcome = run.finish()
        assert wait_until(lambda: self.ask(COUNT + SESSIONS) == [0], 5), "it goes on at the server"
        return outcome

    @contextmanager
    def holding(self, table: str = "his.visit") -> Iterator[None]:
        """Somebody keeps a lock that lets others read."""
        with self.database.connect() as connection, connection.transaction():
            connection.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
            yield

    def made(self) -> list[object]:
        """What of the change is there."""
        return self.ask(MADE)

    def recorded(self, event: Event = Event.CHANGE_RUN) -> tuple[Result | None, Effect | None]:
        """How the ledger says that the last run ended."""
        deed = [each for each in deeds_of(self.ops.root, event) if each.intent.work == self.work][
            -1
        ]
        assert deed.outcome is not None, "an intent without an outcome"
        return deed.outcome.result, deed.outcome.effect

    def without_drift(self, told: str) -> str:
        """What was told, but for the remark that tables were made anew past all changes."""
        drift = "remark: lab also differs from what was recorded before: dbops change drift lab\n"
        return told.removesuffix(drift)

    def says(self, *lines: str) -> str:
        return "".join(f"{line.replace('WORK', self.work)}\n" for line in lines)


ASKING = "asking.toml"


def ask_nothing(ops: Ops) -> None:
    """Afterwards changes need neither approval nor rehearsal."""
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8")
    fresh = 'kinds = ["change"]\nbackup_age = "26h"\n'
    assert '["repair", "change"]' in text
    assert fresh in text
    (ops.root / ASKING).write_text(text, "utf-8")
    text = text.replace('["repair", "change"]', '["repair"]').replace(fresh, 'kinds = ["change"]\n')
    policy.write_text(text, "utf-8")
