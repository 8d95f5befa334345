"""Read SQL text: cut it into statements and at its placeholders, and change nothing else; pure.

This is no parser. It knows what every database calls a string, a quoted name and a comment, so
that a semicolon or a colon inside of one is text. Where two databases would see them end at
different places (a backslash before a quote, a comment in a comment, a bracket) it refuses: a
reviewer who knows one of them would read another text than the one that runs.

Sources: PostgreSQL, 4.1 Lexical Structure; SQLite, `tokenize.c`; MySQL, 11.1 and 11.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dbops.errors import Refused
from dbops.review.readable import readable_text
from dbops.sql.statement import Bound, Identifier, Piece, RowColumn, Statement
from dbops.sql.tokens import Token, script_refusal, tokens_of

SIZE_MOST: Final = 4 << 20  # bytes


def parse_script(data: bytes, source: str) -> tuple[Statement, ...]:
    """Return the statements of a script; `source` names it in errors.

    The text between two semicolons is kept as it is, comments too; what is empty, or a comment
    and nothing else, is no statement. Raises Refused with a `script-…` code and the line, or
    `text-…` for characters that no screen shows.
    """
    if len(data) > SIZE_MOST:
        raise Refused(
            "script-long",
            f"{source} has over {SIZE_MOST} bytes",
            hint="keep rows in a payload, and name them in the script as :rows.column",
        )
    statements = tuple(_statements(readable_text(data, source), source))
    if not statements:
        raise Refused(
            "script-empty", f"{source} holds no statement", hint="write the statements that repair"
        )
    return statements


def parse_fragment(text: str, source: str, line: int) -> Statement:
    """Return a predicate or a query that stands in a manifest, at `line` of `source`.

    It is to be put inside other text, so it holds neither semicolon nor comment, and closes as
    many parentheses as it opens, none before it was opened. Raises Refused as `parse_script`.
    """
    pieces: list[Piece] = []
    depth, filled = 0, False
    for token in tokens_of(text, source, line, counted=False):
        if token.piece is None or token.comment:
            what = "a comment" if token.comment else "a semicolon"
            hint = "write one predicate or query, and remarks as yaml comments"
            raise script_refusal("fragment", source, line, f"{what} stands in the sql", hint)
        depth += _depth(token)
        if depth < 0:
            break
        filled = filled or not token.blank
        pieces.append(token.piece)
    if depth:
        hint = "close each parenthesis that is opened, and no other"
        raise script_refusal("parentheses", source, line, "parentheses do not match", hint)
    if not filled:
        raise script_refusal("empty", source, line, "the sql is empty", "write it")
    return _statement(pieces, source, line)


def render(
    statement: Statement,
    placeholder: Callable[[Bound | RowColumn], str],
    identifier: Callable[[Identifier], str],
) -> str:
    """Return the statement's text with its placeholders replaced, and every other byte kept."""
    return "".join(_rendered(piece, placeholder, identifier) for piece in statement.pieces)


def as_written(statement: Statement) -> str:
    """Return the statement's text as its author wrote it."""
    return render(
        statement,
        lambda place: (
            f":{place.name}.{place.column}" if isinstance(place, RowColumn) else f":{place.name}"
        ),
        lambda place: f':"{place.name}"',
    )


def _rendered(
    piece: Piece,
    placeholder: Callable[[Bound | RowColumn], str],
    identifier: Callable[[Identifier], str],
) -> str:
    if isinstance(piece, str):
        return piece
    return identifier(piece) if isinstance(piece, Identifier) else placeholder(piece)


def _statements(text: str, source: str) -> Iterator[Statement]:
    pieces: list[Piece] = []
    begins = 0  # the line of the first token that is no comment; 0 where there is none yet
    for token in tokens_of(text, source, 1, counted=True):
        if token.piece is None:
            if begins:
                yield _statement(pieces, source, begins)
            pieces, begins = [], 0
            continue
        if not begins and not token.blank:
            begins = token.line
        pieces.append(token.piece)
    if begins:
        yield _statement(pieces, source, begins)


def _statement(pieces: Iterable[Piece], source: str, line: int) -> Statement:
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if isinstance(piece, str) and isinstance(last, str):
            joined[-1] = last + piece
        else:
            joined.append(piece)
    if len({piece.name for piece in joined if isinstance(piece, RowColumn)}) > 1:
        hint = "a statement runs once for each row of one set: split it"
        raise script_refusal("rows", source, line, "a statement uses two sets of rows", hint)
    return Statement(tuple(joined), line)


def _depth(token: Token) -> int:
    return {"(": 1, ")": -1}.get(token.piece if isinstance(token.piece, str) else "", 0)
