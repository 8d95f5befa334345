"""Touches: a line a difference, and nothing that no line names may differ."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbops.change.diff import Difference, Verb, compare_schemas
from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject
from dbops.change.touch import (
    Touch,
    names_touched,
    parse_touch,
    touch_of,
    touches_of,
    uncovered,
    unseen,
)
from tests.change.schemas import INDEX, TABLE, WARD, name, schema, schemas

_words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6)
_parts = _words | st.sampled_from(["a b", 'x"y', "f(date, int)", "病区", "a (b)"])
_touches = st.builds(
    lambda verb, kind, path, properties: Touch(
        verb,
        kind,
        ObjectName(kind, tuple(path)).written,
        tuple(sorted(properties)) if verb is Verb.ALTER else (),
    ),
    st.sampled_from(Verb),
    st.sampled_from(ObjectKind),
    st.lists(_parts, min_size=1, max_size=3),
    st.sets(_words, min_size=1, max_size=3),
)


@given(_touches)
def test_a_line_is_read_back(touch: Touch) -> None:
    """Whatever the object is called."""
    assert parse_touch(touch.line) == touch


_odd = st.text(st.sampled_from('ab.()"\\n\n '), min_size=1, max_size=9)


@given(st.lists(_odd, min_size=2, max_size=2), st.lists(_odd, min_size=2, max_size=2))
@example(["x.y()", "z()"], ["x", "y().z()"])
@example(["s", "a b\n"], ["s", "a b\\n"])
def test_two_names_are_written_otherwise(one: list[str], other: list[str]) -> None:
    """A touch is of one object: dots, quotes, parentheses and hidden characters confuse nothing."""
    first, second = (ObjectName(ObjectKind.TABLE, tuple(path)).written for path in (one, other))
    assert (first == second) is (one == other)
    assert first.isprintable()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "create",
        "create table",
        "create table ",
        "create table  t",
        "create table t ",
        "create Table t",
        "CREATE table t",
        "make table t",
        "create thing t",
        "createtable t",
        "alter table t",
        "alter table t ()",
        "alter table t (a",
        "alter table t (b, a)",
        "alter table t (a, a)",
        "alter table (a)",
    ],
)
def test_anything_else_is_no_line(line: str) -> None:
    """One wrong blank is enough."""
    assert parse_touch(line) is None


def test_longer_kinds_come_first() -> None:
    """A foreign table is no table called `foreign`."""
    assert parse_touch("create foreign table his.x") == Touch(
        Verb.CREATE, ObjectKind.FOREIGN_TABLE, "his.x"
    )


@given(schemas(), schemas())
def test_the_touches_of_a_difference_cover_it(one: Schema, other: Schema) -> None:
    """And each of them is needed: without it something is left."""
    found = compare_schemas(one, other)
    touches = touches_of(found)
    assert uncovered(found, touches) == ()
    assert unseen(found, touches) == ()
    for number, touch in enumerate(touches):
        others = touches[:number] + touches[number + 1 :]
        if touch not in others and touch.properties != ("position",):
            assert uncovered(found, others) != ()


@given(schemas(), schemas())
def test_nothing_is_covered_by_nothing(one: Schema, other: Schema) -> None:
    """Only the place of a column follows from others that come and go."""
    left = uncovered(compare_schemas(one, other), ())
    found = compare_schemas(one, other)
    assert all(each.changed == ("position",) for each in found if each not in left)


def test_what_is_made_takes_along_what_belongs_to_it() -> None:
    """A table its columns, over any depth; never what belongs to another."""
    index = SchemaObject(INDEX, {}, TABLE)
    comment = SchemaObject(name(ObjectKind.TRIGGER, "t"), {}, INDEX)
    after = schema(SchemaObject(TABLE), SchemaObject(WARD, {}, TABLE), index, comment)
    found = compare_schemas(schema(), after)
    table = Touch(Verb.CREATE, ObjectKind.TABLE, "his.visit")
    assert touches_of(found) == (table,)
    assert uncovered(found, [table]) == ()
    assert uncovered(found, [Touch(Verb.DROP, ObjectKind.TABLE, "his.visit")]) == found
    assert uncovered(found, [Touch(Verb.CREATE, ObjectKind.VIEW, "his.visit")]) == found
    of_the_index = Touch(Verb.CREATE, ObjectKind.INDEX, INDEX.written)
    assert {each.name for each in uncovered(found, [of_the_index])} == {TABLE, WARD}


def test_what_is_altered_is_covered_by_its_properties() -> None:
    """More may be named than differs, and never less."""
    found = (Difference(Verb.ALTER, WARD, {"type": "a", "default": "1"}, {"type": "b"}, (TABLE,)),)
    touch = touch_of(found[0])
    assert touch.line == "alter column his.visit.ward_code (default, type)"
    assert uncovered(found, [touch]) == ()
    more = Touch(Verb.ALTER, touch.kind, touch.written, ("default", "not null", "type"))
    assert uncovered(found, [more]) == ()
    for properties in (("type",), ("default", "not null"), ("position",)):
        less = Touch(Verb.ALTER, touch.kind, touch.written, properties)
        assert uncovered(found, [less]) == found
    assert uncovered(found, [Touch(Verb.ALTER, TABLE.kind, TABLE.written, ("type",))]) == found
    assert uncovered(found, [Touch(Verb.CREATE, TABLE.kind, TABLE.written)]) == found


def test_a_column_moves_where_others_come_and_go() -> None:
    """In the same table only; elsewhere its place is a difference as any other."""
    phone = name(ObjectKind.COLUMN, "his", "visit", "phone")
    moved = Difference(Verb.ALTER, WARD, {"position": "1"}, {"position": "2"}, (TABLE,))
    added = Difference(Verb.CREATE, phone, {}, {"position": "1"}, (TABLE,))
    touch = Touch(Verb.CREATE, phone.kind, phone.written)
    assert uncovered((moved, added), [touch]) == ()
    assert uncovered((moved,), [touch]) == (moved,)
    elsewhere = Difference(Verb.CREATE, phone, {}, {}, (name(ObjectKind.TABLE, "his", "stay"),))
    assert uncovered((moved, elsewhere), [touch]) == (moved,)


def test_touches_that_nothing_came_of() -> None:
    """A verb that did not happen is unseen, though the object differs."""
    found = (Difference(Verb.CREATE, INDEX),)
    made = Touch(Verb.CREATE, INDEX.kind, INDEX.written)
    dropped = Touch(Verb.DROP, INDEX.kind, INDEX.written)
    assert unseen(found, [made, dropped]) == (dropped,)


def test_names_of_touches() -> None:
    """Kind and name, whatever happens to the object."""
    touches = [Touch(Verb.DROP, INDEX.kind, INDEX.written)]
    assert names_touched(touches) == {(ObjectKind.INDEX, "his.visit_ward_ix")}
