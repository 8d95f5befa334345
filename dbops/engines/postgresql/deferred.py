"""What is put off until COMMIT: made to happen before, and known to be no more.

Only a row that is written queues a trigger, and each command that writes a row, or a catalogue, or
locks a row, has a number of its own in the transaction (`cmin`), which nothing takes back:
https://www.postgresql.org/docs/current/ddl-system-columns.html. So where all triggers are made to
fire, and no number was used meanwhile, none is waiting any more. Whether the transaction is
read-only would say less: before PostgreSQL 16 RESET ends that, as a superuser does with counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from dbops.engines.postgresql.connect import Session

_FIRE: Final = "SET CONSTRAINTS ALL IMMEDIATE"
# A trigger may defer others for a good reason: to write a child before its parent.
_FIRE_ALL: Final = f"{_FIRE}; {_FIRE}; {_FIRE}"
_PROBES: Final = 2

NUMBER: Final = "cmin::pg_catalog.text::bigint"  # of the command that wrote the row


def fire(session: Session) -> None:
    """Afterwards deferred constraints were checked, and deferred triggers have run.

    So have those that these deferred, two times over. Raises psycopg.Error.
    """
    session.connection.execute(_FIRE_ALL.encode())


def is_quiet(session: Session, probe: str, known: Sequence[int] = ()) -> bool:
    """Whether no trigger waits for COMMIT any more; all were made to fire. One round trip.

    `probe` is an INSERT of one row that returns NUMBER; the row is gone again. `known` are numbers
    of commands that dbops ran last, and none else may have written or locked anything since the
    first of these. Not so either where the probe writes no row. Raises psycopg.Error.
    """
    numbers = _numbers(session, f"{_tried(probe)}; {_FIRE}; {_tried(probe)}")
    return len(numbers) == _PROBES and all(
        after == before + 1 for before, after in pairwise([*known, *numbers])
    )


def _tried(probe: str) -> str:
    return (
        f"SAVEPOINT dbops_end; {probe};"
        " ROLLBACK TO SAVEPOINT dbops_end; RELEASE SAVEPOINT dbops_end"
    )


def _numbers(session: Session, script: str) -> list[int]:
    """The numbers that the statements of the script yield."""
    cursor = session.connection.execute(script.encode())
    found: list[int] = []
    while True:
        if cursor.description:
            found += [number for (number,) in cursor]
        if not cursor.nextset():
            return found
