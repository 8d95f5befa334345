"""Changes of a small hospital's schema, each with what a comparison must say, and the way back.

A case is run inside a transaction; its `back` must lead to the exact digest of the start. Every
kind of object is created, altered in each of its properties, and dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BASE = """
CREATE ROLE cs_owner; CREATE ROLE cs_reader; CREATE ROLE "cs 张三";
CREATE SCHEMA his AUTHORIZATION cs_owner;
CREATE TYPE his.sex AS ENUM ('m', 'f');
CREATE TYPE his.address AS (street text, no integer);
CREATE TYPE his.dose_range AS RANGE (subtype = numeric);
CREATE DOMAIN his.code AS varchar(8) CHECK (VALUE <> '');
CREATE SEQUENCE his.ticket;
CREATE TABLE his.ward (code his.code PRIMARY KEY, title text COLLATE "C" NOT NULL);
CREATE TABLE his.visit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, no serial,
    ward_code varchar(8) REFERENCES his.ward, born date DEFAULT '2020-01-31', weight numeric(6, 2),
    doubled numeric GENERATED ALWAYS AS (weight * 2) STORED, note text,
    CONSTRAINT heavy CHECK (weight > 0), CONSTRAINT once UNIQUE (no, born)
);
CREATE INDEX visit_born ON his.visit (born, (weight + 1));
CREATE STATISTICS his.visit_both ON ward_code, born FROM his.visit;
CREATE TABLE his.result (day date NOT NULL, value numeric, CONSTRAINT fine CHECK (value > 0))
    PARTITION BY RANGE (day);
