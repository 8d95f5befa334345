"""Operators, the classes and families by which indexes use them, and access methods.

What is in a class or a family is what depends on it, as pg_dump has it: a class has what it cannot
be without, a family the rest, also where CREATE OPERATOR CLASS brought that. Classes and families
have the access method in their names, because one of each may have the same: `his.by_ward(btree)`.
"""

# Everything in these statements is a constant of this module.

from __future__ import annotations

from collections.abc import Iterator

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_listing import (
    BYTEWISE,
    TEMPORARY,
    listing,
    role,
    yes,
)

_OPERATOR = (
    "format('%s(%s, %s)', o.oprname, coalesce(format_type(nullif(o.oprleft, 0), NULL), 'NONE'),"
    " coalesce(format_type(nullif(o.oprright, 0), NULL), 'NONE'))"
)
# The operators and functions of a class or a family, a line each.
_MEMBERS = """
    (SELECT string_agg(m.line, E'\\n' ORDER BY m.part, m.number, m.line {bytewise}) FROM (
        SELECT 1, a.amopstrategy, concat('OPERATOR ', a.amopstrategy, ' ',
            a.amopopr::regoperator, ' FOR ORDER BY ' || (SELECT format('%I.%I', s.nspname,
                f.opfname) FROM pg_opfamily AS f JOIN pg_namespace AS s ON s.oid = f.opfnamespace
                WHERE f.oid = a.amopsortfamily))
        FROM pg_depend AS d JOIN pg_amop AS a ON a.oid = d.objid
        WHERE d.classid = 'pg_amop'::regclass AND d.refclassid = '{holder}'::regclass
            AND d.refobjid = o.oid
        UNION ALL
        SELECT 2, p.amprocnum, concat('FUNCTION ', p.amprocnum, ' (',
            format_type(p.amproclefttype, NULL), ', ', format_type(p.amprocrighttype, NULL), ') ',
            p.amproc::regprocedure)
        FROM pg_depend AS d JOIN pg_amproc AS p ON p.oid = d.objid
        WHERE d.classid = 'pg_amproc'::regclass AND d.refclassid = '{holder}'::regclass
            AND d.refobjid = o.oid) AS m (part, number, line))"""


def operator_queries() -> Iterator[str]:
    """The listings of operators and of what is made of them."""
    yield _operators()
    yield _classes()
    yield _families()
    yield _access_methods()


def _operators() -> str:
    """Operators; one that another only named as its commutator has no function yet."""
    properties = {
        "owner": role("o.oprowner"),
        "function": "nullif(o.oprcode, 0)::regprocedure",
        "commutator": "nullif(o.oprcom, 0)::regoperator",
        "negator": "nullif(o.oprnegate, 0)::regoperator",
        "restrict": "nullif(o.oprrest, 0)::regprocedure",
        "join": "nullif(o.oprjoin, 0)::regprocedure",
        "hashes": yes("o.oprcanhash"),
        "merges": yes("o.oprcanmerge"),
    }
    source = f"""
        FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace
        WHERE o.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.OPERATOR, "pg_operator", "o.oid", _OPERATOR, properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _classes() -> str:
    properties = {
        "owner": role("o.opcowner"),
        "type": "format_type(o.opcintype, NULL)",
        "default": yes("o.opcdefault"),
        "family": "(SELECT format('%I.%I', s.nspname, f.opfname) FROM pg_opfamily AS f"
        " JOIN pg_namespace AS s ON s.oid = f.opfnamespace WHERE f.oid = o.opcfamily)",
        "storage": "format_type(nullif(o.opckeytype, 0), NULL)",
        "members": _MEMBERS.format(holder="pg_opclass", bytewise=BYTEWISE),
    }
    source = f"""
        FROM pg_opclass AS o JOIN pg_namespace AS n ON n.oid = o.opcnamespace
        JOIN pg_am AS m ON m.oid = o.opcmethod
        WHERE o.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.OPERATOR_CLASS, "pg_opclass", "o.oid",
        "format('%s(%s)', o.opcname, m.amname)", properties, source, schema="n.nspname",
    )  # fmt: skip


def _families() -> str:
    properties = {
        "owner": role("o.opfowner"),
        "members": _MEMBERS.format(holder="pg_opfamily", bytewise=BYTEWISE),
    }
    source = f"""
        FROM pg_opfamily AS o JOIN pg_namespace AS n ON n.oid = o.opfnamespace
        JOIN pg_am AS m ON m.oid = o.opfmethod
        WHERE o.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.OPERATOR_FAMILY, "pg_opfamily", "o.oid",
        "format('%s(%s)', o.opfname, m.amname)", properties, source, schema="n.nspname",
    )  # fmt: skip


def _access_methods() -> str:
    properties = {
        "type": "CASE m.amtype WHEN 't' THEN 'table' WHEN 'i' THEN 'index' ELSE m.amtype::text END",
        "handler": "m.amhandler::regprocedure",
    }
    source = "FROM pg_am AS m WHERE m.oid >= 16384"
    return listing(ObjectKind.ACCESS_METHOD, "pg_am", "m.oid", "m.amname", properties, source)
