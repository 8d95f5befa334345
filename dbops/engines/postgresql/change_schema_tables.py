"""Tables and what belongs to them: columns, constraints, indexes, statistics.

Partitions are tables of their own, and so are their columns, constraints and indexes, also where
they follow from the parent: each of them can be altered alone.

An index that implements a constraint is not listed: what it says beyond the constraint (its
options, its tablespace …) stands with the constraint, of whose name it is.
"""

# Everything in these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator

from dbops.change.schema import POSITION, ObjectKind
from dbops.engines.postgresql.change_schema_listing import (
    TEMPORARY,
    in_order,
    listing,
    of_relation,
    options,
    role,
    yes,
)

_OWN = f"c.oid >= 16384 AND n.nspname !~ {TEMPORARY}"
_RELATION = "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
_TABLESPACE = "(SELECT spcname FROM pg_tablespace WHERE oid = {}.reltablespace)"
_PARENTS = (
    "(SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)"
    " FROM pg_inherits WHERE inhrelid = {})"
)
_TOAST_OPTIONS = (
    "(SELECT string_agg('toast.' || o, ', ' ORDER BY o COLLATE \"C\")"
    " FROM pg_class AS t, unnest(t.reloptions) AS o WHERE t.oid = c.reltoastrelid)"
)
STORAGE_OPTIONS = f"nullif(concat_ws(', ', {in_order('c.reloptions')}, {_TOAST_OPTIONS}), '')"
"""The options of a relation `c`, and of its TOAST table, as one text."""
_INHERITED = (
    "CASE WHEN {0}.{1}inhcount > 0 THEN CASE WHEN {0}.{1}islocal THEN 'and of its own'"
    " ELSE 'yes' END END"
)


def table_queries() -> Iterator[str]:
    """The listings of tables and of what belongs to them."""
    yield _tables()
    yield _columns()
    yield _constraints()
    yield _indexes()
    yield _statistics()


def _tables() -> str:
    kind = (
        f"CASE c.relkind WHEN 'f' THEN '{ObjectKind.FOREIGN_TABLE.value}'"
        f" ELSE '{ObjectKind.TABLE.value}' END"
    )
    foreign = "(SELECT {} FROM pg_foreign_table AS f WHERE f.ftrelid = c.oid)"
    properties = {
        "owner": role("c.relowner"),
        "unlogged": yes("c.relpersistence = 'u'"),
        "access method": "(SELECT amname FROM pg_am WHERE oid = c.relam AND amname <> 'heap')",
        "tablespace": _TABLESPACE.format("c"),
        "options": STORAGE_OPTIONS,
        "row security": yes("c.relrowsecurity"),
        "row security of owner": yes("c.relforcerowsecurity"),
        "replica identity": "CASE WHEN c.relkind <> 'f' THEN CASE c.relreplident"
        " WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END END",
        "partitioned by": "pg_get_partkeydef(c.oid)",
        "partition of": f"CASE WHEN c.relispartition THEN {_PARENTS.format('c.oid')} END",
        "partition": "pg_get_expr(c.relpartbound, c.oid)",
        "detach pending": yes(
            "EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid AND inhdetachpending)"
        ),
        "inherits": f"CASE WHEN NOT c.relispartition THEN {_PARENTS.format('c.oid')} END",
        "of type": "nullif(c.reloftype, 0)::regtype",
        "server": foreign.format(
            "(SELECT srvname FROM pg_foreign_server AS s WHERE s.oid = f.ftserver)"
        ),
        "foreign options": foreign.format(options("f.ftoptions")),
    }
    source = f"{_RELATION} WHERE {_OWN} AND c.relkind IN ('r', 'p', 'f')"
    return listing(kind, "pg_class", "c.oid", "c.relname", properties, source, schema="n.nspname")


