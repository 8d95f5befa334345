"""Statements that the server parses and plans once in a session, however often they are run.

To compile the large queries of a schema takes longer than to run them, and a change holds its locks
meanwhile. What is prepared belongs to the session, so a step can end it, or prepare other words
under its name, even the same words with another meaning (strings under other settings). So the
server is asked first whether what it has is still of the instant in which dbops prepared it. Where
the search path is another one than then, the server itself compiles it again.
"""

from __future__ import annotations

import hashlib
from typing import Final

from psycopg.rows import TupleRow

from dbops.engines.postgresql.connect import Session

_PREFIX: Final = "dbops_kept_"
_WHEN: Final = "SELECT prepare_time::text FROM pg_prepared_statements WHERE name = %s"


def kept_rows(session: Session, query: str, *, doing: str) -> list[TupleRow]:
    """All rows of a query without parameters; from the second time on the server only runs it.

    The settings that decide how the server reads and prints are pinned. What is prepared stays
    until the session ends. Raises what a query raises.
    """
    name = _PREFIX + hashlib.sha256(query.encode()).hexdigest()[:16]
    found = session.rows(_WHEN, [name], doing=doing)
    if not found or found[0][0] != session.kept.get(name):
        if found:
            session.run(f"DEALLOCATE {name}", doing=doing)
        session.run(f"PREPARE {name} AS {query}", doing=doing)
        session.kept[name] = session.value(_WHEN, [name], doing=doing)
    return session.rows(f"EXECUTE {name}", doing=doing)
