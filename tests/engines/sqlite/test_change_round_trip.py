"""Objects of every kind of a file changed by dbops itself: run, taken back, drift of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from dbops.change.diff import Verb
from dbops.change.judging import reversed_touches
from dbops.change.run import run_change
from dbops.change.schema import ObjectKind
from dbops.change.touch import Touch, parse_touch, touch_of
from tests.engines.change_rounds import assert_drift, observe, order_of, taken_back
from tests.engines.sqlite.changes import SqliteChangeSite, schema_of
from tests.engines.sqlite.test_change_schema import CASES, HOSPITAL

KINDS = {
    ObjectKind.DATABASE,
    ObjectKind.TABLE,
    ObjectKind.VIRTUAL_TABLE,
    ObjectKind.COLUMN,
    ObjectKind.CONSTRAINT,
    ObjectKind.INDEX,
    ObjectKind.VIEW,
    ObjectKind.TRIGGER,
}
# Another table points at the key: dbops does not leave that behind.
ROUNDS = sorted(set(CASES) - {"a primary key"})


def touches(case: str) -> tuple[Touch, ...]:
    """What the case makes differ."""
    return tuple(each for line in CASES[case][2] if (each := parse_touch(line)) is not None)


def goes_and_comes(
    site: SqliteChangeSite, up: Sequence[str], down: Sequence[str], touches: Sequence[Touch]
) -> None:
    """The change runs, nobody else's runs behind it, and it is taken back to the exact digest."""
    order = order_of(site.engine, up, down, touches)
    ran = run_change(order, site.engine, observe)
    assert lines(map(touch_of, ran.differences)) == lines(touches)
    assert_drift(site.engine, ran)
    back = taken_back(site.engine, order, ran)
    assert back.digest == schema_of(site).digest == ran.before.digest
    assert lines(map(touch_of, back.differences)) == lines(reversed_touches(touches))


def lines(touches: Iterable[Touch]) -> list[str]:
    """As they stand in a manifest."""
    return sorted(each.line for each in touches)


@pytest.mark.parametrize("case", ROUNDS)
def test_objects_are_changed_and_taken_back(tmp_path: Path, case: str) -> None:
    """What `touches` says comes of it and is drift for another change; down.sql, as dbops runs it,
    leads to the exact digest.
    """
    up, down, _ = CASES[case]
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run(*HOSPITAL)
    goes_and_comes(site, up, down, touches(case))


@pytest.mark.parametrize("case", ROUNDS)
def test_the_other_way_as_well(tmp_path: Path, case: str) -> None:
    """What was there goes, and what was gone comes; down.sql brings back the exact digest."""
    up, down, _ = CASES[case]
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run(*HOSPITAL, *up)
    goes_and_comes(site, down, up, reversed_touches(touches(case)))


def test_every_kind_is_made_altered_and_dropped() -> None:
    """Some up.sql here has each object that SQLite has come, change and go."""
    there = [touch for case in ROUNDS for touch in touches(case)]
    done = {(each.kind, each.verb) for each in (*there, *reversed_touches(there))}
    wanted = {(kind, verb) for kind in KINDS for verb in Verb}
    header = {(ObjectKind.DATABASE, verb) for verb in (Verb.CREATE, Verb.DROP)}
    assert done == wanted - header  # a file has its header from the beginning
