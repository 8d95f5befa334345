"""Changes of views, functions, types, rights and of what lies in no schema."""

from __future__ import annotations

from tests.engines.postgresql.change_schema_cases import Case, made, together, turn

_AGE = "CREATE OR REPLACE FUNCTION his.age(born date) RETURNS integer LANGUAGE sql {}"
_TIDY = "CREATE OR REPLACE PROCEDURE his.tidy(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN {}END'"
_JOINED = "CREATE OR REPLACE AGGREGATE his.joined(text) (SFUNC = textcat, STYPE = text, {})"
_NOTE = (
    "CREATE OR REPLACE TRIGGER note {} UPDATE ON his.visit"
    " FOR EACH ROW EXECUTE FUNCTION his.noted()"
)
_KEEP = "CREATE OR REPLACE RULE keep AS ON DELETE TO his.ward DO INSTEAD {}"

PROGRAMS = (
    together("made programs", (
        made("VIEW", "his.few", "view his.few", " AS SELECT 1 AS a"),
        made("MATERIALIZED VIEW", "his.more", "materialized view his.more", " AS SELECT 1 AS a"),
        made("FUNCTION", "his.age(text)", "function his.age(text)",
              " RETURNS integer LANGUAGE sql AS 'SELECT 2'"),
        made("PROCEDURE", "his.empty()", "procedure his.empty()", " LANGUAGE sql AS ''"),
        made("AGGREGATE", "his.least_of(integer)", "aggregate his.least_of(integer)",
              " (SFUNC = int4smaller, STYPE = integer, SORTOP = <)"),
    )),
    Case("another view", "CREATE OR REPLACE VIEW his.visits AS SELECT id, ward_code FROM his.visit"
         " WHERE id > 1", ("alter view his.visits (definition)",),
         "CREATE OR REPLACE VIEW his.visits AS SELECT id, ward_code FROM his.visit"),
    Case("more columns", "CREATE OR REPLACE VIEW his.visits AS"
         " SELECT id, ward_code, note FROM his.visit",
         ("alter view his.visits (columns, definition)",),
         "DROP VIEW his.visits; CREATE VIEW his.visits AS SELECT id, ward_code FROM his.visit"),
    turn("ALTER VIEW his.visits", "SET (security_barrier)", "RESET (security_barrier)",
         "alter view his.visits (options)"),
    turn("ALTER MATERIALIZED VIEW his.counted", "SET (fillfactor = 50)", "RESET (fillfactor)",
         "alter materialized view his.counted (options)"),
    Case("TOAST of a materialized view", "DROP MATERIALIZED VIEW his.counted;"
         " CREATE MATERIALIZED VIEW his.counted AS SELECT ''::text AS n;"
         " ALTER MATERIALIZED VIEW his.counted SET (toast.vacuum_truncate = off)",
         ("alter materialized view his.counted (columns, definition, options)",),
         "DROP MATERIALIZED VIEW his.counted;"
         " CREATE MATERIALIZED VIEW his.counted AS SELECT count(*) AS n FROM his.visit"),
    Case("another materialized view", "DROP MATERIALIZED VIEW his.counted;"
         " CREATE MATERIALIZED VIEW his.counted AS SELECT 1 AS n",
         ("alter materialized view his.counted (columns, definition)",),
         "DROP MATERIALIZED VIEW his.counted;"
         " CREATE MATERIALIZED VIEW his.counted AS SELECT count(*) AS n FROM his.visit"),
    *(Case(f"function {what}", _AGE.format(what),
           ("alter function his.age(date) (definition)",), _AGE.format("AS 'SELECT 1'"))
      for what in ("AS 'SELECT 2'", "IMMUTABLE AS 'SELECT 1'", "COST 5 AS 'SELECT 1'",
                   "SECURITY DEFINER AS 'SELECT 1'", "SET work_mem = '1MB' AS 'SELECT 1'")),
    Case("drop a function", "DROP FUNCTION his.age(date)", ("drop function his.age(date)",),
         _AGE.format("AS 'SELECT 1'")),
    Case("another procedure", _TIDY.format("n := 1; "),
         ("alter procedure his.tidy(integer) (definition)",), _TIDY.format("")),
    Case("another aggregate", _JOINED.format("INITCOND = 'b', PARALLEL = safe"),
         ("alter aggregate his.joined(text) (definition)",), _JOINED.format("INITCOND = 'a'")),
    Case("another trigger", _NOTE.format("BEFORE"), ("alter trigger his.visit.note (definition)",),
         _NOTE.format("AFTER")),
    Case("drop a trigger", "DROP TRIGGER note ON his.visit", ("drop trigger his.visit.note",),
         _NOTE.format("AFTER")),
    Case("drop a trigger of partitions", "DROP TRIGGER note ON his.result",
         ("drop trigger his.result.note",),
         "CREATE TRIGGER note AFTER UPDATE ON his.result FOR EACH ROW"
         " EXECUTE FUNCTION his.noted()"),
    *(turn("ALTER TABLE his.visit", f"{how} TRIGGER note", "ENABLE TRIGGER note",
           "alter trigger his.visit.note (enabled)")
      for how in ("DISABLE", "ENABLE REPLICA", "ENABLE ALWAYS")),
    turn("ALTER TABLE his.result_2025", "DISABLE TRIGGER note", "ENABLE TRIGGER note",
         "alter trigger his.result_2025.note (enabled)"),
    Case("another rule", _KEEP.format("NOTIFY x"), ("alter rule his.ward.keep (definition)",),
         _KEEP.format("NOTHING")),
    Case("drop a rule", "DROP RULE keep ON his.ward", ("drop rule his.ward.keep",),
         _KEEP.format("NOTHING")),
    turn("ALTER TABLE his.ward", "DISABLE RULE keep", "ENABLE RULE keep",
         "alter rule his.ward.keep (enabled)"),
    turn("ALTER POLICY own ON his.visit", 'TO cs_reader, "cs 张三" USING (id > 2)',
         "TO cs_reader USING (id > 1)", "alter policy his.visit.own (roles, using)"),
    Case("another policy", "DROP POLICY own ON his.visit; CREATE POLICY own ON his.visit"
         " AS RESTRICTIVE FOR INSERT TO cs_reader WITH CHECK (id > 1)",
         ("alter policy his.visit.own (check, command, restrictive, using)",),
         "DROP POLICY own ON his.visit;"
         " CREATE POLICY own ON his.visit FOR SELECT TO cs_reader USING (id > 1)"),
    Case("create a policy", "CREATE POLICY all_of ON his.ward",
         ("create policy his.ward.all_of",), "DROP POLICY all_of ON his.ward"),
    Case("another event trigger", "DROP EVENT TRIGGER seen; CREATE EVENT TRIGGER seen ON sql_drop"
         " WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION his.seen();"
         " ALTER EVENT TRIGGER seen DISABLE",
         ("alter event trigger seen (enabled, event, tags)",),
         "DROP EVENT TRIGGER seen;"
         " CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION his.seen()"),
    Case("drop an event trigger", "DROP EVENT TRIGGER seen", ("drop event trigger seen",),
         "CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION his.seen()"),
)  # fmt: skip

