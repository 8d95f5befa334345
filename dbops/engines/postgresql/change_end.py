"""Nothing is left that COMMIT, or the end of the session, would do behind the judgement.

COMMIT runs code of two sorts: triggers that were put off until then (see `deferred`), and the
queries of cursors WITH HOLD.

Temporary objects vanish at COMMIT or with the session, and take along whatever depends on them.
"""

from __future__ import annotations

from typing import Final

from dbops.engines.postgresql.change_faults import changing
from dbops.engines.postgresql.change_journal import TABLE
from dbops.engines.postgresql.change_wire import ask
from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.deferred import NUMBER, fire, is_quiet
from dbops.errors import Refused

# No trigger or rule is on the journal.
_PROBE: Final = f"""
    INSERT INTO {TABLE} (sequence, run, work, plan, direction, step, name, sha256, progress,
            approval, at, login) OVERRIDING SYSTEM VALUE
        VALUES (-pg_catalog.pg_backend_pid(), '', '', '', '', 0, '', '', '', '',
            pg_catalog.now(), '') RETURNING {NUMBER}"""  # noqa: S608 - constants
_HELD: Final = "SELECT EXISTS (SELECT FROM pg_catalog.pg_cursor() AS c WHERE c.is_holdable)"
# What belongs to a temporary object goes with it, as it should: its columns, indexes, types.
_TRANSIENT: Final = """
    WITH RECURSIVE transient (classid, objid) AS (
        SELECT d.classid, d.objid FROM pg_catalog.pg_depend AS d
            WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
                AND d.refobjid = pg_catalog.pg_my_temp_schema()
        UNION SELECT d.classid, d.objid FROM transient AS t
            JOIN pg_catalog.pg_depend AS d ON d.refclassid = t.classid AND d.refobjid = t.objid
            WHERE d.deptype IN ('a', 'i', 'P', 'S'))
    SELECT o.type, o.identity FROM transient AS t
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = t.classid AND d.refobjid = t.objid,
        LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS o
    WHERE d.deptype = 'n' AND NOT EXISTS (SELECT FROM transient AS x
        WHERE x.classid = d.classid AND x.objid = d.objid)
    ORDER BY 1, 2 LIMIT 1"""


def fire_deferred(session: Session, doing: str) -> None:
    """Afterwards deferred constraints were checked, and deferred triggers have run."""
    with changing(session, doing):
        fire(session)


def refuse_deferred(session: Session, doing: str) -> None:
    """Raises Refused `change-deferred` where COMMIT would do more than what was done by now.

    The open transaction has written all that it is to write.
    """
    with changing(session, doing):
        quiet = is_quiet(session, _PROBE)
    if not quiet:
        raise _deferred(
            f"{doing}: a deferred trigger puts work off again until COMMIT, where nothing would"
            " compare what it does",
            "take SET CONSTRAINTS ... DEFERRED out of the functions of deferred triggers",
        )
    if ask(session, _HELD, doing=doing) == [(True,)]:
        raise _deferred(
            f"{doing}: a cursor WITH HOLD is open, whose query COMMIT would run",
            "take DECLARE ... WITH HOLD out of the script, and of what it calls",
        )
    for kind, name in ask(session, _TRANSIENT, doing=doing):
        raise _deferred(
            f"{doing}: {kind} {name} depends on a temporary object, and would vanish with it",
            "let what lasts depend on nothing temporary",
        )


def _deferred(message: str, hint: str) -> Refused:
    return Refused("change-deferred", message, hint=hint)
