"""What is altered seldom, or never by a statement: the rest of the reader's properties.

Where no statement does it, the catalogue is written; nothing of that is ever committed.
"""

from __future__ import annotations

from tests.engines.postgresql.change_schema_cases import Case, together, turn

_HERE = "WHERE datname = current_database()"
_DATABASE = "DO $$ BEGIN EXECUTE format('{} DATABASE %I {}', current_database()); END $$"
_VISIT = "ALTER TABLE his.visit"
_DOUBLED = (
    f"{_VISIT} DROP doubled, DROP note; {_VISIT} ADD doubled numeric GENERATED ALWAYS AS"
    " (weight * {}) STORED, ADD note text"
)
_RELATIONS = (
    "oid IN ('his.ward'::regclass, 'his.counted'::regclass, 'his.visit_born'::regclass,"
    " 'his.once'::regclass)"
)
_SIGNS = (
    "UPDATE pg_ts_parser SET prsstart = '{0}start', prstoken = '{0}nexttoken', prsend = '{0}end',"
    " prslextype = '{0}lextype' WHERE prsname = 'signs'"
)
_SAME = "CREATE OPERATOR his.=@= (LEFTARG = text, RIGHTARG = text, FUNCTION = {})"
_OLD = "CREATE FOREIGN TABLE his.old (id integer OPTIONS (name 'x')) SERVER {} OPTIONS (sheet '1')"
_ARCHIVE = (
    "CREATE SERVER archive TYPE '{}' FOREIGN DATA WRAPPER {} OPTIONS (host '10.0.0.1');"
    " CREATE USER MAPPING FOR cs_reader SERVER archive"
)


def _updated(table: str, where: str, there: str, back: str, *touches: str) -> Case:
    """Rows of a catalogue are others, and as before again."""
    update = f"UPDATE {table} SET {{}} WHERE {where}"
    return Case(f"{table}: {there}", update.format(there), touches, update.format(back))


def _labelled(catalog: str, values: str, where: str, touch: str) -> Case:
    """A security label, which only an extension of the server's could give."""
    return Case(catalog, f"INSERT INTO {catalog} VALUES ({values})", (touch,),
                f"DELETE FROM {catalog} WHERE {where}")  # fmt: skip


