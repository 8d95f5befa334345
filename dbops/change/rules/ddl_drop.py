"""DDL-DROP: data that is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_HELD: Final = frozenset({ObjectKind.TABLE, ObjectKind.SCHEMA, ObjectKind.SEQUENCE})
_HINT: Final = "stop using it first, keep it for a while, and say data_loss in the manifest"


def _examine(case: Case) -> Iterator[Finding]:
    for reading in case.up:
        if reading.does is Does.TRUNCATE:
            for table in reading.names:
                if not case.is_empty(table, reading):
                    what = f"TRUNCATE empties {table.written}{case.measured(table)}"
                    yield DDL_DROP.found(reading.place, what, _HINT)
        elif reading.words[:2] == ("DROP", "OWNED"):
            what = "all that a role owns is dropped, tables with their rows too"
            yield DDL_DROP.found(reading.place, what, "drop each by its name")
        elif reading.does is Does.DROP:
            yield from _dropped(case, reading)
        elif reading.kind is ObjectKind.TYPE and reading.has("DROP", "ATTRIBUTE"):
            what = f"an attribute of {reading.names[0].written} is dropped with its values"
            yield DDL_DROP.found(reading.place, what, _HINT)
    for reading, table, clause in case.filled(Act.DROP_COLUMN):
        what = f"column {clause.column} of {table.written} is dropped with its values"
        yield DDL_DROP.found(reading.place, what + case.measured(table), _HINT)


def _dropped(case: Case, reading: Reading) -> Iterator[Finding]:
    kind = "object" if reading.kind is None else reading.kind.value
    for name in reading.names:
        if (
            reading.kind in _HELD
            and not case.is_empty(name, reading)
            and not _is_rebuilt(case, name)
        ):
            what = f"{kind} {name.written} is dropped{case.measured(name)}"
            yield DDL_DROP.found(reading.place, what, _HINT)
        elif Flag.CASCADE in reading.flags:
            what = f"{kind} {name.written} is dropped with all that depends on it (CASCADE)"
            yield DDL_DROP.found(reading.place, what, "drop what depends on it by name")


def _is_rebuilt(case: Case, name: Name) -> bool:
    """Whether another table takes the name, as where SQLite's tables are built anew."""
    return any(
        clause.act is Act.RENAME_TABLE and (clause.name or "").casefold() == name.last.casefold()
        for reading in case.up
        for clause in reading.clauses
    )


DDL_DROP: Final = Rule("DDL-DROP", Severity.ERROR, "data that is dropped", _examine)
