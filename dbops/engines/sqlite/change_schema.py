"""The schema of a SQLite file as a value: what `sqlite_schema` has, object by object.

What a table says of itself stands at its columns and constraints, each with its own piece of the
text. Left out are tables that SQLite keeps for itself (`sqlite_sequence`), indexes that follow from
a constraint, tables in which a virtual table keeps its rows, and dbops' own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

import apsw

from dbops.change.schema import POSITION, ObjectKind, ObjectName, Schema, SchemaObject, schema_of
from dbops.engines.sqlite.change_text import Item, TableText, canonical, module_of, parse_table
from dbops.engines.sqlite.repair_guard import MARKER_TABLE

JOURNAL: Final = "dbops_change"
OWN: Final = frozenset({JOURNAL, MARKER_TABLE})
DEFINITION: Final = "definition"

_YES: Final = "yes"
_VACUUM: Final = ("none", "full", "incremental")
_GENERATED: Final = {2: "virtual", 3: "stored"}
_OF_SQLITE: Final = re.compile(r"sqlite_(sequence|stat\d)", re.IGNORECASE).fullmatch
_KINDS: Final = {
    "index": ObjectKind.INDEX,
    "view": ObjectKind.VIEW,
    "trigger": ObjectKind.TRIGGER,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of `sqlite_schema`; `shape` is what `table_list` calls a table."""

    kind: str
    name: str
    table: str
    sql: str
    shape: str

    @property
    def is_own(self) -> bool:
        """No trigger is: SQLite makes none, and runs what somebody wrote past it by that name."""
        return self.kind == "table" and bool(self.name.lower() in OWN or _OF_SQLITE(self.name))


@dataclass(frozen=True, slots=True)
class _Key:
    """A foreign key as the catalogue lists it."""

    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_update: str
    on_delete: str

    @property
    def title(self) -> str:
        return f"foreign key ({', '.join(self.columns)})"

    @property
    def properties(self) -> dict[str, str]:
        to = f" ({', '.join(self.target_columns)})" if self.target_columns else ""
        rules = {"on delete": self.on_delete, "on update": self.on_update}
        return {
            "columns": ", ".join(self.columns),
            "references": f"{self.target}{to}",
            **{rule: what.lower() for rule, what in rules.items() if what != "NO ACTION"},
        }


def table_name(table: str) -> ObjectName:
    """How the schema names a table."""
    return ObjectName(ObjectKind.TABLE, (table,))


def read_change_schema(connection: apsw.Connection) -> Schema:
    """Return the schema as the connection sees it; the caller holds a read transaction.

    `unknown` names virtual tables whose module only the application has. Raises apsw's errors.
    """
    rows = _rows(connection)
    modules = {
        str(name).lower() for (name,) in connection.execute("SELECT * FROM pragma_module_list")
    }
    tables = {row.name: _name(row) for row in rows if row.kind in {"table", "view"}}
    objects, unknown = [_database(connection)], []
    for row in rows:
        if row.is_own or row.shape == "shadow":
            continue
        if row.kind == "table" and row.shape != "virtual":
            objects += _table(connection, row)
        elif row.kind == "table" and module_of(row.sql).lower() not in modules:
            unknown.append(f"virtual table {row.name} (module {module_of(row.sql)})")
        elif row.kind == "table":
            properties = {DEFINITION: row.sql, "module": module_of(row.sql)}
            objects.append(SchemaObject(_name(row), properties))
        elif row.kind in _KINDS:
            objects.append(_other(row, tables))
        else:
            unknown.append(f"{row.kind} {row.name}")
    return schema_of(objects, tuple(unknown))


def _rows(connection: apsw.Connection) -> list[_Row]:
    found = connection.execute(
        "SELECT m.type, m.name, m.tbl_name, m.sql, coalesce(t.type, '') FROM main.sqlite_schema m"
        " LEFT JOIN pragma_table_list t ON t.schema = 'main' AND t.name = m.name"
        " WHERE m.sql IS NOT NULL ORDER BY m.type, m.name"
    )
    rows = [_Row(*map(str, row)) for row in found]
    # `table_list` knows a virtual table by its module, and not one whose module is missing.
    return [
        _Row(row.kind, row.name, row.table, row.sql, "virtual") if _is_virtual(row) else row
        for row in rows
    ]


def _is_virtual(row: _Row) -> bool:
    return row.kind == "table" and row.sql[:14].upper() == "CREATE VIRTUAL"


def _name(row: _Row) -> ObjectName:
    if row.kind == "table":
        kind = ObjectKind.VIRTUAL_TABLE if row.shape == "virtual" else ObjectKind.TABLE
        return ObjectName(kind, (row.name,))
    return ObjectName(_KINDS[row.kind], (row.name,))


def _database(connection: apsw.Connection) -> SchemaObject:
    properties = {
        pragma: str(connection.execute(f"PRAGMA main.{pragma}").get)
        for pragma in ("application_id", "encoding", "page_size", "user_version")
    }
    vacuum = int(str(connection.execute("PRAGMA main.auto_vacuum").get))
    properties["auto_vacuum"] = _VACUUM[vacuum]
    return SchemaObject(ObjectName(ObjectKind.DATABASE, ("main",)), properties)


