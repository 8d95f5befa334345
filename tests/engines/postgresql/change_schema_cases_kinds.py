"""Changes of operators, text search, collations, casts, conversions, languages and the like."""

from __future__ import annotations

from tests.engines.postgresql.change_schema_cases import Case, together, turn

_OWN = "OPERATOR 1 his.=#=, FUNCTION 1 (his.level, his.level) hashenum(anyenum)"
_PARSER = "START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype"
_TRANSFORM = "TRANSFORM FOR integer LANGUAGE sql"
_FROM_SQL = "FROM SQL WITH FUNCTION prsd_lextype(internal)"
_LEVEL = "CREATE CAST (his.level AS integer)"

# What they stand for in the schema, how CREATE, ALTER and DROP name them, how they are made.
_MADE = (
    ("operator his.=@=(text, text)", "OPERATOR his.=@= (text, text)",
     "CREATE OPERATOR his.=@= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)"),
    ("operator family his.loose(btree)", "OPERATOR FAMILY his.loose USING btree",
     "CREATE OPERATOR FAMILY his.loose USING btree"),
    ("operator family his.own(hash)", "OPERATOR FAMILY his.own USING hash",
     "CREATE OPERATOR FAMILY his.own USING hash"),
    ("operator class his.own(hash)", "OPERATOR CLASS his.own USING hash",
     f"CREATE OPERATOR CLASS his.own FOR TYPE his.level USING hash FAMILY his.own AS {_OWN}"),
    ("access method own_heap", "ACCESS METHOD own_heap",
     "CREATE ACCESS METHOD own_heap TYPE TABLE HANDLER heap_tableam_handler"),
    ("collation his.zh", "COLLATION his.zh",
     "CREATE COLLATION his.zh (provider = libc, locale = 'C')"),
    ("conversion his.to_latin", "CONVERSION his.to_latin",
     "CREATE CONVERSION his.to_latin FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1"),
    ('cast "his.level AS integer"', "CAST (his.level AS integer)", f"{_LEVEL} WITH INOUT"),
    ('transform "integer LANGUAGE sql"', _TRANSFORM, f"CREATE {_TRANSFORM} ({_FROM_SQL})"),
    ("language plown", "LANGUAGE plown", "CREATE LANGUAGE plown HANDLER plpgsql_call_handler"),
    ("text search parser his.signs", "TEXT SEARCH PARSER his.signs",
     f"CREATE TEXT SEARCH PARSER his.signs ({_PARSER})"),
    ("text search template his.plain", "TEXT SEARCH TEMPLATE his.plain",
     "CREATE TEXT SEARCH TEMPLATE his.plain (INIT = dsimple_init, LEXIZE = dsimple_lexize)"),
    ("text search dictionary his.words", "TEXT SEARCH DICTIONARY his.words",
     "CREATE TEXT SEARCH DICTIONARY his.words (TEMPLATE = his.plain)"),
    ("text search configuration his.zh", "TEXT SEARCH CONFIGURATION his.zh",
     "CREATE TEXT SEARCH CONFIGURATION his.zh (PARSER = his.signs);"
     " ALTER TEXT SEARCH CONFIGURATION his.zh ADD MAPPING FOR word WITH his.words"),
)  # fmt: skip
_MAKE = "; ".join(make for _, _, make in _MADE)
_DROP = "; ".join(f"DROP {name}" for _, name, _ in reversed(_MADE))

BASE = f"""
CREATE TYPE his.level AS ENUM ('low', 'high');
CREATE FUNCTION his.same(his.level, his.level) RETURNS boolean LANGUAGE internal
    IMMUTABLE STRICT AS 'enum_eq';
CREATE OPERATOR his.=#= (LEFTARG = his.level, RIGHTARG = his.level, FUNCTION = his.same);
{_MAKE};
"""
"""One of each, in the schema `his`, for the base of all cases."""


