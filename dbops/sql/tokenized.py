"""SQL text cut into tokens by sqlglot, in the words of one dialect; never as an error.

sqlglot loads slowly: commands import what rests on this when they run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

# Its warnings repeat the SQL, and the SQL may hold a patient's number.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL + 1)

# Some statements break it with an error of its own making, or are nested too deep for it.
FAULTS: Final = (
    SqlglotError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
TEXTS: Final = frozenset(kind for kind in TokenType if kind.name.endswith("STRING"))
NUMBERS: Final = frozenset({TokenType.NUMBER})


def tokenize(text: str, dialect: str) -> list[Token] | None:
    """Return the tokens of a text, comments left out; None where it cannot be cut.

    `dialect` is sqlglot's name for the SQL. What follows the word of a command that sqlglot does
    not look into is one token, with the kind of a string.
    """
    try:
        return sqlglot.tokenize(text, read=dialect)
    except FAULTS:
        return None


def tokenize_all(text: str, dialect: str) -> list[Token] | None:
    """Return the tokens of a text as `tokenize`, those of commands looked into as well."""
    tokens = tokenize(text, dialect)
    if tokens is None:
        return None
    found: list[Token] = []
    for token, swallowed in _marked(tokens, text):
        inner = tokenize_all(token.text, dialect) if swallowed else [token]
        if inner is None:
            return None
        found += inner
    return found


def _marked(tokens: list[Token], text: str) -> Iterator[tuple[Token, bool]]:
    """Yield each token, and whether it is the rest of a command and no string.

    A string is longer as it is written than without its quotes; of a rest, only the last word has
    a place.
    """
    for token in tokens:
        written = text[token.start : token.end + 1]
        yield token, token.token_type is TokenType.STRING and token.text.endswith(written)
