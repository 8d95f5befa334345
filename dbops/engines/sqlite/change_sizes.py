"""How large the tables of a SQLite file are: about, without reading them, or counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import apsw

from dbops.change.ports import TableSize
from dbops.change.schema import ObjectKind, ObjectName, Schema
from dbops.engines.sqlite.connect import quoted

COUNTED: Final = 10_000  # rows up to which a table is counted
_LEAST: Final = 8  # bytes that a row takes at least
_WITH_ROWS: Final = {ObjectKind.TABLE, ObjectKind.VIRTUAL_TABLE}


def count_tables(connection: apsw.Connection, schema: Schema) -> dict[ObjectName, int]:
    """The rows of each table, those of virtual ones as their modules say; raises apsw's errors."""
    return {
        name: _number(connection, f"SELECT count(*) FROM main.{quoted(name.path[-1])}")  # noqa: S608
        for name in sorted(schema.objects)
        if name.kind in _WITH_ROWS
    }


def size_tables(connection: apsw.Connection, schema: Schema) -> dict[ObjectName, TableSize]:
    """About how large each table is; what the file holds is shared out by rows and columns.

    A small table is counted. Else ANALYZE may have counted its rows, or the highest rowid is an
    estimate. Raises apsw's errors.
    """
    pages = _number(connection, "PRAGMA main.page_count")
    free = _number(connection, "PRAGMA main.freelist_count")
    page = _number(connection, "PRAGMA main.page_size")
    held = (pages - free) * page
    analyzed = _analyzed(connection)
    rows = {
        name: _rows(connection, name.path[-1], analyzed, held // _LEAST)
        for name in schema.objects
        if name.kind is ObjectKind.TABLE
    }
    widths = _widths(schema)
    weight = {name: count * widths.get(name, 1) for name, count in rows.items()}
    whole = sum(weight.values()) or 1
    return {
        name: TableSize(count, max(page, held * weight[name] // whole), count < COUNTED)
        for name, count in rows.items()
    }


def _rows(connection: apsw.Connection, table: str, analyzed: Mapping[str, int], most: int) -> int:
    few = f"SELECT count(*) FROM (SELECT 1 FROM main.{quoted(table)} LIMIT {COUNTED})"  # noqa: S608
    counted = _number(connection, few)
    if counted < COUNTED:
        return counted
    if table in analyzed:
        return max(counted, analyzed[table])
    span = f"SELECT max(rowid) - min(rowid) + 1 FROM main.{quoted(table)}"  # noqa: S608 - quoted
    try:
        return max(counted, min(_number(connection, span), most))
    except apsw.SQLError:  # WITHOUT ROWID
        return max(counted, most)


def _analyzed(connection: apsw.Connection) -> dict[str, int]:
    """Rows as the last ANALYZE counted them."""
    if not _number(connection, "SELECT count(*) FROM main.sqlite_schema WHERE name='sqlite_stat1'"):
        return {}
    found = connection.execute("SELECT tbl, stat FROM main.sqlite_stat1")
    said = [(str(table), str(stat).split(" ")[0]) for table, stat in found]
    return {table: int(count) for table, count in said if count.isdecimal()}


def _widths(schema: Schema) -> dict[ObjectName, int]:
    widths: dict[ObjectName, int] = {}
    for each in schema.objects.values():
        if each.name.kind is ObjectKind.COLUMN and each.of is not None:
            widths[each.of] = widths.get(each.of, 0) + 1
    return widths


def _number(connection: apsw.Connection, query: str) -> int:
    value = connection.execute(query).get
    return 0 if value is None else int(str(value))
