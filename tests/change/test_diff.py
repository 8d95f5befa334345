"""What differs between two schemas: every object, once, with what is otherwise."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from dbops.change.diff import Difference, Verb, compare_schemas, is_only_order
from dbops.change.schema import ObjectKind, Schema, SchemaObject
from tests.change.schemas import INDEX, TABLE, WARD, name, schema, schemas

BEFORE = schema(
    SchemaObject(TABLE, {"owner": "his"}),
    SchemaObject(WARD, {"type": "text", "default": "1", "position": "1"}, TABLE),
)


@given(schemas())
def test_a_schema_is_as_itself(one: Schema) -> None:
    """Equal schemas have no difference."""
    assert compare_schemas(one, Schema(dict(one.objects), one.unknown)) == ()


@given(schemas(), schemas())
def test_differences_lead_from_one_to_the_other(one: Schema, other: Schema) -> None:
    """Each object stands there once, in order, and where none stands nothing differs."""
    found = compare_schemas(one, other)
    assert [each.name for each in found] == sorted({each.name for each in found})
    assert {each.name for each in found} == {
        each
        for each in {*one.objects, *other.objects}
        if one.objects.get(each) != other.objects.get(each)
    }
    for each in found:
        before, after = one.objects.get(each.name), other.objects.get(each.name)
        assert each.verb is {(True, False): Verb.DROP, (False, True): Verb.CREATE}.get(
            (before is not None, after is not None), Verb.ALTER
        )
        assert (each.verb is Verb.ALTER) is bool(each.changed)


@given(schemas(), schemas())
def test_the_way_back_is_the_same_in_reverse(one: Schema, other: Schema) -> None:
    """What was before is after, and what was made is gone."""
    there, back = compare_schemas(one, other), compare_schemas(other, one)
    reversed_verbs = {Verb.CREATE: Verb.DROP, Verb.DROP: Verb.CREATE, Verb.ALTER: Verb.ALTER}
    assert [(reversed_verbs[each.verb], each.name, each.after, each.before) for each in there] == [
        (each.verb, each.name, each.before, each.after) for each in back
    ]


def test_only_what_is_otherwise_is_said() -> None:
    """An altered object says the properties that differ; one that comes or goes all of them."""
    after = schema(
        SchemaObject(WARD, {"type": "varchar", "position": "1", "comment": "c"}, TABLE),
        SchemaObject(INDEX, {"definition": "d"}, TABLE),
    )
    assert compare_schemas(BEFORE, after) == (
        Difference(
            Verb.ALTER,
            WARD,
            {"type": "text", "default": "1"},
            {"type": "varchar", "comment": "c"},
            (TABLE,),
        ),
        Difference(Verb.CREATE, INDEX, after={"definition": "d"}, within=(TABLE,)),
        Difference(Verb.DROP, TABLE, before={"owner": "his"}),
    )


def test_grants_that_nobody_gave_have_a_meaning() -> None:
    """It is known of a schema that was just read, also for a text of the same owner."""
    plain = SchemaObject(TABLE, {"owner": "his"})
    granted = replace(plain, properties={"owner": "his", "grants": "PUBLIC: SELECT; his: ALL"})
    sold = replace(plain, properties={**granted.properties, "owner": "lab"})
    usual = {TABLE: "his: ALL"}
    for before, after, expected in (
        (schema(plain), replace(schema(granted), usual=usual), {"grants": "his: ALL"}),
        (replace(schema(plain), usual=usual), schema(granted), {"grants": "his: ALL"}),
        (replace(schema(granted), usual=usual), schema(plain), {"grants": "his: ALL"}),
        (replace(schema(plain), usual=usual), schema(sold), {"grants": "his: ALL"}),
        (schema(plain), replace(schema(sold), usual={TABLE: "lab: ALL"}), {}),
        (schema(plain), schema(granted), {}),
    ):
        (found,) = compare_schemas(before, after)
        assert found.usual == expected
        assert "grants" in found.changed
    assert replace(schema(plain), usual=usual) == schema(plain)
    assert replace(schema(plain), usual=usual).digest == schema(plain).digest


def test_another_owner_is_a_difference() -> None:
    """An object that now belongs to something else says to what."""
    other = name(ObjectKind.TABLE, "his", "stay")
    one, two = schema(SchemaObject(INDEX, {}, TABLE)), schema(SchemaObject(INDEX, {}, other))
    (found,) = compare_schemas(one, two)
    assert (found.before, found.after) == ({"of": "table his.visit"}, {"of": "table his.stay"})
    (found,) = compare_schemas(one, schema(SchemaObject(INDEX)))
    assert (found.before, found.after, found.within) == (
        {"of": "table his.visit"},
        {"of": ""},
        (),
    )


def test_owners_are_named_from_the_inside_out() -> None:
    """Also where they go round in a circle."""
    trigger = name(ObjectKind.TRIGGER, "t")
    after = schema(*BEFORE.objects.values(), SchemaObject(trigger, {}, WARD))
    assert compare_schemas(BEFORE, after)[0].within == (WARD, TABLE)
    circle = schema(SchemaObject(TABLE, {}, INDEX), SchemaObject(INDEX, {}, TABLE))
    assert [each.within for each in compare_schemas(schema(), circle)] == [
        (TABLE, INDEX),
        (INDEX, TABLE),
    ]


def test_the_order_of_columns() -> None:
    """Only a column has one, and nothing else of it may differ."""
    moved = {"position": "2"}
    assert is_only_order(Difference(Verb.ALTER, WARD, {"position": "1"}, moved))
    assert not is_only_order(Difference(Verb.ALTER, WARD, {"position": "1", "type": "a"}, moved))
    assert not is_only_order(Difference(Verb.CREATE, WARD, {}, moved))
    assert not is_only_order(Difference(Verb.ALTER, TABLE, {"position": "1"}, moved))
