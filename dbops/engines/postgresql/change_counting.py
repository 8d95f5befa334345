"""How large tables are, how many rows they have, and which indexes cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dbops.change.ports import TableSize
from dbops.change.schema import ObjectKind, ObjectName
from dbops.engines.postgresql.change_effects import written
from dbops.engines.postgresql.change_wire import ask
from dbops.engines.postgresql.connect import Session, quoted

_KINDS: Final = {
    "r": ObjectKind.TABLE,
    "p": ObjectKind.TABLE,
    "m": ObjectKind.MATERIALIZED_VIEW,
}
_OWN: Final = """
    n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT (n.nspname = 'dbops' AND c.relname IN ('dbops_change', 'dbops_run'))"""
# As the planner does: rows per page as of the last ANALYZE, for as many pages as there are now; of
# a table that was never analysed, rows of the width that its columns suggest.
_SIZES: Final = f"""
    WITH leaf AS (
        SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid) AS bytes, CASE
            WHEN c.reltuples >= 0 AND c.relpages > 0 THEN
                c.reltuples / c.relpages * s.pages
            ELSE s.pages * 8168 / (28 + (SELECT coalesce(pg_catalog.sum(
                    CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END), 0)
                FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
            END AS rows
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
            LATERAL (SELECT pg_catalog.pg_relation_size(c.oid)
                / pg_catalog.current_setting('block_size')::bigint AS pages) AS s
        WHERE c.relkind IN ('r', 'm') AND {_OWN}),
    part AS (
        SELECT l.oid AS whole, l.oid FROM leaf AS l
        UNION ALL SELECT c.oid, p.relid FROM pg_catalog.pg_class AS c,
            LATERAL pg_catalog.pg_partition_tree(c.oid) AS p
        WHERE c.relkind = 'p' AND p.isleaf)
    SELECT c.relkind::pg_catalog.text, n.nspname, c.relname,
        coalesce(pg_catalog.round(pg_catalog.sum(l.rows::numeric)), 0)::bigint,
        coalesce(pg_catalog.sum(l.bytes), 0)::bigint
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN part AS p ON p.whole = c.oid
    LEFT JOIN leaf AS l ON l.oid = p.oid
    WHERE c.relkind IN ('r', 'p', 'm') AND {_OWN}
    GROUP BY 1, 2, 3"""  # noqa: S608 - constants
_TABLES: Final = f"""
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND {_OWN} ORDER BY 1, 2"""  # noqa: S608 - constants
_INVALID: Final = f"""
    SELECT c.oid, n.nspname, c.relname, c.relkind = 'I' FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND {_OWN}
    ORDER BY 2, 3"""  # noqa: S608 - constants

_HALF_BUILT: Final = "no query uses it, and every write keeps it up to date"
_UNATTACHED: Final = "not every partition has one that is attached to it"


def table_sizes(session: Session) -> Mapping[ObjectName, TableSize]:
    """Tables, partitioned ones as the sum of their parts, and materialized views."""
    return {
        ObjectName(_KINDS[kind], (schema, name)): TableSize(rows, size)
        for kind, schema, name, rows, size in ask(session, _SIZES, doing="reading sizes")
    }


def row_counts(session: Session) -> Mapping[ObjectName, int]:
    """Every table that holds rows itself, partitions included; foreign tables are left out."""
    found = {}
    for schema, name in ask(session, _TABLES, doing="listing tables"):
        doing = f"counting rows of {written(schema, name)}"
        query = f"SELECT pg_catalog.count(*) FROM ONLY {quoted(schema)}.{quoted(name)}"  # noqa: S608 - from the catalogue
        ((rows,),) = ask(session, query, doing=doing)
        found[ObjectName(ObjectKind.TABLE, (schema, name))] = int(rows)
    return found


def invalid_indexes(session: Session) -> Mapping[int, str]:
    """The indexes that are not valid, by OID, and why, to follow "index".

    A failed CONCURRENTLY leaves one that no query uses; one of a partitioned table waits for those
    of its partitions.
    """
    rows = ask(session, _INVALID, doing="looking for indexes that are not valid")
    return {
        oid: f"{written(schema, name)} is not valid: {_UNATTACHED if of_parts else _HALF_BUILT}"
        for oid, schema, name, of_parts in rows
    }