CREATE TABLE his.result_2025 PARTITION OF his.result
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE VIEW his.visits AS SELECT id, ward_code FROM his.visit;
CREATE MATERIALIZED VIEW his.counted AS SELECT count(*) AS n FROM his.visit;
CREATE FUNCTION his.age(born date) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION his.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION his.seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE PROCEDURE his.tidy(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE his.joined(text) (SFUNC = textcat, STYPE = text, INITCOND = 'a');
CREATE TRIGGER note AFTER UPDATE ON his.visit FOR EACH ROW EXECUTE FUNCTION his.noted();
CREATE TRIGGER note AFTER UPDATE ON his.result FOR EACH ROW EXECUTE FUNCTION his.noted();
CREATE RULE keep AS ON DELETE TO his.ward DO INSTEAD NOTHING;
CREATE POLICY own ON his.visit FOR SELECT TO cs_reader USING (id > 1);
CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION his.seen();
CREATE PUBLICATION warehouse FOR TABLE his.ward WITH (publish = 'insert');
CREATE FOREIGN DATA WRAPPER paper OPTIONS (debug 'true');
CREATE SERVER archive TYPE 'a' FOREIGN DATA WRAPPER paper OPTIONS (host '10.0.0.1');
CREATE USER MAPPING FOR cs_reader SERVER archive OPTIONS (user 'u', password 'geheim-1');
CREATE FOREIGN TABLE his.old (id integer OPTIONS (name 'x')) SERVER archive OPTIONS (sheet '1');
CREATE EXTENSION citext;
ALTER DEFAULT PRIVILEGES FOR ROLE cs_owner IN SCHEMA his GRANT SELECT ON TABLES TO cs_reader;
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A change: its statements, the fewest touches that cover it, and the way back."""

    name: str
    sql: str
    touches: tuple[str, ...]
    back: str


def turn(place: str, there: str, back: str, *touches: str) -> Case:
    """`place` with one ending goes there, and with the other comes back."""
    return Case(f"{place} {there}", f"{place} {there}", touches, f"{place} {back}")


def made(what: str, name: str, touch: str, rest: str = "") -> Case:
    """An object comes, and goes again."""
    created = f"create {touch}"
    return Case(created, f"CREATE {what} {name}{rest}", (created,), f"DROP {what} {name}")


def together(name: str, cases: Iterable[Case]) -> Case:
    """Cases that have nothing to do with each other, as one: a read for all of them."""
    every = tuple(cases)
    return Case(
        name,
        "; ".join(case.sql for case in every),
        tuple(touch for case in every for touch in case.touches),
        "; ".join(case.back for case in every),
    )


_TABLE = "ALTER TABLE his.visit"
_COLUMN = f"{_TABLE} ALTER note"
_NOTE = "alter column his.visit.note"

TABLES = (
    together("made tables", (
        made("TABLE", "his.bed", "table his.bed", " (id serial PRIMARY KEY, a text UNIQUE)"),
        made("FOREIGN TABLE", "his.far", "foreign table his.far", " (a text) SERVER archive"),
    )),
    turn(_TABLE, "SET (fillfactor = 70)", "RESET (fillfactor)", "alter table his.visit (options)"),
    turn(_TABLE, "SET (toast.autovacuum_enabled = off)", "RESET (toast.autovacuum_enabled)",
         "alter table his.visit (options)"),
    turn(_TABLE, "ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
         "DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
         "alter table his.visit (row security, row security of owner)"),
    turn(_TABLE, "REPLICA IDENTITY FULL", "REPLICA IDENTITY DEFAULT",
         "alter table his.visit (replica identity)"),
    turn("ALTER TABLE his.ward REPLICA IDENTITY", "USING INDEX ward_pkey", "DEFAULT",
         "alter constraint his.ward.ward_pkey (replica identity)",
         "alter table his.ward (replica identity)"),
    turn("ALTER TABLE his.result_2025", "SET UNLOGGED", "SET LOGGED",
         "alter table his.result_2025 (unlogged)"),
    Case("detach", "ALTER TABLE his.result DETACH PARTITION his.result_2025",
         ("alter table his.result_2025 (partition, partition of)",
          "alter column his.result_2025.day (inherited)",
          "alter column his.result_2025.value (inherited)",
          "alter constraint his.result_2025.fine (inherited)",
          "drop trigger his.result_2025.note"),
         "ALTER TABLE his.result ATTACH PARTITION his.result_2025"
         " FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"),
    Case("inherit", "CREATE TABLE his.above (note text); ALTER TABLE his.visit INHERIT his.above",
         ("alter column his.visit.note (inherited)", "alter table his.visit (inherits)",
          "create table his.above"),
         "ALTER TABLE his.visit NO INHERIT his.above; DROP TABLE his.above"),
    turn("ALTER FOREIGN TABLE his.old", "OPTIONS (SET sheet '2')", "OPTIONS (SET sheet '1')",
         "alter foreign table his.old (foreign options)"),
    turn("ALTER FOREIGN TABLE his.old", "ALTER id OPTIONS (SET name 'y')",
         "ALTER id OPTIONS (SET name 'x')", "alter column his.old.id (foreign options)"),
    Case("rename a table", "ALTER TABLE his.ward RENAME TO wards",
         ("alter constraint his.visit.visit_ward_code_fkey (definition)",
          "alter publication warehouse (tables)",
          "create table his.wards", "drop table his.ward"),
         "ALTER TABLE his.wards RENAME TO ward"),
)  # fmt: skip

COLUMNS = (
    Case("add and drop a column", f"{_TABLE} ADD bed integer", ("create column his.visit.bed",),
         f"{_TABLE} DROP bed"),
    turn(_COLUMN, "TYPE varchar(12)", "TYPE text", f"{_NOTE} (type)"),
    turn(_COLUMN, "SET NOT NULL", "DROP NOT NULL", f"{_NOTE} (not null)"),
    turn(_COLUMN, "SET DEFAULT now()::text", "DROP DEFAULT", f"{_NOTE} (default)"),
    turn(_COLUMN, 'TYPE text COLLATE "C"', "TYPE text", f"{_NOTE} (collation)"),
    turn(_COLUMN, "SET STORAGE EXTERNAL", "SET STORAGE EXTENDED", f"{_NOTE} (storage)"),
    turn(_COLUMN, "SET COMPRESSION pglz", "SET COMPRESSION default", f"{_NOTE} (compression)"),
    turn(_COLUMN, "SET STATISTICS 500", "SET STATISTICS -1", f"{_NOTE} (statistics)"),
    turn(_COLUMN, "SET (n_distinct = 5)", "RESET (n_distinct)", f"{_NOTE} (options)"),
    turn(f"{_TABLE} ALTER id SET", "GENERATED BY DEFAULT", "GENERATED ALWAYS",
         "alter column his.visit.id (identity)"),
    Case("give up identity", f"{_TABLE} ALTER id DROP IDENTITY",
         ("alter column his.visit.id (identity)", "drop sequence his.visit_id_seq"),
         f"{_TABLE} ALTER id ADD GENERATED ALWAYS AS IDENTITY"),
    turn("COMMENT ON COLUMN his.visit.note IS", "'a''b'", "NULL", f"{_NOTE} (comment)"),
    Case("grant a column", "GRANT SELECT (note), UPDATE (note) ON his.visit TO cs_reader",
         (f"{_NOTE} (grants)",), "REVOKE ALL (note) ON his.visit FROM cs_reader"),
    turn("COMMENT ON COLUMN his.visits.id IS", "'x'", "NULL",
         "alter column his.visits.id (comment)"),
    turn("ALTER VIEW his.visits ALTER id", "SET DEFAULT 7", "DROP DEFAULT",
         "alter column his.visits.id (default)"),
    turn("COMMENT ON COLUMN his.address.no IS", "'x'", "NULL",
         "alter column his.address.no (comment)"),
)  # fmt: skip

_HEAVY = "alter constraint his.visit.heavy (definition)"
_KEY = "constraint his.visit.visit_ward_code_fkey"

CONSTRAINTS = (
    Case("add a check", f"{_TABLE} ADD CONSTRAINT short CHECK (length(note) < 9) NOT VALID",
         ("create constraint his.visit.short",), f"{_TABLE} DROP CONSTRAINT short"),
    Case("another check",
         f"{_TABLE} DROP CONSTRAINT heavy, ADD CONSTRAINT heavy CHECK (weight > 1)", (_HEAVY,),
         f"{_TABLE} DROP CONSTRAINT heavy, ADD CONSTRAINT heavy CHECK (weight > 0)"),
    Case("a check that is not validated",
         f"{_TABLE} DROP CONSTRAINT heavy, ADD CONSTRAINT heavy CHECK (weight > 0) NOT VALID",
         (_HEAVY,), f"{_TABLE} VALIDATE CONSTRAINT heavy"),
    turn(f"{_TABLE} ALTER CONSTRAINT visit_ward_code_fkey", "DEFERRABLE INITIALLY DEFERRED",
         "NOT DEFERRABLE", f"alter {_KEY} (definition)"),
    Case("drop a key", f"{_TABLE} DROP CONSTRAINT visit_ward_code_fkey", (f"drop {_KEY}",),
         f"{_TABLE} ADD CONSTRAINT visit_ward_code_fkey FOREIGN KEY (ward_code)"
         " REFERENCES his.ward"),
    turn(_TABLE, "DISABLE TRIGGER ALL", "ENABLE TRIGGER ALL", f"alter {_KEY} (triggers)",
         "alter trigger his.visit.note (enabled)"),
    Case("drop a unique constraint", f"{_TABLE} DROP CONSTRAINT once",
         ("drop constraint his.visit.once",), f"{_TABLE} ADD CONSTRAINT once UNIQUE (no, born)"),
    turn("ALTER INDEX his.once", "SET (fillfactor = 80)", "RESET (fillfactor)",
         "alter constraint his.visit.once (options)"),
    turn(_TABLE, "CLUSTER ON once", "SET WITHOUT CLUSTER",
         "alter constraint his.visit.once (clustered)"),
    turn("COMMENT ON CONSTRAINT once ON his.visit IS", "'x'", "NULL",
         "alter constraint his.visit.once (comment)"),
    turn("COMMENT ON INDEX his.once IS", "'x'", "NULL",
         "alter constraint his.visit.once (index comment)"),
    Case("a partition that is being detached",
         "UPDATE pg_inherits SET inhdetachpending = true"
         " WHERE inhrelid = 'his.result_2025'::regclass",
         ("alter table his.result_2025 (detach pending)",),
         "UPDATE pg_inherits SET inhdetachpending = false"
         " WHERE inhrelid = 'his.result_2025'::regclass"),
    Case("a key to a partitioned table",
         "ALTER TABLE his.result ADD PRIMARY KEY (day); "
         "ALTER TABLE his.visit ADD CONSTRAINT on_day FOREIGN KEY (born) REFERENCES his.result",
         ("create constraint his.result.result_pkey",
          "create constraint his.visit.on_day"),
         "ALTER TABLE his.visit DROP CONSTRAINT on_day;"
         " ALTER TABLE his.result DROP CONSTRAINT result_pkey"),
)  # fmt: skip

INDEXES = (
    Case("create an index", "CREATE INDEX visit_ix ON his.visit (note) WHERE id > 5",
         ("create index his.visit_ix",), "DROP INDEX his.visit_ix"),
    turn("ALTER INDEX his.visit_born", "SET (fillfactor = 60)", "RESET (fillfactor)",
         "alter index his.visit_born (definition)"),
    turn(_TABLE, "CLUSTER ON visit_born", "SET WITHOUT CLUSTER",
         "alter index his.visit_born (clustered)"),
    turn("ALTER INDEX his.visit_born", "ALTER 2 SET STATISTICS 300", "ALTER 2 SET STATISTICS -1",
         "alter index his.visit_born (statistics)"),
    Case("an index that is not valid",
         "UPDATE pg_catalog.pg_index SET indisvalid = false"
         " WHERE indexrelid = 'his.visit_born'::regclass",
         ("alter index his.visit_born (valid)",),
         "UPDATE pg_catalog.pg_index SET indisvalid = true"
         " WHERE indexrelid = 'his.visit_born'::regclass"),
    Case("an index of partitions", "CREATE INDEX result_day ON his.result (day)",
         ("create index his.result_day",),
         "DROP INDEX his.result_day"),
    turn("COMMENT ON INDEX his.visit_born IS", "'x'", "NULL",
         "alter index his.visit_born (comment)"),
    Case("drop an index", "DROP INDEX his.visit_born", ("drop index his.visit_born",),
         "CREATE INDEX visit_born ON his.visit (born, (weight + 1))"),
    Case("drop statistics", "DROP STATISTICS his.visit_both", ("drop statistics his.visit_both",),
         "CREATE STATISTICS his.visit_both ON ward_code, born FROM his.visit"),
    turn("ALTER STATISTICS his.visit_both", "SET STATISTICS 70", "SET STATISTICS -1",
         "alter statistics his.visit_both (target)"),
    turn("ALTER STATISTICS his.visit_both", "OWNER TO cs_owner", "OWNER TO CURRENT_USER",
         "alter statistics his.visit_both (owner)"),
)  # fmt: skip
