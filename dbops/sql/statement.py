"""SQL text of a repair, cut into statements and at its placeholders, and otherwise untouched.

Pure. `:name` stands for a bound parameter, `:"name"` for an identifier that the catalogue knows,
`:rows.column` for a column of a set of rows. Nothing else is understood of the text, and nothing
of it is ever written anew: what runs is what was reviewed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """The place of a parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """The place of an identifier that a parameter names."""

    name: str


@dataclass(frozen=True, slots=True)
class RowColumn:
    """The place of one column of the rows of a parameter."""

    name: str
    column: str


Piece = str | Bound | Identifier | RowColumn


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, without its semicolon; `line` is where it begins in its file."""

    pieces: tuple[Piece, ...]
    line: int

    @property
    def rows(self) -> str | None:
        """The set of rows for each of which it runs once; None where it runs once."""
        found = {piece.name for piece in self.pieces if isinstance(piece, RowColumn)}
        return min(found, default=None)
