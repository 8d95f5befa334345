"""Whether two PostgreSQL databases are equal, found out in another way than dbops does.

dbops sums keyed digests of `COPY` lines; here the server hashes each row's text, sorts the hashes
and hashes the list. Nothing of dbops is imported. Both databases must be small: this is for tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg

from tests.engines.postgresql.inventory import CATALOG

Connection = psycopg.Connection[Any]
Inventory = dict[tuple[str, str], tuple[str, ...]]
"""Kind and name of each object, with the definitions of all objects of that kind and name."""

_PINNED = {
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "row_security": "off",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
}
# Where rows of a hash partition lie depends on the OIDs of enum labels, so their order among the
# leaves is not part of a database's content: such rows are counted at the partitioned table.
_TABLES = b"""
    SELECT convert_to(format('%I.%I', n.nspname, c.relname), getdatabaseencoding()),
        convert_to(coalesce((SELECT string_agg(format('whole.%I', attname), ', ' ORDER BY attname)
            FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), ''),
            getdatabaseencoding()),
        c.relkind <> 'p'
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated
             OR c.oid IN (SELECT partrelid FROM pg_partitioned_table WHERE partstrat = 'h')
                AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) AS t
                    JOIN pg_class AS l ON l.oid = t.relid WHERE l.relkind = 'f'))
        AND NOT EXISTS (SELECT FROM pg_partition_ancestors(c.oid) AS a
            JOIN pg_partitioned_table AS p ON p.partrelid = a.relid
            WHERE a.relid <> c.oid AND p.partstrat = 'h')
"""
_SEQUENCES = b"""
    SELECT convert_to(format('%I.%I', n.nspname, c.relname), getdatabaseencoding())
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'
"""


def compare_databases(first: Connection, second: Connection) -> list[str]:
    """One sentence per difference, sorted; empty when both hold the same objects and rows.

    The roles must be superusers. Sentences hold kinds and names of objects and numbers of rows,
    never a value. Each connection is read in a transaction (or in the one it is in) and keeps it.
    """
    return differences(inventory(first), inventory(second))


def differences(first: Inventory, second: Inventory) -> list[str]:
    """The sentences for two inventories: what only one of them has, and what is not the same."""
    return sorted(
        " ".join((*key, _verdict(first.get(key), second.get(key))))
        for key in first.keys() | second.keys()
        if first.get(key) != second.get(key)
    )


def _verdict(first: tuple[str, ...] | None, second: tuple[str, ...] | None) -> str:
    if second is None:
        return "is only in the first"
    if first is None:
        return "is only in the second"
    return "differs"


def inventory(connection: Connection) -> Inventory:
    """Everything the database holds, as text to compare; rows as their number and one hash."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    with connection.transaction():
        encoding = _pin(connection)
        for kind, name, definition in _everything(connection):
            found[kind, _text(name, encoding)].append(_text(definition, encoding))
    return {key: tuple(sorted(definitions)) for key, definitions in found.items()}


def _pin(connection: Connection) -> str:
    """Fix what the server's output depends on, for this transaction; return the encoding."""
    encoding = _one(connection, _ENCODING).decode("ascii")
    for name, value in (*_PINNED.items(), ("client_encoding", encoding)):
        connection.execute(f"SET LOCAL {name} = '{value}'".encode("ascii"))
    return encoding


def _text(raw: bytes, encoding: str) -> str:
    codec = {"EUC_CN": "gb2312"}.get(encoding, "utf-8")
    return raw.decode(codec, errors="backslashreplace")


def _everything(connection: Connection) -> Iterator[tuple[str, bytes, bytes]]:
    for kind, query in CATALOG.items():
        wrapped = (
            "SELECT convert_to(name, getdatabaseencoding()),"
            " convert_to(coalesce(definition, ''), getdatabaseencoding())"
            f" FROM ({query}) AS found (name, definition)"
        )
        for name, definition in connection.execute(wrapped.encode("ascii")).fetchall():
            yield kind, name, definition
    for (name,) in connection.execute(_SEQUENCES).fetchall():
        yield "state of sequence", name, _one(connection, _SEQUENCE_STATE % name)
    for name, columns, only in connection.execute(_TABLES).fetchall():
        source = b"ONLY " + name if only else name
        yield "rows of", name, _one(connection, _ROWS % (columns, source))


_ENCODING = b"SELECT pg_catalog.convert_to(pg_catalog.getdatabaseencoding(), 'SQL_ASCII')"
_SEQUENCE_STATE = b"SELECT convert_to(concat(last_value, ' ', is_called), 'SQL_ASCII') FROM %s"
# Columns in the order of their names: a dump may give an inheriting table another order of columns.
_ROWS = b"""
    SELECT convert_to(concat(count(*), ' ', md5(string_agg(hash, '' ORDER BY hash))), 'SQL_ASCII')
    FROM (SELECT md5(ROW(%s)::text) COLLATE "C" AS hash FROM %s AS whole) AS hashed
"""


def _one(connection: Connection, query: bytes) -> bytes:
    row = connection.execute(query).fetchone()
    assert row is not None
    value: bytes = row[0]
    return value
