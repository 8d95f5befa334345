"""How evidence of every sort is written and read back: its lines, and its typed values; pure.

The text of a value is always the same, and reads back as that value; what a key may say is asked by
the sort of work that it is evidence of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from dbops.errors import Refused
from dbops.review.yaml_text import Fields, Items, Located, Scalar, parse_yaml

VERSION: Final = "evidence/v1"

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_NAME: Final = re.compile(r"\S([^\x00-\x1f\x7f]{0,298}\S)?")
_Read = TypeVar("_Read")


def time_text(at: datetime) -> str:
    """Return a time as evidence writes it: in UTC, to the second."""
    return f"{at.astimezone(UTC):{_TIME}}"


def quoted_text(text: str) -> str:
    """Return a JSON string, which YAML reads as the same text; Chinese stays readable."""
    return json.dumps(text, ensure_ascii=False)


def mapping_lines(key: str, entries: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a mapping, in the order of its keys."""
    yield f"{key}:" if entries else f"{key}: {{}}"
    for name, value in sorted(entries.items()):
        yield f"  {quoted_text(name)}: {value}"


def open_evidence(
    data: bytes, source: str, versions: Collection[str] = (VERSION,)
) -> EvidenceReader:
    """Return a reader of the bytes, whose version is one of these; raises Refused."""
    tree = parse_yaml(data, source)
    if not isinstance(tree, Fields):
        raise evidence_fault(source, 1, "not a mapping of keys to values")
    reader = EvidenceReader(source, tree)
    reader.text("dbops", versions.__contains__)
    return reader


def evidence_fault(source: str, line: int, what: str) -> Refused:
    """Return the error for a line of evidence."""
    return Refused("evidence-form", f"{source} line {line}: {what}", hint="rehearse the work again")


@dataclass(frozen=True, slots=True)
class EvidenceReader:
    """Reads typed values out of a mapping, and says where one is not allowed."""

    source: str
    tree: Fields
    read: set[str] = field(default_factory=set)

    def text(self, key: str, allowed: Callable[[str], bool] = lambda _: True) -> str:
        """The text of a key."""
        node = self._node(key)
        if not isinstance(node, Scalar) or not _NAME.fullmatch(node.text) or not allowed(node.text):
            raise self._bad(key)
        return node.text

    def time(self, key: str) -> datetime:
        """A time in UTC to the second."""
        try:
            return datetime.strptime(self.text(key), _TIME).replace(tzinfo=UTC)
        except ValueError:
            raise self._bad(key) from None

    def count(self, key: str) -> int:
        """A number that is not below zero."""
        return int(self.text(key, lambda text: _COUNT.fullmatch(text) is not None))

    def digest(self, key: str) -> str:
        """64 hex digits."""
        return self.text(key, lambda text: _DIGEST.fullmatch(text) is not None)

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        return self.texts(key, lambda text: _NAME.fullmatch(text) is not None)

    def texts(self, key: str, allowed: Callable[[str], bool]) -> tuple[str, ...]:
        """A list of texts of a form of their own."""
        node = self._node(key)
        items = node.items if isinstance(node, Items) else ()
        found = tuple(item.text for item in items if isinstance(item, Scalar))
        whole = isinstance(node, Items) and len(found) == len(items)
        if not whole or not all(map(allowed, found)):
            raise self._bad(key)
        return found

    def is_text(self, key: str, text: str) -> bool:
        """Whether a key is there and says just that."""
        node = self.tree.fields.get(key)
        if not isinstance(node, Scalar) or node.text != text:
            return False
        self.read.add(key)
        return True

    def items(self, key: str) -> Iterator[EvidenceReader]:
        """The mappings of a list."""
        node = self._node(key)
        if not isinstance(node, Items):
            raise self._bad(key)
        for item in node.items:
            if not isinstance(item, Fields):
                raise self._bad(key)
            yield EvidenceReader(self.source, item)

    def below(self, key: str) -> EvidenceReader:
        """The mapping of a key."""
        node = self._node(key)
        if not isinstance(node, Fields):
            raise self._bad(key)
        return EvidenceReader(self.source, node)

    def each(self, read: Callable[[EvidenceReader, str], _Read]) -> dict[str, _Read]:
        """Every key with what `read` makes of it."""
        return {key: read(self, key) for key in self.tree.fields}

    def refuse_others(self) -> None:
        """Raise Refused for a key that nobody has asked for."""
        for key, line in self.tree.lines.items():
            if key not in self.read:
                raise evidence_fault(self.source, line, f"unknown key {key[:60]}")

    def _node(self, key: str) -> Located:
        if key not in self.tree.fields:
            raise evidence_fault(self.source, self.tree.line, f"{key} is missing")
        self.read.add(key)
        return self.tree.fields[key]

    def _bad(self, key: str) -> Refused:
        return evidence_fault(self.source, self.tree.lines[key], f"{key} is not allowed")
