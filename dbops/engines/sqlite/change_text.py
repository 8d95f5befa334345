"""The text of a SQLite definition, cut where its parts end; pure.

SQLite keeps each definition as it was written, from the object's name on, and writes it anew where
it is altered. ALTER TABLE RENAME puts the new name in double quotes wherever it stands, so a name
is read without quotes where it needs none, and else in double quotes: else no RENAME could be taken
back. All other text is kept, comments too, but for blanks at both ends of a part.

A table's text is cut at the commas between its columns and constraints, so that a column which is
added alters nothing beside it. A comment before a part belongs to the table: DROP COLUMN takes some
away, and mostly it is about the part before. Source: SQLite, `tokenize.c`, `parse.y`, `alter.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import apsw

_BLANKS: Final = " \t\n\f\r"
_TOKEN: Final = re.compile(
    r"[ \t\n\f\r]+|--[^\n]*|/\*.*?(?:\*/|\Z)"
    r"|'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|`(?:[^`]|``)*`?|\[[^\]]*\]?"
    r"|[0-9A-Za-z_$\x80-\U0010ffff]+|.",
    re.DOTALL,
)
_NAME: Final = re.compile(r"\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]")
_PLAIN: Final = re.compile(r"[A-Za-z_\x80-\U0010ffff][0-9A-Za-z_\x80-\U0010ffff]*")
# In quotes these are names, without them they are not.
_RESERVED: Final = frozenset(word.lower() for word in apsw.keywords) | {"true", "false"}
_KINDS: Final = {
    "PRIMARY": "primary key",
    "UNIQUE": "unique",
    "CHECK": "check",
    "FOREIGN": "foreign key",
}
_OTHERS: Final = {"NOT", "NULL", "DEFAULT", "COLLATE", "GENERATED", "AS"}


@dataclass(frozen=True, slots=True)
class Item:
    """A column of a table, or what stands behind the columns: one constraint, seldom several.

    `kind` is None for a column, and `name` the column's; else the constraint's where it has one,
    and `columns` those that are unique together.
    `keys` has the name of each foreign key that the text declares, None where it has none.
    """

    text: str
    kind: str | None
    name: str | None
    columns: tuple[str, ...] = ()
    keys: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class TableText:
    """A table's definition: its items, comments that stand before them, and what stands behind."""

    items: tuple[Item, ...]
    remarks: str
    options: str

    @property
    def columns(self) -> tuple[Item, ...]:
        """The columns, in their order."""
        return tuple(item for item in self.items if item.kind is None)


def canonical(sql: str) -> str:
    """Return the text with names in double quotes only where they need some."""
    return _joined(_tokens(sql)).strip(_BLANKS)


def parse_table(sql: str) -> TableText | None:
    """Return the parts of a CREATE TABLE statement as SQLite keeps it; None where it is none."""
    tokens = list(_tokens(sql))
    opening = next((at for at, sign in enumerate(tokens) if sign == "("), None)
    closing = None if opening is None else _closing(tokens, opening)
    before = [] if opening is None else list(_significant(tokens[:opening]))
    if opening is None or closing is None or len(before) != 3:
        return None
    named = tokens[:opening].index(before[-1], 2)
    parts = [_without_remarks(part) for part in _cut(tokens[opening + 1 : closing])]
    items = tuple(_item(part) for _, part in parts)
    if not all(item.text for item in items):
        return None
    remarks = [*_comments(tokens[named + 1 : opening]), *(one for said, _ in parts for one in said)]
    options = _joined(tokens[closing + 1 :]).strip(_BLANKS)
    return TableText(items, "\n".join(remarks), options)


def module_of(sql: str) -> str:
    """Return the module of a CREATE VIRTUAL TABLE statement."""
    words = list(_significant(_tokens(sql)))
    at = next((at for at, word in enumerate(words) if word.upper() == "USING"), len(words))
    return dequoted(words[at + 1]) if at + 1 < len(words) else ""


def dequoted(token: str) -> str:
    """Return the name that a token means."""
    if token[:1] == "[":
        return token[1:-1]
    if token[:1] in {'"', "`", "'"}:
        return token[1:-1].replace(token[0] * 2, token[0])
    return token


def _tokens(sql: str) -> Iterator[str]:
    return (found[0] for found in _TOKEN.finditer(sql))


def _significant(tokens: Iterable[str]) -> Iterator[str]:
    """Tokens that are neither blanks nor comments."""
    return (token for token in tokens if token[0] not in _BLANKS and not _is_comment(token))


def _comments(tokens: Iterable[str]) -> list[str]:
    return [token.strip(_BLANKS) for token in tokens if _is_comment(token)]


def _is_comment(token: str) -> bool:
    return token.startswith(("--", "/*"))


def _without_remarks(tokens: Sequence[str]) -> tuple[list[str], Sequence[str]]:
    """The comments before the first token that is none, and what begins there."""
    first = next(_significant(tokens), None)
    at = len(tokens) if first is None else tokens.index(first)
    return _comments(tokens[:at]), tokens[at:]


def _joined(tokens: Iterable[str]) -> str:
    listed = ["", *tokens, ""]
    return "".join(
        _bare(token, before, behind)
        for before, token, behind in zip(listed, listed[1:], listed[2:], strict=False)
    )


def _bare(token: str, before: str, behind: str) -> str:
    """The token without its quotes, unless it would be read with its neighbour then."""
    if not _NAME.fullmatch(token):
        return token
    name = dequoted(token)
    needed = not _PLAIN.fullmatch(name) or name.lower() in _RESERVED
    if needed or _word(before[-1:]) or _word(behind[:1]):
        return '"' + name.replace('"', '""') + '"'
    return name


def _word(sign: str) -> bool:
    return bool(sign) and (sign.isalnum() or sign in "_$'\"`[" or sign > "\x7f")


def _closing(tokens: Sequence[str], opening: int) -> int | None:
    depth = 0
    for at in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at], 0)
        if not depth:
            return at
    return None


def _cut(tokens: Sequence[str]) -> Iterator[list[str]]:
    """The tokens between commas that stand in no parentheses."""
    depth, part = 0, list[str]()
    for sign in tokens:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            yield part
            part = []
        else:
            part.append(sign)
    yield part


def _item(tokens: Sequence[str]) -> Item:
    words = list(_significant(tokens))
    text = _joined(tokens).strip(_BLANKS)
    if not words:
        return Item("", None, None)
    keys = tuple(_keys(words))
    named = words[0].upper() == "CONSTRAINT" and len(words) > 2
    kind = _KINDS.get(words[2 if named else 0].upper())
    if kind is None:
        return Item(text, None, dequoted(words[0]), keys=keys)
    columns = tuple(_listed(words)) if kind == "unique" else ()
    return Item(text, kind, dequoted(words[1]) if named else None, columns, keys)


def _listed(words: Sequence[str]) -> Iterator[str]:
    """The names in the first parentheses, without what stands behind each."""
    begin = next((at for at, word in enumerate(words) if word == "("), len(words))
    for at, word in enumerate(words[begin + 1 :], begin + 1):
        if word == ")":
            return
        if words[at - 1] in {"(", ","}:
            yield dequoted(word)


def _keys(words: Sequence[str]) -> Iterator[str | None]:
    """The name of each foreign key, in the order in which the text declares them."""
    name: str | None = None
    for at, word in enumerate(words):
        match word.upper():
            case "CONSTRAINT" if at + 1 < len(words):
                name = dequoted(words[at + 1])
            case "REFERENCES":
                yield name
                name = None
            case "PRIMARY" | "UNIQUE" | "CHECK":
                name = None
            case other if other in _OTHERS:
                name = None
