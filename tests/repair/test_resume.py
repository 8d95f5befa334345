"""What became of a run that nobody saw the end of, as the database's markers say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.errors import Failed, Unreachable
from dbops.repair.batch_progress import BatchProgress, add_counts, judge_totals, part_of
from dbops.repair.ports import CommitUnknown, Marker, MarkerKind
from dbops.repair.resume import Fate, OpenRun, became, what_became
from dbops.repair.table import TableName
from dbops.sql.written import Written
from tests.repair.bench import Bench, Faulty, raising
from tests.repair.hospital import MOVE, build, moving

RUN = "a" * 32
OPEN = OpenRun(7, RUN, "w-1", MarkerKind.REPAIR)
VISIT = TableName("his", "visit")
PROGRESS = BatchProgress("1000", {VISIT: Written(updated=3)})


def marker(number: int, upto: str | None = None, **more: object) -> Marker:
    settings: dict[str, object] = {
        "run": part_of(RUN, number),
        "work": "w-1",
        "plan": "p",
        "kind": MarkerKind.REPAIR,
        "batch": number,
        "bundle": "b",
        "upto": upto,
        **more,
    }
    return Marker(**settings)  # type: ignore[arg-type] # checked at run time


def test_a_run_without_a_marker_did_not_take_place() -> None:
    """Markers of other runs say nothing of it; its bundle, if there is one, is unused."""
    found = became(OPEN, [marker(0, run="b" * 32)])
    assert (found.fate, found.markers, found.unused) == (Fate.NOTHING, (), RUN)


def test_a_run_with_a_marker_committed() -> None:
    """The marker names the bundle that takes it back."""
    found = became(OPEN, [marker(0)])
    assert (found.fate, found.markers, found.unused) == (Fate.COMMITTED, (marker(0),), None)


def test_a_marker_of_an_undo_is_none_of_a_repair() -> None:
    """Kinds are told apart."""
    undo = marker(0, kind=MarkerKind.UNDO, undoes="c" * 32)
    assert became(OPEN, [undo]).fate is Fate.NOTHING
    assert became(replace(OPEN, kind=MarkerKind.UNDO), [undo]).fate is Fate.COMMITTED


def test_some_batches_committed() -> None:
    """A run whose last batch is not the last of all is to be gone on with."""
    found = became(OPEN, [marker(0, PROGRESS.text()), marker(1, PROGRESS.text())])
    assert (found.fate, len(found.markers), found.unused) == (Fate.PARTLY, 2, part_of(RUN, 2))
    assert found.progress == PROGRESS


def test_all_batches_committed() -> None:
    """The last batch's marker says that it is the last."""
    whole = replace(PROGRESS, whole=True)
    found = became(OPEN, [marker(0, PROGRESS.text()), marker(1, whole.text())])
    assert (found.fate, found.unused) == (Fate.COMMITTED, None)


def test_a_run_that_goes_on_with_batches_of_another() -> None:
    """Its own markers are told by their ids, whatever their batch."""
    found = became(OPEN, [marker(0, PROGRESS.text(), run="b" * 32), marker(0, "", batch=1)][:1])
    assert found.fate is Fate.NOTHING
    found = became(OPEN, [marker(0, run="b" * 32), marker(0, PROGRESS.text(), batch=1)])
    assert (found.fate, found.markers[0].batch) == (Fate.PARTLY, 1)


def test_parts_of_a_run_have_ids_of_their_own() -> None:
    """The first is the run's own id, and all have its form."""
    ids = [part_of(RUN, number) for number in range(100)]
    assert ids[0] == RUN
    assert len(set(ids)) == 100
    assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in ids)


def test_progress_survives_its_text() -> None:
    """Odd names of tables and keys come back as they were."""
    odd = BatchProgress('中"', {TableName("", 'a "b"'): Written(1, 2, 3)}, whole=True)
    assert BatchProgress.parse(odd.text()) == odd


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"last":1,"counts":[],"whole":true}',
        '{"last":"","counts":[[1]],"whole":true}',
    ],
)
def test_a_marker_that_says_something_else(text: str) -> None:
    """A text that dbops did not write is refused, not guessed at."""
    with pytest.raises(Failed) as caught:
        BatchProgress.parse(text)
    assert caught.value.code == "batch-progress"


def test_totals_of_batches() -> None:
    """No batch may exceed what is expected of all, and the last must reach it."""
    wanted = {VISIT: Written(updated=5)}
    assert judge_totals(wanted, {VISIT: Written(updated=4)}, whole=False) == ()
    assert judge_totals(wanted, {VISIT: Written(updated=5)}, whole=True) == ()
    for written, whole in (
        (Written(updated=6), False),
        (Written(1, 4), False),
        (Written(updated=4), True),
    ):
        (breach,) = judge_totals(wanted, {VISIT: written}, whole=whole)
        assert breach.code == "expect-differs"
    assert add_counts(wanted, {VISIT: Written(1, 1, 1)}) == {VISIT: Written(1, 6, 1)}


@pytest.mark.parametrize(("side", "fate"), [("before", Fate.NOTHING), ("after", Fate.COMMITTED)])
def test_resume_tells_the_truth_of_a_lost_commit(bench: Bench, side: str, fate: Fate) -> None:
    """Whether the connection was lost before COMMIT arrived or after, the markers know."""
    ward = build(bench)
    unknown = CommitUnknown("commit-unknown", "lost", hint="-")
    fault = Faulty(ward.site.engine)
    fault.at(side)["commit"] = raising(unknown)
    fault.before["committed"] = raising(Unreachable("unreachable", "no answer", hint="-"))
    order = ward.order(moving(), MOVE)
    with pytest.raises(Unreachable):
        ward.run_order(order, fault)
    found = what_became(OpenRun(1, order.run, "w-1", MarkerKind.REPAIR), ward.site.engine)
    assert found.fate is fate
    stored = ward.place.of_run(order.run)
    assert len(stored) == 1
    assert (found.unused == order.run) is (fate is Fate.NOTHING)
    assert (ward.rows("visit")[0][2] == "ORT") is (fate is Fate.COMMITTED)
