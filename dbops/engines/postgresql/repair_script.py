"""A statement of a script as the server gets it: its own bytes, `$n` for each placeholder.

A text parameter behaves as a literal in quotes does: the server gives it the type that its place
asks for, at each place anew (so `:a IS NULL` alone needs `:a::text IS NULL`). An integer behaves
as the bare digits do, a numeric, a date and the like as a literal of that type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from dbops.engines.postgresql.connect import quoted
from dbops.engines.postgresql.repair_wire import UNKNOWN, Bind, Wire
from dbops.errors import Failed, Refused
from dbops.repair.parameter import Argument, ParameterType
from dbops.repair.ports import Binding
from dbops.repair.table import TableName, Value
from dbops.sql.statement import Bound, Identifier, Piece, RowColumn, Statement

_INT4, _INT8, _NUMERIC = 23, 20, 1700
_TYPES: Mapping[ParameterType, int] = {
    ParameterType.TEXT: UNKNOWN,
    ParameterType.NUMERIC: _NUMERIC,
    ParameterType.BOOLEAN: 16,
    ParameterType.DATE: 1082,
    ParameterType.TIMESTAMP: 1114,
    ParameterType.INSTANT: 1184,
}

_ON_DATA = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "CALL", "DO", "TABLE"}
)
_CONTROL = frozenset(
    {
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
        "PREPARE",
        "SET",
        "RESET",
    }
)
_WORD: Final = re.compile(r"[A-Za-z_]+")
_TEMPORARY: Final = re.compile(
    r"CREATE\s+(?:(?:LOCAL|GLOBAL)\s+)?TEMP(?:ORARY)?\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"(?:pg_temp\s*\.\s*)?(?:\"((?:[^\"]|\"\")+)\"|(\w[\w$]*))(?!\s*\.)",
    re.IGNORECASE,
)

Cells = Mapping[str, Value]
T = TypeVar("T")


def rendered(
    wire: Wire, statement: Statement, binding: Binding, cells: Cells | None = None
) -> tuple[bytes, list[Bind]]:
    """The statement's bytes with `$n` in place of each value, and the values in that order.

    `cells` are the columns of the row for which it runs. Raises Failed `parameter-missing`.
    """
    doing = place(statement)
    texts: list[str] = []
    binds: list[Bind] = []
    for piece in statement.pieces:
        if isinstance(piece, str):
            texts.append(piece)
        elif isinstance(piece, Identifier):
            texts.append(_named(_given(binding.identifiers, piece.name, doing)))
        else:
            binds.append(_bind(wire, piece, binding, cells, doing))
            texts.append(f"${len(binds)}")
    return wire.encode("".join(texts), doing), binds


def refuse_kind(statement: Statement, temporary: Sequence[str]) -> None:
    """Raises Refused for whatever is no statement on data, by its first word.

    `temporary` are the temporary tables that it may create, as the catalogue spells them.
    """
    text = _bare(statement)
    found = _WORD.match(text)
    word = found[0].upper() if found else ""
    if word in _ON_DATA:
        return
    if word in _CONTROL:
        raise Refused(
            "transaction-control",
            f"{place(statement)}: a repair can neither end its transaction nor nest another",
            hint="take the statement out of the script; the repair is one transaction",
        )
    if word == "CREATE" and _creates(text) in temporary:
        return
    raise Refused(
        "statement-kind",
        f"{place(statement)}: {word or 'this'} is no statement on data",
        hint="a repair has SELECT, INSERT, UPDATE, DELETE, MERGE, CALL, DO, and CREATE TEMP TABLE "
        "for a table that `temporary:` names",
    )


def refuse_no_query(statement: Statement) -> None:
    """Raises Refused `condition-form` for what is no query, by its first word."""
    found = _WORD.match(_bare(statement))
    if found is None or found[0].upper() not in ("SELECT", "WITH", "VALUES", "TABLE"):
        raise Refused(
            "condition-form",
            f"{place(statement)}: a condition is a query of one value",
            hint="write SELECT ... that yields one row of one column",
        )


def place(statement: Statement) -> str:
    """Which statement it is, for messages."""
    return f"the statement at line {statement.line}"


def _bind(
    wire: Wire, piece: Bound | RowColumn, binding: Binding, cells: Cells | None, doing: str
) -> Bind:
    if isinstance(piece, RowColumn):
        return Bind(_given(cells or {}, piece.column, doing))
    argument = _given(binding.arguments, piece.name, doing)
    value = None if argument.text is None else wire.encode(argument.text, doing)
    return Bind(value, _type(argument))


def _type(argument: Argument) -> int:
    if argument.type is not ParameterType.INTEGER:
        return _TYPES.get(argument.type, UNKNOWN)
    bits = int(argument.text or 0).bit_length()
    return _INT4 if bits < 32 else _INT8 if bits < 64 else _NUMERIC


def _given(values: Mapping[str, T], name: str, doing: str) -> T:
    try:
        return values[name]
    except KeyError:
        raise Failed(
            "parameter-missing",
            f"{doing}: nothing is given for the placeholder {name}",
            hint="declare it under params in repair.yml",
        ) from None


def _named(name: TableName | str) -> str:
    return name_of(name) if isinstance(name, TableName) else quoted(name)


def name_of(table: TableName) -> str:
    """The table's name as SQL, in quotes."""
    return f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)


def _creates(text: str) -> str | None:
    found = _TEMPORARY.match(text)
    if found is None:
        return None
    return found[1].replace('""', '"') if found[1] else str(found[2]).lower()


def _bare(statement: Statement) -> str:
    """The statement's text behind comments, blanks and opening parentheses."""
    text = "".join(piece if isinstance(piece, str) else _stand_in(piece) for piece in
                   statement.pieces)  # fmt: skip
    while True:
        rest = _behind_comment(text.lstrip(" \t\r\n\f\v("))
        if rest == text:
            return text
        text = rest


def _stand_in(piece: Piece) -> str:
    return '"?"' if isinstance(piece, Identifier) else "$1"


def _behind_comment(text: str) -> str:
    if text.startswith("--"):
        return text.partition("\n")[2]
    if not text.startswith("/*"):
        return text
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return text[mark.end() :]
    return ""
