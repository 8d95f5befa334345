"""A schema as text and back: one line an object, sorted, the same for the same value; pure.

The file lies in git beside a change (`source.schema`), so a line is what `git diff` shows. The
first line names the format; `{"unknown": …}` lines name objects that the reader did not know.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Final

from dbops.change.json_lines import parse_lines, parse_name, parse_texts
from dbops.change.schema import FORMAT, ObjectName, Schema, SchemaObject
from dbops.errors import Refused

_OLD: Final = b'{"dbops":"schema/v1"}\n'
SOURCE: Final = "source.schema"
"""The file beside a change that holds the schema of its database, as the backup saw it."""


def schema_text(schema: Schema) -> bytes:
    """Return the bytes of a schema, whose sha256 is its digest."""
    return schema.text


def parse_schema(data: bytes, source: str) -> Schema:
    """Return the schema that the bytes say; `source` names them in errors.

    Raises Refused `schema-form` with the line for anything that `schema_text` does not write, and
    `schema-old` for the form of an older dbops, in which the same schema had another text.
    """
    if data.startswith(_OLD):
        raise Refused(
            "schema-old",
            f"{source} is in the form of an older dbops, and cannot be compared",
            hint="take a new backup, verify it and rehearse again; or record the schema again",
        )
    objects: dict[ObjectName, SchemaObject] = {}
    unknown: list[str] = []
    last: ObjectName | None = None
    for number, found in parse_lines(data, FORMAT, _read, partial(_fault, source)):
        if isinstance(found, str):
            if last is not None or unknown[-1:] > [found]:
                raise _fault(source, number)
            unknown.append(found)
            continue
        if last is not None and found.name <= last:
            raise _fault(source, number)
        last = found.name
        objects[last] = found
    return Schema(objects, tuple(unknown))


def _read(fields: dict[str, object]) -> tuple[SchemaObject | str, str]:
    """Return what a line says, and the line that is written for it."""
    if fields.keys() == {"unknown"}:
        unknown = fields["unknown"]
        if not isinstance(unknown, str):
            raise ValueError
        return unknown, json.dumps(fields, ensure_ascii=False)
    if fields.keys() != {"object", "of", "properties"}:
        raise ValueError
    of = None if fields["of"] is None else parse_name(fields["of"])
    found = SchemaObject(parse_name(fields["object"]), parse_texts(fields["properties"]), of)
    return found, found.line


def _fault(source: str, line: int) -> Refused:
    return Refused(
        "schema-form",
        f"{source} line {line}: this is no schema as dbops writes it",
        hint="take the file from git as it was committed, or rehearse again",
    )
