"""Objects of every kind changed by dbops itself: run, taken back to the digest, drift of each.

The cases are those of the reader. As many as leave each other alone make one change.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
# Two properties that one clause sets.
_TOGETHER = {"collation": "type"}
# What dbops does not leave behind.
_REFUSED = "an index that is not valid"
# A key that nobody can be given twice: what the server has only one of, or shows to nobody.
_NEVER = {
    (ObjectKind.DATABASE, Verb.CREATE): "a change is of one database",
    (ObjectKind.DATABASE, Verb.DROP): "a change is of one database",
    (ObjectKind.USER_MAPPING, Verb.ALTER): "its options are secret, and whose it is is its name",
}


@dataclass(frozen=True, slots=True)
class Of:
    """A case, what it makes differ, and what it drops or makes anew on its ways.

    `parts` are objects with those of their properties that differ.
    """

    case: Case
    touches: tuple[Touch, ...]
    parts: frozenset[tuple[str, str]]
    remade: tuple[re.Pattern[str], ...]
    text: str

    def leaves_alone(self, other: Of) -> bool:
        """Whether neither is of what the other is of, or makes anew."""
        if not self.parts.isdisjoint(other.parts):
            return False
        return not (self._remakes_of(other) or other._remakes_of(self))

    def _remakes_of(self, other: Of) -> bool:
        return any(name.search(other.text) for name in self.remade)


def what_of(case: Case) -> Of:
    """The case, read once."""
    text = ";".join((case.sql, case.back, *case.touches))
    found = tuple(each for line in case.touches if (each := parse_touch(line)) is not None)
    names = {name for each in _REMADE.findall(text) for name in each if name}
    patterns = tuple(re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)") for name in names)
    parts = frozenset(
        (each.written, _TOGETHER.get(key, key))
        for each in found
        for key in each.properties or ("",)
    )
    return Of(case, found, parts, patterns, text)


def grouped(cases: Iterable[Case]) -> list[list[Of]]:
    """The cases, each in the first group in which it leaves the others alone.

    One whose lines of touches all stand in another group already says nothing new here.
    """
    groups: list[list[Of]] = []
    seen: set[str] = set()
    for one in map(what_of, cases):
        if seen.issuperset(one.case.touches) or one.case.name == _REFUSED:
            continue
        seen.update(one.case.touches)
        place = next((group for group in groups if all(map(one.leaves_alone, group))), None)
        if place is None:
            groups.append([one])
        else:
            place.append(one)
    return groups


GROUPS = grouped(CASES)


@pytest.fixture(scope="module")
def founded(pg17: PgServer) -> Iterator[PgServer]:
    """A database in which everything of the reader's tests is committed, to be copied."""
    pg17.create_database(NAME)
    try:
        with pg17.connect(NAME) as connection:
            connection.execute(BASE.encode())
        yield pg17
    finally:
        pg17.drop_database(NAME)
        with pg17.connect("postgres") as connection:
            connection.execute(f"DROP ROLE IF EXISTS {', '.join(ROLES)}".encode())


@pytest.fixture
def engine(founded: PgServer) -> Iterator[PostgresqlChangeEngine]:
    """A copy of it."""
    name = f"{NAME}_{secrets.token_hex(6)}"
    founded.create_database(name, template=NAME)
    yield PostgresqlChangeEngine(lambda: parameters_of(founded, name, founded.superuser))
    founded.drop_database(name)


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


def observe(_moment: Moment) -> None:
    """Nobody looks on."""


def merged(touches: Iterable[Touch]) -> list[Touch]:
    """One touch of each object, with all properties."""
    found: dict[tuple[Verb, ObjectKind, str], set[str]] = {}
    for each in touches:
        found.setdefault((each.verb, each.kind, each.written), set()).update(each.properties)
    return [Touch(*key, tuple(sorted(properties))) for key, properties in found.items()]


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
    """What `touches` says comes of it and is drift for another change; down.sql, as dbops runs it,
    leads to the exact digest.
    """
    group = GROUPS[number]
    touches = merged(touch for each in group for touch in each.touches)
    up, down = [each.case.sql for each in group], [each.case.back for each in reversed(group)]
    order = order_of(engine, f"c-{number}", up, down, touches)
    ran = run_change(order, engine, observe)
    assert lines(ran.differences) == sorted(each.line for each in touches)
    refused = refuse_elsewhere(engine, ran.before)
    assert (refused.code, refused.status) == ("change-drift", ExitStatus.REFUSED)
    assert refused.message == f"lab is not as c-apart was rehearsed on: {told(ran.differences)}"
    assert all(map(difference_words, ran.differences))
    seen = parse_diff(diff_text(ran.differences), "rehearsed.diff")
    rehearsed = replace(order, rehearsed=Rehearsed(ran.before, seen), run=secrets.token_hex(16))
    back = revert_change(rehearsed, engine, observe)
    assert back.digest == ran.before.digest
    assert lines(back.differences) == sorted(each.line for each in reversed_touches(touches))


def test_every_kind_is_made_altered_and_dropped() -> None:
    """Up or down, some case has each object that PostgreSQL has come, change and go."""
    up = [touch for group in GROUPS for each in group for touch in each.touches]
    done = {(each.kind, each.verb) for each in (*up, *reversed_touches(up))}
    wanted = {(kind, verb) for kind in ObjectKind for verb in Verb}
    missing = wanted - done - {(ObjectKind.VIRTUAL_TABLE, verb) for verb in Verb}
    assert missing == set(_NEVER)
