"""COMMIT does nothing behind the judgement of a repair, and nothing was written there unseen.

Counters tell of both, unless a function of a superuser switches them off for a moment. The numbers
of commands tell all the same (see `deferred`): from dbops' own marker on none may be missing. What
else COMMIT would do is an objection of the counting: cursors WITH HOLD, what hangs on temporary
objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.deferred import NUMBER, is_quiet
from dbops.engines.postgresql.repair_faults import repairing
from dbops.errors import Refused

# Nobody else's keys: of two that write the same ones, the second would wait for the first.
_SELF: Final = "pg_catalog.concat('end of ', pg_catalog.pg_backend_pid())"
_PROBE: Final = (
    "INSERT INTO dbops.dbops_run (run, work, plan, kind, batch, bundle)"  # noqa: S608 - constants
    f" VALUES ({_SELF}, {_SELF}, '', 'repair', 0, '') RETURNING {NUMBER}"
)


def refuse_deferred(session: Session, markers: Sequence[int], doing: str) -> None:
    """Raises Refused `repair-deferred` where COMMIT would do more, or more was done, than is known.

    `markers` are the numbers of the commands that wrote the markers of the open transaction, which
    has written all that it is to write.
    """
    with repairing(doing):
        quiet = is_quiet(session, _PROBE, markers)
    if not quiet:
        raise Refused(
            "repair-deferred",
            f"{doing}: a trigger wrote or locked rows behind the comparison, or puts that off"
            " until COMMIT",
            hint="take SET CONSTRAINTS ... DEFERRED, and settings, out of the functions of"
            " deferred triggers",
        )
