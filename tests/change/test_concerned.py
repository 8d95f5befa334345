"""Which tables are shown with their rows and sizes."""

from __future__ import annotations

from dbops.change.concerned import concerned
from dbops.change.diff import Difference, Verb
from dbops.change.evidence import StepEvidence
from dbops.change.ports import Lock
from dbops.change.schema import ObjectKind, ObjectName
from dbops.change.step import Direction

VISIT = ObjectName(ObjectKind.TABLE, ("his", "visit"))
INDEX = ObjectName(ObjectKind.INDEX, ("his", "visit_ward"))
ROOM = ObjectName(ObjectKind.TABLE, ("his", "room"))


def test_tables_that_differ_and_those_of_what_differs() -> None:
    """Of a column or an index too, whose own name no table has."""
    new = Difference(Verb.CREATE, ROOM)
    index = Difference(Verb.CREATE, INDEX, within=(VISIT,))
    assert concerned([new, index], ()) == {"his.room", "his.visit", "his.visit_ward"}


def test_tables_that_a_step_locks_or_writes_anew() -> None:
    """Whether anything of them differs or not."""
    lock = Lock("his.ward", "ShareLock", "writes")
    steps = (
        StepEvidence(Direction.UP, 1, "a", 0, (lock,)),
        StepEvidence(Direction.DOWN, 1, "b", 0, (), ("his.bed",)),
    )
    assert concerned((), steps) == {"his.ward", "his.bed"}
