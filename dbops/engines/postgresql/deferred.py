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

NUMBER: Final = "cmin::pg_catalog.text::bigint"  # of the command that wrote the row


def fire(session: Session) -> None:
    """Afterwards deferred constraints were checked, and deferred triggers have run.

    So have those that these deferred, two times over. Raises psycopg.Error.
    """
    session.connection.execute(_FIRE_ALL.encode())


def last_numbers(session: Session, probe: str) -> list[int]:
    """The numbers of two commands between which all triggers were made to fire; one round trip.

    Each is `probe`, an INSERT of one row that returns NUMBER; the row is gone again. Fewer are
    returned where the row was not written as the statement says. Raises psycopg.Error.
    """
    tried = f"SAVEPOINT dbops_end; {probe}; ROLLBACK TO SAVEPOINT dbops_end; RELEASE dbops_end"
    cursor = session.connection.execute(f"{tried}; {_FIRE}; {tried}".encode())
    found: list[int] = []
    while True:
        if cursor.description:
            found += [number for (number,) in cursor]
        if not cursor.nextset():
            return found


def in_a_row(numbers: Sequence[int]) -> bool:
    """Whether no command between these wrote or locked anything."""
    return all(after == before + 1 for before, after in pairwise(numbers))
