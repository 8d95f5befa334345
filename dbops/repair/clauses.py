"""The clauses of a statement, found among its words and quoted in its own text; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# What begins a clause, and what may follow each: inside of a WHERE a FROM belongs to an operator.
_BEGIN: Final = frozenset({"SET", "FROM", "USING", "ON", "VALUES", "DEFAULT VALUES", "SELECT"})
_END: Final = frozenset(
    {"WHERE", "RETURNING", "ORDER BY", "LIMIT", "WHEN", "FETCH", "OFFSET", "OPTION", "OUTPUT"}
)


@dataclass(frozen=True, slots=True)
class Word:
    """A token: `upper` is "" for a string; it is `text[start:end]` of the statement."""

    upper: str
    start: int
    end: int


def clauses_after(
    words: Sequence[Word], first: int, *, merge: bool = False
) -> dict[str, tuple[Word, ...]]:
    """Return the words of each clause of the statement whose target is `words[first]`.

    It ends with the parenthesis that the statement stands in. Of two clauses of one name the
    first is kept. In a `merge` an ON ends its USING; elsewhere it is of a join.
    """
    found: dict[str, list[Word]] = {}
    current: list[Word] = []
    name, depth = "", 0
    for place in range(first, len(words)):
        word = words[place]
        depth += _depth(word)
        if depth < 0:
            break
        if depth == 0 and _begins("" if merge else name, word, words[place - 1] if place else None):
            current = []
            name = word.upper
            found.setdefault(name, current)
        elif name:
            current.append(word)
    return {clause: tuple(part) for clause, part in found.items()}


def _begins(inside: str, word: Word, before: Word | None) -> bool:
    if word.upper in _END:
        return True
    joins = inside in {"FROM", "USING"} and word.upper in {"ON", "USING"}
    operator = before is not None and before.upper == "DISTINCT"
    return word.upper in _BEGIN and inside not in _END | {"ON"} and not joins and not operator


def _depth(word: Word) -> int:
    return {"(": 1, ")": -1}.get(word.upper, 0)


def quote(words: Sequence[Word], text: str) -> str:
    """Return the words as `text` spells them, on one line; comments and breaks become blanks."""
    parts = []
    for before, word in zip((None, *words), words, strict=False):
        gap = before is not None and before.end < word.start
        parts.append((" " if gap else "") + text[word.start : word.end])
    return "".join(parts)


def renamed(words: Sequence[Word], alias: str, table: str, text: str) -> str:
    """Return what `quote` does, with `table` in the place of the alias before each point."""
    parts: list[str] = []
    for place, word in enumerate(words):
        gap = place > 0 and words[place - 1].end < word.start
        qualifies = place + 1 < len(words) and words[place + 1].upper == "."
        means = qualifies and word.upper == alias.upper()
        inner = place > 0 and words[place - 1].upper == "."
        parts.append(" " if gap else "")
        parts.append(table if means and not inner else text[word.start : word.end])
    return "".join(parts)


def commas(words: Sequence[Word]) -> list[tuple[Word, ...]]:
    """Return the items of a list in one pair of parentheses; [] for anything else."""
    if len(words) < 3 or words[0].upper != "(" or words[-1].upper != ")":
        return []
    items: list[list[Word]] = [[]]
    depth = 0
    for word in words[1:-1]:
        depth += _depth(word)
        if depth < 0:
            return []
        if depth == 0 and word.upper == ",":
            items.append([])
        else:
            items[-1].append(word)
    return [tuple(item) for item in items]
