"""What engines call what a schema has: the parts of an object's name, and its properties; pure.

It is what the readers of the engines emit. Nothing is compared by it: it tells a slip of the pen in
`touches` from what can ever differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dbops.change.members import (
    MEMBER_GRANTS,
    MEMBER_POLICIES,
    MEMBER_POWERS,
    MEMBER_TABLES,
    MEMBERS,
)
from dbops.change.schema import ObjectKind

POSTGRESQL: Final = "postgres"
SQLITE: Final = "sqlite"

_PART: Final = re.compile(r'("(?:[^"]|"")+"|[^."()]+(?:\([^"()]*\))?)(\.|$)')
_ANY: Final = frozenset({"comment", "depends on extension", "grants", "of", "security labels"})
_IN_SCHEMA: Final = "schema.name"
_IN_TABLE: Final = "schema.table.name"
_FORMS: Final[Mapping[ObjectKind, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                ObjectKind.TYPE,
                ObjectKind.DOMAIN,
                ObjectKind.SEQUENCE,
                ObjectKind.TABLE,
                ObjectKind.FOREIGN_TABLE,
                ObjectKind.INDEX,
                ObjectKind.VIEW,
                ObjectKind.MATERIALIZED_VIEW,
                ObjectKind.STATISTICS,
                ObjectKind.COLLATION,
                ObjectKind.CONVERSION,
                ObjectKind.SEARCH_CONFIGURATION,
                ObjectKind.SEARCH_DICTIONARY,
                ObjectKind.SEARCH_PARSER,
                ObjectKind.SEARCH_TEMPLATE,
            ),
            _IN_SCHEMA,
        ),
        **dict.fromkeys(
            (ObjectKind.FUNCTION, ObjectKind.PROCEDURE, ObjectKind.AGGREGATE),
            "schema.name(types)",
        ),
        ObjectKind.OPERATOR: "schema.sign(type, type)",
        ObjectKind.OPERATOR_CLASS: "schema.name(method)",
        ObjectKind.OPERATOR_FAMILY: "schema.name(method)",
        **dict.fromkeys(
            (
                ObjectKind.COLUMN,
                ObjectKind.CONSTRAINT,
                ObjectKind.TRIGGER,
                ObjectKind.RULE,
                ObjectKind.POLICY,
            ),
            _IN_TABLE,
        ),
        **dict.fromkeys(
            (
                ObjectKind.DATABASE,
                ObjectKind.EXTENSION,
                ObjectKind.SCHEMA,
                ObjectKind.EVENT_TRIGGER,
                ObjectKind.PUBLICATION,
                ObjectKind.WRAPPER,
                ObjectKind.SERVER,
                ObjectKind.ACCESS_METHOD,
                ObjectKind.LANGUAGE,
            ),
            "name",
        ),
        ObjectKind.USER_MAPPING: "server.role",
        ObjectKind.DEFAULT_PRIVILEGES: 'role."tables in schema"',
        ObjectKind.CAST: '"type AS type"',
        ObjectKind.TRANSFORM: '"type LANGUAGE name"',
    }
)
_SQLITE_FORMS: Final[Mapping[ObjectKind, str]] = MappingProxyType(
    {
        ObjectKind.DATABASE: "main",
        ObjectKind.TABLE: "name",
        ObjectKind.VIRTUAL_TABLE: "name",
        ObjectKind.COLUMN: "table.name",
        ObjectKind.CONSTRAINT: "table.name",
        ObjectKind.INDEX: "name",
        ObjectKind.VIEW: "name",
        ObjectKind.TRIGGER: "name",
    }
)
_TABLE: Final = (
    "access method, detach pending, foreign options, inherits, of type, options, owner, partition,"
    " partition of, partitioned by, replica identity, row security, row security of owner, server,"
    " tablespace, unlogged"
)
_VIEW: Final = "access method, columns, definition, options, owner, tablespace"
_PROGRAM: Final = "definition, owner"
_HAS: Final[Mapping[ObjectKind, str]] = MappingProxyType(
    {
        ObjectKind.ACCESS_METHOD: "handler, type",
        ObjectKind.AGGREGATE: _PROGRAM,
        ObjectKind.CAST: "context, function, method",
        ObjectKind.COLLATION: "collate, ctype, deterministic, locale, owner, provider, rules",
        ObjectKind.COLUMN: "collation, compression, default, foreign options, generated, identity,"
        " inherited, not null, options, position, statistics, storage, type",
        ObjectKind.CONSTRAINT: "clustered, definition, index comment, inherited, options,"
        " partition of, replica identity, tablespace, triggers, valid",
        ObjectKind.CONVERSION: "default, from, function, owner, to",
        ObjectKind.DATABASE: "collate, connection limit, connections, ctype, encoding, owner,"
        " settings, system functions, system text search, template",
        ObjectKind.DEFAULT_PRIVILEGES: "",
        ObjectKind.DOMAIN: "collation, default, not null, owner, type",
        ObjectKind.EVENT_TRIGGER: "enabled, event, function, owner, tags",
        ObjectKind.EXTENSION: f"{MEMBER_GRANTS}, {MEMBERS}, {MEMBER_POLICIES}, {MEMBER_POWERS},"
        f" {MEMBER_TABLES}, owner, schema, version",
        ObjectKind.SERVER: "options, owner, type, version, wrapper",
        ObjectKind.FOREIGN_TABLE: _TABLE,
        ObjectKind.WRAPPER: "handler, options, owner, validator",
        ObjectKind.FUNCTION: _PROGRAM,
        ObjectKind.INDEX: "clustered, definition, partition of, replica identity, statistics,"
        " tablespace, valid",
        ObjectKind.LANGUAGE: "handler, inline, owner, trusted, validator",
        ObjectKind.MATERIALIZED_VIEW: _VIEW,
        ObjectKind.OPERATOR: "commutator, function, hashes, join, merges, negator, owner, restrict",
        ObjectKind.OPERATOR_CLASS: "default, family, members, owner, storage, type",
        ObjectKind.OPERATOR_FAMILY: "members, owner",
        ObjectKind.POLICY: "check, command, restrictive, roles, using",
        ObjectKind.PROCEDURE: _PROGRAM,
        ObjectKind.PUBLICATION: "actions, all tables, generated columns, owner, schemas, tables,"
        " via root",
        ObjectKind.RULE: "definition, enabled",
        ObjectKind.SCHEMA: "owner",
        ObjectKind.SEQUENCE: "cache, cycle, increment, maximum, minimum, owned by, owner, start,"
        " type, unlogged",
        ObjectKind.STATISTICS: "definition, owner, target",
        ObjectKind.TABLE: _TABLE,
        ObjectKind.SEARCH_CONFIGURATION: "mappings, owner, parser",
        ObjectKind.SEARCH_DICTIONARY: "options, owner, template",
        ObjectKind.SEARCH_PARSER: "end, headline, start, token, token types",
        ObjectKind.SEARCH_TEMPLATE: "init, lexize",
        ObjectKind.TRANSFORM: "from sql, to sql",
        ObjectKind.TRIGGER: "definition, enabled, partition of",
        ObjectKind.TYPE: "attributes, labels, owner, range",
        ObjectKind.USER_MAPPING: "",
        ObjectKind.VIEW: _VIEW,
    }
)
_SQLITE_HAS: Final[Mapping[ObjectKind, str]] = MappingProxyType(
    {
        ObjectKind.DATABASE: "application_id, auto_vacuum, encoding, page_size, user_version",
        ObjectKind.TABLE: "definition, options, remarks",
        ObjectKind.VIRTUAL_TABLE: "definition, module",
        ObjectKind.COLUMN: "autoincrement, collation, default, definition, generated, not null,"
        " position, primary key, type",
        ObjectKind.CONSTRAINT: "columns, definition, of, on delete, on update, references",
        ObjectKind.INDEX: "definition, of, unique",
        ObjectKind.VIEW: "definition",
        ObjectKind.TRIGGER: "definition, of",
    }
)


def form_of(kind: ObjectKind, dialect: str) -> str | None:
    """Return how a name of the kind is written, as a person reads it; None where there is none."""
    return (_SQLITE_FORMS if dialect == SQLITE else _FORMS).get(kind)


def parts_in(written: str) -> int:
    """Return how many parts a written name has; 0 for what is not written as a name is."""
    count, at = 0, 0
    while found := _PART.match(written, at):
        count, at = count + 1, found.end()
        if not found[2]:
            return count
    return 0


def properties_of(kind: ObjectKind, dialect: str) -> frozenset[str]:
    """Return what can differ of an object of the kind; nothing of a kind that is not there."""
    if dialect == SQLITE:
        return _listed(_SQLITE_HAS.get(kind, ""))
    return _listed(_HAS[kind]) | _ANY if kind in _HAS else frozenset()


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split(", ")) - {""}
