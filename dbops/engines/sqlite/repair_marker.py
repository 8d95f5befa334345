"""The table `dbops_run`: a row for each transaction of dbops that committed.

Its SQL is what any SQLite of the last fifteen years reads, because the application's own must go
on opening the file.
"""

from __future__ import annotations

from datetime import datetime

import apsw

from dbops.engines.sqlite.repair_guard import MARKER_TABLE
from dbops.errors import Failed, Refused
from dbops.repair.ports import Marker, MarkerKind

COLUMNS = ("run", "work", "plan", "kind", "batch", "bundle", "undoes", "upto", "at")

CREATE = f"""\
CREATE TABLE IF NOT EXISTS {MARKER_TABLE} (
  run TEXT NOT NULL PRIMARY KEY,
  work TEXT NOT NULL,
  plan TEXT NOT NULL,
  kind TEXT NOT NULL,
  batch INTEGER NOT NULL,
  bundle TEXT NOT NULL,
  undoes TEXT UNIQUE,
  upto TEXT,
  at TEXT NOT NULL,
  UNIQUE (work, plan, kind, batch)
);
"""
DROP = f"DROP TABLE IF EXISTS {MARKER_TABLE};\n"

_LISTED = ", ".join(COLUMNS)
_SELECT = f"SELECT {_LISTED} FROM main.{MARKER_TABLE}"  # noqa: S608 - constants
_INSERT = f"INSERT OR ABORT INTO main.{MARKER_TABLE} ({_LISTED}) VALUES (?,?,?,?,?,?,?,?,?)"  # noqa: S608


def is_prepared(connection: apsw.Connection) -> bool:
    """Whether the marker table is there, with its columns."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?, 'main')", (MARKER_TABLE,))
    return tuple(str(name) for (name,) in rows) == COLUMNS


def refuse_unprepared(connection: apsw.Connection, name: str) -> None:
    """Raise Refused `repair-not-prepared` where the marker table is missing."""
    if not is_prepared(connection):
        raise Refused(
            "repair-not-prepared",
            f"{name} has no table {MARKER_TABLE}, in which a repair notes that it committed",
            hint=f"have it made, once: dbops repair prepare {name}",
        )


def read_markers(connection: apsw.Connection, work: str) -> tuple[Marker, ...]:
    """What has committed of this work, in order."""
    rows = connection.execute(f"{_SELECT} WHERE work = ? ORDER BY rowid", (work,))
    return tuple(_marker(row) for row in rows)


def has_run(connection: apsw.Connection, run: str, work: str) -> bool:
    """Whether that run of the work has committed."""
    return any(marker.run == run for marker in read_markers(connection, work))


def write_marker(connection: apsw.Connection, marker: Marker, at: datetime) -> None:
    """Afterwards the marker is there; Refused `already-run` where it, or an equal one, was."""
    values = (
        marker.run,
        marker.work,
        marker.plan,
        marker.kind.value,
        marker.batch,
        marker.bundle,
        marker.undoes,
        marker.upto,
        at.isoformat(timespec="milliseconds"),
    )
    try:
        connection.execute(_INSERT, values)
    except apsw.ConstraintError:
        raise Refused(
            "already-run",
            f"{marker.work} has run already on this database, or what it undoes is undone",
            hint=f"see what ran: dbops audit log --work {marker.work}",
        ) from None


def _marker(row: tuple[apsw.SQLiteValue, ...]) -> Marker:
    run, work, plan, kind, batch, bundle, undoes, upto, _ = row
    try:
        return Marker(
            run=str(run),
            work=str(work),
            plan=str(plan),
            kind=MarkerKind(str(kind)),
            batch=int(str(batch)),
            bundle=str(bundle),
            undoes=None if undoes is None else str(undoes),
            upto=None if upto is None else str(upto),
        )
    except ValueError:
        raise Failed(
            "marker-form",
            f"{MARKER_TABLE} holds a row that dbops did not write",
            hint="look at the rows of that table, and ask who wrote them",
        ) from None
