"""What is done to an extension's members, and to what came with the server, shows and is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dbops.change.diff import compare_schemas
from dbops.change.schema import ObjectKind, ObjectName, Schema
from dbops.change.schema_text import parse_schema, schema_text
from dbops.change.touch import touches_of
from dbops.change.words import difference_words, text_diff
from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.change_schema_builtin import builtin_properties
from dbops.engines.postgresql.connect import Session, connect
from tests.engines.postgresql.repair_database import parameters_of
from tests.fix_postgresql import PgServer

NAME = "change_members"
BASE = """
CREATE ROLE cm_reader; CREATE SCHEMA his;
CREATE EXTENSION dblink SCHEMA his; CREATE EXTENSION citext SCHEMA his;
CREATE EXTENSION pg_trgm SCHEMA his;
CREATE TABLE his.codes (id integer PRIMARY KEY, a text);
ALTER EXTENSION citext ADD TABLE his.codes;
CREATE TABLE his.note (id integer); CREATE SEQUENCE his.ticket;
CREATE VIEW his.notes AS SELECT id FROM his.note;
CREATE FUNCTION his.age(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TABLE his.result (day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE his.result_2025 PARTITION OF his.result
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Statements, the touches that cover them, and all that is said of them."""

    sql: str
    touches: tuple[str, ...]
    words: tuple[str, ...]


def one(sql: str, touch: str, *words: str) -> Case:
    """A change of one object."""
    return Case(sql, (touch,), words)


DBLINK, CITEXT, TRGM = "extension `dblink`: ", "extension `citext`: ", "extension `pg_trgm`: "
CONNECT = "function his.dblink_connect_u(text)"
EXEC = "function his.dblink_exec(text)"

CASES = (
    one(f"GRANT EXECUTE ON {CONNECT} TO PUBLIC",
        "alter extension dblink (grants of members)",
        f"{DBLINK}grants of members: + PUBLIC: EXECUTE on {CONNECT}"),
    one("REVOKE EXECUTE ON FUNCTION his.similarity(text, text) FROM PUBLIC",
        "alter extension pg_trgm (grants of members)",
        f"{TRGM}grants of members: - PUBLIC: EXECUTE on function his.similarity(text, text)"),
    one("GRANT SELECT (a) ON his.codes TO cm_reader; GRANT INSERT ON his.codes TO PUBLIC",
        "alter extension citext (grants of members)",
        f"{CITEXT}grants of members: + PUBLIC: INSERT on table his.codes;"
        " + cm_reader: SELECT on column his.codes.a"),
    one("GRANT USAGE ON LANGUAGE plpgsql TO cm_reader",
        "alter extension plpgsql (grants of members)",
        "extension `plpgsql`: grants of members: + cm_reader: USAGE on language plpgsql"),
    one("CREATE POLICY own ON his.codes TO cm_reader USING (id > 1);"
        " ALTER TABLE his.codes ENABLE ROW LEVEL SECURITY",
        "alter extension citext (policies of members)",
        f"{CITEXT}policies of members: + policy his.codes.own: command all; roles cm_reader;"
        " using (id > 1); + table his.codes: row security yes"),
    one("CREATE TRIGGER t AFTER INSERT ON his.codes"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger(); CREATE INDEX ix ON his.codes (a);"
        " CREATE RULE r AS ON DELETE TO his.codes DO INSTEAD NOTHING;"
        " CREATE STATISTICS his.s ON id, a FROM his.codes; ALTER TABLE his.codes ADD more integer,"
        " ADD CHECK (id > 0), ALTER a SET DEFAULT 'x'",
        "alter extension citext (tables of members)",
        f"{CITEXT}tables of members: + column his.codes.more;"
        " + constraint his.codes.codes_id_check; + index his.ix; + rule his.codes.r;"
        " + statistics his.s; + trigger his.codes.t; column his.codes.a differs"),
    one("ALTER TABLE his.codes SET (fillfactor = 70)", "alter extension citext (tables of members)",
        f"{CITEXT}tables of members: table his.codes differs"),
    one(f"ALTER {EXEC} SECURITY DEFINER SET search_path = 'evil'",
        "alter extension dblink (members, powers of members)",
        f"{DBLINK}members were altered",
        f"{DBLINK}powers of members: + {EXEC}: security definer, setting search_path 'evil'"),
    one(f"ALTER {EXEC} OWNER TO cm_reader", "alter extension dblink (members, powers of members)",
        f"{DBLINK}members were altered", f"{DBLINK}powers of members: + {EXEC}: owner cm_reader"),
    one(f"ALTER {EXEC} STABLE", "alter extension dblink (members)",
        f"{DBLINK}members were altered"),
    one("CREATE OR REPLACE FUNCTION his.similarity(text, text) RETURNS real LANGUAGE sql"
        " IMMUTABLE STRICT AS 'SELECT 1.0::real'", "alter extension pg_trgm (members)",
        f"{TRGM}members were altered"),
    one(f"COMMENT ON {EXEC} IS 'x'", "alter extension dblink (members)",
        f"{DBLINK}members were altered"),
    one("ALTER TYPE his.gtrgm SET (STORAGE = plain, TYPMOD_IN = bpchartypmodin)",
        "alter extension pg_trgm (members)", f"{TRGM}members were altered"),
    Case("ALTER EXTENSION citext DROP TABLE his.codes",
         ("alter extension citext (tables of members)", "create table his.codes"),
         ("column `a` of `his.codes` is new: text",
          "column `id` of `his.codes` is new: integer",
          "constraint `codes_pkey` of `his.codes` is new",
          f"{CITEXT}tables of members: - column his.codes.a; - column his.codes.id;"
          " - constraint his.codes.codes_pkey; - table his.codes",
          "table `his.codes` is new")),
    one("CREATE OR REPLACE FUNCTION pg_catalog.lower(text) RETURNS text LANGUAGE internal"
        " IMMUTABLE STRICT AS 'upper'", "alter database current (system functions)",
        "database `current`: system functions were altered"),
    one("ALTER OPERATOR pg_catalog.= (text, text) SET (RESTRICT = NONE)",
        "alter database current (system functions)",
        "database `current`: system functions were altered"),
    one("ALTER LANGUAGE plpgsql OWNER TO cm_reader", "alter database current (system functions)",
        "database `current`: system functions were altered"),
    one("ALTER TEXT SEARCH CONFIGURATION pg_catalog.english ALTER MAPPING FOR word WITH simple",
        "alter database current (system text search)",
        "database `current`: system text search was altered"),
    one("GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO cm_reader",
        "alter function pg_catalog.pg_reload_conf() (grants)",
        "function `pg_catalog.pg_reload_conf()`: grants + cm_reader: EXECUTE"),
    one("REVOKE SELECT ON information_schema.sql_parts FROM PUBLIC",
        "alter table information_schema.sql_parts (grants)",
        "table `information_schema.sql_parts`: grants - PUBLIC: SELECT"),
    Case("GRANT EXECUTE ON FUNCTION pg_catalog.array_agg(anyarray) TO cm_reader WITH GRANT OPTION;"
         " REVOKE USAGE ON LANGUAGE sql FROM PUBLIC; GRANT CREATE ON SCHEMA pg_catalog TO"
         " cm_reader; REVOKE USAGE ON TYPE pg_catalog.money FROM PUBLIC",
         ("alter aggregate pg_catalog.array_agg(anyarray) (grants)", "alter language sql (grants)",
          "alter schema pg_catalog (grants)", "alter type pg_catalog.money (grants)"),
         ("aggregate `pg_catalog.array_agg(anyarray)`: grants + cm_reader: EXECUTE with grant"
          " option",
          "language `sql`: grants - PUBLIC: USAGE",
          "schema `pg_catalog`: grants + cm_reader: CREATE",
          "type `pg_catalog.money`: grants - PUBLIC: USAGE")),
    Case("UPDATE pg_extension SET extowner = 'cm_reader'::regrole WHERE extname = 'pg_trgm'",
         ("alter extension pg_trgm (owner, powers of members)",),
         (f"{TRGM}owner: postgres → cm_reader",
          f"{TRGM}powers of members: + members: owner postgres")),
    Case("DROP EXTENSION dblink; CREATE EXTENSION earthdistance SCHEMA his CASCADE;"
         " GRANT EXECUTE ON FUNCTION his.earth() TO cm_reader",
         ("create extension cube", "drop extension dblink", "create extension earthdistance"),
         ("extension `cube` is new", "extension `dblink` is gone",
          "extension `earthdistance` is new: grants of members: + cm_reader: EXECUTE on function"
          " his.earth()")),
    one("COMMENT ON COLUMN his.notes.id IS 'x'; ALTER VIEW his.notes ALTER id SET DEFAULT 7",
        "alter column his.notes.id (comment, default)",
        "column `id` of `his.notes`: comment: none → x",
        "column `id` of `his.notes`: default: none → 7"),
    one("ALTER FUNCTION his.age(integer) SECURITY DEFINER STABLE SET work_mem = '1MB'",
        "alter function his.age(integer) (definition)",
        "function `his.age(integer)`: now security definer; setting work_mem: none → '1MB';"
        " volatility: volatile → stable"),
    one("ALTER FUNCTION his.age(integer) OWNER TO cm_reader",
        "alter function his.age(integer) (owner)",
        "function `his.age(integer)`: owner: postgres → cm_reader"),
    Case("CREATE POLICY p ON his.note FOR INSERT TO cm_reader WITH CHECK (id > 1);"
         " CREATE RULE r AS ON DELETE TO his.note DO INSTEAD NOTHING;"
         " CREATE FUNCTION his.f() RETURNS integer SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';"
         " REVOKE EXECUTE ON FUNCTION his.f() FROM PUBLIC;"
         " GRANT EXECUTE ON FUNCTION his.f() TO cm_reader",
         ("create function his.f()", "create policy his.note.p", "create rule his.note.r"),
         ("function `his.f()` is new: security definer; grants: cm_reader: EXECUTE;"
          " postgres: EXECUTE",
          "policy `p` on `his.note` is new: for insert to cm_reader; WITH CHECK (id > 1)",
          "rule `r` on `his.note` is new: ON DELETE TO his.note DO INSTEAD NOTHING")),
    one("ALTER SEQUENCE his.ticket OWNED BY his.note.id",
        "alter sequence his.ticket (of, owned by)",
        "sequence `his.ticket` of `his.note.id`: now belongs to column his.note.id",
        "sequence `his.ticket` of `his.note.id`: owned by: none → his.note.id"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """A session whose transaction is never committed, and the schema that it has made."""

    session: Session
    base: Schema

    def after(self, sql: str) -> Schema:
        """The schema after these statements; nothing of them stays."""
        self.session.run("SAVEPOINT start")
        try:
            self.session.run(sql)
            return read_schema(self.session)
        finally:
            self.session.run("ROLLBACK TO SAVEPOINT start")


@pytest.fixture(scope="module")
def read(pg17: PgServer) -> Iterator[Read]:
    """One database and one transaction for all tests."""
    pg17.drop_database(NAME)
    pg17.create_database(NAME)
    with connect(parameters_of(pg17, NAME, pg17.superuser)) as session:
        session.run(f"BEGIN; SET LOCAL search_path = his; {BASE}")
        yield Read(session, read_schema(session))
    pg17.drop_database(NAME)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql[:40])
def test_it_shows_and_is_told(read: Read, case: Case) -> None:
    """By the extension, or the object that was always there; nothing of these is ever new."""
    found = compare_schemas(read.base, read.after(case.sql))
    assert tuple(each.line for each in touches_of(found)) == case.touches
    assert tuple(line for each in found for line in difference_words(each)) == case.words


def test_what_a_list_does_not_say_is_in_the_texts(read: Read) -> None:
    """What is on a member's table, with its definition; what words say whole is not repeated."""
    sql = "CREATE INDEX ix ON his.codes (a); GRANT SELECT ON his.codes TO cm_reader"
    (found,) = compare_schemas(read.base, read.after(sql))
    told = text_diff(found)
    assert told[:2] == [
        "--- extension citext, tables of members before",
        "+++ extension citext, tables of members after",
    ]
    added = [line for line in told[2:] if line.startswith(("+", "-"))]
    assert added == ["+index his.ix: definition CREATE INDEX ix ON his.codes USING btree (a)"]


def test_what_was_granted_of_the_servers_own_can_be_gone(read: Read) -> None:
    """Of a schema that was kept as text as well: the object is not gone, and not new."""
    sql = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO cm_reader"
    granted = read.after(sql)
    for before, said in (
        (granted, "grants - cm_reader: EXECUTE"),
        (
            parse_schema(schema_text(granted), "here"),
            "grants: cm_reader: EXECUTE; postgres: EXECUTE → as the server made it",
        ),
    ):
        (found,) = compare_schemas(before, read.base)
        assert difference_words(found) == (f"function `pg_catalog.pg_reload_conf()`: {said}",)


def test_what_is_new_of_an_extension_says_its_powers(read: Read) -> None:
    """Functions that run as their owner are named from the beginning."""
    before = read.after("DROP EXTENSION dblink")
    (found,) = compare_schemas(before, read.base)
    assert difference_words(found) == (
        "extension `dblink` is new: powers of members: + function his.dblink_connect_u(text):"
        " security definer; + function his.dblink_connect_u(text, text): security definer",
    )


def test_properties_that_no_case_alters(read: Read) -> None:
    """What a partition has because of its parent names it; the rules of a collation are there."""
    schema = read.after(
        "CREATE FUNCTION his.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER note AFTER INSERT ON his.result FOR EACH ROW EXECUTE FUNCTION his.noted();"
        "ALTER TABLE his.result ADD PRIMARY KEY (day); CREATE INDEX by_day ON his.result (day);"
        "CREATE COLLATION his.zh (provider = libc, locale = 'C');"
        "UPDATE pg_collation SET collicurules = '&a < b' WHERE collname = 'zh'"
    )
    for kind, path, key, text in (
        (ObjectKind.CONSTRAINT, ("result_2025", "result_2025_pkey"), "partition of",
         "his.result.result_pkey"),
        (ObjectKind.INDEX, ("result_2025_day_idx",), "partition of", "his.by_day"),
        (ObjectKind.TRIGGER, ("result_2025", "note"), "partition of", "his.result.note"),
        (ObjectKind.COLLATION, ("zh",), "rules", "&a < b"),
    ):  # fmt: skip
        assert schema.objects[ObjectName(kind, ("his", *path))].properties[key] == text


def test_lines_of_members_are_not_confused(read: Read) -> None:
    """A text with a separator, a quote or a second line is written so that it stays one."""
    schema = read.after("ALTER TABLE his.codes ALTER a SET DEFAULT E'x; y\nz'")
    found = schema.objects[ObjectName(ObjectKind.EXTENSION, ("citext",))].properties
    assert found["tables of members"].split("\n")[0] == (
        "column his.codes.a: default \"'x; y\\nz'::text\"; position 2; type text"
    )


def test_what_is_put_on_the_servers_own_tables_is_unknown(read: Read) -> None:
    """Nobody compares that, so it is named, and stops whoever would."""
    sql = (
        "CREATE TRIGGER t BEFORE INSERT ON information_schema.sql_parts"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger();"
        "CREATE INDEX i ON information_schema.sql_parts (feature_id);"
        "GRANT INSERT ON information_schema.sql_parts TO cm_reader"
    )
    assert read.after(sql).unknown == (
        "index information_schema.i",
        "trigger t on information_schema.sql_parts",
    )


def test_each_part_of_the_servers_functions_counts(read: Read) -> None:
    """Whatever of a function is altered, by a statement or in its row, the digest is another."""
    query = f"SELECT {builtin_properties()['system functions']}"
    read.session.run("SAVEPOINT parts; SET LOCAL search_path = pg_catalog, pg_temp")
    try:
        before = read.session.rows(query)
        same = []
        for change in (
            "prosrc = 'x'", "probin = 'x'", "prosecdef = true", "proconfig = '{jit=off}'",
            "proowner = 'cm_reader'::regrole", "provolatile = 'v'", "proleakproof = true",
            "proisstrict = false", "procost = 5", "prorows = 5", "prolang = 13", "proretset = true",
            "prosupport = 'int4pl'::regproc", "proparallel = 'u'", "proname = 'x'", "prokind = 'w'",
            "prosqlbody = (SELECT prosqlbody FROM pg_proc WHERE oid ="
            " 'rpad(text, integer)'::regprocedure)",
            "proargdefaults = (SELECT proargdefaults FROM pg_proc WHERE pronargdefaults = 1"
            " LIMIT 1)",
        ):  # fmt: skip
            read.session.run("SAVEPOINT part")
            read.session.run(
                f"UPDATE pg_proc SET {change} WHERE oid = 'lpad(text, integer)'::regprocedure"
            )
            if read.session.rows(query) == before:
                same.append(change)
            read.session.run("ROLLBACK TO SAVEPOINT part")
    finally:
        read.session.run("ROLLBACK TO SAVEPOINT parts")
    assert same == []
