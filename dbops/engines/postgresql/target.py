"""The database that a restore writes to: what is in its way, and how to clear it."""

from __future__ import annotations

from collections import defaultdict

from dbops.engines.postgresql.connect import Parameters, Session, connect, quoted
from dbops.engines.postgresql.database import (
    DatabaseProperties,
    Provider,
    create_database,
    unfinished,
)
from dbops.engines.postgresql.toc import one_line
from dbops.errors import NotFound, Refused

_MAINTENANCE = ("postgres", "template1")
_SHOWN = 3

# What initdb makes has an OID below this: src/include/access/transam.h, FirstNormalObjectId.
_FIRST_OWN = 16384
_NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = '{catalog}'::regclass"
    " AND d.objid = o.oid AND d.deptype = 'e')"
)
_IN_SCHEMA = (
    "JOIN pg_namespace AS n ON n.oid = o.{column}"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
)
_RELATION = "CASE o.relkind {} END".format(
    " ".join(
        f"WHEN '{letter}' THEN '{kind}'"
        for letter, kind in {
            "r": "table",
            "p": "table",
            "f": "foreign table",
            "v": "view",
            "m": "materialized view",
            "S": "sequence",
            "c": "type",
        }.items()
    )
)
_QUALIFIED = "pg_catalog.format('%I.%I', n.nspname, o.{name})"
# Catalog, kind, name, join, further condition.
_CATALOGS: tuple[tuple[str, str, str, str, str], ...] = (
    ("pg_namespace", "'schema'", "o.nspname", "", "o.nspname !~ '^pg_' AND o.nspname <> 'public'"),
    (
        "pg_class",
        _RELATION,
        _QUALIFIED.format(name="relname"),
        _IN_SCHEMA.format(column="relnamespace"),
        "o.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c')",
    ),
    (
        "pg_proc",
        "'function'",
        _QUALIFIED.format(name="proname"),
        _IN_SCHEMA.format(column="pronamespace"),
        "true",
    ),
    (
        "pg_type",
        "'type'",
        _QUALIFIED.format(name="typname"),
        _IN_SCHEMA.format(column="typnamespace"),
        "o.typrelid = 0 AND o.typcategory <> 'A' AND o.typtype <> 'm'",
    ),
    (
        "pg_operator",
        "'operator'",
        _QUALIFIED.format(name="oprname"),
        _IN_SCHEMA.format(column="oprnamespace"),
        "true",
    ),
    ("pg_foreign_data_wrapper", "'foreign data wrapper'", "o.fdwname", "", "true"),
    ("pg_foreign_server", "'foreign server'", "o.srvname", "", "true"),
    ("pg_event_trigger", "'event trigger'", "o.evtname", "", "true"),
    ("pg_publication", "'publication'", "o.pubname", "", "true"),
    ("pg_largeobject_metadata", "'large object'", "o.oid::text", "", "true"),
)


def obstacles(session: Session) -> tuple[str, ...]:
    """What a restore into this database would meet: names and counts; empty where nothing.

    Extensions and what belongs to them are no obstacle. A restore that began here and did not
    end comes first.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for catalog, kind, name, join, condition in _CATALOGS:
        own = _NOT_OF_EXTENSION.format(catalog=catalog)
        query = (
            f"SELECT ({kind})::text, ({name})::text FROM {catalog} AS o {join}"  # noqa: S608 - constants
            f" WHERE o.oid >= {_FIRST_OWN} AND {condition} AND {own} ORDER BY 2"
        )
        for of_kind, named in session.rows(query):
            found[of_kind].append(named)
    begun = unfinished(session)
    first = [f"an unfinished restore of {begun}"] if begun is not None else []
    return (*first, *(_sentence(kind, names) for kind, names in found.items()))


def refuse_obstacles(session: Session) -> None:
    """Raises Refused `target-not-empty`, naming what is in the way."""
    found = obstacles(session)
    if found:
        database = session.connection.info.dbname
        raise Refused(
            "target-not-empty",
            f"database {database} at {session.parameters.where} is not empty: {'; '.join(found)}",
            hint="restore into an empty database, or name this one to have it cleared",
        )


def clear(params: Parameters) -> None:
    """The database is dropped and made again, empty, with its encoding, locale and owner.

    Dropping what lies in it instead would leave what dbops does not know of, and needs a lock for
    every object at once. Nobody is thrown out: where a session is connected, this is refused, for
    it may be the hospital's. After a crash between the two steps the database does not exist,
    which nobody takes for a restored one. Grants and settings of the database itself are gone;
    a restore brings the source's.
    """
    elsewhere = next(name for name in _MAINTENANCE if name != params.dbname)
    with connect(params, dbname=elsewhere) as session:
        properties, tablespace = _properties(session, params.dbname)
        session.run(f"DROP DATABASE {quoted(params.dbname)}", doing=f"clearing {params.dbname}")
        create_database(session, params.dbname, properties)
        name = quoted(params.dbname)
        session.run(f"ALTER DATABASE {name} OWNER TO {quoted(properties.owner)}")
        session.run(f"ALTER DATABASE {name} SET TABLESPACE {quoted(tablespace)}")


def _properties(session: Session, name: str) -> tuple[DatabaseProperties, str]:
    """What `create_database` needs to make it again, and its tablespace."""
    locale = "NULL::text" if session.major < 15 else "d.daticulocale"
    locale = "d.datlocale" if session.major >= 17 else locale
    provider = "d.datlocprovider::text" if session.major >= 15 else "'c'"
    rules = "d.daticurules" if session.major >= 16 else "NULL::text"
    rows = session.rows(
        "SELECT pg_encoding_to_char(d.encoding)::text, d.datcollate::text,"  # noqa: S608 - constants
        f" d.datctype::text, {provider}, {locale}, {rules}, r.rolname, t.spcname"
        " FROM pg_database AS d JOIN pg_roles AS r ON r.oid = d.datdba"
        " JOIN pg_tablespace AS t ON t.oid = d.dattablespace WHERE d.datname = %s",
        [name],
    )
    if not rows:
        raise NotFound(
            "database-missing",
            f"database {name} does not exist at {session.parameters.where}",
            hint=f"createdb {name}",
        )
    encoding, collate, ctype, letter, icu, icu_rules, owner, tablespace = rows[0]
    properties = DatabaseProperties(
        encoding=encoding,
        collate=collate,
        ctype=ctype,
        provider=Provider(letter),
        locale=icu,
        rules=icu_rules,
        owner=owner,
        limit=-1,
        comment=None,
        grants=None,
        settings=(),
    )
    return properties, tablespace


def _sentence(kind: str, names: list[str]) -> str:
    shown = one_line(", ".join(names[:_SHOWN]))
    more = ", ..." if len(names) > _SHOWN else ""
    plural = "" if len(names) == 1 else "s"
    return f"{len(names)} {kind}{plural} ({shown}{more})"
