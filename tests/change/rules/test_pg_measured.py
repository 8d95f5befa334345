"""What lint says of locks, scans and rewrites is what a server does: each form is run there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from psycopg import Connection
from psycopg.errors import Diagnostic
from psycopg.rows import TupleRow

from dbops.change.ports import SessionOrder
from dbops.change.rules.finding import Facts
from tests.change.rules.judging import found, judged
from tests.engines.postgresql.change_database import PgChangeSite

_RULES = ("PG-REWRITE", "PG-NOTVALID", "PG-SETNN", "PG-UNIQUECON", "PG-IDX")
_HOSPITAL = """
CREATE SCHEMA elsewhere;
CREATE DOMAIN his.code AS text;
CREATE DOMAIN his.inner_code AS his.code;
CREATE DOMAIN his.plain AS text;
CREATE DOMAIN his.strict AS text CHECK (VALUE <> '');
CREATE TABLE his.ward (code varchar(10) PRIMARY KEY);
CREATE TABLE his.visit (
    id int PRIMARY KEY, beds int, fee numeric(10,2), at timestamp, code his.inner_code,
    word his.strict, span interval, note text, nn text NOT NULL, kind name,
    a varchar(10) CONSTRAINT a_ck CHECK (a <> 'z'), b varchar(10) REFERENCES his.ward,
    c varchar(10), d varchar(10), e varchar(10) UNIQUE, f varchar(10));
