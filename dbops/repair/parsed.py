"""What sqlglot reads in a statement, in words of our own.

Nothing that it wrote is run, and nothing rests on it but lint and proposals. Where it does not
read a statement, or says less than the statement holds, the reading says so. It is known to
`parsed` and `parsed_…` only, and loads slowly: commands import these when they run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from dbops.repair.clauses import Word
from dbops.repair.parsed_values import calls, comparisons, cuts, literals, unsteady
from dbops.repair.parsed_writes import Source, makes, writes
from dbops.repair.reading import Cut, Doubt, Reading
from dbops.sql.script import as_written, render
from dbops.sql.statement import Bound, Identifier, RowColumn, Statement
from dbops.sql.tokenized import FAULTS, NUMBERS, TEXTS, tokenize

_QUOTES: Final = {"mysql": ("`", "`"), "tsql": ("[", "]")}
_CALL: Final = re.compile(r"\s*(?:CALL|EXEC|EXECUTE)\s+([\w.\[\]\"]+)", re.IGNORECASE)
_SEEN: Final = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Values)


def read_statement(statement: Statement, dialect: str, place: str) -> Reading:
    """Return what sqlglot reads; `dialect` is its name for the SQL, `place` a file and a line.

    Placeholders are first given names that it takes for such. A statement that it cannot read
    comes back with a doubt, and never as an error.
    """
    raw = as_written(statement)
    text = render(statement, _placeholder, lambda piece: _identifier(piece, dialect))
    tokens = tokenize(text, dialect)
    if tokens is None:
        return Reading(place, raw, code=raw, doubt=Doubt.FAULT)
    words = tuple(
        word.upper()
        for token in tokens
        if token.token_type not in TEXTS | NUMBERS
        for word in token.text.split()
    )
    code = " ".join(token.text for token in tokens)
    limits = (Cut((), ()),) if dialect == "tsql" and words[1:2] == ("TOP",) else ()
    unread = Reading(place, raw, words, code, Doubt.FAULT, cuts=limits, calls=_called(code))
    root = _tree(text, dialect)
    if root is None:
        return unread
    try:
        doubt = _doubt(root, tokens, statement, dialect)
        return _seen(unread, root, _source(statement, text, raw, dialect, tokens), doubt)
    except FAULTS:  # a tree of a form that nobody foresaw is not read either
        return unread


def _seen(unread: Reading, root: exp.Expr, source: Source, doubt: Doubt | None) -> Reading:
    """Return the reading with what the tree says."""
    return replace(
        unread,
        doubt=doubt,
        writes=tuple(writes(root, source)),
        cuts=(*cuts(root, source), *unread.cuts),
        literals=tuple(literals(root, source)),
        comparisons=tuple(comparisons(root, source)),
        calls=(*calls(root), *unread.calls),
        unsteady=tuple(unsteady(root, source)),
        makes=tuple(makes(root, source)),
    )


def _tree(text: str, dialect: str) -> exp.Expr | None:
    try:
        trees = sqlglot.parse(text, read=dialect)
    except FAULTS:
        return None
    return trees[0] if len(trees) == 1 else None


def _placeholder(piece: Bound | RowColumn) -> str:
    """Return a name as long as the placeholder, and never a keyword."""
    name = piece.name if isinstance(piece, Bound) else f"{piece.name}_{piece.column}"
    return f":_{name[1:]}"


def _identifier(piece: Identifier, dialect: str) -> str:
    left, right = _QUOTES.get(dialect, ('"', '"'))
    return f"{left}_{piece.name}{right}"


def _source(
    statement: Statement, text: str, raw: str, dialect: str, tokens: Sequence[Token]
) -> Source:
    pieces = statement.pieces
    bound = [piece for piece in pieces if isinstance(piece, Bound)]
    return Source(
        text=text,
        original=raw,
        dialect=dialect,
        words=tuple(_word(token) for token in tokens),
        parameters={_placeholder(piece)[1:]: piece.name for piece in bound},
        identifiers={f"_{p.name}": p.name for p in pieces if isinstance(p, Identifier)},
        rows=any(isinstance(piece, RowColumn) for piece in pieces),
    )


def _word(token: Token) -> Word:
    upper = "" if token.token_type in TEXTS else token.text.upper()
    return Word(upper, token.start, token.end + 1)


def _doubt(
    root: exp.Expr, tokens: Sequence[Token], statement: Statement, dialect: str
) -> Doubt | None:
    if not isinstance(root, _SEEN) or root.find(exp.Command) is not None:
        return Doubt.OPAQUE
    placeholders = sum(isinstance(piece, Bound | RowColumn) for piece in statement.pieces)
    if sum(1 for _ in root.find_all(exp.Placeholder)) != placeholders:
        return Doubt.PART
    try:
        again = tokenize(root.sql(dialect=dialect), dialect)
    except FAULTS:
        return Doubt.PART
    if again is None:
        return Doubt.PART
    missing = _counted(tokens) - _counted(again)
    return Doubt.PART if missing else None


def _counted(tokens: Sequence[Token]) -> Counter[str]:
    """Count what a reading must not lose: conditions and constants."""
    kinds = [token.token_type for token in tokens]
    return Counter(
        where=kinds.count(TokenType.WHERE),
        texts=sum(kind in TEXTS for kind in kinds),
        numbers=sum(kind in NUMBERS for kind in kinds),
    )


def _called(code: str) -> tuple[str, ...]:
    """Return the procedure that CALL or EXEC names."""
    found = _CALL.match(code)
    return () if found is None else (found[1].lower(),)
