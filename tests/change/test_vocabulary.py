"""The names and properties that a line of `touches` can have are those that engines read."""

from __future__ import annotations

from collections import defaultdict

import pytest

from dbops.change.schema import ObjectKind
from dbops.change.touch import Touch, parse_touch
from dbops.change.vocabulary import (
    POSTGRESQL,
    SQLITE,
    form_of,
    parts_in,
    properties_of,
)
from tests.engines.postgresql.test_change_schema import CASES
from tests.engines.postgresql.test_change_schema_members import CASES as MEMBERS
from tests.engines.postgresql.test_change_schema_properties import MARKS, OF_MEMBERS, emitted
from tests.engines.sqlite.test_change_schema import CASES as SQLITE_CASES

MARKED = {key for _, key in MARKS} | {"of"}
LINES = {
    POSTGRESQL: [
        *(line for case in CASES for line in case.touches),
        *(line for case in MEMBERS for line in case.touches),
    ],
    SQLITE: [line for _, _, lines in SQLITE_CASES.values() for line in lines],
}


def touches(dialect: str) -> list[Touch]:
    found = [parse_touch(line) for line in LINES[dialect]]
    return [each for each in found if each is not None]


def test_properties_of_postgresql_are_those_of_its_reader() -> None:
    """None is missing, and none is there that no listing has."""
    listed: defaultdict[ObjectKind, set[str]] = defaultdict(set)
    for kinds, key in emitted():
        for kind in kinds:
            listed[ObjectKind(kind)].add(key)
    for name, key in OF_MEMBERS:
        listed[ObjectKind(name)].add(key)
    for kind in ObjectKind:
        marked = MARKED if form_of(kind, POSTGRESQL) else set()
        assert properties_of(kind, POSTGRESQL) == listed[kind] | marked, kind


@pytest.mark.parametrize("dialect", LINES)
def test_what_differs_has_a_known_name(dialect: str) -> None:
    """The lines of every difference that an engine is tried with say what is known."""
    found = touches(dialect)
    assert len(found) > 20
    for touch in found:
        form = form_of(touch.kind, dialect)
        assert form is not None, touch.line
        assert parts_in(touch.written) == parts_in(form), touch.line
        assert properties_of(touch.kind, dialect).issuperset(touch.properties), touch.line


def test_what_is_no_name_has_no_parts() -> None:
    """An open quote, a dot at an end, two dots."""
    assert [parts_in(text) for text in ('his."visit', "his.", ".his", "his..visit", "")] == [0] * 5
