"""What became of a run whose end nobody recorded: the database's own markers say it.

A marker commits with its transaction. Its presence is the commit; its absence, once the server is
no longer at it, is the rollback.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from dbops.repair.batch_progress import BatchProgress, part_of
from dbops.repair.manifest import LOCK_WAIT, STATEMENT
from dbops.repair.ports import Marker, MarkerKind, RepairEngine, SessionOrder


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that the ledger has the intent of, and no outcome. `sequence` is the intent's."""

    sequence: int
    run: str
    work: str
    kind: MarkerKind


class Fate(StrEnum):
    """What became of a run."""

    COMMITTED = "committed"
    NOTHING = "did not take place"
    PARTLY = "some batches committed"


@dataclass(frozen=True, slots=True)
class Became:
    """What became of one run. `markers` are those of its transactions that committed, in order.

    `unused` is the run id that a bundle without a transaction would have, None where there is no
    such thing: a bundle file with this id was written for a commit that did not happen.
    """

    run: OpenRun
    fate: Fate
    markers: tuple[Marker, ...]
    unused: str | None

    @property
    def progress(self) -> BatchProgress | None:
        """How far the batches came; None for a run without batches."""
        upto = self.markers[-1].upto if self.markers else None
        return None if upto is None else BatchProgress.parse(upto)


def what_became(run: OpenRun, engine: RepairEngine) -> Became:
    """Return what became of the run, as the database says now; nothing is changed there.

    Raises Unreachable `work-running` while the server may still be at it, and what else the
    engine raises where it cannot be asked: then nobody knows, and nothing may be run again.
    """
    engine.committed(run.run, run.work)  # raises while it is not decided
    order = SessionOrder(work=run.work, lock_wait=LOCK_WAIT, statement=STATEMENT, read_only=True)
    with engine.session(order) as session:
        session.begin()
        return became(run, session.markers(run.work))


def became(run: OpenRun, markers: Sequence[Marker]) -> Became:
    """Return what became of the run, given all markers of its work."""
    own = tuple(_of_run(run, markers))
    if not own:
        return Became(run, Fate.NOTHING, (), run.run)
    upto = own[-1].upto
    if upto is None or BatchProgress.parse(upto).whole:
        return Became(run, Fate.COMMITTED, own, None)
    return Became(run, Fate.PARTLY, own, part_of(run.run, len(own)))


def _of_run(run: OpenRun, markers: Sequence[Marker]) -> Iterator[Marker]:
    """The run's transactions commit one after the other, so none is missing between two."""
    by_id = {marker.run: marker for marker in markers if marker.kind is run.kind}
    for number in count():
        marker = by_id.get(part_of(run.run, number))
        if marker is None:
            return
        yield marker
