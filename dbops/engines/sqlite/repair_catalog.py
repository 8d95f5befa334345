"""What SQLite's catalogue says of the tables that a repair may read and write."""

from __future__ import annotations

import json
from dataclasses import dataclass

import apsw

from dbops.engines.sqlite.repair_guard import MARKER_TABLE
from dbops.engines.sqlite.repair_references import References
from dbops.engines.sqlite.repair_values import Affinity, affinity_of
from dbops.errors import NotFound, Refused
from dbops.repair.table import Column, Reference, Shape, TableName

BINARY = "BINARY"
"""The collation for which texts are equal only byte for byte."""

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_GENERATED = {2, 3}


@dataclass(frozen=True, slots=True)
class Facts:
    """A table: its shape, and what SQLite needs beside it.

    `rowid` is a name by which the rowid is read; None where the table has none, or no free name.
    `places` are the key's columns in the whole table, generated columns included; `collations`
    are those of the key's index.
    """

    shape: Shape
    affinities: tuple[Affinity, ...]
    rowid: str | None
    places: tuple[int, ...]
    collations: tuple[str, ...]

    @property
    def name(self) -> str:
        """The table's name."""
        return self.shape.table.name


@dataclass(frozen=True, slots=True)
class _Stored:
    """A column as `table_xinfo` lists it."""

    place: int
    name: str
    type: str
    required: bool
    primary: int
    generated: bool


@dataclass(frozen=True, slots=True)
class _Key:
    """Columns by their place in the whole table, with the index's collations."""

    places: tuple[int, ...]
    collations: tuple[str, ...]
    is_rowid: bool = False


class Catalog:
    """Reads the catalogue of one connection; its schema does not change in a transaction."""

    def __init__(self, connection: apsw.Connection, database: str) -> None:
        self._connection = connection
        self._database = database
        listed = connection.execute(
            "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'"
        )
        self._tables = {str(name): (str(kind), bool(wr), bool(s)) for name, kind, wr, s in listed}
        self._references = References(connection)
        self._facts: dict[str, Facts] = {}

    @property
    def virtual(self) -> tuple[str, ...]:
        """The virtual tables, and those that they keep their rows in."""
        kinds = {"virtual", "shadow"}
        return tuple(name for name, (kind, _, _) in self._tables.items() if kind in kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """All tables and views."""
        return tuple(self._tables)

    def outgoing(self, table: str) -> tuple[Reference, ...]:
        """The foreign keys of the table."""
        return self._references.outgoing(table)

    def keyed(self) -> dict[str, tuple[int, ...]]:
        """The tables whose rows only their key tells, with the places of its columns."""
        found = {}
        for name, (kind, without_rowid, _) in self._tables.items():
            if kind == "table" and name != "sqlite_schema":
                columns = self._columns(name)
                if without_rowid or _free_rowid(columns) is None:
                    found[name] = self._key(name, columns, without_rowid=without_rowid).places
        return found

    def facts(self, table: TableName) -> Facts:
        """What is known of the table; NotFound `no-table`, Refused `table-kind`."""
        name = table.name
        if table.schema not in {"", "main"} or name not in self._tables:
            raise NotFound(
                "no-table",
                f"{self._database} has no table {table}",
                hint=f"names are spelled as the catalogue has them{self._spelling(name)}",
            )
        kind, without_rowid, strict = self._tables[name]
        own = name.lower().startswith("sqlite_") or name.lower() == MARKER_TABLE
        if kind != "table" or own:
            raise Refused(
                "table-kind",
                f"{table} of {self._database} is no table that a repair can write",
                hint="name the table that holds the rows, not a view or a virtual table",
            )
        if name not in self._facts:
            self._facts[name] = self._read(name, without_rowid=without_rowid, strict=strict)
        return self._facts[name]

    def column(self, table: TableName, name: str) -> str:
        """The column's name; NotFound `no-column`."""
        shape = self.facts(table).shape
        if name in {*shape.names, *shape.generated}:
            return name
        raise NotFound(
            "no-column",
            f"{table} of {self._database} has no column {name}",
            hint="names are spelled as the catalogue has them",
        )

    def _spelling(self, name: str) -> str:
        near = next((one for one in self._tables if one.lower() == name.lower()), None)
        return f": {near}" if near else ""

    def _read(self, name: str, *, without_rowid: bool, strict: bool) -> Facts:
        every = self._columns(name)
        stored = [column for column in every if not column.generated]
        key = self._key(name, every, without_rowid=without_rowid)
        position = {column.place: index for index, column in enumerate(stored)}
        shape = Shape(
            table=TableName("", name),
            columns=tuple(
                Column(one.name, one.type, key.is_rowid and one.place in key.places)
                for one in stored
            ),
            key=tuple(position[place] for place in key.places),
            generated=tuple(column.name for column in every if column.generated),
            incoming=self._references.incoming(name),
            outgoing=self._references.outgoing(name),
            text=_text(name, every, key, without_rowid=without_rowid, strict=strict),
        )
        affinities = tuple(affinity_of(one.type, strict=strict) for one in stored)
        rowid = None if without_rowid else _free_rowid(every)
        return Facts(shape, affinities, rowid, key.places, key.collations)

    def _columns(self, table: str) -> tuple[_Stored, ...]:
        rows = self._connection.execute(
            'SELECT cid, name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid',
            (table,),
        )
        return tuple(
            _Stored(
                int(str(cid)),
                str(name),
                str(declared or ""),
                bool(required),
                int(str(primary)),
                int(str(hidden)) in _GENERATED,
            )
            for cid, name, declared, required, primary, hidden in rows
        )

    def _key(self, table: str, columns: tuple[_Stored, ...], *, without_rowid: bool) -> _Key:
        """The primary key, else the shortest unique key of columns that refuse NULL."""
        indexes = self._unique_indexes(table)
        primary = next((key for origin, key in indexes if origin == "pk"), None)
        if primary is not None:
            return primary
        rowid = [column.place for column in columns if column.primary]
        if rowid and not without_rowid:
            return _Key(tuple(rowid), (BINARY,), is_rowid=True)
        usable = {one.place for one in columns if one.required and not one.generated}
        found = [key for _, key in indexes if set(key.places) <= usable]
        return min(found, key=lambda key: (len(key.places), key.places), default=_Key((), ()))

    def _unique_indexes(self, table: str) -> list[tuple[str, _Key]]:
        execute = self._connection.execute
        listed = execute(
            'SELECT name, origin FROM pragma_index_list(?) WHERE "unique" AND NOT partial'
            " ORDER BY name",
            (table,),
        ).fetchall()
        found = []
        for name, origin in listed:
            rows = execute(
                "SELECT cid, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno", (name,)
            ).fetchall()
            places = tuple(int(str(place)) for place, _ in rows)
            found.append((str(origin), _Key(places, tuple(str(name) for _, name in rows))))
        return found


def _free_rowid(columns: tuple[_Stored, ...]) -> str | None:
    taken = {column.name.lower() for column in columns}
    return next((name for name in _ROWID_NAMES if name not in taken), None)


def _text(
    name: str, columns: tuple[_Stored, ...], key: _Key, *, without_rowid: bool, strict: bool
) -> str:
    described = {
        "table": name,
        "columns": [[one.name, one.type, one.required, one.generated] for one in columns],
        "key": [columns[place].name for place in key.places],
        "without_rowid": without_rowid,
        "strict": strict,
    }
    return json.dumps(described, ensure_ascii=False, sort_keys=True)
