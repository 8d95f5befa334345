"""YAML of which every reader says the same: a tree of texts with their lines; pure.

YAML gives one text many meanings: a key twice, a value by alias, `no` as false, a tag that makes
an object. What people sign must have one. So here a document is mappings, sequences and texts;
duplicate keys, anchors, aliases, tags, merge keys, directives and second documents are refused,
and what a text means as a number or a time is asked by whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

import yaml

from dbops.errors import Refused
from dbops.review.readable import readable_text

DEPTH_MOST: Final = 20
SIZE_MOST: Final = 1 << 20  # bytes
EVENTS_MOST: Final = 20_000  # values, and begins and ends: a minute of parsing is not for free


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text. `quoted` tells `"no"` from `no`, and `""` from nothing at all."""

    line: int
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    line: int
    items: tuple[Located, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, in the text's order; `lines` has the line of each key."""

    line: int
    fields: Mapping[str, Located]
    lines: Mapping[str, int]


Located = Scalar | Items | Fields


def parse_yaml(data: bytes, source: str) -> Located:
    """Return the tree of the one document in `data`; `source` names it in errors.

    Raises Refused with the code `yaml-…`, or `text-…` for hidden characters, and the line.
    """
    if len(data) > SIZE_MOST:
        raise Refused(
            "yaml-long",
            f"{source} has over {SIZE_MOST} bytes",
            hint="keep data in a file beside it",
        )
    text = readable_text(data, source)
    try:
        return _Reader(source, yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = 1 if mark is None else mark.line + 1
        raise _refusal(source, line, "syntax", fault.problem or "not well-formed") from None
    except (yaml.YAMLError, RecursionError):
        raise _refusal(source, 1, "syntax", "not well-formed") from None


class _Reader:
    """Builds the tree from the parser's events, so that nothing is ever resolved."""

    def __init__(self, source: str, events: Iterator[yaml.Event]) -> None:
        self._source = source
        self._events = self._bounded(events)

    def _bounded(self, events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
        for number, event in enumerate(events):
            if number >= EVENTS_MOST:
                self._refuse(event, "long", f"over {EVENTS_MOST} values up to there")
            yield event

    def document(self) -> Located:
        next(self._events)  # the stream's start
        event = next(self._events)
        if not isinstance(event, yaml.DocumentStartEvent):
            self._refuse(event, "empty", "there is no document")
        if event.version is not None or event.tags:
            self._refuse(event, "directive", "a directive stands there")
        tree = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._refuse(event, "documents", "a second document begins there")
        return tree

    def _node(self, event: yaml.Event, depth: int) -> Located:
        self._check_plain(event)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(_line(event), event.value, event.style is not None)
        if depth >= DEPTH_MOST:
            self._refuse(event, "depth", f"nested more than {DEPTH_MOST} deep")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        raise _refusal(self._source, _line(event), "syntax", "not a value")

    def _check_plain(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, "alias", "an alias stands for a value written elsewhere")
        if getattr(event, "anchor", None) is not None:
            self._refuse(event, "anchor", "an anchor stands there")
        if getattr(event, "tag", None) is not None:
            self._refuse(event, "tag", "a tag stands there")
        if isinstance(event, yaml.ScalarEvent):
            self._check_escapes(event)

    def _check_escapes(self, event: yaml.ScalarEvent) -> None:
        """Refuse what the text's bytes do not show, but an escape in quotes brings in."""
        try:
            readable_text(event.value.encode("utf-8", "surrogatepass") + b"\n", self._source)
        except Refused:
            self._refuse(event, "escape", "an escape stands for a hidden character")

    def _sequence(self, start: yaml.Event, depth: int) -> Items:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Items(_line(start), tuple(items))

    def _mapping(self, start: yaml.Event, depth: int) -> Fields:
        fields: dict[str, Located] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._check_plain(event)
            if not isinstance(event, yaml.ScalarEvent) or not event.value:
                self._refuse(event, "key", "a key is not a text")
            if event.value == "<<":
                self._refuse(event, "merge", "a merge key stands there")
            if event.value in fields:
                self._refuse(event, "duplicate", f"the key {event.value[:60]} is there twice")
            lines[event.value] = _line(event)
            fields[event.value] = self._node(next(self._events), depth + 1)
        return Fields(_line(start), fields, lines)

    def _refuse(self, event: yaml.Event, reason: str, what: str) -> NoReturn:
        raise _refusal(self._source, _line(event), reason, what)


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return 1 if mark is None else mark.line + 1


def _refusal(source: str, line: int, reason: str, what: str) -> Refused:
    return Refused(
        f"yaml-{reason}",
        f"{source} line {line}: {what}",
        hint="write plain yaml: each key once, no anchors, aliases, tags or second documents",
    )
