"""Statements of a repair as SQLite takes them: placeholders numbered, values to bind beside them.

Nothing else of the text is touched. An argument is bound as what its type says: integers and
booleans (1 and 0) as integers, numeric as an integer or, with a fraction, as a double; the rest as
text, dates and times as they are written, because SQLite has no type for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from dbops.engines.sqlite.connect import quoted
from dbops.engines.sqlite.repair_values import Bindable, Plain, bound, decode
from dbops.errors import Failed
from dbops.repair.parameter import Argument, ParameterType
from dbops.repair.ports import Binding
from dbops.repair.table import TableName, Value
from dbops.sql.statement import Bound, Identifier, Piece, RowColumn, Statement

_TRUE = {"true", "t", "yes", "y", "on", "1"}
_FALSE = {"false", "f", "no", "n", "off", "0"}
_T = TypeVar("_T")


class Rendering:
    """The text of one statement and the values of its places."""

    def __init__(self, binding: Binding, row: Mapping[str, Value] | None = None) -> None:
        self._binding = binding
        self._row = row or {}
        self._numbers: dict[Piece, int] = {}
        self.values: list[Plain] = []

    def text(self, statement: Statement) -> str:
        """The statement with numbered places; its values stand in `values` afterwards."""
        return "".join(self._piece(piece) for piece in statement.pieces)

    def _piece(self, piece: Piece) -> str:
        match piece:
            case str():
                return piece
            case Identifier(name):
                found = _of(self._binding.identifiers, name)
                return quoted(found.name if isinstance(found, TableName) else found)
            case Bound(name):
                return self._place(piece, argument_value(name, _of(self._binding.arguments, name)))
            case RowColumn(_, column):
                return self._place(piece, decode(_of(self._row, column), None))

    def _place(self, piece: Piece, value: Bindable) -> str:
        text, plain = bound(value)
        if piece not in self._numbers:
            self.values.append(plain)
            self._numbers[piece] = len(self.values)
        return text.replace("?", f"?{self._numbers[piece]}")


def argument_value(name: str, argument: Argument) -> Plain:
    """Return what SQLite binds for the argument; Failed `value-refused` where it is no such value.

    The error names the parameter, never its value.
    """
    text = argument.text
    if text is None:
        return None
    match argument.type:
        case ParameterType.INTEGER:
            return _integer(name, text)
        case ParameterType.NUMERIC:
            return _numeric(name, text)
        case ParameterType.BOOLEAN if text.lower() in _TRUE | _FALSE:
            return int(text.lower() in _TRUE)
        case ParameterType.BOOLEAN:
            raise _unfit(name, "boolean")
    return text


def _integer(name: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise _unfit(name, "integer") from None
    if not -(1 << 63) <= number < 1 << 63:
        raise _unfit(name, "integer of 64 bits")
    return number


def _numeric(name: str, text: str) -> int | float:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _unfit(name, "number") from None
    if not number.is_finite():
        raise _unfit(name, "finite number")
    if number == number.to_integral_value() and abs(number) < 1 << 63:
        return int(number)
    return float(number)


def _unfit(name: str, kind: str) -> Failed:
    return Failed(
        "value-refused",
        f"the parameter {name} is no {kind} that SQLite can hold",
        hint="correct its value in repair.yml, or in the payload",
    )


def _of(known: Mapping[str, _T], name: str) -> _T:
    if name not in known:
        raise Failed(
            "parameter-missing",
            f"the sql names {name}, which nothing stands for",
            hint="declare it under params in repair.yml",
        )
    return known[name]
