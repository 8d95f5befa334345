"""What SQLite itself says was written, row by row: its preupdate hook.

The hook is called before each row is written, by whatever it is written: the statement, a
trigger, a foreign key, REPLACE, rows of WITHOUT ROWID tables, a DELETE of everything. It is not
called for what a virtual table writes by other ways, and for `sqlite_sequence`. A row that a
failing statement wrote and took back was counted: no failing statement is survived here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import apsw

from dbops.engines.sqlite.repair_guard import MARKER_TABLE
from dbops.errors import Refused
from dbops.repair.table import TableName
from dbops.sql.written import Written

MARKS_MOST: Final = 2_000_000  # about 130 bytes each; one holds 64 neighbouring rowids
KEYS_MOST: Final = 500_000
_HEADER: Final = ("schema_version", "user_version", "application_id")

OwnKey = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What was there when the transaction began."""

    changes: int
    header: Mapping[str, object]
    sequences: Mapping[str, object]


class Counters:
    """Counts every row that one connection writes.

    `keyed` are the tables whose rows are told by their key, each with the places of the key's
    columns in the whole table; all others by rowid.
    """

    def __init__(self, connection: apsw.Connection, keyed: Mapping[str, tuple[int, ...]]) -> None:
        self._connection = connection
        self._keyed = keyed
        self._counts: Counter[tuple[str, str]] = Counter()
        self._elsewhere = 0
        self._rowids: dict[str, dict[int, int]] = {}
        self._keys: dict[str, set[OwnKey]] = {}
        self._lost: set[str] = set()
        self._marks = 0
        self._baseline = self._look()
        connection.preupdate_hook(self._see)

    @property
    def any(self) -> bool:
        """Whether anything was written at all."""
        return bool(self._counts)

    def writes(self) -> dict[TableName, Written]:
        """Rows of the database by table and operation, but for dbops' own."""
        found: dict[TableName, Written] = {}
        for (table, op), count in self._counts.items():
            if table.lower() != MARKER_TABLE:
                name = TableName("", table)
                found[name] = found.get(name, Written()) + _ops(op, count)
        return found

    def objections(self) -> tuple[str, ...]:
        """What was done that the hook does not see, in sentences."""
        found = []
        unseen = self._connection.total_changes() - self._baseline.changes
        unseen -= self._counts.total() + self._elsewhere
        if unseen > 0:
            found.append(f"SQLite changed {unseen} rows more than it reported")
        now = self._look().header
        found += [f"{name} was changed" for name in _HEADER if now[name] != self._header(name)]
        return tuple(found)

    def sequences(self) -> tuple[str, ...]:
        """The tables whose AUTOINCREMENT counter moved."""
        now, before = self._look().sequences, self._baseline.sequences
        return tuple(sorted(name for name in now if now[name] != before.get(name)))

    def own_rows(self, table: str) -> int:
        """How many rows of the table this connection wrote that are still there.

        Raises Refused `own-rows` where they were too many to remember, or cannot be told.
        """
        if table in self._lost:
            raise Refused(
                "own-rows",
                f"the rows of {table} that were written cannot be told from others",
                hint="leave out `rewrites`, or repair in batches",
            )
        if table in self._keyed:
            return len(self._keys.get(table, ()))
        return sum(mark.bit_count() for mark in self._rowids.get(table, {}).values())

    def is_own_rowid(self, table: str, rowid: int) -> bool:
        """Whether this connection wrote the row."""
        marks = self._rowids.get(table)
        return marks is not None and bool(marks.get(rowid >> 6, 0) >> (rowid & 63) & 1)

    def is_own_key(self, table: str, key: OwnKey) -> bool:
        """Whether this connection wrote the row."""
        return key in self._keys.get(table, ())

    def _see(self, update: apsw.PreUpdate) -> None:
        """The hook itself; it must not raise, and is called for each row."""
        if update.database_name != "main":
            self._elsewhere += 1
            return
        table, op = update.table_name, update.op
        self._counts[table, op] += 1
        if table in self._keyed:
            self._see_key(table, op, update)
            return
        marks = self._rowids.get(table)
        if marks is None:
            marks = self._rowids[table] = {}
        rowid = update.rowid_new
        old = rowid if op == "INSERT" else update.rowid
        if old != rowid or op == "DELETE":
            marks[old >> 6] = marks.get(old >> 6, 0) & ~(1 << (old & 63))
        if op != "DELETE":
            marks[rowid >> 6] = marks.get(rowid >> 6, 0) | 1 << (rowid & 63)
        if len(marks) > MARKS_MOST:
            self._forget(table)

    def _see_key(self, table: str, op: str, update: apsw.PreUpdate) -> None:
        places = self._keyed[table]
        keys = self._keys.setdefault(table, set())
        try:
            if op != "INSERT":
                old = update.old or ()
                keys.discard(tuple(old[place] for place in places))
            if op != "DELETE":
                new = update.new or ()
                keys.add(tuple(new[place] for place in places))
        except (apsw.Error, UnicodeDecodeError, IndexError):
            self._forget(table)  # generated columns, text that is none
        if len(keys) > KEYS_MOST:
            self._forget(table)

    def _forget(self, table: str) -> None:
        self._lost.add(table)
        self._rowids.pop(table, None)
        self._keys.pop(table, None)

    def _header(self, name: str) -> object:
        return self._baseline.header[name]

    def _look(self) -> _Baseline:
        execute = self._connection.execute
        header = {name: execute(f"PRAGMA main.{name}").get for name in _HEADER}
        listed = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_sequence'"
        sequences: dict[str, object] = {}
        if execute(listed).get:
            rows = execute("SELECT name, seq FROM main.sqlite_sequence")
            sequences = {str(name): seq for name, seq in rows}
        return _Baseline(self._connection.total_changes(), header, sequences)


def _ops(op: str, count: int) -> Written:
    return Written(
        inserted=count if op == "INSERT" else 0,
        updated=count if op == "UPDATE" else 0,
        deleted=count if op == "DELETE" else 0,
    )
