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

_TEMPORARY = "(SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(temp|toast)')"
_OF_TEMPORARY = "(SELECT oid FROM pg_class WHERE relpersistence = 't')"

# Kind, catalog, and which of its rows count. Tables, indexes and sequences are left out of
# pg_class: they are locked, and maintenance such as REINDEX or REFRESH writes their rows without
# changing what they are. What is temporary comes and goes.
_CATALOGS = (
    ("functions", "pg_proc", f"pronamespace NOT IN {_TEMPORARY}"),
    ("types", "pg_type", f"typnamespace NOT IN {_TEMPORARY}"),
    ("views", "pg_class", f"relkind IN ('v', 'c') AND relnamespace NOT IN {_TEMPORARY}"),
    ("rules", "pg_rewrite", f"ev_class NOT IN {_OF_TEMPORARY}"),
    ("constraints", "pg_constraint", f"connamespace NOT IN {_TEMPORARY}"),
    ("triggers", "pg_trigger", f"tgrelid NOT IN {_OF_TEMPORARY}"),
    ("policies", "pg_policy", f"polrelid NOT IN {_OF_TEMPORARY}"),
    ("defaults", "pg_attrdef", f"adrelid NOT IN {_OF_TEMPORARY}"),
    ("schemas", "pg_namespace", "nspname !~ '^pg_'"),
    ("operators", "pg_operator", f"oprnamespace NOT IN {_TEMPORARY}"),
    ("collations", "pg_collation", f"collnamespace NOT IN {_TEMPORARY}"),
    ("extensions", "pg_extension", "true"),
)


@dataclass(frozen=True, slots=True)
class Definitions:
    """One digest for each kind of object, over those with an OID up to `newest`."""

    newest: int
    digests: dict[str, str]


def definitions(session: Session, newest: int | None = None) -> Definitions:
    """The definitions that the session sees; without `newest`, all there are."""
    limit = newest if newest is not None else _newest(session)
    found = {
        kind: session.value(
            "SELECT coalesce(md5(string_agg(concat(oid, ' ', xmin), ',' ORDER BY oid)), '')"  # noqa: S608 - constants and a number
            f" FROM {catalog} WHERE oid >= {FIRST_OWN_OID} AND oid <= {limit}::oid AND {counts}",
            doing="reading definitions",
        )
        for kind, catalog, counts in _CATALOGS
    }
    return Definitions(limit, found)


def _newest(session: Session) -> int:
    every = " UNION ALL ".join(f"SELECT max(oid) AS m FROM {name}" for _, name, _ in _CATALOGS)  # noqa: S608 - constants
    return int(session.value(f"SELECT max(m)::bigint FROM ({every}) AS u"))  # noqa: S608 - constants


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
