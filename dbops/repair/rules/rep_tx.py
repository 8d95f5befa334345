"""REP-TX: a statement that ends the transaction, or is none on rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.reading import Reading
from dbops.repair.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_TRANSACTION: Final = frozenset(
    ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"]
)
_SETTING: Final = frozenset(["SET", "RESET", "PRAGMA", "USE", "DISCARD", "LOAD"])
_DEFINITION: Final = frozenset(
    [
        *("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT", "REVOKE", "DENY", "COMMENT"),
        *("REINDEX", "CLUSTER", "REFRESH", "REASSIGN", "SECURITY", "IMPORT", "ENABLE", "DISABLE"),
    ]
)
_UPKEEP: Final = frozenset(
    [
        *("VACUUM", "ANALYZE", "CHECKPOINT", "LOCK", "UNLOCK", "COPY", "ATTACH", "DETACH"),
        *("LISTEN", "NOTIFY", "UNLISTEN", "BACKUP", "RESTORE", "KILL", "SHUTDOWN", "DECLARE"),
        *("FETCH", "MOVE", "CLOSE", "DEALLOCATE", "EXPLAIN"),
    ]
)
_MEANINGS: Final = (
    (_TRANSACTION, "begins or ends a transaction", "remove it: the whole script is one"),
    (_SETTING, "changes a setting", "remove it: dbops pins the settings and the limits"),
    (_DEFINITION, "changes the schema or rights", "keep such a change out of a repair"),
    (_UPKEEP, "is no statement on rows", "remove it"),
)


def control_of(reading: Reading, case: Case) -> tuple[str, str] | None:
    """Return what the statement does that a repair may not, and the hint; None where nothing."""
    temporary = {name.casefold() for name in case.repair.temporary}
    made = [table for table in reading.makes if not _is_declared(table.table.name, temporary)]
    if reading.makes and not made and all(table.temporary for table in reading.makes):
        return None
    word = next(iter(reading.words), "")
    for words, what, hint in _MEANINGS:
        if word in words:
            return f"{word} {what}", hint
    if reading.makes:
        return "INTO makes a table", "insert into a table that is there, or declare temporary:"
    if "SET_CONFIG" in reading.words:
        return "set_config changes a setting", "remove it: dbops pins the settings and the limits"
    return None


def _is_declared(name: str, temporary: set[str]) -> bool:
    return name.casefold() in temporary


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.script, *case.fragments):
        control = control_of(reading, case)
        if control is not None:
            what, hint = control
            yield REP_TX.found(reading.place, what, hint)


REP_TX: Final = Rule(
    "REP-TX", Severity.ERROR, "a statement that is not for one transaction on rows", _examine
)
