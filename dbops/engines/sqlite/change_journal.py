"""The table `dbops_change`: which steps of which change began or are done on this file.

Its SQL is what any SQLite of the last fifteen years reads, because the application's own must go
on opening the file. A table of that name with other columns, or with a trigger, is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import apsw

from dbops.change.ports import JournalEntry, Progress
from dbops.change.step import Direction
from dbops.engines.sqlite.change_schema import JOURNAL
from dbops.errors import Refused

CREATE: Final = f"""\
CREATE TABLE {JOURNAL} (
  sequence INTEGER NOT NULL PRIMARY KEY,
  run TEXT NOT NULL,
  work TEXT NOT NULL,
  plan TEXT NOT NULL,
  direction TEXT NOT NULL,
  step INTEGER NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  progress TEXT NOT NULL,
  approval TEXT NOT NULL,
  at TEXT NOT NULL
)"""
_COLUMNS: Final = (
    ("sequence", "INTEGER", 1, 1),
    ("run", "TEXT", 1, 0),
    ("work", "TEXT", 1, 0),
    ("plan", "TEXT", 1, 0),
    ("direction", "TEXT", 1, 0),
    ("step", "INTEGER", 1, 0),
    ("name", "TEXT", 1, 0),
    ("sha256", "TEXT", 1, 0),
    ("progress", "TEXT", 1, 0),
    ("approval", "TEXT", 1, 0),
    ("at", "TEXT", 1, 0),
)
_LISTED: Final = ", ".join(name for name, *_ in _COLUMNS[1:])
_SELECT: Final = f"SELECT sequence, {_LISTED} FROM main.{JOURNAL} ORDER BY sequence"  # noqa: S608
_INSERT: Final = f"INSERT OR ABORT INTO main.{JOURNAL} ({_LISTED}) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608


def is_there(connection: apsw.Connection, database: str) -> bool:
    """Whether the journal is there; Refused `change-journal` for anything else of its name."""
    named = connection.execute(
        "SELECT type, tbl_name = ?1 COLLATE NOCASE AND type = 'table' FROM main.sqlite_schema"
        " WHERE name = ?1 COLLATE NOCASE OR tbl_name = ?1 COLLATE NOCASE AND type <> 'table'",
        (JOURNAL,),
    ).fetchall()
    if not named:
        return False
    found = connection.execute(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?, 'main') ORDER BY cid",
        (JOURNAL,),
    ).fetchall()
    if found != list(_COLUMNS) or named != [("table", 1)]:
        raise Refused(
            "change-journal",
            f"{database} has a table {JOURNAL} that is not as dbops makes it",
            hint=f"see what it is, and rename it if it is another's: .schema {JOURNAL}",
        )
    return True


def read_journal(connection: apsw.Connection, database: str) -> tuple[JournalEntry, ...]:
    """All entries in their order; none where there is no journal."""
    if not is_there(connection, database):
        return ()
    return tuple(_entry(row, database) for row in connection.execute(_SELECT).fetchall())


def write_journal(
    connection: apsw.Connection, entries: Sequence[JournalEntry], at: datetime
) -> None:
    """Afterwards the journal has the entries behind all others."""
    moment = at.isoformat(timespec="milliseconds")
    for entry in entries:
        values = (
            entry.run,
            entry.work,
            entry.plan,
            entry.direction.value,
            entry.step,
            entry.name,
            entry.sha256,
            entry.progress.value,
            entry.approval,
            moment,
        )
        connection.execute(_INSERT, values)


def _entry(row: tuple[apsw.SQLiteValue, ...], database: str) -> JournalEntry:
    sequence, run, work, plan, direction, step, name, sha256, progress, approval, _ = row
    try:
        return JournalEntry(
            run=str(run),
            work=str(work),
            plan=str(plan),
            direction=Direction(str(direction)),
            step=int(str(step)),
            name=str(name),
            sha256=str(sha256),
            progress=Progress(str(progress)),
            sequence=int(str(sequence)),
            approval=str(approval),
        )
    except ValueError:
        raise Refused(
            "change-journal",
            f"{JOURNAL} of {database} holds a row that dbops did not write",
            hint="look at the rows of that table, and ask who wrote them",
        ) from None
