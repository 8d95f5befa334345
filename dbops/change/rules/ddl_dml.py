"""DDL-DML: rows that a schema change writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Flag, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.held_locks import beside
from dbops.review.finding import Finding, Severity

_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "COPY")


def _examine(case: Case) -> Iterator[Finding]:
    for reading in case.up:
        if reading.does is not Does.WRITE or _is_own(case, reading):
            continue
        table = reading.names[0] if reading.names else None
        word = next((word for word in _WRITES if word in reading.words), "the statement")
        every = word in {"UPDATE", "DELETE"} and Flag.WHERE not in reading.flags
        where = "a table" if table is None else table.written
        yield DDL_DML.found(
            reading.place,
            f"{word} writes {'every row' if every else 'rows'} of {where}"
            + _meanwhile(case, reading)
            + case.measured(table),
            "write rows by a repair, which counts them and can be taken back",
        )


def _meanwhile(case: Case, reading: Reading) -> str:
    """Who waits for more than these rows, whatever `accepted` says of writing them."""
    first = next(beside(case, reading), None) if case.dialect == "postgres" else None
    if first is None:
        return ""
    return f" in one transaction with {first.place}, for whose locks others wait meanwhile"


def _is_own(case: Case, reading: Reading) -> bool:
    """Whether it fills what the change makes, or what is empty."""
    return bool(reading.names) and case.is_empty(reading.names[0], reading)


DDL_DML: Final = Rule("DDL-DML", Severity.ERROR, "rows that a schema change writes", _examine)
