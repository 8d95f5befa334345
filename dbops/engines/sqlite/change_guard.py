"""What the steps of a change may do, as SQLite's authorizer sees it, and what they did.

Definitions and rows of this file may be changed. Transactions, other files, settings that decide
what a statement means, temporary objects that would hide others, and dbops' own tables may not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import apsw

from dbops.engines.sqlite.change_schema import OWN
from dbops.engines.sqlite.repair_guard import Guard
from dbops.errors import Refused

_CONTROL: Final = {apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT}
_FILES: Final = {apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH}
_TEMPORARY: Final = {
    apsw.SQLITE_CREATE_TEMP_INDEX,
    apsw.SQLITE_CREATE_TEMP_TABLE,
    apsw.SQLITE_CREATE_TEMP_TRIGGER,
    apsw.SQLITE_CREATE_TEMP_VIEW,
    apsw.SQLITE_DROP_TEMP_INDEX,
    apsw.SQLITE_DROP_TEMP_TABLE,
    apsw.SQLITE_DROP_TEMP_TRIGGER,
    apsw.SQLITE_DROP_TEMP_VIEW,
}
_READS: Final = {
    apsw.SQLITE_SELECT,
    apsw.SQLITE_READ,
    apsw.SQLITE_FUNCTION,
    apsw.SQLITE_RECURSIVE,
}
_ROWS: Final = {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE}
# Where the authorizer is told the table: as its first argument, or as its second.
_OF_FIRST: Final = {*_ROWS, apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_DROP_TABLE}
_OF_SECOND: Final = {
    apsw.SQLITE_ALTER_TABLE,
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_DROP_INDEX,
    apsw.SQLITE_CREATE_TRIGGER,
    apsw.SQLITE_DROP_TRIGGER,
}
_RELATES: Final = {*_OF_FIRST, apsw.SQLITE_DROP_INDEX}  # what may part rows from their parents
_WRITES: Final = {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE}
_FUNCTIONS: Final = {"load_extension", "fts3_tokenizer"}
_OWN_NUMBER: Final = "user_version"
_IDENTITY: Final = "application_id"
_ANSWERS: Final = {
    _OWN_NUMBER,
    _IDENTITY,
    "auto_vacuum",
    "collation_list",
    "compile_options",
    "data_version",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "page_count",
    "page_size",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
}
_SETTINGS: Final = {  # with a value they set
    _OWN_NUMBER,
    _IDENTITY,
    "auto_vacuum",
    "encoding",
    "page_size",
}
_DBOPS_SETS: Final = {"foreign_keys", "defer_foreign_keys", "legacy_alter_table"}


class ChangeGuard(Guard):
    """Watches one connection; knows what the steps of a transaction did with tables.

    Names are in lower case: `related` tables may be parted from their parents or children now,
    `written` ones have new rows, `altered` ones may be called otherwise now, `dropped` ones are
    gone, or were made again. `rewritten` are those, as they are spelled, of which one statement
    wrote every row.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        limit: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(connection, limit=limit, monotonic=monotonic)
        self._reading = False
        self.forget()

    def forget(self) -> None:
        """Afterwards a new transaction has touched nothing."""
        self.ended = False
        self.related: set[str] = set()
        self.written: set[str] = set()
        self.altered: set[str] = set()
        self.dropped: set[str] = set()
        self.rewritten: set[str] = set()

    def only_reads(self, *, only: bool) -> None:
        """From now on statements that are judged may read alone, or change things too."""
        self._reading = only

    def trace_single(self, text: str) -> Callable[[apsw.Cursor, str, object], bool]:
        """A tracer that lets `text` run only if it is one statement."""

        def trace(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:  # noqa: ARG001
            if len(sql) != len(text):
                return self._refuse("change-statement", "it is more than one statement")
            if cursor.is_explain:
                return self._refuse("change-statement", "it only explains a statement")
            return True

        return trace

    def _may(self, op: int, first: str, second: str, base: str, by: str | None) -> bool:
        if op in _CONTROL:
            return self._refuse("transaction-control", "it would end or nest the transaction")
        if op in _FILES:
            return self._refuse("change-statement", "it reaches for another file")
        if op == apsw.SQLITE_FUNCTION and second.lower() in _FUNCTIONS:
            return self._refuse("change-statement", f"it calls {second}")
        if op == apsw.SQLITE_PRAGMA:
            return self._may_ask(first.lower(), given=bool(second))
        if op in _READS:
            return True
        if self._reading:
            return self._refuse("change-statement", "it does more than read")
        if op in _TEMPORARY:
            return self._refuse("change-statement", "it makes or drops a temporary object")
        return self._may_change(op, first, second, base, by)

    def _may_ask(self, pragma: str, *, given: bool) -> bool:
        sets = given and pragma in _SETTINGS
        if pragma in _ANSWERS and (not sets or (pragma == _OWN_NUMBER and not self._reading)):
            return True
        if sets and pragma == _IDENTITY:
            # Signatures and the journal are of one database: a run that is cut off behind COMMIT
            # would find another, and could never be settled.
            return self._refuse(
                "change-statement",
                "it sets application_id, by which dbops knows the database",
            )
        if pragma in _DBOPS_SETS:
            return self._refuse(
                "change-statement",
                f"it sets {pragma}, as dbops does itself: foreign keys are off while the steps run,"
                " and checked before COMMIT",
            )
        return self._refuse("change-statement", f"it uses PRAGMA {pragma}")

    def _may_change(self, op: int, first: str, second: str, base: str, by: str | None) -> bool:
        table = first if op in _OF_FIRST else second if op in _OF_SECOND else ""
        name = table.lower()
        if name in OWN:
            through = f" (through {by})" if by else ""
            return self._refuse("change-statement", f"it touches {table}{through}")
        if not name.startswith("sqlite_"):
            self._remember(op, table, is_column=bool(base))
        return True

    def _remember(self, op: int, table: str, *, is_column: bool) -> None:
        name = table.lower()
        if op in _RELATES:
            self.related.add(name)
        if op in _WRITES:
            self.written.add(name)
        if op == apsw.SQLITE_DROP_TABLE:
            self.dropped.add(name)
        if op == apsw.SQLITE_ALTER_TABLE:
            self.altered.add(name)
            if is_column:  # DROP COLUMN: rows are written without it
                self.rewritten.add(table)

    def _refuse(self, code: str, why: str) -> bool:
        if self._refusal is None:
            hint = "take it out of the script; a change alters definitions and rows of its database"
            self._refusal = Refused(code, why, hint=hint)
        return False
