"""Expressions as the server prints them after a restore; pure.

Some of what a server prints of an expression it does not print again once it has read that back.
Its parser moves the type of an array into the elements of a written ARRAY[…] (`v IN ('a', 'b')`
where `v` is a varchar; transformTypeCast in parse_expr.c), and takes `(a AND b) AND c` as one list
(`v BETWEEN 'a' AND 'b' AND c`; makeAndExpr in gram.y). A schema would then differ from its own
restored copy. So both are written in the second form, which stays as it is and means the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

PRINTED: Final = frozenset(
    {
        "check",
        "default",
        "definition",
        "generated",
        "partition",
        "partitioned by",
        "tables",
        "using",
    }
)
"""The properties that hold what the server prints of an expression."""

_TOKEN: Final = re.compile(
    r"""
    [eE]'(?:[^'\\]|\\.|'')*'             # a string with escapes
    | '(?:[^']|'')*'                     # any other
    | "(?:[^"]|"")*"                     # a quoted name
    | (\$(?:[^\W\d]\w*)?\$).*?\1         # a body: what is in it is as somebody wrote it
    | \w+ | \s+ | .
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME: Final = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_ARRAY_TYPE: Final = re.compile(
    rf"::({_NAME}(?:\.{_NAME})?(?:\ (?:varying|precision))?(?:\([\d,\ -]+\))?"
    r"(?:\ with(?:out)?\ time\ zone)?)\[\](?!\[)"
)
_BARE: Final = re.compile(rf"(?:'(?:[^']|'')*'|[\d.]+|{_NAME}(?:\.{_NAME})*)(?:::[\w .\"]+)*")
_CONCERNED: Final = re.compile(r"ARRAY|\((?:\s|\(|\[)")
"""What stands in every text that is rewritten, and in few others."""
_CLOSING: Final = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class _Group:
    """What stands between two brackets; rendered with them."""

    opening: str
    items: list[_Item]

    def __str__(self) -> str:
        return self.opening + _text(self.items) + _CLOSING[self.opening]


_Item = str | _Group


def as_restored(text: str) -> str:
    """Return the printed text in the form that a restored copy prints.

    A text whose brackets do not match is returned as it is.
    """
    if not _CONCERNED.search(text):
        return text
    items = _grouped([found.group() for found in _TOKEN.finditer(text)])
    return text if items is None else _text(_rewritten(items))


def _text(items: Sequence[_Item]) -> str:
    return "".join(map(str, items))


def _grouped(tokens: Sequence[str]) -> list[_Item] | None:
    """The tokens as a tree of groups; None where brackets do not match."""
    stack: list[tuple[str, list[_Item]]] = [("", [])]
    for token in tokens:
        opening, items = stack[-1]
        if token in _CLOSING:
            stack.append((token, []))
        elif token in _CLOSING.values():
            if _CLOSING.get(opening) != token:
                return None
            stack.pop()
            stack[-1][1].append(_Group(opening, items))
        else:
            items.append(token)
    return stack[0][1] if len(stack) == 1 else None


def _rewritten(items: Sequence[_Item]) -> list[_Item]:
    inner = [
        _Group(each.opening, _rewritten(each.items)) if isinstance(each, _Group) else each
        for each in items
    ]
    found: list[_Item] = []
    at = 0
    while at < len(inner):
        array = _typed_array(inner, at)
        if array is None:
            found.append(_flat(inner[at]))
            at += 1
        else:
            found.append(array[0])
            at = array[1]
    return found


def _flat(item: _Item) -> _Item:
    """`((a AND b) AND c)` as `(a AND b AND c)`, and OR alike."""
    if not isinstance(item, _Group) or item.opening != "(":
        return item
    items = item.items
    # The server prints a space before VALUES in some depths, and none in others.
    if items and str(items[0]).isspace():
        items = items[1:]
    first = items[0] if items else ""
    word = _connective(items)
    if word and isinstance(first, _Group) and _connective(first.items) == word:
        items = [*first.items, *items[1:]]
    return _Group("(", items)


def _connective(items: Sequence[_Item]) -> str | None:
    """AND or OR, where it is what joins the operands of the list; each is one group or more."""
    words = {str(each) for each in items if str(each) in {"AND", "OR", "BETWEEN"}}
    return words.pop() if len(words) == 1 and isinstance(items[0], _Group) else None


def _typed_array(items: Sequence[_Item], at: int) -> tuple[str, int] | None:
    """The array with a type that begins here, rewritten, and where it ends.

    It is printed as `(ARRAY[…])::type[]`; of statistics, which are printed with as few parentheses
    as can be, as `ARRAY[…]::type[]`.
    """
    first = items[at]
    closed = isinstance(first, _Group) and first.opening == "("
    array = first.items if isinstance(first, _Group) and closed else list(items[at : at + 2])
    if len(array) != 2 or array[0] != "ARRAY" or not isinstance(array[1], _Group):
        return None
    behind = at + (1 if closed else 2)
    named = _ARRAY_TYPE.match(_text(items[behind : behind + 24]))  # a type has fewer tokens
    elements = list(_elements(array[1].items))
    # The elements of an array of arrays are no values of the type.
    if named is None or not all(elements) or any(each.startswith("ARRAY[") for each in elements):
        return None
    if not closed and not all(map(_BARE.fullmatch, elements)):
        return None
    written = [f"({each})::{named[1]}" if closed else f"{each}::{named[1]}" for each in elements]
    return f"ARRAY[{', '.join(written)}]", _behind(items, behind, named.end())


def _elements(items: Sequence[_Item]) -> Iterator[str]:
    """What stands between commas."""
    begin = 0
    for at, item in enumerate([*items, ","]):
        if item == ",":
            yield _text(items[begin:at]).strip()
            begin = at + 1


def _behind(items: Sequence[_Item], at: int, length: int) -> int:
    """The place behind so many characters."""
    while length > 0:
        length -= len(str(items[at]))
        at += 1
    return at
