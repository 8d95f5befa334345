"""DDL-UNIQ: uniqueness that rows may break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, ConstraintKind, Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_KINDS: Final = frozenset({ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY})


def _examine(case: Case) -> Iterator[Finding]:
    for reading, table in _unique(case):
        if not _is_looked_at(case, reading, table):
            yield DDL_UNIQ.found(
                reading.place,
                f"rows of {table.written} must be unique from now on: the change fails where two "
                f"are alike{case.measured(table)}",
                "look for doubles in a step before (GROUP BY … HAVING count(*) > 1), and mend them",
            )


def _unique(case: Case) -> Iterator[tuple[Reading, Name]]:
    for reading in case.up:
        index = reading.does is Does.CREATE and reading.kind is ObjectKind.INDEX
        if index and Flag.UNIQUE in reading.flags and reading.table is not None:
            new = _are_new(case, reading.table, reading.columns)
            if not case.is_unused(reading.table, reading) and not new:
                yield reading, reading.table
    for reading, table, clause in case.filled(Act.ADD_CONSTRAINT):
        constraint = clause.constraint
        if constraint is None or constraint.kind not in _KINDS or constraint.index is not None:
            continue
        if not _are_new(case, table, constraint.columns) and not case.is_new(table, reading):
            yield reading, table


def _are_new(case: Case, table: Name, columns: tuple[str, ...]) -> bool:
    """Whether all columns are made by the change without a value, so that no two are alike."""
    empty = {
        clause.column
        for _reading, altered, clause in case.altered(Act.ADD_COLUMN)
        if altered.last == table.last
        and clause.definition is not None
        and (clause.definition.default is None or clause.definition.filled)
    }
    return bool(columns) and set(columns) <= empty


def _is_looked_at(case: Case, reading: Reading, table: Name) -> bool:
    """Whether a step before looks for rows that are alike."""
    for each in case.up:
        if each is reading:
            return False
        text = " ".join((*each.words, *each.texts)).upper()
        if "HAVING" in text and table.last.upper() in text:
            return True
    return False


DDL_UNIQ: Final = Rule("DDL-UNIQ", Severity.ERROR, "uniqueness that rows may break", _examine)
