"""The rows that a transaction wrote, by table, as the server counts them itself.

Whatever writes a row moves the counters: a statement, a function, a trigger, a foreign key, COPY.
What was taken back within a block is counted as well. Not counted are rows that TRUNCATE or DROP
takes away, those that a table has when its storage is written anew, and foreign tables.
https://www.postgresql.org/docs/current/monitoring-stats.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dbops.change.schema import ObjectKind, ObjectName
from dbops.engines.postgresql.change_wire import ask
from dbops.engines.postgresql.connect import Session
from dbops.sql.written import Written

_KINDS: Final = {"r": ObjectKind.TABLE, "m": ObjectKind.MATERIALIZED_VIEW}
_WRITTEN: Final = """
    SELECT c.oid, c.relkind::pg_catalog.text, n.nspname, c.relname, s.ins, s.upd, s.del
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
        LATERAL (SELECT pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) AS ins,
            pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) AS upd,
            pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) AS del OFFSET 0) AS s
    WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT (n.nspname = 'dbops' AND c.relname IN ('dbops_change', 'dbops_run'))
        AND s.ins + s.upd + s.del > 0"""
_COUNTING: Final = "SELECT pg_catalog.current_setting('track_counts') = 'on'"
_DOING: Final = "counting the rows that were written"


class Counting:
    """Counts from the beginning of a transaction on.

    What earlier transactions of the session wrote may stand in the counters still.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._counts = self._is_on()
        self._zero = {oid: rows for oid, _, rows in self._read()}

    def written(self) -> Mapping[ObjectName, Written] | None:
        """What was written since; None where the server does not count, or did not all the time."""
        if not (self._counts and self._is_on()):
            return None
        found = {}
        for oid, name, rows in self._read():
            since = rows - self._zero.get(oid, Written())
            if since.total:
                found[name] = since
        return found

    def look(self) -> None:
        """Afterwards it is known whether the server still counts."""
        self._counts = self._counts and self._is_on()

    def _is_on(self) -> bool:
        return ask(self._session, _COUNTING, doing=_DOING) == [(True,)]

    def _read(self) -> list[tuple[int, ObjectName, Written]]:
        return [
            (oid, ObjectName(_KINDS[kind], (schema, name)), Written(*rows))
            for oid, kind, schema, name, *rows in ask(self._session, _WRITTEN, doing=_DOING)
        ]