def _again(touch: str, name: str, other: str, usual: str) -> Case:
    """What no ALTER does: the object is dropped and made otherwise."""
    return Case(other, f"DROP {name}; {other}", (touch,), f"DROP {name}; {usual}")


_BY = {touch: (name, make) for touch, name, make in _MADE}


def _otherwise(touch: str, properties: str, other: str) -> Case:
    name, make = _BY[touch]
    return _again(f"alter {touch} ({properties})", name, other, make)


_SAME = "CREATE OPERATOR his.=@= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq"
_CONFIGURATION = "TEXT SEARCH CONFIGURATION his.zh"

KINDS = (
    together("dropped and made", (
        Case("all", _DROP, tuple(f"drop {touch}" for touch, _, _ in _MADE), _MAKE),
    )),
    together("made beside", (
        Case("beside", "CREATE OPERATOR his.!@ (RIGHTARG = integer, FUNCTION = int4um);"
             " CREATE COLLATION his.plain (provider = libc, locale = 'C');"
             " CREATE CAST (integer AS his.level) WITH INOUT;"
             " CREATE TEXT SEARCH DICTIONARY his.more (TEMPLATE = simple);"
             " CREATE TEXT SEARCH CONFIGURATION his.more (COPY = pg_catalog.simple)",
             ("create operator his.!@(NONE, integer)", "create collation his.plain",
              'create cast "integer AS his.level"', "create text search dictionary his.more",
              "create text search configuration his.more"),
             "DROP OPERATOR his.!@ (NONE, integer); DROP COLLATION his.plain;"
             " DROP CAST (integer AS his.level); DROP TEXT SEARCH CONFIGURATION his.more;"
             " DROP TEXT SEARCH DICTIONARY his.more"),
    )),
    together("altered operators", (
        turn("ALTER OPERATOR his.=@= (text, text)", "SET (RESTRICT = eqsel, JOIN = eqjoinsel)",
             "SET (RESTRICT = NONE, JOIN = NONE)",
             "alter operator his.=@=(text, text) (join, restrict)"),
        turn("ALTER OPERATOR FAMILY his.loose USING btree",
             "ADD OPERATOR 1 < (date, timestamp), FUNCTION 1 date_cmp_timestamp(date, timestamp)",
             "DROP OPERATOR 1 (date, timestamp), FUNCTION 1 (date, timestamp)",
             "alter operator family his.loose(btree) (members)"),
        _otherwise("operator class his.own(hash)", "default, members",
             "CREATE OPERATOR CLASS his.own DEFAULT FOR TYPE his.level USING hash FAMILY his.own"
             " AS OPERATOR 1 his.=#=, FUNCTION 1 (his.level, his.level) hashint4(integer)"),
        _otherwise("access method own_heap", "handler, type",
             "CREATE ACCESS METHOD own_heap TYPE INDEX HANDLER bthandler"),
    )),
    together("other operators", (
        Case("an operator of a pair", f"DROP OPERATOR his.=@= (text, text); {_SAME},"
             " COMMUTATOR = OPERATOR(his.=@=), NEGATOR = OPERATOR(his.<@>), HASHES, MERGES)",
             ("alter operator his.=@=(text, text) (commutator, hashes, merges, negator)",
              "create operator his.<@>(text, text)"),
             "DROP OPERATOR his.<@> (text, text); DROP OPERATOR his.=@= (text, text);"
             f" {_SAME})"),
        Case("a class in a family of the server's",
             "CREATE OPERATOR CLASS his.more FOR TYPE his.level USING hash"
             f" FAMILY pg_catalog.enum_ops AS {_OWN}", ("create operator class his.more(hash)",),
             "DROP OPERATOR CLASS his.more USING hash"),
    )),
    together("altered text search", (
        Case("mappings", f"ALTER {_CONFIGURATION} ALTER MAPPING FOR word WITH his.words, simple;"
             f" ALTER {_CONFIGURATION} ADD MAPPING FOR asciiword WITH english_stem",
             ("alter text search configuration his.zh (mappings)",),
             f"ALTER {_CONFIGURATION} ALTER MAPPING FOR word WITH his.words;"
             f" ALTER {_CONFIGURATION} DROP MAPPING FOR asciiword"),
        turn("ALTER TEXT SEARCH DICTIONARY his.words", "(accept = false)", "(accept)",
             "alter text search dictionary his.words (options)"),
    )),
    together("other text search", (
        Case("all of it", "DROP TEXT SEARCH CONFIGURATION his.zh;"
             " DROP TEXT SEARCH DICTIONARY his.words; DROP TEXT SEARCH TEMPLATE his.plain;"
             " DROP TEXT SEARCH PARSER his.signs;"
             f" CREATE TEXT SEARCH PARSER his.signs ({_PARSER}, HEADLINE = prsd_headline);"
             " CREATE TEXT SEARCH TEMPLATE his.plain (LEXIZE = dsimple_lexize);"
             " CREATE TEXT SEARCH DICTIONARY his.words (TEMPLATE = simple, stopwords = english);"
             " CREATE TEXT SEARCH CONFIGURATION his.zh (PARSER = default)",
             ("alter text search configuration his.zh (mappings, parser)",
              "alter text search dictionary his.words (options, template)",
              "alter text search template his.plain (init)",
              "alter text search parser his.signs (headline)"),
             "DROP TEXT SEARCH CONFIGURATION his.zh; DROP TEXT SEARCH DICTIONARY his.words;"
             " DROP TEXT SEARCH TEMPLATE his.plain; DROP TEXT SEARCH PARSER his.signs; "
             + "; ".join(make for _, name, make in _MADE if name.startswith("TEXT"))),
    )),
    together("other conversions", (
        _otherwise("collation his.zh", "collate, ctype",
             "CREATE COLLATION his.zh (provider = libc, lc_collate = 'POSIX', lc_ctype = 'POSIX')"),
        _otherwise("conversion his.to_latin", "default, from, function, to",
             "CREATE DEFAULT CONVERSION his.to_latin FOR 'LATIN1' TO 'UTF8' FROM"
             " iso8859_1_to_utf8"),
        _otherwise('transform "integer LANGUAGE sql"', "from sql, to sql",
             f"CREATE {_TRANSFORM} (TO SQL WITH FUNCTION int4recv(internal))"),
        Case("another cast", "CREATE FUNCTION his.rank(his.level) RETURNS integer LANGUAGE plpgsql"
             " AS 'BEGIN RETURN 1; END'; DROP CAST (his.level AS integer);"
             f" {_LEVEL} WITH FUNCTION his.rank(his.level) AS ASSIGNMENT",
             ('alter cast "his.level AS integer" (context, function, method)',
              "create function his.rank(his.level)"),
             f"DROP CAST (his.level AS integer); {_LEVEL} WITH INOUT;"
             " DROP FUNCTION his.rank(his.level)"),
        Case("another language", "CREATE OR REPLACE TRUSTED LANGUAGE plown HANDLER"
             " plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;"
             " GRANT USAGE ON LANGUAGE plown TO cs_reader",
             ("alter language plown (grants, inline, trusted, validator)",),
             "REVOKE USAGE ON LANGUAGE plown FROM cs_reader;"
             " CREATE OR REPLACE LANGUAGE plown HANDLER plpgsql_call_handler"),
    )),
    together("owners of these kinds", (
        turn(f"ALTER {name} OWNER TO", "cs_owner", "CURRENT_USER", f"alter {touch} (owner)")
        for touch, name, _ in _MADE
        if not touch.startswith(("access", "cast", "transform", "text search p", "text search t"))
    )),
    together("comments on these kinds", (
        turn(f"COMMENT ON {name} IS", "'x'", "NULL", f"alter {touch} (comment)")
        for touch, name, _ in _MADE
    )),
    turn("", "REVOKE USAGE ON LANGUAGE sql FROM PUBLIC", "GRANT USAGE ON LANGUAGE sql TO PUBLIC",
         "alter language sql (grants)"),
)  # fmt: skip
