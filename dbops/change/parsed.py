"""What is read of a step, in words of our own.

sqlglot cuts the text into tokens and knows the types; the forms of DDL, of which it takes many as
a whole, are ours (`reading_statements`). Nothing that was read is run; on it rest lint, and whether
half a change may be taken back. Where a statement is not read, the reading says so. It loads
slowly: commands import it when they run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot.tokenizer_core import Token, TokenType

from dbops.change.reading import Does, Doubt, Reading
from dbops.change.reading_statements import read_words
from dbops.change.reading_words import Sort, Word
from dbops.change.step import Step
from dbops.sql.tokenized import FAULTS, NUMBERS, TEXTS, tokenize_all


def read_step(step: Step, dialect: str, file: str) -> Reading:
    """Return what is read of a step of a file; `dialect` is sqlglot's name for the SQL.

    A statement that cannot be read comes back with a doubt, and never as an error.
    """
    place = f"{file} line {step.line}"
    unread = Reading(place, step.line, Does.OTHER, doubt=Doubt.FAULT)
    tokens = tokenize_all(step.sql, dialect)
    if not tokens:
        return unread
    words = tuple(word for token in tokens for word in _words(token))
    try:
        found = read_words(place, step.line, words, dialect)
    except FAULTS:  # a form that nobody foresaw is not read either
        return unread
    return replace(found, texts=tuple(word.text for word in words if word.sort is Sort.TEXT))


def _words(token: Token) -> Iterator[Word]:
    kind = token.token_type
    if kind in TEXTS:
        yield Word(token.text, Sort.TEXT)
    elif kind in NUMBERS:
        yield Word(token.text, Sort.NUMBER)
    elif kind is TokenType.IDENTIFIER:
        yield Word(token.text, Sort.NAME)
    else:
        for text in token.text.split():
            yield Word(text, Sort.WORD if text[0].isalnum() or text[0] in "_@" else Sort.SIGN)
