"""REP-TYPE: a comparison that converts one side behind the author's back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.repair.parameter import ParameterType
from dbops.repair.reading import Comparison
from dbops.repair.rules.column_types import Family, family_of
from dbops.repair.rules.finding import Case, Rule
from dbops.repair.rules.naming import plain_name
from dbops.review.finding import Finding, Severity, Unchecked

# PostgreSQL refuses such comparisons, and the rehearsal shows that.
_DIALECTS: Final = frozenset({"mysql", "oracle", "sqlite", "tsql"})
_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*")


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect not in _DIALECTS:
        return
    unknown = 0
    for reading in (*case.script, *case.fragments):
        for comparison in reading.comparisons:
            value = _value_of(case, comparison)
            column = family_of(case, comparison)
            if value is None or comparison.pattern:
                continue
            if column is None:
                unknown += 1
            elif _converts(case.dialect, column, value, comparison):
                name = plain_name(case.column_of(comparison.column)) or "a column"
                yield REP_TYPE.found(
                    reading.place,
                    f"{name} holds {column.value} and is compared with {value.value}",
                    "write the value in the column's type, or give its parameter that type",
                )
    if unknown:
        yield REP_TYPE.unchecked(f"comparisons with a column whose type is not known: {unknown}")


def _value_of(case: Case, comparison: Comparison) -> Family | None:
    if comparison.literal is not None:
        return Family.TEXT if comparison.literal.quoted else Family.NUMBER
    parameter = case.repair.parameters.get(comparison.parameter or "")
    if parameter is None:
        return None
    families = {
        ParameterType.TEXT: Family.TEXT,
        ParameterType.INTEGER: Family.NUMBER,
        ParameterType.NUMERIC: Family.NUMBER,
    }
    return families.get(parameter.type)


def _converts(dialect: str, column: Family, value: Family, comparison: Comparison) -> bool:
    if column is Family.OTHER or column is value:
        return False
    if dialect != "sqlite" or column is Family.TEXT:
        return True
    # SQLite turns a text that is a number into one; another one equals no number.
    literal = comparison.literal
    return literal is not None and _NUMBER.fullmatch(literal.text) is None


REP_TYPE: Final = Rule(
    "REP-TYPE", Severity.WARNING, "a comparison of a column with another type", _examine
)
