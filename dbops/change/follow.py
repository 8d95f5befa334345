"""Which object another one follows: what a partition has because its parent has it; pure.

Whoever alters a partitioned table alters all its partitions. One line of `touches` says that for
the parent; the partitions, of which every database has others, follow.
"""

from __future__ import annotations

import re
from typing import Final

from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject

PARTITION_OF: Final = "partition of"
"""The property that names the parent, as the server writes the name."""
INHERITED: Final = "inherited"
"""The property that says `yes` of what a table has from its parent, and not of its own."""

_INHERITS: Final = "inherits"
_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^".\s]+)')
_ATTACHED: Final = frozenset({ObjectKind.INDEX, ObjectKind.CONSTRAINT, ObjectKind.TRIGGER})
_INHERITABLE: Final = frozenset({ObjectKind.COLUMN, ObjectKind.CONSTRAINT})


def followed(one: SchemaObject, schema: Schema) -> tuple[ObjectName, ...]:
    """Return the objects that it follows, the nearest first; none where that is not sure."""
    found: list[ObjectName] = []
    at: SchemaObject | None = one
    while at is not None:
        name = _parent(at, schema)
        if name is None or name in found or name not in schema.objects:
            break
        found.append(name)
        at = schema.objects[name]
    return tuple(found)


def _parent(one: SchemaObject, schema: Schema) -> ObjectName | None:
    kind = one.name.kind
    if kind in _ATTACHED and PARTITION_OF in one.properties:
        path = _path(one.properties[PARTITION_OF])
        return None if path is None else ObjectName(kind, path)
    table = None if one.of is None else schema.objects.get(one.of)
    if kind not in _INHERITABLE or one.properties.get(INHERITED) != "yes" or table is None:
        return None
    above = table.properties.get(PARTITION_OF, table.properties.get(_INHERITS, ""))
    path = _path(above)  # of two parents nobody knows which
    return None if path is None else ObjectName(kind, (*path, one.name.path[-1]))


def _path(text: str) -> tuple[str, ...] | None:
    """Return the parts of a name such as `his."Visit"`; None for what is no single name."""
    parts: list[str] = []
    at = 0
    while found := _PART.match(text, at):
        parts.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        at = found.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            return None
        at += 1
    return None