_TICKET = "ALTER SEQUENCE his.ticket"
_MADE_TICKET = "alter sequence his.ticket"

TYPES = (
    together("made types", (
        made("TYPE", "his.blood", "type his.blood", " AS ENUM ('A')"),
        made("DOMAIN", "his.few", "domain his.few", " AS integer CHECK (VALUE < 5)"),
        made("SEQUENCE", "his.numbers", "sequence his.numbers"),
    )),
    Case("one more label", "ALTER TYPE his.sex ADD VALUE 'x' BEFORE 'f'",
         ("alter type his.sex (labels)",), "DROP TYPE his.sex; CREATE TYPE his.sex"
         " AS ENUM ('m', 'f')"),
    turn("ALTER TYPE his.sex RENAME VALUE", "'f' TO 'w'", "'w' TO 'f'",
         "alter type his.sex (labels)"),
    turn("ALTER TYPE his.address", "ADD ATTRIBUTE city text", "DROP ATTRIBUTE city",
         "alter type his.address (attributes)"),
    turn("ALTER TYPE his.address ALTER ATTRIBUTE no", "TYPE bigint", "TYPE integer",
         "alter type his.address (attributes)"),
    Case("another range", "DROP TYPE his.dose_range; CREATE TYPE his.dose_range AS RANGE"
         " (subtype = float8, subtype_diff = float8mi)", ("alter type his.dose_range (range)",),
         "DROP TYPE his.dose_range; CREATE TYPE his.dose_range AS RANGE (subtype = numeric)"),
    turn("ALTER DOMAIN his.code", "SET DEFAULT 'x'", "DROP DEFAULT",
         "alter domain his.code (default)"),
    Case("domains", "CREATE DOMAIN his.d AS text NOT NULL; DROP DOMAIN his.d;"
         " ALTER DOMAIN his.code ADD CONSTRAINT up CHECK (VALUE = upper(VALUE)) NOT VALID",
         ("create constraint his.code.up",), "ALTER DOMAIN his.code DROP CONSTRAINT up"),
    turn(_TICKET, "INCREMENT 2 MINVALUE 0 MAXVALUE 99 START 5 CACHE 4 CYCLE",
         "INCREMENT 1 NO MINVALUE NO MAXVALUE START 1 CACHE 1 NO CYCLE",
         f"{_MADE_TICKET} (cache, cycle, increment, maximum, minimum, start)"),
    turn(_TICKET, "AS integer", "AS bigint", f"{_MADE_TICKET} (maximum, type)"),
    turn(_TICKET, "OWNED BY his.visit.note", "OWNED BY NONE", f"{_MADE_TICKET} (of, owned by)"),
    Case("where a sequence stands", "SELECT nextval('his.ticket')", (), ""),
)  # fmt: skip

