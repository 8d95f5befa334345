"""The server's own check of a restored database: amcheck over every table and B-tree index.

The functions that `pg_amcheck` calls are called here directly, in a transaction that is rolled
back: the extension is needed, and must leave nothing behind in the database that is compared
afterwards. Where it is not installed on the server, every table is read whole instead, which finds
broken pages but not a wrong index; `has_amcheck` tells, and a scratch place says so in its title.
Source: https://www.postgresql.org/docs/current/amcheck.html
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from dbops.engines.postgresql.connect import Parameters, Session, connect, quoted
from dbops.engines.postgresql.faults import server_fault

_DOING = "checking"
_INVALID = """
    SELECT i.indexrelid::regclass::text
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready AND i.indislive) ORDER BY 1"""
_TABLES = """
    SELECT c.oid, c.oid::regclass::text, c.relam = (SELECT oid FROM pg_am WHERE amname = 'heap')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND c.relispopulated
        AND n.nspname !~ '^pg_(temp|toast)' AND n.nspname <> 'information_schema' ORDER BY 2"""
_INDEXES = """
    SELECT i.indexrelid, i.indexrelid::regclass::text
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready
        AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree') ORDER BY 2"""

_HEAP = "SELECT count(*) FROM {place}.verify_heapam(%s::oid::regclass, check_toast => true)"
_INDEX = "SELECT count(*) FROM {place}.bt_index_check(%s::oid::regclass, heapallindexed => true)"
_WHOLE = "SELECT count(whole.*::text) FROM ONLY {table} AS whole"


def check_database(params: Parameters) -> tuple[str, ...]:
    """What is wrong, naming tables and indexes only; empty where nothing is."""
    with connect(params) as session:
        invalid = (f"index {name} is not valid" for (name,) in session.rows(_INVALID, doing=_DOING))
        session.run("BEGIN", doing=_DOING)
        try:
            return (*invalid, *_everything(session))
        finally:
            session.run("ROLLBACK", doing=_DOING)


def has_amcheck(session: Session) -> bool:
    """Whether the server has the extension, installed in this database or not."""
    query = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck')"
    return bool(session.value(query, doing=_DOING))


def _everything(session: Session) -> Iterator[str]:
    place = _amcheck(session) if has_amcheck(session) else None
    for oid, name, is_heap in session.rows(_TABLES, doing=_DOING):
        if place is not None and is_heap:
            yield from _check_heap(session, place, oid, name)
        else:
            yield from _read_whole(session, name)
    if place is not None:
        for oid, name in session.rows(_INDEXES, doing=_DOING):
            yield from _check_index(session, place, oid, name)


def _amcheck(session: Session) -> str:
    """The schema in which the extension's functions are, until the transaction ends."""
    installed = session.rows(
        "SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'amcheck'"
    )
    if installed:
        return quoted(installed[0][0])
    # The database's own event triggers have no business here.
    session.run("SET LOCAL session_replication_role = replica", doing=_DOING)
    session.run("CREATE SCHEMA dbops_amcheck", doing=_DOING)
    session.run("CREATE EXTENSION amcheck SCHEMA dbops_amcheck", doing=_DOING)
    session.run("SET LOCAL session_replication_role = origin", doing=_DOING)
    return "dbops_amcheck"


def _check_heap(session: Session, place: str, oid: int, name: str) -> Iterator[str]:
    count, state = _tried(session, _HEAP.format(place=place), oid)
    if state is not None:
        yield f"table {name}: amcheck cannot read it ({state})"
    elif count:
        yield f"table {name}: amcheck finds {count} faults"


def _check_index(session: Session, place: str, oid: int, name: str) -> Iterator[str]:
    _, state = _tried(session, _INDEX.format(place=place), oid)
    if state is not None:
        yield f"index {name}: amcheck finds a fault ({state})"


def _read_whole(session: Session, name: str) -> Iterator[str]:
    _, state = _tried(session, _WHOLE.format(table=name), None)
    if state is not None:
        yield f"table {name}: the server cannot read it ({state})"


def _tried(session: Session, query: str, oid: int | None) -> tuple[int, str | None]:
    """The number that the query gives, or the SQLSTATE of its failure; locks are let go."""
    connection = session.connection
    try:
        connection.execute("SAVEPOINT dbops")
        try:
            row = connection.execute(
                session.encoding.encode(query), None if oid is None else [oid]
            ).fetchone()
            return (row[0] if row else 0), None
        except psycopg.Error as error:
            if connection.closed or error.sqlstate is None:
                raise
            return 0, error.sqlstate
        finally:
            if not connection.closed:
                connection.execute("ROLLBACK TO SAVEPOINT dbops")
    except psycopg.Error as error:
        raise server_fault(error.sqlstate, _DOING) from None
