"""Write a tree of texts as YAML that reads back as the same tree; pure.

Mappings and lists that fit on a line are written on one, others in a block.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Final

from dbops.review.yaml_text import Fields, Items, Located, Scalar

_WIDTH: Final = 96
_STEP: Final = 2
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._/-]*")

Tree = str | tuple["Tree", ...] | Mapping[str, "Tree"]


def located(tree: Tree, *, quoted: bool = False) -> Located:
    """Return texts, tuples and mappings as the nodes that a reader makes of them, without lines."""
    if isinstance(tree, str):
        return Scalar(0, tree, quoted)
    if isinstance(tree, tuple):
        return Items(0, tuple(located(each) for each in tree))
    return fields({key: located(each) for key, each in tree.items()})


def fields(found: Mapping[str, Located]) -> Fields:
    """Return a mapping without lines."""
    return Fields(0, found, dict.fromkeys(found, 0))


def document_text(tree: Fields) -> str:
    """Return the YAML document of the mapping, each of its keys on a line of its own."""
    return "".join(f"{line}\n" for line in _block(tree, 0))


def _block(node: Fields | Items, indent: int) -> Iterable[str]:
    """The lines of a mapping or a list, one entry after the other."""
    margin = " " * indent
    if isinstance(node, Fields):
        for key, value in node.fields.items():
            yield from _entry(f"{margin}{_key(key)}:", value, indent)
        return
    for value in node.items:
        if isinstance(value, Scalar):
            yield f"{margin}- {_scalar(value)}"
            continue
        lines = list(_block(value, indent + _STEP))
        flow = f"{margin}- {_flow(value)}"
        if len(flow) <= _WIDTH:
            yield flow
        else:
            yield f"{margin}- {lines[0].lstrip()}"
            yield from lines[1:]


def _entry(head: str, value: Located, indent: int) -> Iterable[str]:
    flow = f"{head} {_flow(value)}"
    if isinstance(value, Scalar) and len(flow) > _WIDTH and _folds(value.text):
        margin = " " * (indent + _STEP)
        lines = textwrap.wrap(
            value.text,
            _WIDTH - len(margin),
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield f"{head} >-"
        yield from (f"{margin}{line}" for line in lines)
        return
    if isinstance(value, Scalar) or (len(flow) <= _WIDTH and not _deep(value)):
        yield flow
        return
    yield head
    yield from _block(value, indent + _STEP)


def _deep(node: Fields | Items) -> bool:
    """Whether it holds mappings, which are easier to read below each other."""
    inside = node.fields.values() if isinstance(node, Fields) else node.items
    return any(isinstance(each, Fields) for each in inside)


def _flow(node: Located) -> str:
    match node:
        case Scalar():
            return _scalar(node)
        case Items():
            return f"[{', '.join(map(_flow, node.items))}]"
        case Fields():
            pairs = (f"{_key(key)}: {_flow(each)}" for key, each in node.fields.items())
            return f"{{{', '.join(pairs)}}}"


def _key(text: str) -> str:
    return _scalar(Scalar(0, text, quoted=False))


def _folds(text: str) -> bool:
    """Whether the text, broken at single blanks, is the same when it is read."""
    return text.isprintable() and text == " ".join(text.split())


def _scalar(node: Scalar) -> str:
    if _PLAIN.fullmatch(node.text) and not node.quoted:
        return node.text
    if '"' in node.text and "'" not in node.text and node.text.isprintable():
        return f"'{node.text}'"
    return json.dumps(node.text, ensure_ascii=False)
