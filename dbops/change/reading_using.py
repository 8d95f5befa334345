"""What ALTER COLUMN … TYPE … USING computes the new values from; pure.

PostgreSQL writes no row anew where that is the column itself, cast to types of the same bytes
(ATColumnChangeRequiresRewrite in its tablecmds.c). Which casts are of that sort is not said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dbops.change.column_type import SqlType
from dbops.change.parsed_types import read_type
from dbops.change.reading import Using
from dbops.change.reading_words import Cursor, Sort, Word, spaced

# What stands in the name of a type behind its first word; anything else computes.
_OF_TYPES: Final = frozenset(
    [
        *("PRECISION", "VARYING", "WITH", "WITHOUT", "TIME", "ZONE"),
        *("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "TO"),
    ]
)
_SIGNS: Final = frozenset({"(", ")", ",", ".", "[", "]"})


def using_of(words: Sequence[Word], column: str, dialect: str) -> Using:
    """Return what the expression computes; `column` is the one that gets the new type."""
    return Using(_casts(Cursor(words, dialect), column))


def _casts(cursor: Cursor, column: str) -> tuple[SqlType, ...] | None:
    """Return the types of a column's casts, from the inside out; None for anything else."""
    found = _of_operand(cursor, column)
    while found is not None and not cursor.ended:
        if cursor.take("COLLATE"):
            found = found if cursor.name() is not None else None
        else:
            kind = _type(cursor.until("::", "COLLATE"), cursor) if cursor.take("::") else None
            found = None if kind is None else (*found, kind)
    return found


def _of_operand(cursor: Cursor, column: str) -> tuple[SqlType, ...] | None:
    if cursor.at("("):
        return _casts(Cursor(cursor.group(), cursor.dialect), column)
    if cursor.at("CAST", "("):
        cursor.take("CAST")
        inside = Cursor(cursor.group(), cursor.dialect)
        operand = _casts(Cursor(inside.until("AS"), cursor.dialect), column)
        kind = _type(inside.rest, cursor) if inside.take("AS") else None
        return None if operand is None or kind is None else (*operand, kind)
    name = cursor.name()
    return () if name is not None and name.last == column else None


def _type(words: Sequence[Word], cursor: Cursor) -> SqlType | None:
    """Return the type that these words name; None where they are more than its name."""
    before = "."
    for word in words:
        named = before == "." and word.sort in {Sort.WORD, Sort.NAME}
        if not named and word.sort is not Sort.NUMBER and word.upper not in _OF_TYPES | _SIGNS:
            return None
        before = word.upper
    return read_type(spaced(words), cursor.dialect) if words else None
