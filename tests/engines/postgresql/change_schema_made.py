"""Objects that are made: of kinds that nobody understands, and with properties that stay."""

from __future__ import annotations

UNKNOWN = (
    ("CREATE TYPE his.shell", ("type his.shell",)),
    ("CREATE SUBSCRIPTION mirror CONNECTION 'password=geheim-3' PUBLICATION p"
     " WITH (connect = false)", ("subscription mirror",)),
    ("GRANT SELECT, UPDATE (rolname) ON pg_catalog.pg_authid TO cs_reader",
     ("table pg_catalog.pg_authid",)),
    ("CREATE TYPE his.own; CREATE FUNCTION his.put(cstring) RETURNS his.own LANGUAGE internal"
     " STRICT IMMUTABLE AS 'int4in'; CREATE FUNCTION his.out(his.own) RETURNS cstring LANGUAGE"
     " internal STRICT IMMUTABLE AS 'int4out'; CREATE TYPE his.own (INPUT = his.put,"
     " OUTPUT = his.out, LIKE = integer)", ("type his.own",)),
    ("CREATE FUNCTION his.near(text, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
     " CREATE OPERATOR his.=~= (LEFTARG = text, RIGHTARG = integer, FUNCTION = his.near);"
     " ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 3 his.=~= (text, integer)",
     ("operator of access method operator 3 (pg_catalog.text, integer) of pg_catalog.integer_ops"
      " USING btree",)),
    ("GRANT SELECT (ctid) ON his.visit TO cs_reader", ("table his.visit",)),
    ("COMMENT ON RULE \"_RETURN\" ON his.visits IS 'x'", ('rule "_RETURN" on his.visits',)),
)  # fmt: skip
"""Statements, and what the server calls what they made."""

RARE = (
    ("CREATE TABLE his.typed OF his.address", "table his.typed", {"of type": "his.address"}),
    ("CREATE TABLE his.parts (a text, b integer) PARTITION BY LIST (lower(a))",
     "table his.parts", {"partitioned by": "LIST (lower(a))"}),
    ("CREATE TABLE his.parts PARTITION OF his.result DEFAULT PARTITION BY HASH (day)",
     "table his.parts", {"partitioned by": "HASH (day)", "partition": "DEFAULT",
                         "partition of": "his.result"}),
    ("CREATE ACCESS METHOD own TYPE TABLE HANDLER heap_tableam_handler;"
     " CREATE TABLE his.other (a integer) USING own", "table his.other", {"access method": "own"}),
    ("CREATE UNLOGGED SEQUENCE his.fast AS smallint", "sequence his.fast",
     {"unlogged": "yes", "type": "smallint", "start": "1", "minimum": "1", "maximum": "32767",
      "increment": "1", "cache": "1"}),
    ('CREATE DOMAIN his.name AS varchar(9) COLLATE "C" DEFAULT now()::text NOT NULL',
     "domain his.name", {"type": "character varying(9)", "collation": '"C"', "not null": "yes",
                         "default": "(now())::text"}),
    ("CREATE TYPE his.span AS RANGE (subtype = float8, subtype_diff = float8mi,"
     " multirange_type_name = his.spans)", "type his.span",
     {"range": "SUBTYPE = double precision\nSUBTYPE_DIFF = float8mi(double precision,double"
               " precision)\nMULTIRANGE_TYPE_NAME = his.spans"}),
    ("CREATE AGGREGATE his.sum_of(integer) (SFUNC = int4_sum, STYPE = bigint, COMBINEFUNC ="
     " int8pl, MSFUNC = int4_avg_accum, MINVFUNC = int4_avg_accum_inv, MSTYPE = bigint[],"
     " MFINALFUNC = int2int4_sum, MINITCOND = '{0,0}', PARALLEL = safe)",
     "aggregate his.sum_of(integer)",
     {"definition": "ARGUMENTS = integer\nRETURNS = bigint\nSFUNC = int4_sum(bigint,integer)\n"
      "STYPE = bigint\nFINALFUNC_MODIFY = r\nCOMBINEFUNC = int8pl(bigint,bigint)\nMSFUNC ="
      " int4_avg_accum(bigint[],integer)\nMINVFUNC = int4_avg_accum_inv(bigint[],integer)\n"
      "MSTYPE = bigint[]\nMFINALFUNC = int2int4_sum(bigint[])\nMFINALFUNC_MODIFY = r\n"
      "MINITCOND = '{0,0}'\nPARALLEL = s"}),
    ("CREATE PUBLICATION p FOR TABLE his.visit (id, note) WHERE (id > 5), his.result",
     "publication p", {"actions": "insert, update, delete, truncate",
                       "tables": "his.result, his.visit (id, note) WHERE (id > 5)"}),
    ("CREATE OPERATOR FAMILY his.near USING gist; CREATE OPERATOR CLASS his.near FOR TYPE his.level"
     " USING gist FAMILY his.near AS STORAGE box", "operator class his.near(gist)",
     {"type": "his.level", "family": "his.near", "storage": "box"}),
    ("CREATE OPERATOR FAMILY his.near USING gist; ALTER OPERATOR FAMILY his.near USING gist"
     " ADD OPERATOR 15 <-> (box, point) FOR ORDER BY float_ops", "operator family his.near(gist)",
     {"members": "OPERATOR 15 <->(box,point) FOR ORDER BY pg_catalog.float_ops"}),
    ("CREATE EXTENSION pg_trgm VERSION '1.5' SCHEMA his", "extension pg_trgm",
     {"version": "1.5", "schema": "his", "comment":
      "text similarity measurement and index searching based on trigrams"}),
)  # fmt: skip
"""Statements, the title of an object that they made, and all its properties but the owner."""
