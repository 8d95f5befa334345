"""What a run came to follows from what became of the change, and from who brought it there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dbops.audit.entry import Effect
from dbops.change.attempts import RecordedChange, Resume
from dbops.change.diff import Difference, Verb
from dbops.change.fate import Became, Fate, effect_of, foreign_effect, stands_since
from dbops.change.other_hosts import is_news, other_revision_half_done
from dbops.change.run_order import Rehearsed
from dbops.change.schema import ObjectKind, ObjectName, Schema
from dbops.change.settled import is_same_journal, traces_of
from dbops.change.standing import Author, Standing
from dbops.change.step import Direction
from tests.change.schemas import schema

UP, DOWN = Direction.UP, Direction.DOWN
RUN = RecordedChange(
    sequence=7,
    at=datetime(2026, 3, 1, tzinfo=UTC),
    ended=None,
    run="a" * 32,
    work="2026-031-x",
    database="his",
    direction=UP,
    effect=Effect.UNKNOWN,
    resumes=(Resume(9, "b" * 32, is_open=True),),
)
OTHER = "c" * 32
HALF = Became(Fate.HALF, UP, 1, 2)
ROOM = ObjectName(ObjectKind.TABLE, ("main", "room"))
MADE = (Difference(Verb.CREATE, ROOM),)


@pytest.mark.parametrize("who", [RUN.run, "b" * 32])
def test_its_own_end_is_its_effect(who: str) -> None:
    """Who resumed it brought it there in its place."""
    became = Became(Fate.WHOLE, UP, 2, 2, ended=frozenset({(who, UP)}))
    assert effect_of(RUN, became, None) is Effect.COMMITTED


def test_the_end_of_another_is_not() -> None:
    """Another host ran the change to its end: what was approved here did not take place."""
    became = Became(Fate.WHOLE, UP, 2, 2, ended=frozenset({(OTHER, UP)}))
    assert effect_of(RUN, became, None) is Effect.NONE


def test_a_run_that_was_stepped_back_from_took_no_place() -> None:
    """Though its way back came to an end under its own id."""
    became = Became(Fate.RETURNED, DOWN, 2, 2, ended=frozenset({(RUN.run, DOWN)}))
    assert effect_of(RUN, became, None) is Effect.NONE


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("brought", Direction)
def test_what_was_half_done_came_to_where_it_was_brought(
    direction: Direction, brought: Direction
) -> None:
    """That is what was approved where the directions are the same."""
    effect = Effect.COMMITTED if brought is direction else Effect.NONE
    assert effect_of(replace(RUN, direction=direction), HALF, brought) is effect


@pytest.mark.parametrize("fate", Fate)
def test_of_another_ledgers_run_any_trace_is_an_effect(fate: Fate) -> None:
    """Its approvals may have been used for what is there."""
    became, run = Became(fate, UP, 1, 2), replace(RUN, foreign=True)
    effect = Effect.NONE if fate is Fate.NOTHING else Effect.COMMITTED
    assert effect_of(run, became, None) is foreign_effect(became) is effect


@pytest.mark.parametrize(
    ("fate", "brought", "stands"),
    [
        (Fate.WHOLE, None, UP),
        (Fate.RETURNED, None, DOWN),
        (Fate.NOTHING, None, DOWN),
        (Fate.HALF, None, DOWN),
        (Fate.HALF, UP, UP),
        (Fate.HALF, DOWN, DOWN),
    ],
)
def test_how_it_stands(fate: Fate, brought: Direction | None, stands: Direction) -> None:
    """Where it was brought to; else where it was found. Remains that were cleaned up are gone."""
    assert stands_since(Became(fate, UP, 1, 2), brought) is stands


WHOLE, GONE, PART = (
    Standing(whole=True, run="r"),
    Standing(DOWN, whole=True, run="r"),
    Standing(run="r"),
)


@pytest.mark.parametrize(
    ("standing", "stands", "news"),
    [
        (None, True, False),
        (WHOLE, True, False),
        (WHOLE, False, True),
        (GONE, True, True),
        (GONE, False, False),
        (PART, True, True),
        (PART, False, True),
    ],
)
def test_the_journal_knows_more_than_the_ledger(
    standing: Standing | None, stands: bool, news: bool
) -> None:
    """Where they differ, and where something is half done; a journal that was lost is no news."""
    standings = {} if standing is None else {"p": standing}
    assert is_news(standings, "p", stands=stands) is news


def test_another_revision_is_half_done() -> None:
    """It is named unless it is the one that lies here."""
    assert other_revision_half_done({"p": WHOLE, "q": PART}, "p") == "q"
    assert other_revision_half_done({"p": WHOLE, "q": PART}, "q") is None
    assert other_revision_half_done({"p": WHOLE, "q": GONE}, "p") is None


def _empty() -> Schema:
    return schema()


@pytest.mark.parametrize(
    ("ends", "trace"),
    [
        ({}, None),
        ({(UP, 1): MADE, (DOWN, 1): ()}, None),
        ({(UP, 2): MADE, (UP, 1): ()}, "the ledger says that some of it is done"),
    ],
)
def test_a_first_part_that_makes_nothing_leaves_no_trace(
    ends: dict[tuple[Direction, int], tuple[Difference, ...]], trace: str | None
) -> None:
    """Then nothing but the ledger tells that it was done, where the journal is lost."""
    run, rehearsed = replace(RUN, effect=Effect.COMMITTED), Rehearsed(_empty(), MADE, ends=ends)
    assert traces_of(run, rehearsed, _empty) == trace
    assert traces_of(RUN, rehearsed, _empty) is None


@pytest.mark.parametrize(
    ("earlier", "same"),
    [
        (replace(RUN, sequence=3, run=OTHER, effect=Effect.COMMITTED), True),
        (replace(RUN, sequence=3, run="d" * 32, effect=Effect.COMMITTED), False),
        (replace(RUN, sequence=3, run=OTHER, effect=Effect.NONE), False),
        (replace(RUN, sequence=8, run=OTHER, effect=Effect.COMMITTED), False),
        (replace(RUN, sequence=3, run=OTHER, effect=Effect.COMMITTED, database="lab"), False),
    ],
)
def test_a_journal_that_has_what_ran_before_was_not_lost(
    earlier: RecordedChange, same: bool
) -> None:
    """What this ledger knows to have run on the database before is in it."""
    author = Author(OTHER, "2026-030-x", "p" * 64)
    assert is_same_journal([author.whole(UP)], [earlier, RUN], RUN) is same


def test_without_a_rehearsal_the_ledger_is_asked() -> None:
    """What it says took place is not denied because a journal has nothing of it."""
    done = "the ledger says that some of it is done"
    assert traces_of(replace(RUN, effect=Effect.COMMITTED), None, _empty) == done
    assert traces_of(RUN, None, _empty) is None
