"""A schema as text and back: one line an object, sorted, the same for the same value; pure.

The file lies in git beside a change (`source.schema`), so a line is what `git diff` shows. The
first line names the format; `{"unknown": …}` lines name objects that the reader did not know.
"""

from __future__ import annotations

import json
from typing import Final

from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject
from dbops.errors import Refused

FORMAT: Final = '{"dbops":"schema/v1"}'


def schema_text(schema: Schema) -> bytes:
    """Return the bytes of a schema."""
    lines = [FORMAT]
    lines += [json.dumps({"unknown": each}, ensure_ascii=False) for each in schema.unknown]
    lines += [schema.objects[name].line for name in sorted(schema.objects)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def parse_schema(data: bytes, source: str) -> Schema:
    """Return the schema that the bytes say; `source` names them in errors.

    Raises Refused `schema-form` with the line for anything that `schema_text` does not write.
    """
    objects: dict[ObjectName, SchemaObject] = {}
    unknown: list[str] = []
    lines = data.decode("utf-8", "surrogatepass").split("\n")
    if lines[0] != FORMAT or lines[-1]:
        raise _fault(source, 1)
    for number, line in enumerate(lines[1:-1], 2):
        try:
            fields = json.loads(line)
            if fields.keys() == {"unknown"}:
                unknown.append(str(fields["unknown"]))
                continue
            found = _object(fields)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise _fault(source, number) from None
        if found.line != line or found.name in objects:
            raise _fault(source, number)
        objects[found.name] = found
    if list(objects) != sorted(objects) or unknown != sorted(unknown):
        raise _fault(source, 1)
    return Schema(objects, tuple(unknown))


def _object(fields: dict[str, object]) -> SchemaObject:
    properties = fields["properties"]
    if fields.keys() != {"object", "of", "properties"} or not isinstance(properties, dict):
        raise ValueError
    if not all(isinstance(text, str) for text in properties.values()):
        raise ValueError
    of = None if fields["of"] is None else _name(fields["of"])
    found = _name(fields["object"])
    return SchemaObject(found, properties, of)


def _name(parts: object) -> ObjectName:
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError
    return ObjectName(ObjectKind(parts[0]), tuple(parts[1:]))


def _fault(source: str, line: int) -> Refused:
    return Refused(
        "schema-form",
        f"{source} line {line}: this is no schema as dbops writes it",
        hint="take the file from git as it was committed, or rehearse again",
    )
