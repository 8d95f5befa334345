"""What the catalogue says of a table that a repair touches: its columns, key and references.

Beside the shape stands how the server compares the key's columns: by the operators of the key's
own index, named with their schema, because images are read with an empty search path and a type of
an extension has its operators elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import TupleRow

from dbops.engines.postgresql.connect import Session
from dbops.errors import NotFound, Refused
from dbops.repair.table import Column, Reference, Shape, TableName

_TABLE = """
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,
        n.nspname IN ('pg_catalog', 'information_schema') OR n.nspname ~ '^pg_',
        c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid),
        EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) AS p
            JOIN pg_catalog.pg_class AS f ON f.oid = p.relid WHERE f.relkind = 'f'),
        EXISTS (SELECT FROM pg_catalog.pg_class AS l
            WHERE pg_catalog.pg_relation_size(l.reltoastrelid) > 0 AND (l.oid = c.oid
                OR l.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid))))
    FROM unnest(%s::text[]) WITH ORDINALITY AS s (name, place)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.name
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
    WHERE c.relname = %s AND c.relkind NOT IN ('i', 'I', 'S', 't')
    ORDER BY s.place LIMIT 1"""
_COLUMNS = """
    SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.attidentity <> '', a.attgenerated <> '',
        (SELECT format('%%I.%%I', n.nspname, o.collname) FROM pg_catalog.pg_collation AS o
            JOIN pg_catalog.pg_namespace AS n ON n.oid = o.collnamespace
            WHERE o.oid = a.attcollation)
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
# The primary key, else the unique key without NULL that has the fewest columns.
_KEY = """
    SELECT k.attnum, format('OPERATOR(%%I.%%s)', n.nspname, o.oprname)
    FROM (SELECT i.* FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
            WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                AND i.indexprs IS NULL AND (i.indisprimary OR i.indimmediate)
                AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (num, n)
                    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid
                        AND a.attnum = u.num
                    WHERE u.n <= i.indnkeyatts AND (NOT a.attnotnull OR a.attgenerated <> ''))
            ORDER BY i.indisprimary DESC, i.indnkeyatts, c.relname LIMIT 1) AS i,
        unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, class, n)
    JOIN pg_catalog.pg_opclass AS c ON c.oid = k.class
    JOIN pg_catalog.pg_amop AS m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
        AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
    JOIN pg_catalog.pg_operator AS o ON o.oid = m.amopopr
    JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
    ORDER BY k.n"""
# A foreign key of a partitioned table is there again for each partition; one of them is meant.
_REFERENCES = """
    SELECT f.conname, cn.nspname, c.relname, tn.nspname, t.relname,
        (SELECT array_agg(a.attname ORDER BY u.n)
            FROM unnest(f.conkey) WITH ORDINALITY AS u (num, n)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = u.num),
        (SELECT array_agg(a.attname ORDER BY u.n)
            FROM unnest(f.confkey) WITH ORDINALITY AS u (num, n)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = u.num),
        concat_ws(' ', f.confupdtype, f.confdeltype, f.confmatchtype, f.condeferrable)
    FROM pg_catalog.pg_constraint AS f
    JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
    JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.relnamespace
    JOIN pg_catalog.pg_class AS t ON t.oid = f.confrelid
    JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
    WHERE f.contype = 'f' AND f.{side} = %s AND NOT EXISTS (SELECT
        FROM pg_catalog.pg_constraint AS p WHERE p.oid = f.conparentid AND p.{side} = f.{side})
    ORDER BY 1, 2, 3, 4, 5"""
_INCOMING, _OUTGOING = _REFERENCES.format(side="confrelid"), _REFERENCES.format(side="conrelid")
# What decides is below any domain: a collation that takes different bytes for equal, blanks that
# pad char(n), and the type of the extension citext.
_LOOSE = """
    WITH RECURSIVE below (name, type) AS (
        SELECT attname, atttypid FROM pg_catalog.pg_attribute
            WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT b.name, t.typbasetype FROM below AS b
            JOIN pg_catalog.pg_type AS t ON t.oid = b.type WHERE t.typtype = 'd')
    SELECT b.name FROM below AS b JOIN pg_catalog.pg_type AS t ON t.oid = b.type
        WHERE b.type = 'pg_catalog.bpchar'::pg_catalog.regtype OR t.typname = 'citext'
    UNION SELECT a.attname FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_collation AS o ON o.oid = a.attcollation
        WHERE a.attrelid = %s AND NOT a.attisdropped AND NOT o.collisdeterministic"""
