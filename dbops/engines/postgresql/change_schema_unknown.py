"""Objects that nobody here understands, by name.

Every catalogue of the server that gives its rows an OID is looked at, those of versions to come
included. What somebody made there, and no listing found, is unknown, unless it is a part of
something else, made by the server along with it.
"""

# Everything in these statements is a constant of this module, or a name of a system catalogue.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from dbops.engines.postgresql.change_schema_kept import kept_rows
from dbops.engines.postgresql.change_schema_listing import TEMPORARY, Address
from dbops.engines.postgresql.change_schema_marks import Marks
from dbops.engines.postgresql.connect import Session

_CATALOGUES: Final = """
    SELECT c.relname, has_column_privilege(c.oid, a.attnum, 'SELECT') FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'oid'
    WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared
    ORDER BY 1"""
_TEMPORARY_SCHEMAS: Final = f"(SELECT oid FROM pg_namespace WHERE nspname ~ {TEMPORARY})"
_TEMPORARY_TABLES: Final = f"(SELECT oid FROM pg_class WHERE relnamespace IN {_TEMPORARY_SCHEMAS})"
_TEMPORARY_TYPES: Final = f"(SELECT oid FROM pg_type WHERE typnamespace IN {_TEMPORARY_SCHEMAS})"
# Catalogues of which nothing else than what is temporary is a part of something.
_IN_SCHEMAS: Final = (
    ("pg_collation", "collnamespace"),
    ("pg_conversion", "connamespace"),
    ("pg_opclass", "opcnamespace"),
    ("pg_operator", "oprnamespace"),
    ("pg_opfamily", "opfnamespace"),
    ("pg_statistic_ext", "stxnamespace"),
    ("pg_ts_config", "cfgnamespace"),
    ("pg_ts_dict", "dictnamespace"),
    ("pg_ts_parser", "prsnamespace"),
    ("pg_ts_template", "tmplnamespace"),
)
# Made with a range type.
_OF_TYPE: Final = """EXISTS (SELECT FROM pg_depend AS i WHERE i.classid = '{0}'::regclass
    AND i.objid = {0}.oid AND i.deptype = 'i' AND i.refclassid = 'pg_type'::regclass)"""

# Read with an operator class, whose family came with the server.
_OF_CLASS: Final = """EXISTS (SELECT FROM pg_depend AS i WHERE i.classid = '{0}'::regclass
    AND i.objid = {0}.oid AND i.refclassid = 'pg_opclass'::regclass)"""

