"""What the journal of a database says that this host's ledger does not; pure."""

from __future__ import annotations

from collections.abc import Mapping

from dbops.change.standing import Standing, State


def is_news(standings: Mapping[str, Standing], plan: str, *, stands: bool) -> bool:
    """Whether the journal says otherwise than the ledger how a change stands, or has it half done.

    `standings` are of its revisions, by their plans; `plan` is the one that lies here, and `stands`
    whether that has run as far as the ledger knows.
    """
    own = standings.get(plan)
    if own is None:
        return False
    return own.state is State.HALF or (own.state is State.WHOLE) is not stands


def other_revision_half_done(standings: Mapping[str, Standing], plan: str) -> str | None:
    """Return the plan of a revision that is half done; None where it is the one that lies here."""
    half = [each for each, standing in standings.items() if standing.state is State.HALF]
    return half[0] if half and plan not in half else None
