"""How values are sorted and converted, and in which languages: collations, conversions, casts,
transforms, languages.

Of a collation the version of its library is left out: it is that of the machine where the
collation was made, so a rehearsal would make another one.
"""

# Everything in these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_listing import TEMPORARY, listing, role, yes

# One that is of another encoding than the database is never used there, and may have the same name.
_COLLATION = (
    "CASE WHEN c.collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))"
    " THEN c.collname::text ELSE format('%s(%s)', c.collname,"
    " pg_encoding_to_char(c.collencoding)) END"
)


def conversion_queries(major: int) -> Iterator[str]:
    """The listings of these kinds, for a server of a major version."""
    yield _collations(major)
    yield _conversions()
    yield _casts()
    yield _transforms()
    yield _languages()


def _collations(major: int) -> str:
    properties = {
        "owner": role("c.collowner"),
        "provider": "CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu'"
        " WHEN 'b' THEN 'builtin' ELSE c.collprovider::text END",
        "deterministic": yes("NOT c.collisdeterministic", "no"),
        "collate": "c.collcollate",
        "ctype": "c.collctype",
    }
    if major >= 15:  # before, `collate` has it
        properties["locale"] = "c.colllocale" if major >= 17 else "c.colliculocale"
    if major >= 16:
        properties["rules"] = "c.collicurules"
    source = f"""
        FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
        WHERE c.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.COLLATION, "pg_collation", "c.oid", _COLLATION, properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _conversions() -> str:
    """Conversions of encodings."""
    properties = {
        "owner": role("c.conowner"),
        "from": "pg_encoding_to_char(c.conforencoding)",
        "to": "pg_encoding_to_char(c.contoencoding)",
        "function": "c.conproc::regprocedure",
        "default": yes("c.condefault"),
    }
    source = f"""
        FROM pg_conversion AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
        WHERE c.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.CONVERSION, "pg_conversion", "c.oid", "c.conname", properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _casts() -> str:
    """Casts, but for those that come with a range type, and of types that are temporary."""
    properties = {
        "method": "CASE c.castmethod WHEN 'f' THEN 'function' WHEN 'b' THEN 'binary'"
        " WHEN 'i' THEN 'inout' ELSE c.castmethod::text END",
        "function": "nullif(c.castfunc, 0)::regprocedure",
        "context": "CASE c.castcontext WHEN 'e' THEN 'explicit' WHEN 'a' THEN 'assignment'"
        " WHEN 'i' THEN 'implicit' ELSE c.castcontext::text END",
    }
    name = "concat(format_type(c.castsource, NULL), ' AS ', format_type(c.casttarget, NULL))"
    source = f"""
        FROM pg_cast AS c WHERE c.oid >= 16384
            AND NOT EXISTS (SELECT FROM pg_type AS t
                JOIN pg_namespace AS n ON n.oid = t.typnamespace
                WHERE t.oid IN (c.castsource, c.casttarget) AND n.nspname ~ {TEMPORARY})
            AND NOT EXISTS (SELECT FROM pg_depend AS i WHERE i.classid = 'pg_cast'::regclass
                AND i.objid = c.oid AND i.deptype = 'i' AND i.refclassid = 'pg_type'::regclass)"""
    return listing(ObjectKind.CAST, "pg_cast", "c.oid", name, properties, source)


def _transforms() -> str:
    properties = {
        "from sql": "nullif(t.trffromsql, 0)::regprocedure",
        "to sql": "nullif(t.trftosql, 0)::regprocedure",
    }
    name = "concat(format_type(t.trftype, NULL), ' LANGUAGE ', quote_ident(l.lanname))"
    source = """
        FROM pg_transform AS t JOIN pg_language AS l ON l.oid = t.trflang WHERE t.oid >= 16384"""
    return listing(ObjectKind.TRANSFORM, "pg_transform", "t.oid", name, properties, source)


def _languages() -> str:
    properties = {
        "owner": role("l.lanowner"),
        "handler": "nullif(l.lanplcallfoid, 0)::regprocedure",
        "inline": "nullif(l.laninline, 0)::regprocedure",
        "validator": "nullif(l.lanvalidator, 0)::regprocedure",
        "trusted": yes("l.lanpltrusted"),
    }
    source = "FROM pg_language AS l WHERE l.oid >= 16384"
    return listing(ObjectKind.LANGUAGE, "pg_language", "l.oid", "l.lanname", properties, source)
