"""Looks on, from a second connection, at the locks that a step takes which holds them no longer.

What stands outside of a transaction has let go of all its locks when it ends. So they are asked for
while it runs, again and again. A lock between two looks is missed: what the documentation says of
the step is added by `change_alone_effects`.
https://www.postgresql.org/docs/current/view-pg-locks.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Final

from dbops.engines.postgresql.change_effects import rank
from dbops.engines.postgresql.connect import Session, connect

_FIRST, _LONGEST, _SLOWER = 0.002, 0.25, 1.1  # seconds between two looks, and how that grows
_LOCKS: Final = """
    SELECT l.relation, l.mode FROM pg_catalog.pg_locks AS l
    WHERE l.pid = %s AND l.locktype = 'relation' AND l.granted
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database())"""


@contextmanager
def watched(session: Session) -> Iterator[Mapping[int, str]]:
    """Afterwards the mapping has the strongest lock that was seen of each relation, by OID.

    Raises what `connect` raises, and Unreachable where the second connection is lost.
    """
    found: dict[int, str] = {}
    ended = Event()
    with connect(session.parameters) as eye:
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(_look_on, eye, session.backend, ended, found)
            try:
                yield found
            finally:
                ended.set()
        looking.result()


def _look_on(eye: Session, backend: int, ended: Event, found: dict[int, str]) -> None:
    pause = _FIRST
    while not ended.wait(pause):
        for oid, mode in eye.rows(_LOCKS, [backend], doing="looking at locks"):
            if rank(mode) > rank(found.get(oid)):
                found[oid] = mode
        pause = min(_LONGEST, pause * _SLOWER)
