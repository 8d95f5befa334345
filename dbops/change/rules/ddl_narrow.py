"""DDL-NARROW: a type that holds less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.column_type import loss
from dbops.change.parsed_types import read_type
from dbops.change.reading import Act
from dbops.change.rules.domains import base_of
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity, Unchecked


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    for reading, table, clause in case.filled(Act.RETYPE):
        if clause.definition is None:
            continue
        column = f"{table.written}.{clause.column}"
        known = case.column(table, clause.column)
        if known is None or "type" not in known.properties:
            yield DDL_NARROW.unchecked(f"what {column} loses by its new type ({reading.place})")
            continue
        old, new = known.properties["type"], clause.definition.type
        bare = [base_of(case, written) for written in (old, new.text)]
        lost = loss(read_type(bare[0], case.dialect), read_type(bare[1], case.dialect))
        if lost is not None:
            yield DDL_NARROW.found(
                reading.place,
                f"{column} gets another type: {lost}{case.measured(table)}",
                "add a column of the new type, fill it, and drop the old one by a later change",
            )


DDL_NARROW: Final = Rule("DDL-NARROW", Severity.ERROR, "a type that holds less", _examine)