RIGHTS = (
    together("owners", (
      turn(f"ALTER {what} {name} OWNER TO", "cs_owner", "CURRENT_USER", f"alter {touch} (owner)")
      for what, name, touch in (
          ("TABLE", "his.ward", "table his.ward"), ("VIEW", "his.visits", "view his.visits"),
          ("FUNCTION", "his.age(date)", "function his.age(date)"),
          ("AGGREGATE", "his.joined(text)", "aggregate his.joined(text)"),
          ("TYPE", "his.sex", "type his.sex"), ("DOMAIN", "his.code", "domain his.code"),
          ("SEQUENCE", "his.ticket", "sequence his.ticket"),
          ("PUBLICATION", "warehouse", "publication warehouse"),
          ("SERVER", "archive", "foreign server archive")))),
    together("grants", (Case(f"grant {what}", f"GRANT ALL ON {what} TO cs_reader WITH GRANT OPTION",
           (f"alter {touch} (grants)",), f"REVOKE ALL ON {what} FROM cs_reader")
      for what, touch in (
          ("his.ward", "table his.ward"), ("his.visits", "view his.visits"),
          ("FUNCTION his.age(date)", "function his.age(date)"),
          ("PROCEDURE his.tidy(integer)", "procedure his.tidy(integer)"),
          ("TYPE his.sex", "type his.sex"), ("SEQUENCE his.ticket", "sequence his.ticket"),
          ("SCHEMA his", "schema his"), ("SCHEMA public", "schema public"),
          ("FOREIGN SERVER archive", "foreign server archive"),
          ("FOREIGN DATA WRAPPER paper", "foreign-data wrapper paper")))),
    turn("", "REVOKE EXECUTE ON FUNCTION his.age(date) FROM PUBLIC",
         "GRANT EXECUTE ON FUNCTION his.age(date) TO PUBLIC",
         "alter function his.age(date) (grants)"),
    turn("", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO cs_reader",
         "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() FROM cs_reader",
         "alter function pg_catalog.pg_reload_conf() (grants)"),
    turn("", "REVOKE SELECT ON information_schema.sql_parts FROM PUBLIC",
         "GRANT SELECT ON information_schema.sql_parts TO PUBLIC",
         "alter table information_schema.sql_parts (grants)"),
    turn("ALTER DEFAULT PRIVILEGES FOR ROLE cs_owner", "GRANT USAGE ON TYPES TO cs_reader",
         "REVOKE USAGE ON TYPES FROM cs_reader", "create default privileges cs_owner.types"),
    turn("ALTER DEFAULT PRIVILEGES FOR ROLE cs_owner IN SCHEMA his",
         "GRANT INSERT ON TABLES TO cs_reader", "REVOKE INSERT ON TABLES FROM cs_reader",
         'alter default privileges cs_owner."tables in his" (grants)'),
    together("comments", (turn(f"COMMENT ON {what} IS", "'x'", "NULL", f"alter {touch} (comment)")
      for what, touch in (
          ("TABLE his.ward", "table his.ward"), ("SCHEMA his", "schema his"),
          ("FUNCTION his.age(date)", "function his.age(date)"),
          ("TRIGGER note ON his.visit", "trigger his.visit.note"),
          ("POLICY own ON his.visit", "policy his.visit.own"),
          ("DOMAIN his.code", "domain his.code"), ("SERVER archive", "foreign server archive")))),
)  # fmt: skip

