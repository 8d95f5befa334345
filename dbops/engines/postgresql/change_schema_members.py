"""What can be done to the members of an extension, as properties of the extension.

The extension's version stands for its members only as long as nobody touched them. What somebody
granted of them, which policies their tables have, what those tables consist of and what is on them
is listed by name; of functions, types and all the rest a digest is kept, and by name what runs with
the rights of its owner, under settings of its own, or has another owner than the extension.
"""

# Everything in these statements is a constant of this module.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from dbops.change.schema import GRANTS, OWNER, ObjectKind, ObjectName
from dbops.engines.postgresql.change_schema_listing import Address, Row, listing, role
from dbops.engines.postgresql.change_schema_marks import Marks

MEMBERS: Final = "members"
MEMBER_GRANTS: Final = "grants of members"
MEMBER_POLICIES: Final = "policies of members"
MEMBER_TABLES: Final = "tables of members"

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
_SECURITY: Final = ("row security", "row security of owner")
_DEFINITION: Final = "definition"
_BETWEEN: Final = "; "
_NOBODY: Final = "nobody"
_EXTENSION: Final = "EXISTS (SELECT FROM pg_depend AS e WHERE e.deptype = 'e' AND e.objid = {}.oid"


def member_queries() -> Iterator[str]:
    """Listings of members of kinds that are not read otherwise; none of them is an object."""
    yield _base_types()
    yield _configurations()


def with_members(rows: Iterable[Row], marks: Marks) -> list[Row]:
    """Return the rows, those of extensions with what their members are."""
    every = {row.address: row for row in rows}
    members = _Members(every, marks)
    found = members.by_extension()
    return [
        replace(row, properties={**row.properties, **_properties(row, found[row.name])})
        if row.kind is ObjectKind.EXTENSION
        else row
        for row in every.values()
    ]


class _Members:
    """Which rows are an extension's, or belong to one of its members, and what they are called."""

    def __init__(self, rows: Mapping[Address, Row], marks: Marks) -> None:
        self._rows = rows
        self._marks = marks

    def by_extension(self) -> Mapping[str, list[tuple[str, Row, str]]]:
        """Of each extension title, row and what is said of grants of each."""
        found: defaultdict[str, list[tuple[str, Row, str]]] = defaultdict(list)
        for row in self._rows.values():
            extension = self._extension(row.address)
            if extension is not None and row.kind is not ObjectKind.EXTENSION:
                texts = dict(self._marks.texts.get(row.address, {}))
                grants = self._granted(row.address, texts.pop(GRANTS, None))
                marked = replace(row, properties={**row.properties, **texts})
                found[extension].append((self._title(row), marked, grants))
        return found

    def _extension(self, address: Address) -> str | None:
        """The name; None for what belongs to none."""
        while True:
            extension = self._marks.extensions.get(address[:2])
            row = self._rows.get(address)
            if extension is not None or row is None or row.of is None:
                return extension
            address = row.of

    def _title(self, row: Row) -> str:
        path: tuple[str, ...] = (row.name,)
        at = row
        while at.schema is None and at.of is not None and at.of in self._rows:
            at = self._rows[at.of]
            path = (at.name, *path)
        return ObjectName(row.kind, path if at.schema is None else (at.schema, *path)).title

    def _granted(self, address: Address, text: str | None) -> str:
        """What the grants are beyond, and short of, those that the object came with."""
        if text is None:
            return ""
        began = self._marks.usual.get(address, "")
        had, has = (set(each.split(_BETWEEN)) - {"", _NOBODY} for each in (began, text))
        more = [f"with {each}" for each in sorted(has - had)]
        less = [f"without {each}" for each in sorted(had - has)]
        return ", ".join(more + less)


def _properties(extension: Row, found: list[tuple[str, Row, str]]) -> Iterator[tuple[str, str]]:
    return {}


def _base_types() -> str:
    properties = {
        OWNER: role("t.typowner"),
        "text": "concat_ws(' ', t.typlen, t.typbyval, t.typcategory, t.typispreferred, t.typdelim,"
        " t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze,"
        " t.typalign, t.typstorage, t.typdefault, t.typcollation::regcollation)",
    }
    source = f"""
        FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE t.typtype = 'b' AND t.typelem = 0 AND {_EXTENSION.format("t")}
            AND e.classid = 'pg_type'::regclass)"""
    return listing(
        ObjectKind.TYPE, "pg_type", "t.oid", "t.typname", properties, source, schema="n.nspname"
    )