def _columns() -> str:
    """Columns of tables; of a view or a composite type those that have something of their own.

    The others follow from the definition of what they are in, where they are named with their type.
    """
    properties = {
        POSITION: "a.place",
        "type": "format_type(a.atttypid, a.atttypmod)",
        "not null": yes("a.attnotnull"),
        "default": "CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END",
        "identity": "CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END",
        "generated": "CASE WHEN a.attgenerated <> '' THEN concat(pg_get_expr(d.adbin, d.adrelid),"
        " CASE a.attgenerated WHEN 's' THEN ' stored' ELSE ' virtual' END) END",
        "collation": "nullif(nullif(a.attcollation, t.typcollation), 0)::regcollation",
        "storage": "CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage"
        " WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END"
        " END",
        "compression": "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END",
        "statistics": "nullif(a.attstattarget, -1)",
        "options": in_order("a.attoptions"),
        "foreign options": options("a.attfdwoptions"),
        "inherited": _INHERITED.format("a", "att"),
    }
    source = f"""
        FROM (SELECT *, row_number() OVER (PARTITION BY attrelid ORDER BY attnum) AS place
            FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid >= 16384) AS a
        JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_type AS t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE {_OWN} AND (c.relkind IN ('r', 'p', 'f') OR c.relkind IN ('v', 'm', 'c') AND (
            d.oid IS NOT NULL OR a.attacl IS NOT NULL OR a.attoptions IS NOT NULL
            OR nullif(a.attstattarget, -1) IS NOT NULL OR a.attstorage <> t.typstorage
            OR a.attcompression <> ''
            OR EXISTS (SELECT FROM pg_description AS x WHERE x.classoid = 'pg_class'::regclass
                AND x.objoid = a.attrelid AND x.objsubid = a.attnum)
            OR EXISTS (SELECT FROM pg_seclabel AS x WHERE x.classoid = 'pg_class'::regclass
                AND x.objoid = a.attrelid AND x.objsubid = a.attnum)))"""
    of = (
        "CASE c.relkind WHEN 'c' THEN 'pg_type' ELSE 'pg_class' END",
        "CASE c.relkind WHEN 'c' THEN c.reltype ELSE c.oid END",
        "0",
    )
    return listing(
        ObjectKind.COLUMN, "pg_class", "a.attrelid", "a.attname", properties, source,
        part="a.attnum", of=of,
    )  # fmt: skip


def _constraints() -> str:
    """Constraints of tables and domains, but for the rows by which the server keeps a key that
    refers to a partitioned table: they follow from it, and stand beside it on the same table.
    """
    triggers = (
        "(SELECT string_agg(DISTINCT CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN"
        " 'replica' ELSE 'always' END, ', ') FROM pg_trigger AS g"
        " WHERE g.tgconstraint = o.oid AND g.tgisinternal AND g.tgenabled <> 'O')"
    )
    properties = {
        "definition": "pg_get_constraintdef(o.oid)",
        "triggers": triggers,
        "inherited": _INHERITED.format("o", "con"),
        "partition of": "CASE WHEN above.oid IS NOT NULL THEN"
        " concat(above.conrelid::regclass, '.', quote_ident(above.conname)) END",
        "options": in_order("i.reloptions"),
        "tablespace": _TABLESPACE.format("i"),
        "clustered": yes("x.indisclustered"),
        "replica identity": yes("x.indisreplident"),
        "valid": yes("NOT (x.indisvalid AND x.indisready)", "no"),
        "index comment": "obj_description(i.oid, 'pg_class')",
    }
    source = f"""
        FROM pg_constraint AS o JOIN pg_namespace AS n ON n.oid = o.connamespace
        LEFT JOIN pg_class AS i ON o.contype IN ('p', 'u', 'x') AND i.oid = o.conindid
        LEFT JOIN pg_index AS x ON x.indexrelid = i.oid
        LEFT JOIN pg_constraint AS above ON above.oid = o.conparentid
        WHERE o.oid >= 16384 AND n.nspname !~ {TEMPORARY} AND o.contype <> 't'
            AND (o.conrelid <> 0 OR o.contypid <> 0)
            AND (above.conrelid = o.conrelid) IS NOT TRUE"""
    of = (
        "CASE o.contypid WHEN 0 THEN 'pg_class' ELSE 'pg_type' END",
        "CASE o.contypid WHEN 0 THEN o.conrelid ELSE o.contypid END",
        "0",
    )
    return listing(
        ObjectKind.CONSTRAINT, "pg_constraint", "o.oid", "o.conname", properties, source, of=of
    )  # fmt: skip


def _indexes() -> str:
    targets = (
        "(SELECT string_agg(concat(a.attnum, ': ', a.attstattarget), ', ' ORDER BY a.attnum)"
        " FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)"
    )
    properties = {
        "definition": "pg_get_indexdef(c.oid)",
        "tablespace": _TABLESPACE.format("c"),
        "valid": yes("NOT (x.indisvalid AND x.indisready AND x.indislive)", "no"),
        "clustered": yes("x.indisclustered"),
        "replica identity": yes("x.indisreplident"),
        "partition of": _PARENTS.format("c.oid"),
        "statistics": targets,
    }
    source = f"""
        {_RELATION} JOIN pg_index AS x ON x.indexrelid = c.oid
        WHERE {_OWN} AND NOT EXISTS (SELECT FROM pg_constraint AS o
            WHERE o.conindid = c.oid AND o.contype IN ('p', 'u', 'x'))"""
    return listing(
        ObjectKind.INDEX, "pg_class", "c.oid", "c.relname", properties, source,
        schema="n.nspname", of=of_relation("x.indrelid"),
    )  # fmt: skip


def _statistics() -> str:
    properties = {
        "owner": role("s.stxowner"),
        "definition": "pg_get_statisticsobjdef(s.oid)",
        "target": "nullif(s.stxstattarget, -1)",
    }
    source = f"""
        FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace
        WHERE s.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.STATISTICS, "pg_statistic_ext", "s.oid", "s.stxname", properties, source,
        schema="n.nspname", of=of_relation("s.stxrelid"),
    )  # fmt: skip
