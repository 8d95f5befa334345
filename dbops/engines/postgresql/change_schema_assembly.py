"""From listed rows to objects with names: what belongs where, and what is left out; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dbops.change.schema import ObjectKind, ObjectName, SchemaObject
from dbops.engines.postgresql.change_schema_listing import Address, Row
from dbops.engines.postgresql.change_schema_marks import Marks
from dbops.engines.postgresql.change_schema_system import FIRST_OWN_OID
from dbops.errors import Failed

OWN_SCHEMA: Final = "dbops"
OWN_TABLES: Final = frozenset({"dbops_run", "dbops_change"})


class Assembly:
    """The rows of all listings. What belongs to something that is left out is left out too."""

    def __init__(self, rows: Iterable[Row], marks: Marks) -> None:
        self._rows = {row.address: row for row in rows}
        self._marks = marks
        self._own = _own(self._rows.values())
        self._names: dict[Address, ObjectName | None] = {}

    def objects(self) -> Iterator[SchemaObject]:
        """Every object but those of extensions, and dbops' own.

        Raises Failed `schema-changed` where a row belongs to something that was not listed.
        """
        for row in self._rows.values():
            name = self._name(row)
            if name is not None:
                of = None if row.of is None else self._names[row.of]
                texts = self._marks.texts.get(row.address, {})
                yield SchemaObject(name, {**row.properties, **texts}, of)

    def usual(self) -> Mapping[ObjectName, str]:
        """What the grants of the server's own objects were before somebody altered them."""
        named = {
            address: self._name(self._rows[address])
            for address in self._marks.usual
            if address[1] < FIRST_OWN_OID and address in self._rows
        }
        return {
            name: self._marks.usual[address] for address, name in named.items() if name is not None
        }

    def _name(self, row: Row) -> ObjectName | None:
        """The name; None for what is left out."""
        if row.address not in self._names:
            self._names[row.address] = self._named(row)
        return self._names[row.address]

    def _named(self, row: Row) -> ObjectName | None:
        if row.address in self._own or self._is_member(row.address):
            return None
        path = (row.name,) if row.schema is None else (row.schema, row.name)
        if row.of is None:
            return ObjectName(row.kind, path)
        outer = self._rows.get(row.of)
        if outer is None and not self._is_member(row.of):
            raise _moved(row)
        above = None if outer is None else self._name(outer)
        if above is None:
            return None
        return ObjectName(row.kind, (*above.path, row.name) if row.schema is None else path)

    def _is_member(self, address: Address) -> bool:
        return address[:2] in self._marks.members


def _own(rows: Iterable[Row]) -> frozenset[Address]:
    """dbops' own tables, and its schema where nothing else is in it."""
    tables: set[Address] = set()
    others: set[Address] = set()
    schema: set[Address] = set()
    for row in rows:
        if row.schema == OWN_SCHEMA and row.of is None:
            is_own = row.kind is ObjectKind.TABLE and row.name in OWN_TABLES
            (tables if is_own else others).add(row.address)
        elif row.kind is ObjectKind.SCHEMA and row.name == OWN_SCHEMA:
            schema.add(row.address)
    return frozenset(tables if others else tables | schema)


def _moved(row: Row) -> Failed:
    return Failed(
        "schema-changed",
        f"{row.kind.value} {row.name}: what it belongs to came or went while the schema was read",
        hint="run the command again when no schema change is under way",
    )
