"""What can be done to the members of an extension, as properties of the extension.

An extension's version stands for its members only as long as nobody touches them. What somebody
granted of them, which policies their tables have, what those tables consist of and what is on them
is listed; of functions, types and all the rest a digest is kept. By name besides, what runs as its
owner or under settings, and what has another owner than the extension.
"""

# Everything in these statements is a constant of this module.

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dbops.change.function_text import powers
from dbops.change.members import (
    MEMBER_GRANTS,
    MEMBER_POLICIES,
    MEMBER_POWERS,
    MEMBER_TABLES,
    MEMBERS,
    WITHOUT,
    digest_text,
)
from dbops.change.schema import GRANTS, OWNER, ObjectKind, ObjectName
from dbops.engines.postgresql.change_schema_listing import Address, Row, listing, role
from dbops.engines.postgresql.change_schema_marks import Marks
from dbops.engines.postgresql.change_schema_system import FIRST_OWN_OID

_IN_TABLES: Final = frozenset(
    {
        ObjectKind.TABLE,
        ObjectKind.FOREIGN_TABLE,
        ObjectKind.VIEW,
        ObjectKind.MATERIALIZED_VIEW,
        ObjectKind.SEQUENCE,
        ObjectKind.COLUMN,
        ObjectKind.CONSTRAINT,
        ObjectKind.INDEX,
        ObjectKind.TRIGGER,
        ObjectKind.RULE,
        ObjectKind.STATISTICS,
    }
)
_RUNNING: Final = frozenset({ObjectKind.FUNCTION, ObjectKind.PROCEDURE})
_SECURITY: Final = frozenset({"row security", "row security of owner"})
_BETWEEN: Final = "; "  # grants, and properties on a line
_NOBODY: Final = frozenset({"", "nobody"})
_MEMBER: Final = (
    "EXISTS (SELECT FROM pg_depend AS e WHERE e.deptype = 'e' AND e.classid = '{}'::regclass"
    " AND e.objid = {}.oid)"
)


def member_queries() -> Iterator[str]:
    """Listings of members of kinds of which nothing else is read; as objects none of them shows."""
    yield _base_types()
    yield _configurations()


