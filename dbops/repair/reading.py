"""What a reader of SQL says of one statement; pure, and no proof of anything.

Lint and proposals rest on it. What a statement wrote is only ever what the engine counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dbops.repair.table import TableName


class Op(StrEnum):
    """What a statement does to a table."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Guard(StrEnum):
    """How a statement chooses its rows."""

    NONE = "none"  # it does not
    ALWAYS = "always"  # by a condition that is always true
    SOME = "some"


class Doubt(StrEnum):
    """Why a reading does not say everything, in words that end "the statement …"."""

    FAULT = "cannot be read"
    OPAQUE = "is of a kind that is not looked into"
    PART = "is read in part only"


@dataclass(frozen=True, slots=True)
class Target:
    """A table as SQL names it: by its name, or by a parameter."""

    table: TableName | None
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Predicate:
    """A proposed condition on the rows of one table.

    `exact` says that it is the statement's own text, but for blanks and comments; where it was
    put together from parts, somebody has to read it. "" is none.
    """

    text: str = ""
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Write:
    """That a statement writes a table. `sets` are the columns that an update assigns."""

    ops: frozenset[Op]
    target: Target
    guard: Guard
    sets: tuple[str, ...] = ()
    where: Predicate = Predicate()


@dataclass(frozen=True, slots=True)
class Cut:
    """A LIMIT, TOP or FETCH: of rows of `targets`, ordered by `order` (column names) if at all."""

    targets: tuple[Target, ...]
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant in the text, and the column that it is compared with or put into, if seen."""

    text: str
    quoted: bool
    column: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with a constant or with a parameter.

    `targets` are the tables that may have the column. `pattern` is one by LIKE.
    """

    column: str
    targets: tuple[Target, ...]
    literal: Literal | None
    parameter: str | None
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class Unsteady:
    """A function whose value is another one each time, and the column it is put into, if seen."""

    name: str
    column: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """A table that the statement makes."""

    table: TableName
    temporary: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One statement. `place` is its file and line.

    `words` are all keywords and names in upper case, strings and comments left out; `code` is the
    text without comments, with what stands in strings; `raw` the whole text. The rest is empty
    where the statement could not be read.
    """

    place: str
    raw: str
    words: tuple[str, ...] = ()
    code: str = ""
    doubt: Doubt | None = None
    writes: tuple[Write, ...] = ()
    cuts: tuple[Cut, ...] = ()
    literals: tuple[Literal, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    calls: tuple[str, ...] = ()
    unsteady: tuple[Unsteady, ...] = ()
    makes: tuple[Made, ...] = ()
