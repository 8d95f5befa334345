"""Runs of changes without a known end, as this host's ledger has them, and what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.errors import DbopsError, Refused

if TYPE_CHECKING:
    from dbops.change.attempts import RecordedChange
    from dbops.cli.wiring import Wiring


def open_runs(wiring: Wiring) -> tuple[RecordedChange, ...]:
    """The runs that nobody knows the end of, or that are half done, in the ledger's order.

    Left out are those that can have no other end: a person has closed them, or their database is
    not there any more. The journal of a database is not asked: it may be lost.
    """
    from dbops.cli.change_list import recorded_on

    return tuple(
        run
        for run in recorded_on(wiring)
        if run.is_awaited and is_there(wiring, run.database, run.identity)
    )


def is_there(wiring: Wiring, name: str, identity: str | None) -> bool:
    """Whether the database on which something ran is there, for all we know: it can be asked.

    `identity` is what the ledger says that it was, None where nothing. A name that leads to another
    database by now is not it; one that is out of reach may be.
    """
    from dbops.cli.entries import fit

    database = wiring.estate.databases.get(name)
    if database is None or identity is None:
        return database is not None
    try:
        return fit(wiring.engine(database).identity()) == identity
    except DbopsError:
        return True


def refuse_open_on(wiring: Wiring, database: str) -> None:
    """Raise Refused where a change has no known end on the database: what is there may be half."""
    for run in open_runs(wiring):
        if run.database == database:
            raise without_end(run)


def refuse_open_of(wiring: Wiring, work_id: str) -> None:
    """Raise Refused where the change has no known end somewhere: its files are still needed."""
    for run in open_runs(wiring):
        if run.work == work_id:
            raise without_end(run)


def without_end(run: RecordedChange) -> Refused:
    """The refusal of what needs its end: `change-half-done` where the ledger knows that it is.

    `change-open` where it knows nothing.
    """
    from dbops.change.standing import onward_hint
    from dbops.change.step import Direction

    entry = f"(ledger entry {run.sequence})"
    if run.is_half:
        return Refused(
            "change-half-done",
            f"{run.work} is half done on {run.database} {entry}",
            hint=onward_hint(run.work, back=run.direction is Direction.DOWN),
        )
    return Refused(
        "change-open",
        f"nobody knows how the last run of {run.work} on {run.database} ended {entry}",
        hint=f"find out first: dbops change resume {run.work}",
    )
