"""What stands against an undo is told by table, column and count, and never by value."""

from __future__ import annotations

import pytest

from dbops.errors import Refused
from dbops.repair.conflicts import Conflicts, State, state_of
from dbops.repair.table import Row, TableName

VISIT = TableName("his", "visit")
BILL = TableName("his", "bill")
COLUMNS = ("id", "ward", "note")
OLD: Row = (b"1", b"OLD", b"canary")
NEW: Row = (b"1", b"ORT", b"canary")
LATER: Row = (b"1", b"ORT", None)


@pytest.mark.parametrize(
    ("before", "after", "now", "state"),
    [
        (OLD, NEW, NEW, State.AS_LEFT),
        (OLD, NEW, OLD, State.AS_BEFORE),
        (OLD, NEW, LATER, State.CHANGED),
        (OLD, NEW, None, State.GONE),
        (OLD, None, None, State.AS_LEFT),
        (OLD, None, OLD, State.AS_BEFORE),
        (OLD, None, NEW, State.BACK),
        (None, NEW, NEW, State.AS_LEFT),
        (None, NEW, None, State.AS_BEFORE),
        (None, NEW, LATER, State.CHANGED),
    ],
)
def test_what_became_of_a_row(
    before: Row | None, after: Row | None, now: Row | None, state: State
) -> None:
    """Only the exact bytes of every column tell that nobody touched the row since."""
    assert state_of(before, after, now) is state


def test_an_empty_text_is_not_null() -> None:
    """A row whose NULL became an empty text was changed."""
    assert state_of((b"1", b"a"), (b"1", None), (b"1", b"")) is State.CHANGED


def test_rows_as_left_are_no_conflict() -> None:
    """Nothing is refused where every row is as the repair left it."""
    conflicts = Conflicts()
    assert conflicts.see(VISIT, COLUMNS, OLD, NEW, NEW) is State.AS_LEFT
    conflicts.refuse_any("w-1")
    assert conflicts.counts == {}


def test_one_changed_row_refuses_all() -> None:
    """The refusal names tables, columns and counts, and no value."""
    conflicts = Conflicts()
    conflicts.see(VISIT, COLUMNS, OLD, NEW, NEW)
    conflicts.see(VISIT, COLUMNS, OLD, NEW, LATER)
    conflicts.see(VISIT, COLUMNS, OLD, NEW, (b"1", b"X", b"y"))
    conflicts.see(VISIT, COLUMNS, OLD, NEW, OLD)
    conflicts.see(BILL, ("id",), None, (b"2",), None)
    conflicts.see(BILL, ("id", "n"), (b"2", b"1"), (b"2", b"2"), None)
    with pytest.raises(Refused) as caught:
        conflicts.refuse_any("w-1")
    assert caught.value.code == "undo-conflict"
    assert caught.value.message == (
        "w-1 cannot be undone, nothing was changed:"
        " his.bill: 1 row as before the repair, 1 row gone;"
        " his.visit: 1 row as before the repair, 2 rows changed since (in note, ward)"
    )


def test_rows_as_before_were_undone_already() -> None:
    """Where nothing else stands against it, the undo is told to have happened."""
    conflicts = Conflicts()
    conflicts.see(VISIT, COLUMNS, OLD, NEW, OLD)
    with pytest.raises(Refused) as caught:
        conflicts.refuse_any("w-1")
    assert caught.value.code == "undo-already"
    assert caught.value.message == (
        "w-1 has been undone already: his.visit: 1 row as before the repair"
    )
