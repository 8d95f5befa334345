"""Whether a text is a value of its parameter's type; pure.

The forms are those that every database reads alike, and that name one value: no `infinity`, no
exponent, no `24:00`, no local names of months. What is accepted is bound as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import Final

from dbops.repair.parameter import ParameterType
from dbops.repair.table import TABLE_RULE, TableName

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMERIC: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?")
_DAY: Final = r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_DATE: Final = re.compile(_DAY)
_TIMESTAMP: Final = re.compile(f"{_DAY}[ T]{_CLOCK}")
# 14 hours are the farthest zone there is, and the farthest that SQLite reads.
_INSTANT: Final = re.compile(
    f"{_DAY}[ T]{_CLOCK}" + r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
)
_COLUMN: Final = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_LEAST: Final = -(1 << 63)


def is_value(kind: ParameterType, text: str) -> bool:
    """Return whether `text` is a value of the type; a set of rows is no text."""
    check = _CHECKS.get(kind)
    return check is not None and check(text)


def value_rule(kind: ParameterType) -> str:
    """Return what a value of the type looks like, for the hint of an error."""
    return _RULES[kind]


def _is_text(text: str) -> bool:
    """Whether the text is Unicode without NUL, which PostgreSQL cannot hold."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_integer(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and _LEAST <= int(text) < -_LEAST


def _is_date(text: str) -> bool:
    with suppress(ValueError):
        return _DATE.fullmatch(text) is not None and date.fromisoformat(text) is not None
    return False


def _is_moment(form: re.Pattern[str], text: str) -> bool:
    found = form.fullmatch(text)
    return found is not None and _is_date(found[1])


def _is_table(text: str) -> bool:
    with suppress(ValueError):
        return TableName.parse(text) is not None
    return False


_CHECKS: Final[Mapping[ParameterType, Callable[[str], bool]]] = {
    ParameterType.TEXT: _is_text,
    ParameterType.INTEGER: _is_integer,
    ParameterType.NUMERIC: lambda text: _NUMERIC.fullmatch(text) is not None,
    ParameterType.BOOLEAN: lambda text: text in {"true", "false"},
    ParameterType.DATE: _is_date,
    ParameterType.TIMESTAMP: lambda text: _is_moment(_TIMESTAMP, text),
    ParameterType.INSTANT: lambda text: _is_moment(_INSTANT, text),
    ParameterType.TABLE: _is_table,
    ParameterType.COLUMN: lambda text: _COLUMN.fullmatch(text) is not None,
}

_RULES: Final[Mapping[ParameterType, str]] = {
    ParameterType.TEXT: "a text without the character NUL",
    ParameterType.INTEGER: "a whole number of 64 bits, such as 38 or -7",
    ParameterType.NUMERIC: "a decimal number such as 12 or -0.50, without an exponent",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.DATE: "a day such as 2026-11-20",
    ParameterType.TIMESTAMP: "a time without a zone, such as 2026-11-20 08:30 or 08:30:00.125",
    ParameterType.INSTANT: "a time with its offset, such as 2026-11-20T08:30:00+08:00 or Z",
    ParameterType.TABLE: TABLE_RULE,
    ParameterType.COLUMN: "the name of a column, exactly as the catalogue spells it",
    ParameterType.ROWS: "rows, which only the payload holds",
}
