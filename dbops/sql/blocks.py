"""Cut a script of definitions into statements: the semicolons of a body do not end one; pure.

A trigger of SQLite has statements between BEGIN and END, as has a PostgreSQL function whose body is
`BEGIN ATOMIC … END`, and a rule of PostgreSQL between parentheses. Elsewhere every semicolon ends a
statement: a body in a text or in dollar quotes is one token anyway.

Sources: SQLite, `sqlite3_complete` (a trigger ends with `; END`); PostgreSQL, `psqlscan.l`
(BEGIN and CASE open, END closes, outside of parentheses).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

from dbops.sql.tokens import Token, script_refusal

_BETWEEN: Final = frozenset({"or", "replace", "temp", "temporary", "constraint"})
_SEMICOLON: Final = ";"


class _Form(Enum):
    """What sort of statement it is, as far as its semicolons go."""

    BEGINNING = "not known yet"
    PLAIN = "every semicolon ends it"
    ROUTINE = "BEGIN … END inside of it holds statements"
    RULE = "parentheses inside of it hold statements"


_BODIES: Final = {
    "function": _Form.ROUTINE,
    "procedure": _Form.ROUTINE,
    "trigger": _Form.ROUTINE,
    "rule": _Form.RULE,
}


def statements_with_bodies(tokens: Iterable[Token], source: str) -> Iterator[tuple[Token, ...]]:
    """Yield the tokens of each statement, those between it and the one before in front.

    What stands behind the last semicolon comes last, be it a statement or only blank. A semicolon
    inside of a body is a token like others. Raises Refused `script-open` where a body does not end.
    """
    found: list[Token] = []
    body = _Body()
    for token in tokens:
        if token.piece is None and not body.is_open:
            yield tuple(found)
            found, body = [], _Body()
            continue
        body.read(token)
        found.append(token if token.piece is not None else token._replace(piece=_SEMICOLON))
    if body.is_open:
        line = next(token.line for token in found if not token.blank)
        what = "the statement that begins there has a body that does not end"
        hint = "close it with END; or with a parenthesis"
        raise script_refusal("open", source, line, what, hint)
    yield tuple(found)


class _Body:
    """Goes through one statement, and knows whether a semicolon would stand inside of a body."""

    def __init__(self) -> None:
        self._form = _Form.BEGINNING
        self._last = ""  # the last token that is not blank, words in lower case
        self._blocks = 0
        self._parentheses = 0

    @property
    def is_open(self) -> bool:
        """Whether the statement is inside of a body."""
        return self._blocks > 0 or (self._form is _Form.RULE and self._parentheses > 0)

    def read(self, token: Token) -> None:
        """Take the next token into account."""
        if token.blank:
            return
        word = _SEMICOLON if token.piece is None else ""
        word = token.piece.lower() if isinstance(token.piece, str) else word
        if self._form is _Form.BEGINNING:
            self._begin(word)
        self._parentheses += {"(": 1, ")": -1}.get(word, 0)
        if self._form is _Form.ROUTINE and not self._parentheses and self._last != ".":
            self._count(word)
        self._last = word

    def _begin(self, word: str) -> None:
        if not self._last:
            self._form = _Form.BEGINNING if word == "create" else _Form.PLAIN
        elif word not in _BETWEEN:
            self._form = _BODIES.get(word, _Form.PLAIN)

    def _count(self, word: str) -> None:
        """A body ends with an END of its own statements: one in `AS end` would be a name."""
        opens = word == "begin" or (word == "case" and self._blocks > 0)
        ends = self._blocks > 1 or self._last in {_SEMICOLON, "begin", "atomic"}
        if opens:
            self._blocks += 1
        elif word == "end" and self._blocks > 0 and ends:
            self._blocks -= 1