def with_members(rows: Iterable[Row], marks: Marks) -> list[Row]:
    """Return the rows, those of extensions with what their members are."""
    found = {row.address: row for row in rows}
    members = _members(found, marks)
    return [
        replace(row, properties={**row.properties, **dict(_summary(row, members[row.name]))})
        if row.kind is ObjectKind.EXTENSION
        else row
        for row in found.values()
    ]


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an extension, or what belongs to one; `granted` are lines."""

    title: str
    row: Row
    properties: Mapping[str, str]
    granted: tuple[str, ...]

    @property
    def in_table(self) -> bool:
        """Whether it is a relation, or on one, and no part of a domain or a composite type."""
        return self.row.kind in _IN_TABLES and (self.row.of or ("pg_class",))[0] == "pg_class"

    def line(self, keys: Iterable[str]) -> str:
        """Title and these properties, so that no two differ and look the same."""
        told = [f"{key} {_plain(self.properties[key])}" for key in sorted(keys)]
        return f"{self.title}: {_BETWEEN.join(told)}" if told else self.title


def _members(rows: Mapping[Address, Row], marks: Marks) -> Mapping[str, list[_Member]]:
    """What each extension has."""
    found: defaultdict[str, list[_Member]] = defaultdict(list)
    for row in rows.values():
        extension = _extension(row, rows, marks)
        if extension is not None:
            title = _title(row, rows)
            texts = dict(marks.texts.get(row.address, {}))
            grants = texts.pop(GRANTS, None)
            usual = marks.usual.get(row.address, "")
            granted = () if grants is None else _granted(title, grants, usual)
            found[extension].append(_Member(title, row, {**row.properties, **texts}, granted))
    return found


def _extension(row: Row, rows: Mapping[Address, Row], marks: Marks) -> str | None:
    """The name of the extension that it is a member of, or belongs to a member of."""
    at: Row | None = row
    while at is not None:
        for address in (at.address, at.of):
            found = None if address is None else marks.extensions.get(address[:2])
            if found is not None:
                return found
        at = _outer(at, rows)
    return None


def _title(row: Row, rows: Mapping[Address, Row]) -> str:
    path: tuple[str, ...] = (row.name,)
    at: Row | None = row
    while at is not None and at.schema is None:
        at = _outer(at, rows)
        path = path if at is None else (at.name, *path)
    schema = () if at is None or at.schema is None else (at.schema,)
    return ObjectName(row.kind, (*schema, *path)).title


def _outer(row: Row, rows: Mapping[Address, Row]) -> Row | None:
    """What it belongs to, where that is listed."""
    return None if row.of is None else rows.get(row.of)


def _granted(title: str, grants: str, usual: str) -> tuple[str, ...]:
    """Who may do what beyond what the member came with, and who may no longer do it."""
    had, has = (set(text.split(_BETWEEN)) - _NOBODY for text in (usual, grants))
    more = (f"{each} on {title}" for each in has - had)
    return (*more, *(f"{WITHOUT}{each} on {title}" for each in had - has))


def _summary(extension: Row, members: Sequence[_Member]) -> Iterator[tuple[str, str]]:
    """The properties of an extension that say what its members are."""
    lists: defaultdict[str, list[str]] = defaultdict(list)
    others: list[str] = []
    owner = _owner(extension, members)
    if owner != extension.properties.get(OWNER):
        lists[MEMBER_POWERS].append(f"members: {OWNER} {owner}")
    for each in members:
        keys = each.properties.keys() - ({OWNER} if each.properties.get(OWNER) == owner else set())
        lists[MEMBER_GRANTS] += each.granted
        lists[MEMBER_POWERS] += _powers(each, keys)
        is_policy = each.row.kind is ObjectKind.POLICY
        if is_policy or keys & _SECURITY:
            lists[MEMBER_POLICIES].append(each.line(keys if is_policy else keys & _SECURITY))
        if each.in_table:
            lists[MEMBER_TABLES].append(each.line(keys - _SECURITY))
        elif not is_policy and each.row.address[1] >= FIRST_OWN_OID:
            others.append(each.line(keys))
    if others:
        yield MEMBERS, _digest(others)
    yield from ((key, "\n".join(sorted(lines))) for key, lines in lists.items() if lines)


def _owner(extension: Row, members: Iterable[_Member]) -> str | None:
    """Whose most members are: not the extension's owner where a superuser's rights were lent."""
    counted = Counter(each.properties[OWNER] for each in members if OWNER in each.properties)
    own = extension.properties.get(OWNER)
    return max(counted, key=lambda role: (counted[role], role == own, role), default=own)


def _powers(member: _Member, keys: Iterable[str]) -> Iterator[str]:
    told = [f"{OWNER} {member.properties[OWNER]}"] if OWNER in keys else []
    if member.row.kind in _RUNNING:
        told += powers(member.properties.get("definition", ""))
    if told:
        yield f"{member.title}: {', '.join(map(_plain, told))}"


def _digest(lines: Sequence[str]) -> str:
    text = "\n".join(sorted(lines)).encode("utf-8", "surrogatepass")
    return digest_text(f"{len(lines)} objects", hashlib.sha256(text).hexdigest())


def _plain(text: str) -> str:
    """The text itself, or as JSON where it could be taken for more than one."""
    mixed = _BETWEEN in text or text.startswith('"') or not text.isprintable()
    return json.dumps(text, ensure_ascii=False) if mixed else text


def _base_types() -> str:
    """Base types of extensions; what they are lies in functions that are members as well."""
    parts = (
        "typlen", "typbyval", "typcategory", "typispreferred", "typdelim", "typinput", "typoutput",
        "typreceive", "typsend", "typmodin", "typmodout", "typanalyze", "typalign", "typstorage",
        "typdefault", "typcollation::regcollation",
    )  # fmt: skip
    properties = {
        OWNER: role("t.typowner"),
        "text": f"concat_ws(' ', {', '.join(f't.{part}' for part in parts)})",
    }
    source = f"""
        FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE t.typtype = 'b' AND t.oid >= 16384
            AND NOT EXISTS (SELECT FROM pg_type AS a WHERE a.typarray = t.oid)
            AND {_MEMBER.format("pg_type", "t")}"""
    return listing(
        ObjectKind.TYPE, "pg_type", "t.oid", "t.typname", properties, source, schema="n.nspname"
    )


def _configurations() -> str:
    """Text search configurations of extensions, whose parsers are not asked for names."""
    mappings = (
        "(SELECT string_agg(concat(m.maptokentype, ' ', m.mapdict::regdictionary), ', '"
        " ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map AS m WHERE m.mapcfg = s.oid)"
    )
    properties = {OWNER: role("s.cfgowner"), "mappings": mappings}
    source = f"""
        FROM pg_ts_config AS s JOIN pg_namespace AS n ON n.oid = s.cfgnamespace
        WHERE {_MEMBER.format("pg_ts_config", "s")}"""
    return listing(
        ObjectKind.SEARCH_CONFIGURATION, "pg_ts_config", "s.oid", "s.cfgname", properties, source,
        schema="n.nspname",
    )  # fmt: skip
