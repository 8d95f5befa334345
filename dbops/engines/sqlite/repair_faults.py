"""What SQLite says during a repair, translated: result codes and names, never values.

SQLite's words for a broken UNIQUE or NOT NULL constraint are names of columns, and are kept. All
other words may be a trigger's, or quote the statement, and are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import apsw

from dbops.engines.sqlite.faults import not_writable, translated
from dbops.errors import DbopsError, Failed, Unreachable

_NAMED: Final = {
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_NOTNULL",
    "SQLITE_CONSTRAINT_ROWID",
}
_KINDS: Final = {
    "no such table": "it names a table that is not there",
    "no such column": "it names a column that is not there",
    "no such function": "it calls a function that SQLite itself does not have",
    "no such collation": "it needs a collation that only the application has",
    "ambiguous column": "it names a column that two of its tables have",
    "near ": "syntax error",
    "incomplete input": "it ends too early",
    "unrecognized token": "syntax error",
    "foreign key mismatch": "a foreign key points at columns that are no key",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an error comes from: the database, its file, and how long was waited."""

    name: str
    path: Path
    lock_wait: timedelta

    def fault(self, failure: Exception, doing: str) -> DbopsError:
        """Return the error to raise, `from None`; `doing` names what was being done."""
        match failure:
            case apsw.BusyError() | apsw.LockedError():
                return self.locked()
            case apsw.InterruptError():
                return Failed(
                    "statement-timeout",
                    f"{self.name}: {doing} took longer than it may",
                    hint="raise limits.statement in repair.yml, or repair in batches",
                )
            case apsw.ConstraintError():
                raised = code_name(failure) == "SQLITE_CONSTRAINT_TRIGGER"
                return Failed(
                    "refused-by-database" if raised else "constraint-violated",
                    f"{self.name}: {doing} breaks a constraint: {_constraint(failure)}",
                    hint="the rows or the script contradict the schema; nothing was changed",
                )
            case apsw.ReadOnlyError():
                return not_writable(self.name, self.path)
            case apsw.MismatchError() | apsw.TooBigError():
                return Failed(
                    "value-refused",
                    f"{self.name}: {doing} has a value that does not fit: {code_name(failure)}",
                    hint="correct the parameter or the script, and rehearse again",
                )
            case apsw.SQLError():
                return Failed(
                    "statement-invalid",
                    f"{self.name}: {doing} fails: {_kind(failure)}",
                    hint="correct the sql, and rehearse it",
                )
            case UnicodeDecodeError():
                return Failed(
                    "text-not-unicode",
                    f"{self.name}: {doing} yields a text that is no valid Unicode",
                    hint="read it as a blob: CAST(… AS BLOB)",
                )
        return self._other(failure)

    def locked(self) -> Unreachable:
        """The error for a lock that somebody else kept."""
        seconds = self.lock_wait.total_seconds()
        return Unreachable(
            "lock-timeout",
            f"{self.name} is locked by somebody else and stayed so for"
            f" {seconds:g} second{'' if seconds == 1 else 's'}",
            hint=f"see who has it open: fuser -v {self.path}",
        )

    def _other(self, failure: Exception) -> DbopsError:
        try:
            with translated(self.name, self.path):
                raise failure
        except DbopsError as known:
            return known


def code_name(failure: Exception) -> str:
    """The name of SQLite's result code, the extended one where there is one."""
    extended = getattr(failure, "extendedresult", 0)
    name = apsw.mapping_extended_result_codes.get(extended)
    return str(name or apsw.mapping_result_codes.get(extended & 0xFF, f"code {extended}"))


def _constraint(failure: apsw.Error) -> str:
    code = code_name(failure)
    found = re.fullmatch(r"[A-Z ]+ constraint failed: (.+)", str(failure))
    return f"{code} ({found[1]})" if found and code in _NAMED else code


def _kind(failure: apsw.Error) -> str:
    said = str(failure)
    return next((told for begin, told in _KINDS.items() if said.startswith(begin)), None) or (
        code_name(failure)
    )
