"""DDL-FK: a foreign key without an index, or one that deletes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Constraint, ConstraintKind, Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.index_columns import leading_columns
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity, Unchecked


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    for reading, table, key in _keys(case):
        target = "its parent" if key.target is None else key.target.written
        if key.cascades:
            yield DDL_FK.found(
                reading.place,
                f"who deletes a row of {target} deletes its rows of {table.written} too (CASCADE)",
                "let the delete fail: leave ON DELETE CASCADE out",
            )
        if case.dialect == "mysql":  # InnoDB makes the index itself
            continue
        indexed = leading_columns(case, table)
        wanted = tuple(column.casefold() for column in key.columns)
        if any(each[: len(wanted)] == wanted for each in indexed):
            continue
        if case.schema is None and not case.is_made(table, reading):
            yield DDL_FK.unchecked(f"whether {table.written} has an index for its foreign key")
        else:
            yield DDL_FK.found(
                reading.place,
                f"{table.written} ({', '.join(key.columns)}) has no index: each delete in {target} "
                f"reads all of it{case.measured(table)}",
                "make an index that begins with these columns",
            )


def _keys(case: Case) -> Iterator[tuple[Reading, Name, Constraint]]:
    for reading, table, column in case.new_columns():
        for constraint in column.constraints:
            if constraint.kind is ConstraintKind.FOREIGN_KEY:
                yield reading, table, constraint
    for reading in case.up:
        temporary = Flag.TEMPORARY in reading.flags
        if reading.kind is not ObjectKind.TABLE or not reading.names or temporary:
            continue
        for clause in reading.acts(Act.ADD_CONSTRAINT) if reading.does is not Does.DROP else ():
            key = clause.constraint
            if key is not None and key.kind is ConstraintKind.FOREIGN_KEY:
                yield reading, reading.names[0], key


DDL_FK: Final = Rule(
    "DDL-FK", Severity.WARNING, "a foreign key without an index, or one that deletes", _examine
)
