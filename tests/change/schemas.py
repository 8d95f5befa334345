"""Schemas and differences at random: names that need quotes, objects inside of others."""

from __future__ import annotations

from hypothesis import strategies as st

from dbops.change.diff import Difference, Verb
from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject

_HARD = ["", "yes", "character varying(8)", "a\nb", "x" * 70, '"', "病区", "\ud800", "\x1b[2J"]
_PARTS = ["his", "visit", "a b", 'a"b', "x.y", "age(date)"]
_KEYS = ["type", "not null", "default", "definition", "position", "grants"]
texts = st.text(max_size=8) | st.sampled_from(_HARD)
_parts = st.sampled_from(_PARTS) | texts
names = st.builds(
    ObjectName, st.sampled_from(ObjectKind), st.lists(_parts, min_size=1, max_size=3).map(tuple)
)
properties = st.dictionaries(st.sampled_from(_KEYS) | texts, texts, max_size=3)


# Few objects, so that two schemas at random have some of them both.
POOL = [
    ObjectName(kind, path)
    for kind, path in [
        (ObjectKind.TABLE, ("his", "visit")),
        (ObjectKind.COLUMN, ("his", "visit", "ward_code")),
        (ObjectKind.COLUMN, ("his", "visit", "a b")),
        (ObjectKind.FUNCTION, ("his", "age(date)")),
        (ObjectKind.INDEX, ("病区",)),
        (ObjectKind.TRIGGER, ('a"b', "x.y")),
    ]
]
_few = st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_HARD), max_size=2)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """A schema in which some objects belong to others, which may not be there, and in no circle."""
    objects = {}
    for index, one in enumerate(POOL):
        if draw(st.booleans()):
            owner = draw(st.integers(-1, index - 1))
            objects[one] = SchemaObject(one, draw(_few), None if owner < 0 else POOL[owner])
    return Schema(objects, tuple(sorted(draw(st.lists(st.sampled_from(_HARD), max_size=2)))))


@st.composite
def odd_schemas(draw: st.DrawFn) -> Schema:
    """A schema with names and texts of any sort."""
    found = draw(st.dictionaries(names, properties, max_size=3))
    owner = draw(st.none() | names)
    return Schema({each: SchemaObject(each, found[each], owner) for each in found})


differences = st.builds(
    Difference,
    st.sampled_from(Verb),
    names,
    properties,
    properties,
    st.lists(names, max_size=2).map(tuple),
    st.dictionaries(st.sampled_from(_KEYS), texts, max_size=1),
)


def name(kind: ObjectKind, *path: str) -> ObjectName:
    """A name by its parts."""
    return ObjectName(kind, path)


def schema(*objects: SchemaObject) -> Schema:
    """A schema of these objects."""
    return Schema({each.name: each for each in objects})


TABLE = name(ObjectKind.TABLE, "his", "visit")
WARD = name(ObjectKind.COLUMN, "his", "visit", "ward_code")
INDEX = name(ObjectKind.INDEX, "his", "visit_ward_ix")
