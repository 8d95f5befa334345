"""Objects of every kind changed by dbops itself: run, taken back to the digest, drift of each.

The cases are those of the reader. As many as leave each other alone make one change.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.change.diff import Difference, Verb
from dbops.change.diff_text import diff_text, parse_diff
from dbops.change.drift import told
from dbops.change.judging import reversed_touches
from dbops.change.manifest import Change, DataLoss, Limits, Ring
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun, Rehearsed
from dbops.change.schema import ObjectKind, Schema
from dbops.change.script import parse_steps
from dbops.change.stage import Moment
from dbops.change.touch import Touch, parse_touch, touches_of
from dbops.change.words import difference_words
from dbops.engines.postgresql.change import PostgresqlChangeEngine
from dbops.errors import ExitStatus, Refused
from dbops.review.work import Risk
from tests.engines.postgresql.change_schema_cases import Case
from tests.engines.postgresql.repair_database import parameters_of
from tests.engines.postgresql.test_change_schema import BASE, CASES
from tests.fix_postgresql import PgServer

NAME = "change_round_trip"
ROLES = ("cs_owner", "cs_reader", '"cs 张三"')
LIMITS = Limits(
    lock_wait=timedelta(seconds=5),
    statement=timedelta(seconds=60),
    attempts=2,
    pause=timedelta(seconds=1),
)
# What comes again under its name, or is something else for a while.
_REMADE = re.compile(
    r'(?:DROP|CREATE(?: OR REPLACE)?(?: TRUSTED)?) (?:[A-Z]+ )+("?[\w.=@#!<>]+)'
    r"|TABLE (\S+) (?:RENAME|DETACH|INHERIT)"
)
# A key that nobody can be given twice: what the server has only one of, or shows to nobody.
_NEVER = {
    (ObjectKind.DATABASE, Verb.CREATE): "a change is of one database",
    (ObjectKind.DATABASE, Verb.DROP): "a change is of one database",
    (ObjectKind.USER_MAPPING, Verb.ALTER): "its options are secret, and whose it is is its name",
}


def touched(case: Case) -> tuple[Touch, ...]:
    """What the case makes differ."""
    found = tuple(map(parse_touch, case.touches))
    return tuple(each for each in found if each is not None)


def apart(one: Case, other: Case) -> bool:
    """Whether neither is of what the other is of, or makes anew."""
    if {each.written for each in touched(one)} & {each.written for each in touched(other)}:
        return False
    return not any(
        re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", _text(right))
        for left, right in ((one, other), (other, one))
        for found in _REMADE.findall(_text(left))
        for name in found
        if name
    )


def _text(case: Case) -> str:
    return ";".join((case.sql, case.back, *case.touches))


def grouped(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases, each in the first group in which it leaves the others alone.

    One whose lines of touches all stand in another group already says nothing new here.
    """
    groups: list[list[Case]] = []
    seen: set[str] = set()
    for case in cases:
        if seen.issuperset(case.touches):
            continue
        seen.update(case.touches)
        place = next((group for group in groups if all(apart(case, each) for each in group)), None)
        if place is None:
            groups.append([case])
        else:
            place.append(case)
    return groups


GROUPS = grouped(CASES)


@pytest.fixture(scope="module")
def engine(pg17: PgServer) -> Iterator[PostgresqlChangeEngine]:
    """A database in which everything of the reader's tests is committed."""
    pg17.create_database(NAME)
    try:
        with pg17.connect(NAME) as connection:
            connection.execute(BASE.encode())
        yield PostgresqlChangeEngine(lambda: parameters_of(pg17, NAME, pg17.superuser))
    finally:
        pg17.drop_database(NAME)
        with pg17.connect("postgres") as connection:
            connection.execute(f"DROP ROLE IF EXISTS {', '.join(ROLES)}".encode())


def order_of(
    engine: PostgresqlChangeEngine,
    work: str,
    up: Sequence[str],
    down: Sequence[str],
    touches: Sequence[Touch],
) -> ChangeRun:
    """A change that nobody has rehearsed yet."""
    change = Change(
        id=work,
        title="a change",
        author="zhang.wei@contractor",
        risk=Risk.LOW,
        rings=(Ring("all", ("lab",)),),
        touches=tuple(touches),
        data_loss=DataLoss.NONE,
        limits=LIMITS,
    )
    up_sql, down_sql = ("".join(f"{text};\n" for text in texts).encode() for texts in (up, down))
    return ChangeRun(
        change=change,
        up=parse_steps(up_sql, "up.sql"),
        down=parse_steps(down_sql, "down.sql"),
        verify=parse_steps(b"SELECT true;\n", "verify.sql"),
        plan=secrets.token_hex(32),
        run=secrets.token_hex(16),
        database="lab",
        identity=engine.identity(),
        rehearsed=None,
    )


def anew(order: ChangeRun) -> ChangeRun:
    """The same, by another run."""
    return replace(order, run=secrets.token_hex(16))


def observe(_moment: Moment) -> None:
    """Nobody looks on."""


def lines(differences: Sequence[Difference]) -> list[str]:
    """The fewest lines of touches that cover them."""
    return sorted(each.line for each in touches_of(differences))


def refuse_elsewhere(engine: PostgresqlChangeEngine, source: Schema) -> Refused:
    """How a change is refused that was rehearsed when the schema was this one."""
    touch = parse_touch("create table his.apart")
    assert touch is not None
    other = order_of(engine, "c-apart", ["CREATE TABLE his.apart ()"], ["SELECT 1"], [touch])
    with pytest.raises(Refused) as caught:
        run_change(replace(other, rehearsed=Rehearsed(source, ())), engine, observe)
    return caught.value


@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_objects_are_changed_and_taken_back(engine: PostgresqlChangeEngine, number: int) -> None:
    """What `touches` says comes of it; it is drift for another change; down.sql, as dbops runs it,
    leads to the exact digest, and what was rehearsed comes of it the second time.
    """
    group = GROUPS[number]
    touches = [touch for case in group for touch in touched(case)]
    up, down = [case.sql for case in group], [case.back for case in reversed(group)]
    order = order_of(engine, f"c-{number}", up, down, touches)
    first = run_change(order, engine, observe)
    assert lines(first.differences) == sorted(each.line for each in touches)
    told_so = refuse_elsewhere(engine, first.before)
    assert (told_so.code, told_so.status) == ("change-drift", ExitStatus.REFUSED)
    assert told_so.message == f"lab is not as c-apart was rehearsed on: {told(first.differences)}"
    assert all(map(difference_words, first.differences))
    seen = parse_diff(diff_text(first.differences), "rehearsed.diff")
    rehearsed = replace(order, rehearsed=Rehearsed(first.before, seen))
    back = revert_change(anew(rehearsed), engine, observe)
    assert back.digest == first.before.digest
    assert lines(back.differences) == sorted(each.line for each in reversed_touches(touches))
    again = run_change(anew(rehearsed), engine, observe)
    assert again.digest == first.digest
    assert revert_change(anew(rehearsed), engine, observe).digest == first.before.digest


def test_every_kind_is_made_altered_and_dropped() -> None:
    """Up or down, some case has each object that PostgreSQL has come, change and go."""
    up = [touch for group in GROUPS for case in group for touch in touched(case)]
    done = {(each.kind, each.verb) for each in (*up, *reversed_touches(up))}
    wanted = {(kind, verb) for kind in ObjectKind for verb in Verb}
    missing = wanted - done - {(ObjectKind.VIRTUAL_TABLE, verb) for verb in Verb}
    assert missing == set(_NEVER)
