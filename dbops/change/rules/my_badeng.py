"""MY-BADENG: a table that loses or alters what it is given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from dbops.change.reading import Act, Column, Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_MONEY: Final = re.compile(
    r"(?:^|_)(?:price|amount|amt|fee|cost|charge|balance|money|total|deposit|je|fy|dj|ye)(?:_|$)",
    re.I,
)
_HINT: Final = "ENGINE=InnoDB, CHARSET=utf8mb4, NULL for a date nobody knows, DECIMAL for money"


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "mysql":
        return
    for reading in case.up:
        if reading.kind is ObjectKind.TABLE and reading.does in {Does.CREATE, Does.ALTER}:
            for what in _options(reading):
                yield MY_BADENG.found(reading.place, what, _HINT)
        for clause in reading.acts(Act.ADD_COLUMN, Act.RETYPE):
            column = clause.definition
            why = None if column is None else _why(column)
            if column is not None and why is not None:
                yield MY_BADENG.found(reading.place, f"column {column.name} {why}", _HINT)


def _options(reading: Reading) -> Iterator[str]:
    words = [word for word in reading.words if word != "="]
    following = dict(pairwise(words))
    if following.get("ENGINE", "INNODB") != "INNODB":
        yield f"{_named(reading)} is not of InnoDB: no rollback takes its rows back"
    charset = following.get("CHARSET") or (following.get("SET") if "CHARACTER" in words else None)
    if charset not in {None, "UTF8MB4", "BINARY", "DEFAULT"} and not reading.columns:
        yield f"{_named(reading)} is not in utf8mb4: rare characters of names are lost"


def _named(reading: Reading) -> str:
    return reading.names[0].written if reading.names else "the table"


def _why(column: Column) -> str | None:
    if column.default is not None and column.default.zero_date:
        return "has a date of zeros, which is no date"
    if column.type.name in {"FLOAT", "DOUBLE"} and _MONEY.search(column.name):
        return "holds money in floating numbers, which are rounded"
    return None


MY_BADENG: Final = Rule(
    "MY-BADENG", Severity.ERROR, "a table that loses or alters what it is given", _examine
)
