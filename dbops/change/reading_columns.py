"""Columns and constraints as statements define them, in every dialect; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dbops.change.parsed_types import read_type
from dbops.change.reading import Column, Constraint, ConstraintKind, Default, has
from dbops.change.reading_words import Cursor, Sort, Word, calls_in, spaced, upper_words

# What ends a type or a default.
_STOPS: Final = (
    *(
        "NOT",
        "NULL",
        "DEFAULT",
        "PRIMARY",
        "UNIQUE",
        "REFERENCES",
        "CHECK",
        "CONSTRAINT",
        "COLLATE",
    ),
    *("GENERATED", "AS", "AUTO_INCREMENT", "AUTOINCREMENT", "IDENTITY", "COMMENT", "ON", "CHARSET"),
    *(
        "STORAGE",
        "COMPRESSION",
        "FIRST",
        "AFTER",
        "USING",
        "VISIBLE",
        "INVISIBLE",
        "ENABLE",
        "WITH",
    ),
    *("DISABLE", "ROWGUIDCOL", "SPARSE", "PERSISTED", "VIRTUAL", "STORED", "KEY", "DEFERRABLE"),
    *("INITIALLY", "CLUSTERED", "NONCLUSTERED"),
)
_KINDS: Final = (
    (("PRIMARY", "KEY"), ConstraintKind.PRIMARY_KEY),
    (("UNIQUE",), ConstraintKind.UNIQUE),
    (("FOREIGN", "KEY"), ConstraintKind.FOREIGN_KEY),
    (("REFERENCES",), ConstraintKind.FOREIGN_KEY),
    (("CHECK",), ConstraintKind.CHECK),
    (("EXCLUDE",), ConstraintKind.EXCLUDE),
)
_SERIAL: Final = re.compile("(small|big)?serial[248]?", re.IGNORECASE)
_ZERO_DATE: Final = re.compile(r"0000-00-00.*")

_UNDECIDED: Final = frozenset({"OR", "CASE", "COALESCE"})  # no column is proven by one of several


def column_of(words: Sequence[Word], dialect: str) -> Column | None:
    """Return the column that a definition begins with its name; None where it is none."""
    cursor = Cursor(words, dialect)
    name = cursor.identifier()
    return None if name is None else definition_of(name, cursor)


def definition_of(name: str, cursor: Cursor) -> Column:
    """Return the column of a name whose type comes next, and step over all of it."""
    text = _type_text(cursor)
    column = Column(name, read_type(text, cursor.dialect), filled=bool(_SERIAL.fullmatch(text)))
    constraints: list[Constraint] = []
    given: str | None = None
    while not cursor.ended:
        if cursor.take("CONSTRAINT"):
            given = cursor.identifier()
        elif cursor.take("NOT", "NULL"):
            column = replace(column, not_null=True)
        elif cursor.take("DEFAULT"):
            column = replace(column, default=default_of(cursor))
        elif cursor.take("COLLATE"):
            column = replace(column, collation=cursor.identifier())
        elif cursor.take_any("AUTO_INCREMENT", "AUTOINCREMENT", "IDENTITY"):
            column = replace(column, filled=True, identity=True)
        elif cursor.take_any("GENERATED", "AS"):
            column = _generated(column, cursor)
        elif (constraint := constraint_of(cursor, given, (name,))) is not None:
            constraints.append(constraint)
            given = None
        else:
            cursor.next()
    return replace(column, constraints=tuple(constraints))


def constraint_of(
    cursor: Cursor, name: str | None, columns: tuple[str, ...] = ()
) -> Constraint | None:
    """Return the constraint that begins here, behind its name; None where none does.

    `columns` is the column that it is written behind, () for one of a table.
    """
    kind = next((kind for phrase, kind in _KINDS if cursor.take(*phrase)), None)
    if kind is None:
        return None
    inline = bool(columns)
    if kind is ConstraintKind.FOREIGN_KEY:
        return _foreign_key(cursor, name, columns)
    if kind in {ConstraintKind.CHECK, ConstraintKind.EXCLUDE}:
        if kind is ConstraintKind.EXCLUDE:
            cursor.until("(")
        inside = cursor.group()
        checked = tuple(dict.fromkeys(_not_nulls(inside)))
        rest = () if inline else upper_words(cursor.until())
        return Constraint(kind, name, columns, not_valid=has(rest, "NOT", "VALID"), nulls=checked)
    if inline:
        return Constraint(kind, name, columns)
    index = cursor.identifier() if cursor.take("USING", "INDEX") else None
    cursor.until("(")
    found = cursor.names()
    cursor.until()
    return Constraint(kind, name, found, index=index)


def default_of(cursor: Cursor) -> Default:
    """Return the default whose expression comes next, and step over it."""
    first = cursor.next()
    words = ([] if first is None else [first]) + _expression(cursor, first)
    text = first is not None and first.sort is Sort.TEXT
    return Default(
        null=upper_words(words) == ("NULL",),
        calls=tuple(dict.fromkeys(calls_in(words))),
        zero_date=text and first is not None and _ZERO_DATE.fullmatch(first.text) is not None,
    )


def _expression(cursor: Cursor, first: Word | None) -> list[Word]:
    """Return what follows the first word of an expression."""
    inside: list[Word] = []
    if first is not None and first.upper == "(":
        inside = _to_the_end(cursor)
    return inside + list(cursor.until(*_STOPS))


def _to_the_end(cursor: Cursor) -> list[Word]:
    found: list[Word] = []
    depth = 1
    while depth and (word := cursor.next()) is not None:
        depth += {"(": 1, ")": -1}.get(word.upper, 0)
        found.append(word)
    return found


def _type_text(cursor: Cursor) -> str:
    found: list[Word] = []
    while not cursor.ended:
        found += cursor.until(*_STOPS)
        zone = cursor.at("WITH", "TIME") or cursor.at("WITH", "LOCAL")
        if not zone or (word := cursor.next()) is None:
            break
        found.append(word)
    return spaced(found)


def _generated(column: Column, cursor: Cursor) -> Column:
    before = upper_words(cursor.until("("))
    if "IDENTITY" in before:
        cursor.group()
        return replace(column, filled=True, identity=True)
    cursor.group()
    stored = bool(cursor.take_any("STORED", "PERSISTED"))
    return replace(column, filled=True, stored=stored)


def _foreign_key(cursor: Cursor, name: str | None, columns: tuple[str, ...]) -> Constraint:
    inline = bool(columns)
    if not inline:
        cursor.until("(")  # a name of MySQL's
        columns = cursor.names()
        cursor.take("REFERENCES")
    target = cursor.name()
    cursor.group()
    rest = upper_words(cursor.until("NULL", "DEFAULT", "CONSTRAINT", "CHECK", "UNIQUE"))
    if not inline:
        rest += upper_words(cursor.until())
    cascades = has(rest, "DELETE", "CASCADE")
    return Constraint(
        ConstraintKind.FOREIGN_KEY,
        name,
        columns,
        target=target,
        cascades=cascades,
        not_valid=has(rest, "NOT", "VALID"),
    )


def _not_nulls(words: Sequence[Word]) -> list[str]:
    """The columns of which a check proves that they have a value: it says so, AND what else."""
    for place, word in enumerate(words):
        denied = word.upper == "NOT" and (place == 0 or words[place - 1].upper != "IS")
        if denied or word.upper in _UNDECIDED:
            return []
    return [
        words[place - 1].text
        for place, word in enumerate(words)
        if place
        and word.upper == "IS"
        and [each.upper for each in words[place + 1 : place + 3]] == ["NOT", "NULL"]
    ]
