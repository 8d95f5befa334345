"""MY-ENUM: listed values whose order changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.column_type import Family
from dbops.change.parsed_types import read_type
from dbops.change.reading import Act
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked

_MOST: Final = 255  # values, above which each takes two bytes


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect != "mysql":
        return
    for reading, table, column in case.new_columns():
        if column.type.family is Family.ENUM and len(column.type.values) > _MOST:
            what = f"{table.written}.{column.name} lists {len(column.type.values)} values"
            yield MY_ENUM.found(reading.place, what, "keep them in a table with a foreign key")
    for reading, table, clause in case.filled(Act.RETYPE):
        new = None if clause.definition is None else clause.definition.type
        if new is None or new.family is not Family.ENUM:
            continue
        title = f"{table.written}.{clause.column}"
        known = case.column(table, clause.column)
        if known is None or "type" not in known.properties:
            yield MY_ENUM.unchecked(f"whether the listed values of {title} keep their order")
            continue
        old = read_type(known.properties["type"], case.dialect)
        if new.values[: len(old.values)] != old.values:
            yield MY_ENUM.found(
                reading.place,
                f"{title}: values are moved or left out, so the table is copied"
                + case.measured(table),
                "add new values behind the old ones",
            )


MY_ENUM: Final = Rule("MY-ENUM", Severity.WARNING, "listed values whose order changes", _examine)
