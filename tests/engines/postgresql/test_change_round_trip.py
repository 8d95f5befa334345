"""Objects of every kind changed by dbops itself: run, taken back to the digest, drift of each.

The cases are those of the reader. As many as leave each other alone make one change; those that
make what no other drops are gone the other way as well.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from dbops.change.diff import Difference, Verb
from dbops.change.judging import reversed_touches
from dbops.change.run import run_change
from dbops.change.schema import ObjectKind
from dbops.change.touch import Touch, parse_touch, touches_of
from dbops.change.words import difference_words
from dbops.engines.postgresql.change import PostgresqlChangeEngine
from tests.engines.change_rounds import assert_drift, observe, order_of, taken_back
from tests.engines.postgresql.change_schema_cases import Case
from tests.engines.postgresql.change_schema_cases_properties import PROPERTIES
from tests.engines.postgresql.repair_database import parameters_of
from tests.engines.postgresql.test_change_schema import BASE, CASES
from tests.fix_postgresql import PgServer

NAME = "change_round_trip"
ROLES = ("cs_owner", "cs_reader", '"cs 张三"')
# What comes again under its name, or is something else for a while.
_REMADE = re.compile(
    r'(?:DROP|CREATE(?: OR REPLACE)?(?: TRUSTED)?) (?:[A-Z]+ )+("?[\w.=@#!<>]+)'
    r"|TABLE (\S+) (?:RENAME|DETACH|INHERIT)"
)
# Two properties that one clause sets.
_TOGETHER = {"collation": "type"}
# States that the reader's tests write into the catalogue: no change may leave one behind.
_FORCED = "UPDATE pg_"
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
        comes = {each.written for each in self.touches if each.verb is not Verb.ALTER}
        return not comes.isdisjoint(each.written for each in other.touches) or any(
            name.search(other.text) for name in self.remade
        )


def what_of(case: Case) -> Of:
    """The case, read once."""
    text = ";".join((case.sql, case.back, *case.touches))
    found = tuple(each for line in case.touches if (each := parse_touch(line)) is not None)
    names = {name for each in _REMADE.findall(text) for name in each if name}
    patterns = tuple(re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") for name in names)
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
        if seen.issuperset(one.case.touches) or _FORCED in one.case.sql:
            continue
        seen.update(one.case.touches)
        place = next((group for group in groups if all(map(one.leaves_alone, group))), None)
        if place is None:
            groups.append([one])
        else:
            place.append(one)
    return groups


def turned(groups: Iterable[Sequence[Of]]) -> list[Case]:
    """Cases whose way back does with some kind of object what no case does."""
    cases = [each for group in groups for each in group]
    done = {(touch.kind, touch.verb) for each in cases for touch in each.touches}
    found: list[Case] = []
    for each in cases:
        back = {(touch.kind, touch.verb) for touch in reversed_touches(each.touches)}
        if not done.issuperset(back):
            done |= back
            found.append(each.case)
    return found


# Those of single properties write to catalogues, and do what a change may not: no steps of one.
GROUPS = grouped(case for case in CASES if case not in PROPERTIES)
TURNED = grouped(turned(GROUPS))


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


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of it."""

    server: PgServer
    name: str

    @property
    def engine(self) -> PostgresqlChangeEngine:
        """What dbops runs changes of it with."""
        return PostgresqlChangeEngine(
            lambda: parameters_of(self.server, self.name, self.server.superuser)
        )

    def run(self, statements: Iterable[str]) -> None:
        """Somebody has run them by hand."""
        with self.server.connect(self.name, self.server.superuser) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture
def copy(founded: PgServer) -> Iterator[Copy]:
    """A copy of it."""
    name = f"{NAME}_{secrets.token_hex(6)}"
    founded.create_database(name, template=NAME)
    yield Copy(founded, name)
    with founded.connect("postgres") as connection:
        connection.execute(f"ALTER DATABASE {name} IS_TEMPLATE false".encode())
    founded.drop_database(name)


def merged(touches: Iterable[Touch]) -> list[Touch]:
    """One touch of each object, with all properties."""
    found: dict[tuple[Verb, ObjectKind, str], set[str]] = {}
    for each in touches:
        found.setdefault((each.verb, each.kind, each.written), set()).update(each.properties)
    return [Touch(*key, tuple(sorted(properties))) for key, properties in found.items()]


def lines(differences: Sequence[Difference]) -> list[str]:
    """The fewest lines of touches that cover them."""
    return sorted(each.line for each in touches_of(differences))


def goes_and_comes(
    engine: PostgresqlChangeEngine,
    up: Sequence[str],
    down: Sequence[str],
    touches: Sequence[Touch],
) -> None:
    """The change runs, nobody else's runs behind it, and it is taken back to the exact digest."""
    order = order_of(engine, up, down, touches)
    ran = run_change(order, engine, observe)
    assert lines(ran.differences) == sorted(each.line for each in touches)
    assert all(map(difference_words, ran.differences))
    assert_drift(engine, ran)
    back = taken_back(engine, order, ran)
    assert back.digest == ran.before.digest
    assert lines(back.differences) == sorted(each.line for each in reversed_touches(touches))


def ways_of(group: Sequence[Of]) -> tuple[list[str], list[str], list[Touch]]:
    """What a group does, how it is undone, and what it makes differ."""
    there, back = [each.case.sql for each in group], [each.case.back for each in reversed(group)]
    return there, back, merged(touch for each in group for touch in each.touches)


@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_objects_are_changed_and_taken_back(copy: Copy, number: int) -> None:
    """What `touches` says comes of it and is drift for another change; down.sql, as dbops runs it,
    leads to the exact digest.
    """
    there, back, touches = ways_of(GROUPS[number])
    goes_and_comes(copy.engine, there, back, touches)


@pytest.mark.sweep  # on SQLite it is tried every time
@pytest.mark.parametrize("number", range(len(TURNED)))
def test_the_other_way_as_well(copy: Copy, number: int) -> None:
    """What was there goes, and what was gone comes; down.sql brings back the exact digest."""
    there, back, touches = ways_of(TURNED[number])
    copy.run(there)
    goes_and_comes(copy.engine, back, there, list(reversed_touches(touches)))


def test_every_kind_is_made_altered_and_dropped() -> None:
    """Some up.sql here has each object that PostgreSQL has come, change and go."""
    up = [touch for group in GROUPS for each in group for touch in each.touches]
    turned = [touch for group in TURNED for each in group for touch in each.touches]
    done = {(each.kind, each.verb) for each in (*up, *reversed_touches(turned))}
    wanted = {(kind, verb) for kind in ObjectKind for verb in Verb}
    missing = wanted - done - {(ObjectKind.VIRTUAL_TABLE, verb) for verb in Verb}
    assert missing == set(_NEVER)
