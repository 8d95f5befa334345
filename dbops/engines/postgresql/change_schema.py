"""The schema of a PostgreSQL database as a value, read from its catalogues.

Texts are what the server itself prints, in a session whose settings are pinned while it reads:
another search path or time zone would print the same object differently. An object that belongs to
an extension is left out, and so is what belongs to such an object, whoever made it: the extension
has properties for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from psycopg.pq import TransactionStatus

from dbops.change.schema import Schema, schema_of
from dbops.engines.postgresql.change_schema_assembly import Assembly
from dbops.engines.postgresql.change_schema_conversions import conversion_queries
from dbops.engines.postgresql.change_schema_database import database_queries
from dbops.engines.postgresql.change_schema_kept import kept_rows
from dbops.engines.postgresql.change_schema_listing import rows_of
from dbops.engines.postgresql.change_schema_marks import read_marks
from dbops.engines.postgresql.change_schema_members import member_queries, with_members
from dbops.engines.postgresql.change_schema_operators import operator_queries
from dbops.engines.postgresql.change_schema_programs import program_queries
from dbops.engines.postgresql.change_schema_search import search_queries
from dbops.engines.postgresql.change_schema_system import FIRST_OWN_OID, read_system
from dbops.engines.postgresql.change_schema_tables import table_queries
from dbops.engines.postgresql.change_schema_types import type_queries
from dbops.engines.postgresql.change_schema_unknown import read_unknown
from dbops.engines.postgresql.change_schema_usual import read_usual
from dbops.engines.postgresql.connect import PINNED, Session
from dbops.errors import Refused

OLDEST_READ: Final = 14
"""The oldest major version whose catalogues are understood."""

# What decides how the server prints; the rest of what is pinned bounds and permits. Named last,
# the schema of temporary tables hides no catalogue. The compiler for expressions takes longer than
# to run these queries.
_PRINTING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "search_path": "pg_catalog, pg_temp",
        "jit": "off",
        **{
            name: PINNED[name]
            for name in (
                "timezone",
                "datestyle",
                "intervalstyle",
                "extra_float_digits",
                "bytea_output",
                "xmlbinary",
                "xmloption",
                "lc_monetary",
                "standard_conforming_strings",
                "array_nulls",
                "quote_all_identifiers",
            )
        },
    }
)
_GET: Final = (
    "SELECT n, pg_catalog.current_setting(n) FROM pg_catalog.unnest(%s::pg_catalog.text[]) AS n"
)
_SET: Final = """
    SELECT pg_catalog.set_config(
        (%s::pg_catalog.text[])[i], (%s::pg_catalog.text[])[i], true)
    FROM pg_catalog.generate_series(1, %s) AS i"""


def read_schema(session: Session) -> Schema:
    """Return the schema as the session sees it, uncommitted changes of its own included.

    It is read in the open transaction, or in one of its own, which is one snapshot then; nothing
    is changed, and settings are as they were. The transaction keeps ACCESS SHARE locks on what
    views and expressions refer to. dbops' own tables are left out, and its schema too where nothing
    else is in it.

    Raises Refused `server-too-old` before 14, Failed `schema-changed` where something came or went
    meanwhile, so that what belongs to it hangs in the air, and what a query raises.
    """
    _refuse_old(session)
    with _transaction(session), _pinned(session):
        marks = read_marks(session)
        # One statement, so that it sees one state in a READ COMMITTED transaction too.
        everything = " UNION ALL ".join(schema_queries(session.major))
        listed = rows_of(kept_rows(session, everything, doing="reading the schema"))
        # What somebody put on the server's own tables stays unlisted, and so is unknown.
        rows = [row for row in listed if row.of is None or row.of[1] >= FIRST_OWN_OID]
        rows += read_system(session, marks.texts)
        known = {row.address for row in rows}
        unknown = read_unknown(session, known, marks)
        assembly = Assembly(with_members(rows, marks), marks)
        objects = list(assembly.objects())
        usual = {**read_usual(session, objects), **assembly.usual()}
    return schema_of(objects, unknown, usual)


def _refuse_old(session: Session) -> None:
    if session.major < OLDEST_READ:
        raise Refused(
            "server-too-old",
            f"the server is {session.server}; dbops compares schemas of {OLDEST_READ} and newer",
            hint="upgrade the server",
        )


def schema_queries(major: int) -> Iterator[str]:
    """The listings of all kinds, as a server of a major version understands them."""
    yield from database_queries(major)
    yield from type_queries()
    yield from table_queries()
    yield from program_queries()
    yield from operator_queries()
    yield from search_queries()
    yield from conversion_queries(major)
    yield from member_queries()


@contextmanager
def _transaction(session: Session) -> Iterator[None]:
    """One snapshot, where no transaction is open yet."""
    if session.connection.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        if not session.connection.closed:
            session.run("ROLLBACK")


@contextmanager
def _pinned(session: Session) -> Iterator[None]:
    """The settings that decide how the server prints are dbops' own, and then as before."""
    names = list(_PRINTING)
    before: dict[str, str] = dict(session.rows(_GET, [names], doing="reading settings"))
    _set(session, _PRINTING)
    yield
    # After an error the transaction can only be rolled back, which takes the settings along.
    _set(session, before)


def _set(session: Session, values: Mapping[str, str]) -> None:
    pairs = [list(values), list(values.values()), len(values)]
    session.rows(_SET, pairs, doing="pinning settings")