def _other(row: _Row, tables: dict[str, ObjectName]) -> SchemaObject:
    of = None if row.kind == "view" else tables.get(row.table, table_name(row.table))
    properties = {DEFINITION: canonical(row.sql)}
    if row.kind == "index" and row.sql[:13].upper() == "CREATE UNIQUE":
        properties["unique"] = _YES
    return SchemaObject(_name(row), properties, of)


def _table(connection: apsw.Connection, row: _Row) -> Iterator[SchemaObject]:
    """The table, its columns and its constraints."""
    table = table_name(row.name)
    columns = list(_columns(connection, row.name))
    keys = _keys(connection, row.name)
    text = _checked(parse_table(row.sql), [column.name.path[-1] for column in columns], len(keys))
    if text is None:
        yield SchemaObject(table, {DEFINITION: canonical(row.sql)})
        yield from columns
        yield from _unnamed_keys(table, keys)
        return
    about = {"options": text.options, "remarks": text.remarks}
    yield SchemaObject(table, {what: said for what, said in about.items() if said})
    for column, item in zip(columns, text.columns, strict=True):
        yield SchemaObject(column.name, {**column.properties, DEFINITION: item.text}, table)
    yield from _constraints(table, text, keys)


def _checked(text: TableText | None, columns: list[str], keys: int) -> TableText | None:
    """The text, where it says just what the catalogue says."""
    if text is None or [item.name for item in text.columns] != columns:
        return None
    return text if sum(len(item.keys) for item in text.items) == keys else None


def _columns(connection: apsw.Connection, table: str) -> Iterator[SchemaObject]:
    rows = connection.execute(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main')"
        " ORDER BY cid",
        (table,),
    ).fetchall()
    of = table_name(table)
    for place, (name, kind, required, default, key, hidden) in enumerate(rows, 1):
        _, collation, _, _, counting = connection.column_metadata("main", table, str(name))
        properties = {
            "type": str(kind),
            "not null": _YES if required else "",
            "default": "" if default is None else str(default),
            "primary key": str(key) if key else "",
            "autoincrement": _YES if counting else "",
            "generated": _GENERATED.get(int(str(hidden)), ""),
            "collation": "" if collation.upper() == "BINARY" else collation,
            POSITION: str(place),
        }
        given = {what: said for what, said in properties.items() if said}
        yield SchemaObject(ObjectName(ObjectKind.COLUMN, (table, str(name))), given, of)


def _keys(connection: apsw.Connection, table: str) -> list[_Key]:
    """The foreign keys in the order in which the table's text declares them."""
    rows = connection.execute(
        'SELECT id, "table", "from", "to", on_update, on_delete'
        " FROM pragma_foreign_key_list(?, 'main') ORDER BY id DESC, seq",
        (table,),
    ).fetchall()
    found = []
    for number in dict.fromkeys(row[0] for row in rows):
        parts = [row for row in rows if row[0] == number]
        _, target, _, _, on_update, on_delete = parts[0]
        found.append(
            _Key(
                tuple(str(part[2]) for part in parts),
                str(target),
                tuple(str(part[3]) for part in parts if part[3] is not None),
                str(on_update),
                str(on_delete),
            )
        )
    return found


class _Names:
    """Names for the constraints of one table: no two are the same."""

    def __init__(self, table: ObjectName) -> None:
        self._table = table
        self._taken: set[str] = set()

    def name(self, wanted: str) -> ObjectName:
        name = wanted
        for number in count(2):
            if name not in self._taken:
                break
            name = f"{wanted} #{number}"
        self._taken.add(name)
        return ObjectName(ObjectKind.CONSTRAINT, (*self._table.path, name))


def _unnamed_keys(table: ObjectName, keys: list[_Key]) -> Iterator[SchemaObject]:
    names = _Names(table)
    return (SchemaObject(names.name(key.title), key.properties, table) for key in keys)


def _constraints(table: ObjectName, text: TableText, keys: list[_Key]) -> Iterator[SchemaObject]:
    """One for each foreign key, wherever it is declared, and for what stands behind the columns.

    A foreign key that its column declares belongs to the column, and comes and goes with it.
    """
    names = _Names(table)
    left = iter(keys)
    for item in text.items:
        of, first = table, True
        if item.kind is None:
            of = ObjectName(ObjectKind.COLUMN, (*table.path, str(item.name)))
        elif item.kind != "foreign key":
            yield SchemaObject(names.name(_title(item)), {DEFINITION: item.text}, table)
        for given, key in zip(item.keys, left, strict=False):
            properties = dict(key.properties)
            if item.kind == "foreign key" and first:
                properties[DEFINITION] = item.text
            first = False
            yield SchemaObject(names.name(given or key.title), properties, of)


def _title(item: Item) -> str:
    if item.name:
        return item.name
    listed = f" ({', '.join(item.columns)})" if item.kind == "unique" else ""
    return f"{item.kind}{listed}"
