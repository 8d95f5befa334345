"""DDL-PHI: a column of which nobody says what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule, is_same
from dbops.change.rules.spelling import column_written, path_of
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity, Unchecked


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    said = [path_of(name) for name in case.change.personal]
    made = []
    for reading, table, name in _made(case):
        path = (*table.path, name)
        made.append(path)
        if any(len(each) > 1 and is_same(each, path) for each in said):
            continue
        if case.schema is None and _is_anew(case, table, reading):
            yield DDL_PHI.unchecked(f"which columns of {table.written} are new")
        elif case.column(table, name) is None:
            written = column_written(case, table, name)
            yield DDL_PHI.found(
                reading.place,
                f"{written} is new, and personal: does not say what it holds",
                f"personal: {{{written}: none}}, or contact, identity, diagnosis …",
            )
    renamed = case.altered(Act.RENAME_COLUMN)
    made += [(*table.path, clause.name) for _reading, table, clause in renamed if clause.name]
    if any(reading.doubt is not None for reading in case.up):
        return
    for each in said:
        if not any(is_same(each, path) for path in made):
            what = f"personal: names {'.'.join(each)}, and no statement makes that column"
            yield DDL_PHI.found("change.yml", what, "take it out, or spell it as the script does")


def _made(case: Case) -> Iterator[tuple[Reading, Name, str]]:
    """Yield the columns that statements make, in the tables where they are in the end."""
    for reading, table, column in case.new_columns():
        yield reading, case.later_name(table, reading), column.name


def _is_anew(case: Case, table: Name, at: Reading) -> bool:
    """Whether the statement makes a table that takes the place of one that up.sql drops."""
    return at.does is Does.CREATE and any(
        each.does is Does.DROP and each.kind is ObjectKind.TABLE and is_same(name.path, table.path)
        for each in case.up
        for name in each.names
        if Flag.IF_EXISTS not in each.flags
    )


DDL_PHI: Final = Rule(
    "DDL-PHI", Severity.WARNING, "a column of which nobody says what it holds", _examine
)
