"""MY-ALGO: an ALTER that may copy the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_RENAMES: Final = frozenset({Act.RENAME_TABLE, Act.RENAME_COLUMN, Act.RENAME_INDEX})


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "mysql":
        return
    for reading in case.up:
        table = _table(reading)
        if table is None or case.is_unused(table, reading):
            continue
        missing = [word for word in ("ALGORITHM", "LOCK") if word not in reading.words]
        if missing == ["LOCK"] and "INSTANT" in reading.words:  # takes none, and allows no LOCK
            continue
        if missing or "COPY" in reading.words:
            yield MY_ALGO.found(
                reading.place,
                f"the server may copy {table.written}, and nobody writes it meanwhile"
                + case.measured(table),
                "write ALGORITHM=INSTANT, or ALGORITHM=INPLACE, LOCK=NONE: it refuses if it cannot",
            )


def _table(reading: Reading) -> Name | None:
    """Return the table that the statement alters; None where it makes a name only."""
    if reading.kind is ObjectKind.TABLE and reading.does is Does.ALTER:
        only_names = all(clause.act in _RENAMES for clause in reading.clauses)
        return None if only_names else reading.table
    index = reading.kind is ObjectKind.INDEX and reading.does in {Does.CREATE, Does.DROP}
    return reading.table if index else None


MY_ALGO: Final = Rule("MY-ALGO", Severity.ERROR, "an ALTER that may copy the table", _examine)
