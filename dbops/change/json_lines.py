"""Files of one JSON value a line, read strictly: what schemas and differences are kept in; pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from dbops.change.schema import ObjectKind, ObjectName
from dbops.errors import Refused

Read = TypeVar("Read")

_MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


def parse_lines(
    data: bytes,
    first: str,
    read: Callable[[dict[str, object]], tuple[Read, str]],
    fault: Callable[[int], Refused],
) -> Iterator[tuple[int, Read]]:
    """Yield the number and the value of each line behind the `first`, which names the format.

    `read` makes a value of a line's fields, and returns the line that is written for it: any other
    is refused, as is a last line without its newline. `fault` makes the error of a line.
    """
    try:
        lines = data.decode("utf-8", "surrogatepass").split("\n")
    except UnicodeDecodeError as failure:
        raise fault(data.count(b"\n", 0, failure.start) + 1) from None
    if lines[0] != first:
        raise fault(1)
    if lines[-1]:
        raise fault(len(lines))
    for number, line in enumerate(lines[1:-1], 2):
        try:
            value, written = read(json.loads(line))
        except _MALFORMED:
            raise fault(number) from None
        if written != line:
            raise fault(number)
        yield number, value


def line_of(fields: object) -> str:
    """Return the one line that is written for a JSON value."""
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def name_parts(name: ObjectName) -> list[str]:
    """Return an object's name as a JSON list: its kind, and its path."""
    return [name.kind.value, *name.path]


def parse_name(parts: object) -> ObjectName:
    """Return the name that such a list is; raises ValueError and IndexError."""
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError
    return ObjectName(ObjectKind(parts[0]), tuple(parts[1:]))


def parse_texts(fields: object) -> dict[str, str]:
    """Return a mapping of texts; raises ValueError."""
    if not isinstance(fields, dict) or not all(isinstance(text, str) for text in fields.values()):
        raise ValueError
    return fields
