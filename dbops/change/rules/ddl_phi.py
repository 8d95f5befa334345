"""DDL-PHI: a column of which nobody says what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act
from dbops.change.rules.finding import Case, Rule, is_same
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    said = [tuple(name.split(".")) for name in case.change.personal]
    made = []
    for reading, table, column in case.new_columns():
        path = (*table.path, column.name)
        made.append(path)
        if not any(len(each) > 1 and is_same(each, path) for each in said):
            yield DDL_PHI.found(
                reading.place,
                f"{'.'.join(path)} is new, and personal: does not say what it holds",
                f"personal: {{{'.'.join(path)}: none}}, or contact, identity, diagnosis …",
            )
    renamed = case.altered(Act.RENAME_COLUMN)
    made += [(*table.path, clause.name) for _reading, table, clause in renamed if clause.name]
    if any(reading.doubt is not None for reading in case.up):
        return
    for each in said:
        if not any(is_same(each, path) for path in made):
            what = f"personal: names {'.'.join(each)}, and no statement makes that column"
            yield DDL_PHI.found("change.yml", what, "take it out, or spell it as the script does")


DDL_PHI: Final = Rule(
    "DDL-PHI", Severity.WARNING, "a column of which nobody says what it holds", _examine
)
