"""The schema of a database as a value: every object by name, with what its definition says; pure.

Engines read it from their catalogues, in one transaction; nothing here knows any of them. Two
schemas are equal where each object has the same properties, and an object's properties are texts:
what the server itself prints, never what somebody's parser made of it.

No property holds a row's value, a password or an option of a user mapping.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dbops.errors import Refused


class ObjectKind(StrEnum):
    """What an object is; the values are the words that people read."""

    DATABASE = "database"  # what is set for all of it: settings in a file's header, owner
    EXTENSION = "extension"
    SCHEMA = "schema"
    TYPE = "type"
    DOMAIN = "domain"
    SEQUENCE = "sequence"
    TABLE = "table"
    VIRTUAL_TABLE = "virtual table"
    FOREIGN_TABLE = "foreign table"
    COLUMN = "column"
    CONSTRAINT = "constraint"
    INDEX = "index"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    FUNCTION = "function"
    PROCEDURE = "procedure"
    AGGREGATE = "aggregate"
    TRIGGER = "trigger"
    RULE = "rule"
    POLICY = "policy"
    STATISTICS = "statistics"
    EVENT_TRIGGER = "event trigger"
    PUBLICATION = "publication"
    WRAPPER = "foreign-data wrapper"
    SERVER = "foreign server"
    USER_MAPPING = "user mapping"  # whose it is, and never an option
    DEFAULT_PRIVILEGES = "default privileges"
    COLLATION = "collation"
    CONVERSION = "conversion"
    CAST = "cast"
    TRANSFORM = "transform"
    OPERATOR = "operator"
    OPERATOR_CLASS = "operator class"
    OPERATOR_FAMILY = "operator family"
    ACCESS_METHOD = "access method"
    LANGUAGE = "language"
    SEARCH_CONFIGURATION = "text search configuration"
    SEARCH_DICTIONARY = "text search dictionary"
    SEARCH_PARSER = "text search parser"
    SEARCH_TEMPLATE = "text search template"


FORMAT: Final = '{"dbops":"schema/v2"}'
"""The first line of a schema's canonical text."""

OWNER: Final = "owner"
"""The property that says whose an object is."""
GRANTS: Final = "grants"
"""The property that says who may use an object, where that is not what its owner began with."""

POSITION: Final = "position"
"""The property of a column that says the how-manieth it is, counted from 1 without gaps."""

# A function with its arguments, `age(date, integer)`, needs no quotes: its dots are inside.
_SIGNATURE: Final = re.compile(r'[^."()]+\([^"()]*\)')


@dataclass(frozen=True, slots=True, order=True)
class ObjectName:
    """An object's kind, and its name from the outside in, as the catalogue spells each part.

    A column of PostgreSQL is `("his", "visit", "ward_code")`, a function `("his", "age(date)")`,
    an index of SQLite `("visit_ward",)`.
    """

    kind: ObjectKind
    path: tuple[str, ...]

    @property
    def title(self) -> str:
        """Kind and name for people, on one line: `column his.visit.ward_code`."""
        return f"{self.kind.value} {self.written}"

    @property
    def written(self) -> str:
        """The name alone, its parts joined by dots, those in double quotes that need them."""
        return ".".join(map(_written, self.path))


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """One object. `of` is the object that it belongs to, and goes with: a column's table.

    `properties` say everything that defines it, by short lower-case names (`type`, `not null`,
    `default`, `definition`, `owner`, `comment`, `grants` …); what is not set has no property.
    """

    name: ObjectName
    properties: Mapping[str, str] = field(default_factory=dict)
    of: ObjectName | None = None

    @property
    def line(self) -> str:
        """Its canonical text: one line of JSON, always the same for the same value."""
        of = None if self.of is None else [self.of.kind.value, *self.of.path]
        fields = {
            "object": [self.name.kind.value, *self.name.path],
            "of": of,
            "properties": dict(self.properties),
        }
        return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """The sha256 of its canonical text."""
        return hashlib.sha256(self.line.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Schema:
    """Every object of one database at one instant.

    `unknown` names objects of kinds that the engine's reader does not know ("type his.shell").
    `usual` is what `grants` would say of an object that has none, as its owner began with it. It is
    for people only: neither the text nor equality has it, and a schema that was parsed has none.
    """

    objects: Mapping[ObjectName, SchemaObject]
    unknown: tuple[str, ...] = ()
    usual: Mapping[ObjectName, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def text(self) -> bytes:
        """Its canonical text, which `schema_text` reads: one line an object, sorted."""
        lines = [FORMAT]
        lines += [json.dumps({"unknown": each}, ensure_ascii=False) for each in self.unknown]
        lines += [self.objects[name].line for name in sorted(self.objects)]
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")

    @property
    def digest(self) -> str:
        """The sha256 of its canonical text."""
        return hashlib.sha256(self.text).hexdigest()


def refuse_unknown(schema: Schema, database: str) -> None:
    """Raise Refused `schema-unknown` where there are objects of kinds that nobody here knows."""
    if not schema.unknown:
        return
    named = ", ".join(schema.unknown[:5])
    more = f" (and {len(schema.unknown) - 5} more)" if len(schema.unknown) > 5 else ""
    raise Refused(
        "schema-unknown",
        f"{database} has objects of kinds that dbops does not compare: {named}{more}",
        hint="changes of this database cannot be judged; docs/reference/change-yml.md lists kinds",
    )


def refuse_unknown_then(recorded: Schema, database: str) -> None:
    """Raise Refused `schema-unknown` where a text that was kept names objects as unknown.

    This version may know them; what they were when the text was written nobody can say.
    """
    if not recorded.unknown:
        return
    named = ", ".join(recorded.unknown[:5])
    more = f" (and {len(recorded.unknown) - 5} more)" if len(recorded.unknown) > 5 else ""
    raise Refused(
        "schema-unknown",
        f"{database} has objects that were not compared when its schema was recorded:"
        f" {named}{more}",
        hint="have it recorded by this dbops: take a new backup, verify it and rehearse again, or"
        f" dbops change record {database}; what is named then again cannot be judged",
    )


def schema_of(
    objects: list[SchemaObject],
    unknown: tuple[str, ...] = (),
    usual: Mapping[ObjectName, str] | None = None,
) -> Schema:
    """Return the schema of these objects; raises ValueError where two have one name."""
    found = {each.name: each for each in objects}
    if len(found) < len(objects):
        raise ValueError("two objects have one name")
    return Schema(found, tuple(sorted(unknown)), usual or {})


def _written(part: str) -> str:
    plain = part and part.isprintable() and not any(sign in part for sign in ' ."()')
    if plain or (part.isprintable() and _SIGNATURE.fullmatch(part)):
        return part
    shown = "".join(_shown(sign) for sign in part)
    return '"' + shown.replace('"', '""') + '"'


def _shown(sign: str) -> str:
    """A sign between quotes; a backslash is two, so that no text looks like another's escape."""
    return sign if sign.isprintable() and sign != "\\" else sign.encode("unicode_escape").decode()
