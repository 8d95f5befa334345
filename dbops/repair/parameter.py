"""Parameters of a repair: typed texts that are bound to statements, never pasted in; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ParameterType(StrEnum):
    """What a parameter is. TABLE and COLUMN are identifiers, which only the catalogue resolves.

    ROWS is a sealed set of rows: statements that name one of its columns run once for each row.
    """

    TEXT = "text"
    INTEGER = "integer"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"  # without a zone
    INSTANT = "instant"  # with one
    TABLE = "table"
    COLUMN = "column"
    ROWS = "rows"

    @property
    def is_identifier(self) -> bool:
        """Whether it names something of the catalogue."""
        return self in {ParameterType.TABLE, ParameterType.COLUMN}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a manifest.

    `value` is the text that the manifest gives, None for one that is `sealed`: then it stands in
    the folder's payload. `table` is the parameter that names the table of a COLUMN.
    """

    name: str
    type: ParameterType
    value: str | None
    sealed: bool = False
    table: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Argument:
    """A value to bind: the engine reads `text` as a value of the type; None is NULL."""

    type: ParameterType
    text: str | None