_DOING = "reading the catalogue"


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's shape, and what SQL about its rows needs besides.

    `operators` compare the columns of the key, in its order. `wide` says that some row has a part
    that is stored out of line.
    """

    oid: int
    shape: Shape
    operators: tuple[str, ...]
    wide: bool

    @property
    def key_types(self) -> tuple[str, ...]:
        """The types of the key's columns."""
        return tuple(self.shape.columns[place].type for place in self.shape.key)

    @property
    def by_path(self) -> bool:
        """Whether some column prints names of the catalogue, which depend on the search path."""
        return any(column.type.startswith("reg") for column in self.shape.columns)


def read_layout(session: Session, table: TableName, path: Sequence[str]) -> Layout:
    """The layout of that table; a name without schema is looked up in `path`, in order.

    Raises NotFound `no-table`, and Refused `table-kind` for a view, a foreign table, a temporary
    table, one of the catalogue's, or one with inheriting tables, whose rows no key identifies.
    """
    oid, schema, name, wide, partitioned = _found(session, table, path)
    full = TableName(schema, name)
    columns = session.rows(_COLUMNS, [oid], doing=_DOING)
    stored = [row for row in columns if not row[5]]
    key = session.rows(_KEY, [oid], doing=_DOING)
    places = {row[0]: place for place, row in enumerate(stored)}
    incoming = session.rows(_INCOMING, [oid], doing=_DOING)
    outgoing = session.rows(_OUTGOING, [oid], doing=_DOING)
    shape = Shape(
        table=full,
        columns=tuple(Column(row[1], row[2], row[4]) for row in stored),
        key=tuple(places[number] for number, _ in key),
        generated=tuple(row[1] for row in columns if row[5]),
        incoming=tuple(_reference(row) for row in incoming),
        outgoing=tuple(_reference(row) for row in outgoing),
        partitioned=partitioned,
        text=_text(full, columns, [row[0] for row in key], [*incoming, *outgoing]),
    )
    return Layout(oid, shape, tuple(operator for _, operator in key), wide)


def read_loose(session: Session, oid: int) -> frozenset[str]:
    """The columns of the table for which different texts are equal."""
    return frozenset(name for (name,) in session.rows(_LOOSE, [oid, oid], doing=_DOING))


def _found(
    session: Session, table: TableName, path: Sequence[str]
) -> tuple[int, str, str, bool, bool]:
    schemas = [table.schema] if table.schema else list(path)
    found = session.rows(_TABLE, [schemas, table.name], doing=_DOING)
    if not found:
        raise NotFound(
            "no-table",
            f"there is no table {table}",
            hint="write schema and name exactly as the catalogue spells them",
        )
    oid, schema, name, kind, persistence, system, inherited, foreign, wide = found[0]
    if kind not in ("r", "p") or persistence == "t" or system or inherited or foreign:
        raise Refused(
            "table-kind",
            f"{table} is no plain table: {_kind(kind, persistence, inherited, foreign)}",
            hint="watch the tables that hold the rows",
        )
    return oid, schema, name, wide, kind == "p"


def _kind(kind: str, persistence: str, inherited: bool, foreign: bool) -> str:  # noqa: FBT001
    if inherited:
        return "other tables inherit from it"
    if foreign and kind == "p":
        return "some of its partitions are foreign tables"
    if persistence == "t":
        return "it is temporary"
    names = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "c": "a type"}
    return names.get(kind, "it belongs to the system")


def _reference(row: TupleRow) -> Reference:
    return Reference(
        name=row[0],
        child=TableName(row[1], row[2]),
        columns=tuple(row[5]),
        target=TableName(row[3], row[4]),
        target_columns=tuple(row[6]),
    )


def _text(
    table: TableName, columns: list[TupleRow], key: list[int], references: list[TupleRow]
) -> str:
    """The description for the digest: nothing in it changes by dump and restore."""
    names = {row[0]: row[1] for row in columns}
    return json.dumps(
        {
            "table": [table.schema, table.name],
            "columns": [list(row[1:]) for row in columns],
            "key": [names[number] for number in key],
            "references": [list(row) for row in references],
        },
        ensure_ascii=False,
    )
