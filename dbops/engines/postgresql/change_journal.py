"""The journal of changes in PostgreSQL: `dbops.dbops_change`, to which rows are only ever added.

It is made outside of any change's transaction. Rows are numbered by those that are there, not by
the identity's sequence: a step could set that, which no ROLLBACK takes back. What somebody else
made under its name is not written to and not believed: a trigger or a rule could put anything into
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from psycopg.rows import TupleRow

from dbops.change.ports import JournalEntry, Progress
from dbops.change.step import Direction
from dbops.engines.postgresql.change_opening import JOURNAL_KEY
from dbops.engines.postgresql.change_wire import ask, command
from dbops.engines.postgresql.connect import Session
from dbops.errors import Refused

SCHEMA: Final = "dbops"
NAME: Final = "dbops_change"
TABLE: Final = f"{SCHEMA}.{NAME}"

_CREATE: Final = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        sequence bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run text NOT NULL,
        work text NOT NULL,
        plan text NOT NULL,
        direction text NOT NULL,
        step integer NOT NULL,
        name text NOT NULL,
        sha256 text NOT NULL,
        progress text NOT NULL,
        approval text NOT NULL,
        at timestamptz NOT NULL,
        login text NOT NULL
    )"""
_COMMENT: Final = (
    f"COMMENT ON TABLE {TABLE} IS 'One row for each step of a schema change by dbops, and for the"
    " beginning of one outside of a transaction. Rows are only ever added.'"
)
_INT8, _INT4, _TEXT, _TIMESTAMPTZ = 20, 23, 25, 1184
_COLUMNS: Final = (
    ("sequence", _INT8, -1, True, "a"),
    ("run", _TEXT, -1, True, ""),
    ("work", _TEXT, -1, True, ""),
    ("plan", _TEXT, -1, True, ""),
    ("direction", _TEXT, -1, True, ""),
    ("step", _INT4, -1, True, ""),
    ("name", _TEXT, -1, True, ""),
    ("sha256", _TEXT, -1, True, ""),
    ("progress", _TEXT, -1, True, ""),
    ("approval", _TEXT, -1, True, ""),
    ("at", _TIMESTAMPTZ, -1, True, ""),
    ("login", _TEXT, -1, True, ""),
)
_OID: Final = f"pg_catalog.to_regclass('{TABLE}')"
_ATTRIBUTES: Final = f"""
    SELECT a.attname, a.atttypid, a.atttypmod, a.attnotnull,
        a.attidentity::pg_catalog.text
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = {_OID} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""  # noqa: S608 - constants
# Whatever would change what is written, or who sees it.
_PLAIN: Final = f"""
    SELECT c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relrowsecurity
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef AS d WHERE d.adrelid = c.oid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i
            WHERE c.oid IN (i.inhrelid, i.inhparent))
        AND (SELECT pg_catalog.count(*) = 1 AND pg_catalog.bool_and(x.indisprimary
                AND x.indkey::pg_catalog.text = '1' AND x.indisvalid)
            FROM pg_catalog.pg_index AS x WHERE x.indrelid = c.oid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype NOT IN ('p', 'n'))
    FROM pg_catalog.pg_class AS c WHERE c.oid = {_OID}"""  # noqa: S608 - constants
_READ: Final = f"""
    SELECT sequence, run, work, plan, direction, step, name, sha256, progress, approval
    FROM {TABLE} ORDER BY sequence"""  # noqa: S608 - constants
_NOTE: Final = f"""
    INSERT INTO {TABLE}
        (sequence, run, work, plan, direction, step, name, sha256, progress, approval, at, login)
        OVERRIDING SYSTEM VALUE
    VALUES ((SELECT coalesce(pg_catalog.max(j.sequence), 0) + 1 FROM {TABLE} AS j),
        %s, %s, %s, %s, %s, %s, %s, %s, %s, pg_catalog.clock_timestamp(), session_user)"""  # noqa: S608 - constants


def make_journal(session: Session) -> None:
    """Afterwards the journal is there; raises Refused `change-journal` for another table."""
    if not _is_there(session):
        _create(session)
    _refuse_other(session)


def read_journal(session: Session) -> tuple[JournalEntry, ...]:
    """All entries in their order; none where there is no journal."""
    if not _is_there(session):
        return ()
    _refuse_other(session)
    return tuple(_entry(row) for row in ask(session, _READ, doing="reading the journal"))


def note_entries(session: Session, entries: Sequence[JournalEntry]) -> None:
    """Afterwards the entries are behind all others, as far as the transaction goes.

    Whoever writes holds the work, so nobody else finds the same number.
    """
    for each in entries:
        values = [
            each.run,
            each.work,
            each.plan,
            each.direction.value,
            each.step,
            each.name,
            each.sha256,
            each.progress.value,
            each.approval,
        ]
        command(session, _NOTE, values, doing="writing the journal")


def _create(session: Session) -> None:
    """In a transaction of its own; whoever does the same meanwhile waits."""
    doing = "making the journal"
    command(session, "BEGIN", doing=doing)
    ask(session, "SELECT pg_catalog.pg_advisory_xact_lock(%s::bigint)", [JOURNAL_KEY], doing=doing)
    there = ask(session, "SELECT pg_catalog.to_regnamespace('dbops') IS NOT NULL", doing=doing)
    if there != [(True,)]:
        command(session, f"CREATE SCHEMA {SCHEMA}", doing=doing)
    command(session, _CREATE, doing=doing)
    command(session, _COMMENT, doing=doing)
    command(session, "COMMIT", doing=doing)


def _is_there(session: Session) -> bool:
    return ask(session, f"SELECT {_OID} IS NOT NULL", doing="finding the journal") == [(True,)]


def _refuse_other(session: Session) -> None:
    columns = ask(session, _ATTRIBUTES, doing="looking at the journal")
    plain = ask(session, _PLAIN, doing="looking at the journal")
    if tuple(columns) != _COLUMNS or plain != [(True,)]:
        raise Refused(
            "change-journal",
            f"{TABLE} in database {session.parameters.dbname} is not the table that dbops makes: "
            "other columns, or a trigger, rule, index, default or policy on it",
            hint=f"look at it in psql (\\d {TABLE}), and take away what somebody added",
        )


def _entry(row: TupleRow) -> JournalEntry:
    try:
        return JournalEntry(
            sequence=row[0],
            run=row[1],
            work=row[2],
            plan=row[3],
            direction=Direction(row[4]),
            step=row[5],
            name=row[6],
            sha256=row[7],
            progress=Progress(row[8]),
            approval=row[9],
        )
    except ValueError:
        raise Refused(
            "change-journal",
            f"row {row[0]} of {TABLE} says a direction or a progress that dbops does not write",
            hint="somebody wrote to the journal by hand: compare it with the ledger",
        ) from None
