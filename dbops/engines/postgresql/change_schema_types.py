"""Types, domains and sequences.

Enumerations, composites and ranges are types that are understood. Base types and shells are not:
what they are lies in C functions, so they are listed nowhere, and named as unknown.
"""

# Everything in these statements is a constant of this module.

from __future__ import annotations

from collections.abc import Iterator

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_listing import TEMPORARY, listing, role, yes

_TYPE = "FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace"
_OWN = f"t.oid >= 16384 AND n.nspname !~ {TEMPORARY}"
_LABELS = (
    "(SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)"
    " FROM pg_enum AS e WHERE e.enumtypid = t.oid)"
)
_ATTRIBUTES = (
    "(SELECT string_agg(concat_ws(' ', quote_ident(a.attname),"
    " format_type(a.atttypid, a.atttypmod), 'COLLATE ' || nullif(nullif(a.attcollation,"
    " b.typcollation), 0)::regcollation::text), ', ' ORDER BY a.attnum)"
    " FROM pg_attribute AS a JOIN pg_type AS b ON b.oid = a.atttypid"
    " WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)"
)
_RANGE = """
    (SELECT concat_ws(E'\\n', 'SUBTYPE = ' || format_type(r.rngsubtype, NULL),
        'SUBTYPE_OPCLASS = ' || CASE WHEN NOT o.opcdefault
            THEN format('%I.%I', m.nspname, o.opcname) END,
        'COLLATION = ' || nullif(nullif(r.rngcollation, b.typcollation), 0)::regcollation::text,
        'CANONICAL = ' || nullif(r.rngcanonical, 0)::regprocedure::text,
        'SUBTYPE_DIFF = ' || nullif(r.rngsubdiff, 0)::regprocedure::text,
        'MULTIRANGE_TYPE_NAME = ' || format_type(nullif(r.rngmultitypid, 0), NULL))
    FROM pg_range AS r JOIN pg_type AS b ON b.oid = r.rngsubtype
    JOIN pg_opclass AS o ON o.oid = r.rngsubopc JOIN pg_namespace AS m ON m.oid = o.opcnamespace
    WHERE r.rngtypid = t.oid)"""


def type_queries() -> Iterator[str]:
    """The listings of types, domains and sequences."""
    yield _types()
    yield _domains()
    yield _sequences()


def _types() -> str:
    """Types that somebody made; the row type of a table is none of them."""
    properties = {
        "owner": role("t.typowner"),
        "labels": f"CASE t.typtype WHEN 'e' THEN coalesce({_LABELS}, '') END",
        "attributes": f"CASE t.typtype WHEN 'c' THEN coalesce({_ATTRIBUTES}, '') END",
        "range": f"CASE t.typtype WHEN 'r' THEN {_RANGE} END",
    }
    source = f"""
        {_TYPE} WHERE {_OWN} AND (t.typtype IN ('e', 'r') OR t.typtype = 'c'
            AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c'))"""
    return listing(
        ObjectKind.TYPE, "pg_type", "t.oid", "t.typname", properties, source, schema="n.nspname"
    )


def _domains() -> str:
    properties = {
        "owner": role("t.typowner"),
        "type": "format_type(t.typbasetype, t.typtypmod)",
        "collation": "nullif(nullif(t.typcollation, b.typcollation), 0)::regcollation",
        "default": "coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault)",
        "not null": yes("t.typnotnull"),
    }
    joined = _TYPE.replace("JOIN", "JOIN pg_type AS b ON b.oid = t.typbasetype JOIN", 1)
    source = f"{joined} WHERE {_OWN} AND t.typtype = 'd'"
    return listing(
        ObjectKind.DOMAIN, "pg_type", "t.oid", "t.typname", properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _sequences() -> str:
    """Sequences, without where they stand; one that a column owns belongs to that column."""
    properties = {
        "owner": role("c.relowner"),
        "type": "format_type(s.seqtypid, NULL)",
        "start": "s.seqstart",
        "minimum": "s.seqmin",
        "maximum": "s.seqmax",
        "increment": "s.seqincrement",
        "cycle": yes("s.seqcycle"),
        "cache": "s.seqcache",
        "unlogged": yes("c.relpersistence = 'u'"),
        "owned by": "(SELECT format('%s.%I', a.attrelid::regclass, a.attname)"
        " FROM pg_attribute AS a WHERE a.attrelid = d.refobjid AND a.attnum = d.refobjsubid)",
    }
    source = f"""
        FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
            AND d.deptype IN ('a', 'i')
        WHERE c.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.SEQUENCE, "pg_class", "c.oid", "c.relname", properties, source,
        schema="n.nspname", of=("'pg_class'", "d.refobjid", "d.refobjsubid"),
    )  # fmt: skip
