"""Whether the login that changes schemas may: it gets in, keeps the journal, owns what is there.

Only catalogs are read. A superuser can all of it; PostgreSQL lets nobody alter an object but its
owner and the owner's members. https://www.postgresql.org/docs/current/ddl-priv.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dbops.doctor.finding import Finding, ok, problem, problem_of, warning
from dbops.engines.postgresql.change_journal import NAME, SCHEMA, TABLE, read_journal
from dbops.engines.postgresql.change_opening import refuse_unfit, state_of
from dbops.engines.postgresql.connect import Parameters, Session, connect
from dbops.errors import DbopsError

_ROLE: Final = """
    SELECT quote_ident(current_user), rolsuper, quote_ident(current_database())
    FROM pg_roles WHERE rolname = current_user"""
_JOURNAL: Final = f"""
    SELECT CASE WHEN c.oid IS NOT NULL THEN has_schema_privilege(n.oid, 'USAGE')
            AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        WHEN n.oid IS NOT NULL
            THEN has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')
        ELSE has_database_privilege(current_database(), 'CREATE') END,
        c.oid IS NOT NULL, n.oid IS NOT NULL
    FROM (SELECT) AS one LEFT JOIN pg_namespace AS n ON n.nspname = '{SCHEMA}'
    LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = '{NAME}'"""  # noqa: S608 - constants
_SCHEMAS: Final = f"""
    SELECT n.oid, quote_ident(n.nspname) AS name FROM pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '{SCHEMA}')
        AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_namespace'::regclass
            AND d.objid = n.oid AND d.deptype = 'e')"""  # noqa: S608 - constants
_OWNED: Final = f"""
    SELECT name, mine, quote_ident(pg_get_userbyid(owner)) FROM (
        SELECT s.name || '.' || quote_ident(c.relname) AS name, c.relowner AS owner,
            pg_has_role(c.relowner, 'USAGE') AS mine
        FROM pg_class AS c JOIN ({_SCHEMAS}) AS s ON s.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                AND d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT s.name || '.' || quote_ident(p.proname), p.proowner,
            pg_has_role(p.proowner, 'USAGE')
        FROM pg_proc AS p JOIN ({_SCHEMAS}) AS s ON s.oid = p.pronamespace
        WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass
            AND d.objid = p.oid AND d.deptype = 'e')) AS o
    ORDER BY name"""  # noqa: S608 - constants
_CLOSED: Final = f"""
    SELECT name FROM ({_SCHEMAS}) AS s WHERE NOT has_schema_privilege(s.oid, 'CREATE')
        AND EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = s.oid)
    ORDER BY name"""  # noqa: S608 - constants
_SHOWN: Final = 6
_THINGS: Final = "tables, views, sequences and functions"


def inspect_admin(params: Parameters) -> Iterator[Finding]:
    """Findings about the login; raises DbopsError where it is not let in."""
    with connect(params) as session:
        yield ok("admin-connects", f"{params.user} is let into {params.dbname} to change schemas")
        try:
            refuse_unfit(session, state_of(session, "opening the session"))
        except DbopsError as failure:
            yield problem_of(failure)
        ((role, superuser, database),) = session.rows(_ROLE)
        yield from _check_journal(session, role, database)
        if superuser:
            yield ok("admin-role", f"role {role} is a superuser: it alters everything")
            return
        yield from _check_owned(session, role)
        yield from _check_schemas(session, role)


def _check_journal(session: Session, role: str, database: str) -> Iterator[Finding]:
    ((may, table, schema),) = session.rows(_JOURNAL)
    if may:
        try:
            read_journal(session)
        except DbopsError as failure:
            yield problem_of(failure)
            return
        word = "keeps" if table else "can make"
        yield ok("admin-journal", f"role {role} {word} the journal of changes, {TABLE}")
        return
    if table:
        advice = (
            f"GRANT USAGE ON SCHEMA {SCHEMA} TO {role}; GRANT SELECT, INSERT ON {TABLE} TO {role}"
        )
    elif schema:
        advice = f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {role}"
    else:
        advice = f"GRANT CREATE ON DATABASE {database} TO {role}"
    verb = "write" if table else "make"
    text = f"role {role} cannot {verb} the journal of changes, {TABLE}"
    yield problem("admin-journal", text, advice)


def _check_owned(session: Session, role: str) -> Iterator[Finding]:
    found = session.rows(_OWNED)
    others = [(name, owner) for name, mine, owner in found if not mine]
    if not others:
        yield ok("admin-role", f"role {role} alters all of {len(found)} {_THINGS}")
        return
    owners = ", ".join(sorted({owner for _, owner in others}))
    text = (
        f"role {role} cannot alter {len(others)} of {len(found)} {_THINGS}:"
        f" {_listed(name for name, _ in others)}"
    )
    advice = f"GRANT {owners} TO {role}, or name their owner under admin in dbops.toml"
    if len(others) == len(found):
        yield problem("admin-not-owner", text, advice)
    else:
        yield warning("admin-not-owner", text, advice)


def _check_schemas(session: Session, role: str) -> Iterator[Finding]:
    closed: Sequence[str] = [name for (name,) in session.rows(_CLOSED)]
    if closed:
        yield warning(
            "admin-schema",
            f"role {role} can make nothing in schema {_listed(closed)}",
            f"GRANT CREATE ON SCHEMA {', '.join(closed)} TO {role}",
        )


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return f"{', '.join(every[:_SHOWN])}{more}"
