"""The rows of a rehearsal, opened for a reviewer beside everything else about the work."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.cli.wiring import Wiring
    from dbops.repair.difference import RowDifference
    from dbops.review.work import Work


@contextmanager
def reviewed_rows(
    wiring: Wiring, work: Work, named: Sequence[str]
) -> Iterator[Sequence[RowDifference] | None]:
    """The rows that the rehearsal of the work sealed for its reviewers, opened and recorded.

    Columns that the manifest does not show are digests. `named` are files of identities; what this
    host has is used beside them. None, said aloud, where there are no rows: the work is no repair,
    or it was not rehearsed. Raises NoIdentity where nobody's identity opens them, Refused where
    they are not whole or the manifest is not as it should be.
    """
    from dbops.cli.render import say
    from dbops.cli.repair_entries import shown
    from dbops.cli.repair_rows import ROWS_SHOWN, differences
    from dbops.cli.repairing import parsed, row_identities
    from dbops.cli.reviewing import recording_if_there
    from dbops.repair.rehearsed import rehearsed_rows
    from dbops.review.work import ROWS

    if ROWS not in work.files:
        say(f"remark: {work.id} has no {ROWS}: only a repair that was rehearsed has rows to open")
        yield None
        return
    repair, opening = parsed(work).repair, row_identities(wiring, named)
    with recording_if_there(wiring, shown(repair.id, repair.database, None)):
        bundle = rehearsed_rows(work, opening)
        assert bundle is not None  # noqa: S101 - they are among the files
        found = list(differences(bundle, repair.show, ROWS_SHOWN + 1))
        if len(found) > ROWS_SHOWN:
            say(
                f"remark: only the first {ROWS_SHOWN} rows are shown;"
                f" more: dbops repair show {repair.id} --rows N"
            )
        yield found[:ROWS_SHOWN]
