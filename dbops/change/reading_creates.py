"""What CREATE statements say, and which kind of object a statement is of; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dbops.change.reading import Act, Clause, Does, Doubt, Flag, Name, Reading, has
from dbops.change.reading_clauses import elements
from dbops.change.reading_words import Cursor, upper_words
from dbops.change.schema import ObjectKind

_KINDS: Final = (
    (("TABLE",), ObjectKind.TABLE),
    (("UNLOGGED", "TABLE"), ObjectKind.TABLE),
    (("VIRTUAL", "TABLE"), ObjectKind.VIRTUAL_TABLE),
    (("FOREIGN", "TABLE"), ObjectKind.FOREIGN_TABLE),
    (("FOREIGN", "DATA", "WRAPPER"), ObjectKind.WRAPPER),
    (("MATERIALIZED", "VIEW"), ObjectKind.MATERIALIZED_VIEW),
    (("VIEW",), ObjectKind.VIEW),
    (("RECURSIVE", "VIEW"), ObjectKind.VIEW),
    (("INDEX",), ObjectKind.INDEX),
    (("SEQUENCE",), ObjectKind.SEQUENCE),
    (("FUNCTION",), ObjectKind.FUNCTION),
    (("PROCEDURE",), ObjectKind.PROCEDURE),
    (("PROC",), ObjectKind.PROCEDURE),
    (("AGGREGATE",), ObjectKind.AGGREGATE),
    (("EVENT", "TRIGGER"), ObjectKind.EVENT_TRIGGER),
    (("CONSTRAINT", "TRIGGER"), ObjectKind.TRIGGER),
    (("TRIGGER",), ObjectKind.TRIGGER),
    (("RULE",), ObjectKind.RULE),
    (("POLICY",), ObjectKind.POLICY),
    (("STATISTICS",), ObjectKind.STATISTICS),
    (("TYPE",), ObjectKind.TYPE),
    (("DOMAIN",), ObjectKind.DOMAIN),
    (("SCHEMA",), ObjectKind.SCHEMA),
    (("EXTENSION",), ObjectKind.EXTENSION),
    (("PUBLICATION",), ObjectKind.PUBLICATION),
    (("SERVER",), ObjectKind.SERVER),
    (("USER", "MAPPING"), ObjectKind.USER_MAPPING),
    (("DATABASE",), ObjectKind.DATABASE),
    (("DEFAULT", "PRIVILEGES"), ObjectKind.DEFAULT_PRIVILEGES),
)
_ON_TABLES: Final = frozenset({ObjectKind.TRIGGER, ObjectKind.RULE, ObjectKind.POLICY})
_SIDES: Final = (
    *("UNIQUE", "BITMAP", "FULLTEXT", "SPATIAL", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE"),
    *("GLOBAL", "LOCAL", "TEMP", "TEMPORARY", "EDITIONABLE", "NONEDITIONABLE", "FORCE", "TRUSTED"),
    *("UNLOGGED", "IGNORE"),
)
ROLES: Final = frozenset({"USER", "ROLE", "LOGIN", "GROUP", "PROFILE"})


def create(blank: Reading, cursor: Cursor) -> Reading:
    """Return what a CREATE says; its first word is stepped over."""
    flags: set[Flag] = set()
    if cursor.take("OR", "REPLACE") or cursor.take("OR", "ALTER"):
        flags.add(Flag.REPLACE)
    if cursor.at("DEFINER"):  # MySQL
        flags.add(Flag.DEFINER)
        cursor.until(*_DEFINED)
    if cursor.take("SQL", "SECURITY"):
        cursor.next()
    while side := cursor.take_any(*_SIDES):
        flags |= {Flag.UNIQUE} if side == "UNIQUE" else set()
        flags |= {Flag.TEMPORARY} if side in {"TEMP", "TEMPORARY"} else set()
    found = replace(blank, does=Does.CREATE)
    if cursor.peek() in ROLES and not cursor.at("USER", "MAPPING"):
        return replace(found, flags=frozenset(flags))
    kind = kind_of(cursor)
    if kind is None:
        return replace(found, doubt=Doubt.UNKNOWN)
    flags |= {Flag.CONCURRENTLY} if cursor.take("CONCURRENTLY") else set()
    flags |= {Flag.IF_NOT_EXISTS} if cursor.take("IF", "NOT", "EXISTS") else set()
    found = replace(found, kind=kind, flags=frozenset(flags))
    if kind is ObjectKind.INDEX:
        return _index(found, cursor)
    if kind is ObjectKind.TABLE:
        return _table(found, cursor)
    return _named(found, cursor)


_DEFINED: Final = ("SQL", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT")


def _named(found: Reading, cursor: Cursor) -> Reading:
    """Return the reading of an object of which no more than its name is of interest."""
    if found.kind is ObjectKind.SCHEMA and cursor.take("AUTHORIZATION"):
        return replace(found, names=one(cursor.name()), doubt=_more(found))
    if found.kind in {ObjectKind.USER_MAPPING, ObjectKind.DEFAULT_PRIVILEGES}:
        return found
    name = cursor.name()
    flags = set(found.flags)
    if found.has("SECURITY", "DEFINER"):
        flags.add(Flag.DEFINER)
    table = None
    if found.kind in _ON_TABLES:
        cursor.until("TO" if found.kind is ObjectKind.RULE else "ON")
        cursor.take_any("ON", "TO")
        table = cursor.name()
    doubt = Doubt.PART if name is None else _more(found)
    return replace(
        found, names=one(name), table=table, flags=frozenset(flags), doubt=found.doubt or doubt
    )


def _more(found: Reading) -> Doubt | None:
    """CREATE SCHEMA may make what is in the schema too."""
    inner = {"CREATE", "GRANT"} & set(found.words[1:])
    return Doubt.PART if found.kind is ObjectKind.SCHEMA and inner else None


def _index(found: Reading, cursor: Cursor) -> Reading:
    name = None if cursor.at("ON") else cursor.name()
    cursor.until("ON")
    cursor.take("ON")
    cursor.take("ONLY")
    table = cursor.name()
    cursor.until("(")
    columns = cursor.names()
    rest = upper_words(cursor.rest)
    flags = set(found.flags)
    if "WHERE" in rest:
        flags.add(Flag.WHERE)
    if is_online(rest):
        flags.add(Flag.ONLINE)
    doubt = Doubt.PART if table is None else None
    return replace(
        found,
        names=one(name),
        table=table,
        columns=columns,
        flags=frozenset(flags),
        doubt=doubt,
    )


def is_online(words: tuple[str, ...]) -> bool:
    """Whether Oracle's ONLINE or SQL Server's ONLINE = ON is said."""
    off = has(words, "ONLINE", "=", "OFF")
    return "ONLINE" in words and not off


def _table(found: Reading, cursor: Cursor) -> Reading:
    name = cursor.name()
    flags = set(found.flags)
    if cursor.take("PARTITION", "OF"):
        return replace(found, names=one(name), table=cursor.name())
    clauses: tuple[Clause, ...] = ()
    if cursor.at("("):
        inside = cursor.group()
        if inside and inside[0].upper not in {"SELECT", "WITH"}:
            clauses = tuple(elements(inside, cursor.dialect))
    if "SELECT" in upper_words(cursor.rest) or cursor.at("AS"):
        flags.add(Flag.QUERY)
    doubt = Doubt.PART if name is None or any(c.act is Act.OTHER for c in clauses) else None
    return replace(found, names=one(name), clauses=clauses, flags=frozenset(flags), doubt=doubt)


def kind_of(cursor: Cursor) -> ObjectKind | None:
    """Return the kind of object that is named next, and step over its words."""
    return next((kind for phrase, kind in _KINDS if cursor.take(*phrase)), None)


def one(name: Name | None) -> tuple[Name, ...]:
    """Return the name alone, or nothing."""
    return () if name is None else (name,)