PROPERTIES = (
    together("the database itself", (
        Case("of statements", "; ".join((
                _DATABASE.format("COMMENT ON", "IS ''x''"),
                _DATABASE.format("ALTER", "CONNECTION LIMIT 5"),
                _DATABASE.format("ALTER", "OWNER TO cs_owner"))),
             (), "; ".join((
                _DATABASE.format("COMMENT ON", "IS NULL"),
                _DATABASE.format("ALTER", "CONNECTION LIMIT -1"),
                _DATABASE.format("ALTER", "OWNER TO CURRENT_USER")))),
        Case("of its row", "UPDATE pg_database SET datallowconn = false, datcollate = 'POSIX',"
             f" datctype = 'POSIX', encoding = 0 {_HERE}", (),
             "UPDATE pg_database SET datallowconn = true, datcollate = 'C', datctype = 'C',"
             f" encoding = pg_char_to_encoding('UTF8') {_HERE}"),
        turn("ALTER FUNCTION pg_catalog.reverse(text)", "COST 5", "COST 1"),
        turn("ALTER TEXT SEARCH DICTIONARY pg_catalog.simple", "(accept = false)", "(accept)"),
        _labelled("pg_shseclabel", "(SELECT oid FROM pg_database WHERE datname ="
                  " current_database()), 'pg_database'::regclass, 'own', 'x'", "provider = 'own'",
                  "alter database current (collate, comment, connection limit, connections, ctype,"
                  " encoding, owner, security labels, system functions, system text search)"),
    )),
    together("tablespaces and states of indexes", (
        _updated("pg_class", _RELATIONS, "reltablespace = 1664", "reltablespace = 0",
                 "alter constraint his.visit.once (tablespace, valid)",
                 "alter index his.visit_born (replica identity, tablespace)",
                 "alter materialized view his.counted (tablespace)",
                 "alter table his.ward (security labels, tablespace)"),
        _updated("pg_index", "indexrelid = 'his.once'::regclass",
                 "indisvalid = false", "indisvalid = true"),
        _updated("pg_index", "indexrelid = 'his.visit_born'::regclass",
                 "indisreplident = true", "indisreplident = false"),
        _labelled("pg_seclabel", "'his.ward'::regclass, 'pg_class'::regclass, 0, 'own', 'x'",
                  "provider = 'own'", "alter schema his (owner)"),
        turn("ALTER SCHEMA his OWNER TO", "CURRENT_USER", "cs_owner"),
    )),
    Case("another expression", _DOUBLED.format(3), ("alter column his.visit.doubled (generated)",),
         _DOUBLED.format(2)),
    Case("columns change places", f"{_VISIT} DROP doubled; {_VISIT} ADD doubled numeric"
         " GENERATED ALWAYS AS (weight * 2) STORED",
         ("alter column his.visit.doubled (position)", "alter column his.visit.note (position)"),
         _DOUBLED.format(2)),
    together("made otherwise", (
        Case("storage of a view", "DROP MATERIALIZED VIEW his.counted; CREATE MATERIALIZED VIEW"
             " his.counted USING own_heap AS SELECT count(*) AS n FROM his.visit",
             ("alter materialized view his.counted (access method)",),
             "DROP MATERIALIZED VIEW his.counted; CREATE MATERIALIZED VIEW his.counted"
             " AS SELECT count(*) AS n FROM his.visit"),
        Case("function of an operator",
             f"DROP OPERATOR his.=@= (text, text); {_SAME.format('textne')}",
             ("alter operator his.=@=(text, text) (function)",),
             f"DROP OPERATOR his.=@= (text, text); {_SAME.format('texteq')}"),
        Case("statistics", "DROP STATISTICS his.visit_both; CREATE STATISTICS his.visit_both"
             " (ndistinct) ON ward_code, born FROM his.visit",
             ("alter statistics his.visit_both (definition)",), "DROP STATISTICS his.visit_both;"
             " CREATE STATISTICS his.visit_both ON ward_code, born FROM his.visit"),
        Case("all tables", "DROP PUBLICATION warehouse; CREATE PUBLICATION warehouse FOR ALL TABLES"
             " WITH (publish = 'insert')", ("alter publication warehouse (all tables, tables)",),
             "DROP PUBLICATION warehouse; CREATE PUBLICATION warehouse FOR TABLE his.ward WITH"
             " (publish = 'insert')"),
        Case("an event trigger", "CREATE FUNCTION his.watched() RETURNS event_trigger LANGUAGE"
             " plpgsql AS 'BEGIN END'; DROP EVENT TRIGGER seen; CREATE EVENT TRIGGER seen ON"
             " ddl_command_end EXECUTE FUNCTION his.watched(); ALTER ROLE cs_owner SUPERUSER;"
             " ALTER EVENT TRIGGER seen OWNER TO cs_owner",
             ("alter event trigger seen (function, owner)", "create function his.watched()"),
             "DROP EVENT TRIGGER seen; CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE"
             " FUNCTION his.seen(); DROP FUNCTION his.watched(); ALTER ROLE cs_owner NOSUPERUSER"),
    )),
    Case("other servers", "CREATE FOREIGN DATA WRAPPER other; DROP SERVER archive CASCADE;"
             f" {_ARCHIVE.format('b', 'other')}; CREATE SERVER far FOREIGN DATA WRAPPER paper;"
             f" {_OLD.format('far')}",
             ("alter foreign server archive (type, wrapper)",
              "alter foreign table his.old (server)", "create foreign server far",
              "create foreign-data wrapper other"),
         "DROP SERVER far, archive CASCADE; DROP FOREIGN DATA WRAPPER other;"
             f" {_ARCHIVE.format('a', 'paper')}; {_OLD.format('archive')}"),
    together("rare parts of these kinds", (
        _updated("pg_foreign_data_wrapper", "fdwname = 'paper'", "fdwhandler ="
                 " 'pg_catalog.upper(text)'::regprocedure, fdwvalidator ="
                 " 'pg_catalog.lower(text)'::regprocedure, fdwowner = 'cs_owner'::regrole",
                 "fdwhandler = 0, fdwvalidator = 0, fdwowner = 10",
                 "alter foreign-data wrapper paper (handler, owner, validator)"),
        _updated("pg_collation", "collname = 'zh' AND collnamespace = 'his'::regnamespace",
                 "collprovider = 'i', collisdeterministic = false",
                 "collprovider = 'c', collisdeterministic = true",
                 "alter collation his.zh (deterministic, provider)"),
        _updated("pg_language", "lanname = 'plown'",
                 "lanplcallfoid = 'plpgsql_validator'::regproc",
                 "lanplcallfoid = 'plpgsql_call_handler'::regproc",
                 "alter language plown (handler)"),
        _updated("pg_ts_template", "tmplname = 'plain'", "tmpllexize = 'dsynonym_lexize'",
                 "tmpllexize = 'dsimple_lexize'", "alter text search template his.plain (lexize)"),
        Case("functions of a parser", "CREATE FUNCTION his.own_start(internal, integer) RETURNS"
             " internal LANGUAGE internal AS 'prsd_start'; CREATE FUNCTION his.own_nexttoken"
             "(internal, internal, internal) RETURNS internal LANGUAGE internal AS"
             " 'prsd_nexttoken'; CREATE FUNCTION his.own_end(internal) RETURNS void LANGUAGE"
             " internal AS 'prsd_end'; CREATE FUNCTION his.own_lextype(internal) RETURNS internal"
             f" LANGUAGE internal AS 'prsd_lextype'; {_SIGNS.format('his.own_')}",
             ("alter text search parser his.signs (end, start, token, token types)",
              "create function his.own_end(internal)",
              "create function his.own_lextype(internal)",
              "create function his.own_nexttoken(internal, internal, internal)",
              "create function his.own_start(internal, integer)"),
             f"{_SIGNS.format('prsd_')}; DROP FUNCTION his.own_start, his.own_nexttoken,"
             " his.own_end, his.own_lextype"),
    )),
)  # fmt: skip
