"""Whether definitions stayed as they were from the snapshot to the end of `pg_dump`.

Tables are locked, but nothing locks a function, a view or a type, and the server prints those from
its newest catalog, not from the snapshot. So what exists in the snapshot is fingerprinted, and
again, in the present, after `pg_dump` has ended. What was created meanwhile does not count:
`pg_dump` does not see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbops.engines.postgresql.connect import Parameters, Session, connect
from dbops.engines.postgresql.tables import FIRST_OWN_OID
from dbops.errors import Failed

# Tables, indexes and sequences are left out of pg_class: they are locked, and maintenance such as
# REINDEX or REFRESH writes their rows without changing what they are.
_CATALOGS = {
    "functions": "pg_proc",
    "types": "pg_type",
    "views": "pg_class WHERE relkind IN ('v', 'c') AND",
    "rules": "pg_rewrite",
    "constraints": "pg_constraint",
    "triggers": "pg_trigger",
    "policies": "pg_policy",
    "defaults": "pg_attrdef",
    "schemas": "pg_namespace",
    "operators": "pg_operator",
    "collations": "pg_collation",
    "extensions": "pg_extension",
}


@dataclass(frozen=True, slots=True)
class Definitions:
    """One digest for each kind of object, over those with an OID up to `newest`."""

    newest: int
    digests: dict[str, str]


def definitions(session: Session, newest: int | None = None) -> Definitions:
    """The definitions that the session sees; without `newest`, all there are."""
    limit = newest if newest is not None else _newest(session)
    found = {}
    for kind, catalog in _CATALOGS.items():
        where = catalog if " WHERE " in catalog else f"{catalog} WHERE"
        found[kind] = session.value(
            "SELECT coalesce(md5(string_agg(concat(oid, ' ', xmin), ',' ORDER BY oid)), '')"
            f" FROM {where} oid >= {FIRST_OWN_OID} AND oid::bigint <= {limit}",
            doing="reading definitions",
        )
    return Definitions(limit, found)


def _newest(session: Session) -> int:
    return max(
        int(session.value(f"SELECT coalesce(max(oid::bigint), 0) FROM {catalog.split()[0]}"))
        for catalog in _CATALOGS.values()
    )


def refuse_changed(params: Parameters, before: Definitions) -> None:
    """Raises Failed `schema-changed` where an object of the snapshot is not the same any more."""
    with connect(params) as session:
        now = definitions(session, before.newest)
    changed = [kind for kind, digest in before.digests.items() if now.digests[kind] != digest]
    if changed:
        raise Failed(
            "schema-changed",
            f"{', '.join(changed)} were changed or dropped while the schema was read",
            hint="run the command again when no schema change is under way",
        )
