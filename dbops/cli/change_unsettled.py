"""What this host's ledger and the journals of databases say of changes without a known end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.errors import NotFound, Refused

if TYPE_CHECKING:
    from dbops.change.attempts import RecordedChange
    from dbops.cli.changing import ReadChange
    from dbops.cli.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A change on a database that has no known end.

    `recorded` is its run as this host's ledger has it; None where only the journal of the database
    knows one, by another host or under another ledger.
    """

    work: str
    database: str
    recorded: RecordedChange | None = None


def unsettled_here(wiring: Wiring) -> tuple[Unsettled, ...]:
    """All that this host's ledger knows of, the runs in its order."""
    from dbops.cli.change_list import recorded_on

    runs = recorded_on(wiring)
    return tuple(Unsettled(run.work, run.database, run) for run in runs if run.is_open)


def left_by_others(wiring: Wiring, work_id: str, only: str | None) -> tuple[Unsettled, ...]:
    """What the journals of the change's databases know otherwise, or that of the one named.

    It is half done there, or it ran or was taken back by another host. Raises Refused `change-plan`
    where it is half done with files that do not lie here.
    """
    from dbops.cli.changing import read_change

    try:
        found = read_change(wiring, work_id)
    except NotFound:
        return ()  # this host's ledger knew it, and that has a known end
    names = [name for name in found.change.databases if name in wiring.estate.databases]
    return tuple(
        Unsettled(work_id, name)
        for name in names
        if only in {None, name} and _is_news(wiring, found, name)
    )


def _is_news(wiring: Wiring, found: ReadChange, database: str) -> bool:
    """Whether the journal says otherwise than this host's ledger how the change stands."""
    from dbops.change.other_hosts import is_news, other_revision_half_done
    from dbops.change.rehearsed_files import own_files
    from dbops.change.standing import standing_of_work
    from dbops.cli.change_drift import journal_of

    standings = standing_of_work(journal_of(wiring, database), found.change.id)
    plan = own_files(found.work)
    other = other_revision_half_done(standings, plan)
    if other is not None:
        raise Refused(
            "change-plan",
            f"another revision of {found.change.id} is half done on {database} (plan {other[:12]})",
            hint="check that revision out, and ask again",
        )
    return is_news(standings, plan, stands=_stands(wiring, found, database))


def _stands(wiring: Wiring, found: ReadChange, database: str) -> bool:
    """Whether these very files have run on the database, as far as this host knows."""
    from dbops.change.attempts import standing_on
    from dbops.change.rehearsed_files import own_files
    from dbops.change.rings import is_done
    from dbops.cli.change_list import recorded_on

    last = standing_on(recorded_on(wiring), found.change.id, database)
    return is_done(last, own_files(found.work))


def still_unsettled(wiring: Wiring, left: Unsettled, found: ReadChange) -> Unsettled | None:
    """What is open of it still, now that nobody else is at it."""
    run = left.recorded
    if run is None:
        return left if _is_news(wiring, found, left.database) else None
    for each in unsettled_here(wiring):
        if each.recorded is not None and each.recorded.sequence == run.sequence:
            return each  # with whatever was tried of it meanwhile
    return None
