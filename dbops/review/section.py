"""Read single values out of a work's manifest, and say where one is not allowed; pure.

No error shows a value: what stands in a manifest may be a patient's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from dbops.errors import Refused
from dbops.review.work import TEXT_RULE, Kind, is_text
from dbops.review.yaml_text import Fields, Items, Located, Scalar
from dbops.wording import quoted, suggestion

Read = TypeVar("Read")

ROWS_MOST: Final = 1_000_000_000
COUNT_RULE: Final = f"a whole number up to {ROWS_MOST}"
BLANK: Final = "?"
DAY_RULE: Final = "a day such as 2026-11-20"
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_blank(node: Located) -> bool:
    """Whether it is what a command left to be filled in."""
    return isinstance(node, Scalar) and node.text == BLANK


@dataclass(frozen=True, slots=True)
class Form:
    """What the text of a value may be, in words for a hint."""

    rule: str
    is_allowed: Callable[[str], bool]

    @classmethod
    def of(cls, pattern: str, rule: str) -> Form:
        """The texts that match a regular expression from end to end."""
        return cls(rule, lambda text: re.fullmatch(pattern, text) is not None)


def _day(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    return None


def refusal(kind: Kind, code: str, source: str, line: int, what: str, hint: str) -> Refused:
    """Return the error for a place of the manifest, or of a file beside it: `repair-…`."""
    return Refused(f"{kind.value}-{code}", f"{source} line {line}: {what}", hint=hint)


TEXT: Final = Form(TEXT_RULE, is_text)
NAME: Final = Form.of("[a-z0-9][a-z0-9-]{0,62}", "lower-case letters, digits and hyphens")
DAY: Final = Form(DAY_RULE, lambda text: _day(text) is not None)
FLAG: Final = Form.of("true|false", "true or false")
COUNT: Final = Form(
    COUNT_RULE, lambda text: _COUNT.fullmatch(text) is not None and int(text) <= ROWS_MOST
)


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of the manifest; `path` is how errors name it, as in `watch[2].`.

    `kind` is of what work: its errors have codes such as `repair-missing-key`.
    """

    kind: Kind
    source: str
    tree: Fields
    path: str = ""

    def has(self, key: str) -> bool:
        """Return whether the key is there."""
        return key in self.tree.fields

    def line(self, key: str) -> int:
        """The line of a key; of the mapping, where the key is not there."""
        return self.tree.lines.get(key, self.tree.line)

    def only(self, *known: str) -> None:
        """Refuse every key but these."""
        for key, line in self.tree.lines.items():
            if key not in known:
                hint = suggestion(key, known, label="allowed")
                what = f"unknown key {self.path}{quoted(key)[1:-1]}"
                raise self._fault("unknown-key", line, what, hint)

    def text(self, key: str, form: Form) -> str:
        """Return the text of a key that must be there."""
        node = self._node(key, form.rule)
        return self.plain(node, key, form)

    def text_or_none(self, key: str, form: Form) -> str | None:
        """Return the text of a key that may be missing."""
        return self.text(key, form) if self.has(key) else None

    def texts(self, key: str, form: Form) -> tuple[str, ...]:
        """Return the different texts of a list; none where there is no such key."""
        found = tuple(self.plain(node, key, form) for node in self.items(key))
        if len(set(found)) < len(found):
            raise self.refuse("twice", key, "a name stands there twice", "write each once")
        return found

    def items(self, key: str) -> tuple[Located, ...]:
        """Return what a list holds; nothing where there is no such key."""
        if not self.has(key):
            return ()
        node = self.tree.fields[key]
        if not isinstance(node, Items) or not node.items:
            rule = "a list with something in it, or no such key at all"
            what = "the list is empty" if isinstance(node, Items) else "not a list"
            raise self.refuse("form", key, what, f"allowed: {rule}")
        return node.items

    def section(self, key: str) -> Section:
        """Return the mapping of a key that must be there."""
        node = self._node(key, "a mapping of keys to values")
        return self.inner(node, key, f"{self.path}{key}.")

    def sections(self, key: str) -> tuple[Section, ...]:
        """Return the mappings of a list; none where there is no such key."""
        return tuple(
            self.inner(node, key, f"{self.path}{key}[{number}].")
            for number, node in enumerate(self.items(key), 1)
        )

    def inner(self, node: Located, key: str, path: str) -> Section:
        """Return the mapping that a value below `key` is."""
        if not isinstance(node, Fields):
            raise self._fault(
                "form",
                node.line,
                f"{self.path}{key} is not a mapping",
                "allowed: a mapping of keys to values",
            )
        return Section(self.kind, self.source, node, path)

    def count(self, key: str, *, least: int = 0) -> int:
        """Return the number of a key that must be there."""
        found = int(self.text(key, COUNT))
        if found < least:
            raise self.refuse("value", key, "not allowed", f"allowed: at least {least}")
        return found

    def flag(self, key: str) -> bool:
        """Return whether a key is there and says true."""
        return self.has(key) and self.text(key, FLAG) == "true"

    def day(self, key: str) -> date | None:
        """Return the day of a key that may be missing."""
        found = self.text_or_none(key, DAY)
        return None if found is None else date.fromisoformat(found)

    def read(self, key: str, parse: Callable[[str], Read | None], rule: str) -> Read:
        """Return what `parse` makes of the text of a key that must be there."""
        found = parse(self.text(key, Form(rule, bool)))
        if found is None:
            raise self.refuse("value", key, "not allowed", f"allowed: {rule}")
        return found

    def plain(self, node: Located, key: str, form: Form) -> str:
        """Return the text of a value; unquoted, nothing at all is no text."""
        empty = isinstance(node, Scalar) and not node.text and not node.quoted
        if not isinstance(node, Scalar) or empty or not form.is_allowed(node.text):
            blank = is_blank(node)
            what = f"{self.path}{key} is not {'filled in' if blank else 'allowed'}"
            word = "fill in the blank" if blank else "allowed"
            raise self._fault("value", node.line, what, f"{word}: {form.rule}")
        return node.text

    def refuse(self, code: str, key: str, what: str, hint: str) -> Refused:
        """Return the error for a key."""
        return self._fault(code, self.line(key), f"{self.path}{key}: {what}", hint)

    def _fault(self, code: str, line: int, what: str, hint: str) -> Refused:
        return refusal(self.kind, code, self.source, line, what, hint)

    def _node(self, key: str, rule: str) -> Located:
        if not self.has(key):
            what = f"{self.path}{key} is missing"
            raise self._fault("missing-key", self.tree.line, what, f"allowed: {rule}")
        return self.tree.fields[key]