_NEVER: Final = frozenset(
    {
        "pg_attrdef",  # read with columns
        "pg_enum",  # read with types
        "pg_largeobject_metadata",  # large objects are data
        "pg_publication_namespace",  # read with publications
        "pg_publication_rel",
        "pg_user_mapping",  # its view has all but the options
    }
)
# Which rows of a catalogue were made by the server along with something else.
_PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{catalog: f"{column} IN {_TEMPORARY_SCHEMAS}" for catalog, column in _IN_SCHEMAS},
        "pg_amop": f"amopfamily >= 16384 OR {_OF_CLASS.format('pg_amop')}",
        "pg_amproc": f"amprocfamily >= 16384 OR {_OF_CLASS.format('pg_amproc')}",
        "pg_cast": f"""{_OF_TYPE.format("pg_cast")}
            OR castsource IN {_TEMPORARY_TYPES} OR casttarget IN {_TEMPORARY_TYPES}""",
        "pg_class": f"""relkind IN ('c', 't') OR relnamespace IN {_TEMPORARY_SCHEMAS}
            OR relkind IN ('i', 'I') AND EXISTS (SELECT FROM pg_constraint AS o
                WHERE o.conindid = pg_class.oid AND o.contype IN ('p', 'u', 'x'))""",
        "pg_constraint": f"""contype = 't' OR connamespace IN {_TEMPORARY_SCHEMAS}
            OR conparentid <> 0 AND conrelid = (SELECT a.conrelid FROM pg_constraint AS a
                WHERE a.oid = pg_constraint.conparentid)""",
        "pg_namespace": f"nspname ~ {TEMPORARY}",
        "pg_policy": f"polrelid IN {_TEMPORARY_TABLES}",
        "pg_proc": f"{_OF_TYPE.format('pg_proc')} OR pronamespace IN {_TEMPORARY_SCHEMAS}",
        "pg_rewrite": f"rulename = '_RETURN' OR ev_class IN {_TEMPORARY_TABLES}",
        "pg_trigger": f"tgisinternal OR tgrelid IN {_TEMPORARY_TABLES}",
        "pg_type": f"""typnamespace IN {_TEMPORARY_SCHEMAS}
            OR typtype = 'c' AND typrelid IN (SELECT oid FROM pg_class WHERE relkind <> 'c')
            OR oid IN (SELECT typarray FROM pg_type)
            OR oid IN (SELECT rngmultitypid FROM pg_range)""",
    }
)
# What can have a comment or a grant, and is gone with its session.
_TEMPORARY: Final = " UNION ALL ".join(
    f"SELECT '{catalog}', oid::bigint FROM {catalog} WHERE {column} IN {among}"
    for catalog, column, among in (
        ("pg_class", "relnamespace", _TEMPORARY_SCHEMAS),
        ("pg_type", "typnamespace", _TEMPORARY_SCHEMAS),
        ("pg_proc", "pronamespace", _TEMPORARY_SCHEMAS),
        ("pg_constraint", "connamespace", _TEMPORARY_SCHEMAS),
        *((catalog, column, _TEMPORARY_SCHEMAS) for catalog, column in _IN_SCHEMAS),
        ("pg_cast", "castsource", _TEMPORARY_TYPES),
        ("pg_cast", "casttarget", _TEMPORARY_TYPES),
        ("pg_trigger", "tgrelid", _TEMPORARY_TABLES),
        ("pg_rewrite", "ev_class", _TEMPORARY_TABLES),
        ("pg_policy", "polrelid", _TEMPORARY_TABLES),
    )
)
_SUBSCRIPTIONS: Final = """
    SELECT 'pg_subscription', oid::bigint FROM pg_subscription
    WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"""
_NAMES: Final = """
    SELECT CASE u.oid WHEN 0 THEN 'catalogue ' || u.catalog
        ELSE coalesce(i.type || ' ' || i.identity, concat(u.catalog, ' ', u.oid)) END
    FROM unnest(%s::text[], %s::bigint[]) AS u (catalog, oid)
    LEFT JOIN LATERAL pg_identify_object(u.catalog::regclass, u.oid::oid, 0) AS i ON true
    ORDER BY 1"""


def read_unknown(session: Session, listed: Collection[Address], marks: Marks) -> tuple[str, ...]:
    """Names of all that somebody made and that is not `listed`, sorted, each once.

    What belongs to extensions is left out. What has a comment, a grant or a label that no listed
    object took counts too.
    """
    known = {address[:2] for address in listed}
    found = _made(session) - known
    found |= {address[:2] for address in marks.texts if address not in listed}
    found -= marks.members
    if found:
        found -= set(session.rows(_TEMPORARY, doing="listing what is temporary"))
    if not found:
        return ()
    catalogs, oids = zip(*sorted(found), strict=True)
    names = session.rows(_NAMES, [list(catalogs), list(oids)], doing="naming unknown objects")
    return tuple(sorted({name for (name,) in names}))


def _made(session: Session) -> set[tuple[str, int]]:
    """What somebody made, in all catalogues; one that cannot be read has OID 0."""
    queries = [_SUBSCRIPTIONS]
    hidden = set()
    for name, readable in session.rows(_CATALOGUES, doing="listing catalogues"):
        if name in _NEVER:
            continue
        if not readable:
            hidden.add((name, 0))
            continue
        parts = f" AND ({_PARTS[name]}) IS NOT TRUE" if name in _PARTS else ""
        queries.append(f"SELECT '{name}', oid::bigint FROM {name} WHERE oid >= 16384{parts}")
    rows = kept_rows(session, " UNION ALL ".join(queries), doing="listing what somebody made")
    return {(catalog, oid) for catalog, oid in rows} | hidden