DATABASE = (
    together("made database", (
        made("SCHEMA", "lab", "schema lab"),
        made("EXTENSION", "pg_trgm", "extension pg_trgm", " SCHEMA public"),
        made("PUBLICATION", "all_of_it", "publication all_of_it", " FOR ALL TABLES"),
        made("FOREIGN DATA WRAPPER", "other", "foreign-data wrapper other"),
        made("SERVER", "far", "foreign server far", " FOREIGN DATA WRAPPER paper"),
        made("USER MAPPING", "FOR PUBLIC SERVER archive", "user mapping archive.public",
              " OPTIONS (password 'geheim-2')"),
    )),
    Case("settings", "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''2MB''',"
         " current_database()); END $$", ("alter database current (settings)",),
         "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET work_mem',"
         " current_database()); END $$"),
    Case("a template", "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true',"
         " current_database()); END $$", ("alter database current (template)",),
         "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I IS_TEMPLATE false',"
         " current_database()); END $$"),
    Case("drop an extension", "DROP EXTENSION citext", ("drop extension citext",),
         "CREATE EXTENSION citext SCHEMA public"),
    turn("ALTER EXTENSION citext SET SCHEMA", "his", "public",
         "alter extension citext (members, schema)"),
    Case("depend on an extension", "ALTER FUNCTION his.age(date) DEPENDS ON EXTENSION citext",
         ("alter function his.age(date) (depends on extension)",),
         "ALTER FUNCTION his.age(date) NO DEPENDS ON EXTENSION citext"),
    turn("ALTER PUBLICATION warehouse SET",
         "(publish = 'update', publish_via_partition_root = true)",
         "(publish = 'insert', publish_via_partition_root = false)",
         "alter publication warehouse (actions, via root)"),
    turn("ALTER PUBLICATION warehouse SET TABLE", "his.ward (code) WHERE (title <> 'x')",
         "his.ward", "alter publication warehouse (tables)"),
    turn("ALTER PUBLICATION warehouse", "ADD TABLES IN SCHEMA public",
         "DROP TABLES IN SCHEMA public", "alter publication warehouse (schemas)"),
    turn("ALTER FOREIGN DATA WRAPPER paper", "OPTIONS (SET debug 'false')",
         "OPTIONS (SET debug 'true')", "alter foreign-data wrapper paper (options)"),
    Case("another server", "ALTER SERVER archive VERSION '9' OPTIONS (SET host '10.0.0.2')",
         ("alter foreign server archive (options, version)",),
         "DROP SERVER archive CASCADE; CREATE SERVER archive TYPE 'a' FOREIGN DATA WRAPPER paper"
         " OPTIONS (host '10.0.0.1'); CREATE USER MAPPING FOR cs_reader SERVER archive;"
         " CREATE FOREIGN TABLE his.old (id integer OPTIONS (name 'x')) SERVER archive"
         " OPTIONS (sheet '1')"),
)  # fmt: skip
