"""Foreign keys as SQLite's catalogue has them, in both directions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import apsw

from dbops.repair.table import Reference, TableName


class References:
    """All foreign keys of a database, read once."""

    def __init__(self, connection: apsw.Connection) -> None:
        tables = connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        )
        self._names = {str(name).lower(): str(name) for (name,) in tables}
        self._columns = _columns(connection, self._names.values())
        self._all = tuple(self._read(connection))

    def incoming(self, table: str) -> tuple[Reference, ...]:
        """Those that point at the table."""
        return tuple(one for one in self._all if one.target.name == table)

    def outgoing(self, table: str) -> tuple[Reference, ...]:
        """The table's own."""
        return tuple(one for one in self._all if one.child.name == table)

    def _read(self, connection: apsw.Connection) -> Iterable[Reference]:
        for child in sorted(self._names.values()):
            rows = connection.execute(
                'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq',
                (child,),
            ).fetchall()
            parts: dict[object, list[tuple[str, str, str | None]]] = defaultdict(list)
            for number, target, source, to in rows:
                parts[number].append((str(target), str(source), None if to is None else str(to)))
            for found in parts.values():
                target = self._names.get(found[0][0].lower())
                if target is not None:  # a parent that is missing has no rows to lose
                    yield self._reference(child, target, found)

    def _reference(
        self, child: str, target: str, parts: list[tuple[str, str, str | None]]
    ) -> Reference:
        names, primary = self._columns[target]
        named = tuple(to for _, _, to in parts if to is not None)
        columns = tuple(source for _, source, _ in parts)
        return Reference(
            name=f"{child} ({', '.join(columns)})",
            child=TableName("", child),
            columns=columns,
            target=TableName("", target),
            target_columns=tuple(names.get(to.lower(), to) for to in named) or primary,
        )


def _columns(
    connection: apsw.Connection, tables: Iterable[str]
) -> dict[str, tuple[dict[str, str], tuple[str, ...]]]:
    """Of each table its columns as they are spelled, and its primary key."""
    found = {}
    for table in tables:
        rows = connection.execute("SELECT name, pk FROM pragma_table_xinfo(?)", (table,)).fetchall()
        primary = sorted((int(str(pk)), str(name)) for name, pk in rows if pk)
        spelled = {str(name).lower(): str(name) for name, _ in rows}
        found[table] = (spelled, tuple(name for _, name in primary))
    return found
