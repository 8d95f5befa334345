"""Objects that came with the server, where somebody changed who may use them.

They are listed with these grants alone: the rest of them is the server's own.
"""

# Everything in these statements is a constant of this module.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_listing import Address, Row, listing, rows_of
from dbops.engines.postgresql.connect import Session

FIRST_OWN_OID: Final = 16384

_KIND: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pg_class": f"CASE o.relkind WHEN 'v' THEN '{ObjectKind.VIEW.value}'"
        f" ELSE '{ObjectKind.TABLE.value}' END",
        "pg_proc": f"CASE o.prokind WHEN 'a' THEN '{ObjectKind.AGGREGATE.value}' WHEN 'p' THEN"
        f" '{ObjectKind.PROCEDURE.value}' ELSE '{ObjectKind.FUNCTION.value}' END",
        "pg_type": f"'{ObjectKind.TYPE.value}'",
        "pg_language": f"'{ObjectKind.LANGUAGE.value}'",
        "pg_namespace": f"'{ObjectKind.SCHEMA.value}'",
    }
)
_NAME: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pg_class": "o.relname",
        "pg_proc": "format('%s(%s)', o.proname, oidvectortypes(o.proargtypes))",
        "pg_type": "o.typname",
        "pg_language": "o.lanname",
        "pg_namespace": "o.nspname",
    }
)
_SCHEMA: Final[Mapping[str, str]] = MappingProxyType(
    {"pg_class": "relnamespace", "pg_proc": "pronamespace", "pg_type": "typnamespace"}
)


def read_system(session: Session, marked: Iterable[Address]) -> Iterator[Row]:
    """The server's own tables, functions, types, languages and schemas among what is marked."""
    oids: dict[str, list[int]] = {}
    for catalog, oid, part in marked:
        if oid < FIRST_OWN_OID and part == 0:
            oids.setdefault(catalog, []).append(oid)
    for catalog in sorted(oids):
        if catalog in _KIND:
            found = ", ".join(map(str, sorted(oids[catalog])))
            query, doing = _listing(catalog, found), "reading grants of the server's"
            yield from rows_of(session.rows(query, doing=doing))


def _listing(catalog: str, oids: str) -> str:
    kind, name, source = _KIND[catalog], _NAME[catalog], f"FROM {catalog} AS o"
    where = f"WHERE o.oid IN ({oids})"
    if catalog not in _SCHEMA:
        others = f"{where} AND {name} <> 'public'"  # which is listed with all it has
        return listing(kind, catalog, "o.oid", name, {}, f"{source} {others}")
    joined = f"{source} JOIN pg_namespace AS n ON n.oid = o.{_SCHEMA[catalog]} {where}"
    return listing(kind, catalog, "o.oid", name, {}, joined, schema="n.nspname")
