"""Objects that a schema names only for what was set on them: they were there before; pure.

What came with a server is listed only where somebody changed who may use it, and a column of a view
or of a composite type only where it has a comment, a default or the like. Of such an object nobody
may read that it is new, nor that it is gone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dbops.change.schema import OWNER, ObjectKind, ObjectName, Schema, SchemaObject

_LISTED_FOR: Final = frozenset(
    {
        "comment",
        "compression",
        "default",
        "grants",
        "options",
        "security labels",
        "statistics",
        "storage",
    }
)
_SCHEMAS: Final = frozenset({"information_schema", "pg_catalog"})
_KINDS: Final = frozenset(
    {
        ObjectKind.AGGREGATE,
        ObjectKind.FUNCTION,
        ObjectKind.PROCEDURE,
        ObjectKind.TABLE,
        ObjectKind.TYPE,
        ObjectKind.VIEW,
    }
)
_LANGUAGES: Final = frozenset({"c", "internal", "sql"})
_IN_TEXT: Final = frozenset({ObjectKind.MATERIALIZED_VIEW, ObjectKind.TYPE, ObjectKind.VIEW})


def is_of_server(name: ObjectName) -> bool:
    """Whether an object of this name can be the server's own."""
    if name.kind is ObjectKind.LANGUAGE:
        return name.path[0] in _LANGUAGES
    if name.kind is ObjectKind.SCHEMA:
        return name.path[0] in _SCHEMAS
    return name.kind in _KINDS and name.path[0] in _SCHEMAS


def unset(one: SchemaObject, other: Schema) -> SchemaObject | None:
    """Return the object as it is in the `other` schema, which does not list it: nothing is set.

    None for one that is really not there. What somebody made has an owner wherever it lies.
    """
    is_own = is_of_server(one.name) and OWNER not in one.properties
    if not is_own and not (one.of in other.objects and _is_in_text(one)):
        return None
    kept = {key: text for key, text in one.properties.items() if key not in _LISTED_FOR}
    return replace(one, properties=kept)


def may_be_unset(kind: ObjectKind, written: str, schema: Schema) -> bool:
    """Whether an object of this written name may be there though the schema does not list it."""
    if kind is not ObjectKind.COLUMN:
        return is_of_server(ObjectName(kind, tuple(written.split(".", 1))))
    outer = (name.written for name in schema.objects if name.kind in _IN_TEXT)
    return any(written.startswith(f"{each}.") for each in outer)


def _is_in_text(one: SchemaObject) -> bool:
    """Whether it is a column that the definition of what it is in says."""
    is_column = one.name.kind is ObjectKind.COLUMN
    return is_column and one.of is not None and one.of.kind in _IN_TEXT