CREATE INDEX c_ix ON his.visit (lower(c));
CREATE INDEX d_ix ON his.visit (beds) WHERE d <> 'q';
CREATE INDEX f_ix ON his.visit (f, beds);
CREATE UNIQUE INDEX beds_ux ON his.visit (id, beds);
CREATE UNIQUE INDEX nn_ux ON his.visit (id, nn);
CREATE TABLE his.bill (id int, visit int);
ALTER TABLE his.bill ADD CONSTRAINT same FOREIGN KEY (visit) REFERENCES his.visit NOT VALID;
CREATE TABLE his.empty (visit int REFERENCES his.visit);
CREATE TABLE his.keyless (LIKE his.visit);
CREATE UNIQUE INDEX keyless_beds_ux ON his.keyless (id, beds);
CREATE UNIQUE INDEX keyless_nn_ux ON his.keyless (id, nn);
ALTER TABLE his.visit ADD CONSTRAINT same CHECK (beds > 0) NOT VALID;
ALTER TABLE his.visit ADD CONSTRAINT note_ck CHECK (note IS NOT NULL);
CREATE VIEW his.now AS SELECT id FROM his.bill;
CREATE MATERIALIZED VIEW his.sums AS SELECT count(*) AS n FROM his.bill;
CREATE SEQUENCE his.seq;
CREATE TABLE his.part (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE his.part_old PARTITION OF his.part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE his.part_rest PARTITION OF his.part DEFAULT;
CREATE TABLE his.bare (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE his.year (id int, at date);
CREATE TABLE his.proved (id int, at date CHECK (at IS NOT NULL AND at >= '2026-01-01' AND
    at < '2027-01-01'));
CREATE TABLE his.base (id int, t text);
CREATE TABLE his.heir () INHERITS (his.base);
CREATE FUNCTION his.log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION his.steady(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION his.shaky(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE TRIGGER t BEFORE INSERT ON his.bill FOR EACH ROW EXECUTE FUNCTION his.log();
CREATE TYPE his.mood AS ENUM ('a');
CREATE TABLE his.key (id int PRIMARY KEY);
INSERT INTO his.key VALUES (1), (2);
INSERT INTO his.ward VALUES ('w');
INSERT INTO his.visit (id, beds, code, word, note, nn, a, b, e) VALUES (1, 1, 'c', 'w', 'n', 'n',
    'a', 'w', 'e');
INSERT INTO his.bill VALUES (1, 1);
INSERT INTO his.keyless SELECT * FROM his.visit;
INSERT INTO his.part VALUES (1, '2020-05-05'), (2, '2030-05-05');
INSERT INTO his.year VALUES (1, '2026-05-05');
INSERT INTO his.proved VALUES (1, '2026-05-05');
INSERT INTO his.heir VALUES (1, 't');
ANALYZE;
"""
_VISIT = "ALTER TABLE his.visit "
_KEY = "ALTER TABLE his.{} ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES his.key"
_YEAR = "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"

# What the server does for the last statement, and which rule says so: "" for neither.
EFFECTS = [
    ("reads", "PG-NOTVALID", "ALTER DOMAIN his.code ADD CONSTRAINT k CHECK (VALUE <> 'x')"),
    ("reads", "PG-SETNN", "ALTER DOMAIN his.code SET NOT NULL"),
    ("reads", "PG-NOTVALID", "ALTER DOMAIN his.code ADD CONSTRAINT k CHECK (VALUE <> 'x') NOT"
     " VALID;\n-- part: a\nALTER DOMAIN his.code VALIDATE CONSTRAINT k"),
    ("", "", "ALTER DOMAIN his.code ADD CONSTRAINT k CHECK (VALUE <> 'x') NOT VALID"),
    ("", "", "ALTER DOMAIN his.plain ADD CONSTRAINT k CHECK (VALUE <> 'x')"),
    ("", "", "ALTER DOMAIN his.plain SET NOT NULL"),
    ("", "", "ALTER DOMAIN his.code SET DEFAULT 'x'"),
    ("rewrites", "PG-REWRITE", _VISIT + "ADD z his.strict"),
    ("rewrites", "PG-REWRITE", "CREATE DOMAIN his.new AS int CHECK (VALUE > 0);\n" + _VISIT
     + "ADD z his.new DEFAULT 1"),
    ("", "", _VISIT + "ADD z his.plain DEFAULT 'a'"),
    ("rewrites", "PG-REWRITE", _VISIT + "ADD z int DEFAULT his.shaky(3)"),
    ("", "", _VISIT + "ADD z int DEFAULT his.steady(3)"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER fee TYPE numeric(10,2) USING fee * 1000"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER f TYPE varchar(20) USING btrim(f)"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER f TYPE varchar(20) USING c"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER f TYPE varchar(20) USING NULL"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER f TYPE varchar(20) USING (f::text)::varchar"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER f TYPE varchar(20) USING f::varchar(5)"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER f TYPE text USING f::text || ''"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER beds TYPE int USING beds::bigint::int"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER at TYPE date USING (at AT TIME ZONE 'UTC')::date"),
    ("", "", _VISIT + "ALTER f TYPE varchar(20) USING his.visit.f"),
    ("", "", _VISIT + "ALTER f TYPE varchar(20) USING (f)"),
    ("", "", _VISIT + "ALTER f TYPE varchar(20) USING f::character varying(15)"),
    ("", "", _VISIT + "ALTER f TYPE varchar USING CAST(f::text AS varchar)"),
    ("", "", _VISIT + "ALTER fee TYPE numeric(12,2) USING (fee)::numeric(11, 2)"),
    ("", "", _VISIT + "ALTER f TYPE his.plain"),
    ("", "", _VISIT + "ALTER word TYPE text"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER f TYPE his.strict"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER span TYPE interval(3)"),
    ("", "", _VISIT + "ALTER span TYPE interval(6)"),
    ("rewrites", "PG-REWRITE", _VISIT + "ALTER kind TYPE text"),
    ("reads", "PG-NOTVALID", _VISIT + "ALTER a TYPE varchar(20)"),
    ("", "", _VISIT + "DROP CONSTRAINT a_ck, ALTER a TYPE varchar(20)"),
    ("", "", _VISIT + "ALTER b TYPE varchar(20)"),
    ("builds", "PG-REWRITE", _VISIT + "ALTER c TYPE varchar(20)"),
    ("builds", "PG-REWRITE", _VISIT + "ALTER d TYPE varchar(20)"),
    ("", "", _VISIT + "ALTER e TYPE varchar(20)"),
    ("", "", _VISIT + "ALTER f TYPE varchar(20)"),
    ("builds", "PG-REWRITE", _VISIT + 'ALTER f TYPE varchar(10) COLLATE "C"'),
    ("builds", "PG-REWRITE", _VISIT + 'ALTER e TYPE varchar(10) COLLATE "C"'),
    ("", "", _VISIT + 'ALTER f TYPE varchar(10) COLLATE "default"'),
    ("", "", _VISIT + "ALTER note SET NOT NULL"),
    ("", "", _VISIT + "ALTER nn SET NOT NULL"),
    ("reads", "PG-SETNN", _VISIT + "ALTER nn DROP NOT NULL;\n" + _VISIT + "ALTER nn SET NOT NULL"),
    ("reads", "PG-SETNN", _VISIT + "DROP CONSTRAINT note_ck, ALTER note SET NOT NULL"),
    ("reads", "PG-SETNN", _VISIT + "ALTER note SET NOT NULL, DROP CONSTRAINT note_ck"),
    ("reads", "PG-SETNN", _VISIT + "DROP CONSTRAINT note_ck;\n" + _VISIT
     + "ALTER note SET NOT NULL"),
    ("reads", "PG-SETNN", _VISIT + "RENAME CONSTRAINT note_ck TO n;\n" + _VISIT
     + "DROP CONSTRAINT n;\n" + _VISIT + "ALTER note SET NOT NULL"),
    ("", "", _VISIT + "RENAME CONSTRAINT note_ck TO n;\n" + _VISIT + "ALTER note SET NOT NULL"),
    ("reads", "PG-SETNN", "ALTER TABLE his.keyless ADD PRIMARY KEY USING INDEX keyless_beds_ux"),
    ("", "", "ALTER TABLE his.keyless ADD PRIMARY KEY USING INDEX keyless_nn_ux"),
    ("reads", "PG-NOTVALID", f"ALTER TABLE his.part ATTACH PARTITION his.proved {_YEAR}"),
    ("reads", "PG-NOTVALID", f"CREATE TABLE his.p PARTITION OF his.part {_YEAR}"),
    ("reads", "PG-NOTVALID", f"ALTER TABLE his.bare ATTACH PARTITION his.year {_YEAR}"),
    ("", "", f"ALTER TABLE his.bare ATTACH PARTITION his.proved {_YEAR}"),
    ("", "", f"CREATE TABLE his.p PARTITION OF his.bare {_YEAR}"),
    ("", "", _KEY.format("part_old") + " NOT VALID;\n" + _KEY.format("part_rest")
     + " NOT VALID;\n-- part: a\nALTER TABLE his.part_old VALIDATE CONSTRAINT f;\n-- part: b\n"
     "ALTER TABLE his.part_rest VALIDATE CONSTRAINT f;\n-- part: c\n" + _KEY.format("part")),
    ("reads", "PG-NOTVALID", _KEY.format("part")),
    ("", "", "ALTER TABLE his.part DETACH PARTITION his.part_old"),
    ("", "", "ALTER TABLE his.part_rest ADD CONSTRAINT k CHECK (at > '2028-01-01') NOT VALID;\n"
     "-- part: a\nALTER TABLE his.part_rest VALIDATE CONSTRAINT k;\n-- part: b\n"
     f"CREATE TABLE his.p PARTITION OF his.part {_YEAR}"),
    ("rewrites", "PG-REWRITE", "ALTER TABLE his.base ALTER id TYPE bigint"),
    ("reads", "PG-SETNN", "ALTER TABLE his.base ALTER id SET NOT NULL"),
    ("reads", "PG-NOTVALID", "ALTER TABLE his.base ADD CONSTRAINT k CHECK (id > 0)"),
]  # fmt: skip

# Whether others wait for what the statement locks, to the end of its transaction.
LOCKS = [
    (True, "CREATE OR REPLACE VIEW his.now AS SELECT id FROM his.bill WHERE id > 0"),
    (True, "ALTER VIEW his.now SET (security_barrier = true)"),
    (True, "DROP VIEW his.now"),
    (False, "CREATE OR REPLACE VIEW his.fresh AS SELECT id FROM his.bill"),
    (True, "ALTER VIEW his.now RENAME TO now_too"),
    (True, "DROP MATERIALIZED VIEW his.sums"),
    (True, "REFRESH MATERIALIZED VIEW his.sums"),
    (True, f"CREATE TABLE his.p PARTITION OF his.part {_YEAR}"),
    (True, f"ALTER TABLE his.bare ATTACH PARTITION his.year {_YEAR}"),
    (True, "DROP TABLE his.part_old"),
    (True, "DROP TABLE his.empty"),
    (True, "ALTER TABLE his.empty DROP CONSTRAINT empty_visit_fkey"),
    (True, "LOCK TABLE his.bill"),
    (True, "LOCK ONLY his.ward, his.bill IN SHARE MODE"),
    (False, "LOCK TABLE his.bill IN SHARE UPDATE EXCLUSIVE MODE"),
    (False, "LOCK TABLE his.bill IN ROW EXCLUSIVE MODE NOWAIT"),
    (True, "ALTER SEQUENCE his.seq RESTART WITH 7"),
    (True, "DROP SEQUENCE his.seq"),
    (False, "CREATE SEQUENCE his.another; ALTER SEQUENCE his.another RESTART WITH 7"),
    (True, "ALTER DOMAIN his.code SET NOT NULL"),
    (False, "ALTER DOMAIN his.code SET DEFAULT 'x'"),
    (True, "REINDEX TABLE his.bill"),
    (True, "REINDEX INDEX his.f_ix"),
    (True, "ALTER TABLE his.bill RENAME TO invoice"),
    (True, "ALTER TABLE his.bill RENAME COLUMN id TO no"),
    (True, "ALTER TABLE his.bill SET SCHEMA elsewhere"),
    (True, "ALTER TABLE his.bill SET (user_catalog_table = true)"),
    (False, "ALTER TABLE his.bill SET (fillfactor = 70, autovacuum_enabled = false)"),
    (False, "ALTER TABLE his.bill RESET (fillfactor)"),
    (False, "ALTER TABLE his.bill ALTER id SET STATISTICS 500"),
    (False, "ALTER TABLE his.bill ALTER id SET (n_distinct = 5)"),
    (True, "ALTER TABLE his.bill ALTER id SET STATISTICS 500, ALTER id SET DEFAULT 1"),
    (True, "ALTER TABLE his.visit ALTER note SET STORAGE EXTERNAL"),
    (False, "ALTER TABLE his.visit CLUSTER ON f_ix"),
    (False, "ALTER INDEX his.f_ix RENAME TO g_ix"),
    (False, "ALTER INDEX his.f_ix SET (fillfactor = 80)"),
    (True, "ALTER TABLE his.bill DISABLE TRIGGER t"),
    (True, "ALTER TRIGGER t ON his.bill RENAME TO u"),
    (True, "DROP INDEX his.f_ix"),
    (True, "TRUNCATE his.bill"),
    (True, "CREATE TABLE his.k (visit int REFERENCES his.visit)"),
    (False, "CREATE TABLE his.k () INHERITS (his.base)"),
    (False, "CREATE TABLE his.k (LIKE his.visit INCLUDING ALL)"),
    (False, "COMMENT ON TABLE his.bill IS 'x'"),
    (False, "CREATE STATISTICS his.st ON id, visit FROM his.bill"),
    (False, "ALTER TYPE his.mood ADD VALUE 'b'"),
    (False, "CREATE OR REPLACE FUNCTION his.log() RETURNS trigger LANGUAGE plpgsql AS"
     " 'BEGIN RETURN OLD; END'"),
]  # fmt: skip

_FILES = "SELECT oid, pg_relation_filenode(oid) FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
_THERE = "SELECT oid FROM pg_class WHERE oid >= 16384"
_SCANS = "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables WHERE schemaname = 'his'"
_STRONG = """
    SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = ANY (%s) AND mode IN
    ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"""


@dataclass(frozen=True)
class Hospital:
    """A database with the tables above, and what it says of itself."""

    connection: Connection[TupleRow]
    facts: Facts

    def does(self, script: str) -> str:
        """What the last statement of a script does to rows; all of it is taken back."""
        *before, last = script.split(";\n")
        built: list[str] = []

        def hear(said: Diagnostic) -> None:
            built.append(said.message_primary or "")

        with self.connection.transaction(force_rollback=True):
            for each in before:
                self.connection.execute(each.encode())
            was, read = _files(self.connection), _scans(self.connection)
            self.connection.execute("SET LOCAL client_min_messages = debug1")
            self.connection.add_notice_handler(hear)
            self.connection.execute(last.encode())
            self.connection.remove_notice_handler(hear)
            now = _files(self.connection)
            if any(now[oid] != file for oid, file in was.items() if oid in now):
                return "rewrites"
            if any(text.startswith("building index") for text in built if "toast" not in text):
                return "builds"
            return "reads" if _scans(self.connection) > read else ""

    def lets_wait(self, script: str) -> bool:
        """Whether it holds a lock on what is there, for which who reads or writes has to wait."""
        with self.connection.transaction(force_rollback=True):
            there = [oid for (oid,) in self.connection.execute(_THERE).fetchall()]
            self.connection.execute(script.encode())
            ((held,),) = self.connection.execute(_STRONG, [there]).fetchall()
            return bool(held)


def _files(connection: Connection[TupleRow]) -> dict[int, int]:
    return dict(connection.execute(_FILES).fetchall())


def _scans(connection: Connection[TupleRow]) -> int:
    ((count,),) = connection.execute(_SCANS).fetchall()
    return int(count or 0)


@pytest.fixture(scope="module")
def hospital(pg_change_site: PgChangeSite) -> Iterator[Hospital]:
    """Nothing that is run in it stays."""
    pg_change_site.reset()
    pg_change_site.run(_HOSPITAL)
    wait = timedelta(seconds=5)
    order = SessionOrder(work="lint", lock_wait=wait, statement=wait, read_only=True)
    with pg_change_site.engine.session(order) as session:
        facts = Facts(schema=session.schema(), sizes=session.sizes())
    with pg_change_site.connect() as connection:
        yield Hospital(connection, facts)
    pg_change_site.reset()


def _said(script: str, facts: Facts) -> list[str]:
    report = judged(f"{script};", "touches:\npersonal:", down="SELECT 1;", facts=facts)
    told = {finding.rule for finding in report.findings if finding.rule in _RULES}
    assert not [each for each in report.unchecked if each.rule in _RULES]
    return sorted(told)


@pytest.mark.parametrize(("effect", "rule", "script"), EFFECTS, ids=lambda part: part[-60:])
def test_rules_say_what_the_server_does_to_rows(
    hospital: Hospital, effect: str, rule: str, script: str
) -> None:
    """By the rule that is written here, and none says it of what does nothing."""
    assert hospital.does(script) == effect
    assert _said(script, hospital.facts) == ([rule] if rule else [])


@pytest.mark.parametrize(("waits", "statement"), LOCKS, ids=lambda part: str(part)[-60:])
def test_locks_beside_a_validation_are_those_that_the_server_holds(
    hospital: Hospital, waits: bool, statement: str
) -> None:
    """Others wait for them while all rows are read."""
    assert hospital.lets_wait(statement) is waits
    up = f"{statement};\nALTER TABLE his.visit VALIDATE CONSTRAINT same;"
    report = judged(up, "touches:\npersonal:", down="SELECT 1;", facts=hospital.facts)
    held = [each for each in found(report, "PG-NOTVALID") if "validated in" in each.sentence]
    assert bool(held) is waits
