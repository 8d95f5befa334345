"""What is recorded after a run: what was recorded, and what the run made; drift stays drift."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from dbops.change.diff import compare_schemas
from dbops.change.recorded import recorded_after, with_differences
from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject
from tests.change.schemas import INDEX, TABLE, WARD, name, schema, schemas

EVIL = name(ObjectKind.FUNCTION, "his", "evil()")
PUBLIC = "PUBLIC: EXECUTE; owner: EXECUTE"


def columns(*spelled: str) -> list[SchemaObject]:
    """The table's columns in this order."""
    return [
        SchemaObject(ObjectName(WARD.kind, (*TABLE.path, each)), {"position": str(place)}, TABLE)
        for place, each in enumerate(spelled, start=1)
    ]


def table(*spelled: str) -> Schema:
    """A table of these columns."""
    return schema(SchemaObject(TABLE), *columns(*spelled))


def function(**properties: str) -> Schema:
    """A function that says this."""
    return schema(SchemaObject(EVIL, properties))


def changed(one: Schema, other: Schema) -> set[ObjectName]:
    """The names of what differs."""
    return {each.name for each in compare_schemas(one, other)}


@given(schemas(), schemas())
def test_without_drift_it_is_what_the_run_left(before: Schema, after: Schema) -> None:
    """All that differs came of the run."""
    assert recorded_after(before, before, after) == after


@given(schemas(), schemas())
def test_a_run_that_made_nothing_records_nothing(recorded: Schema, live: Schema) -> None:
    """What was recorded stays as it is, whatever is there."""
    assert recorded_after(recorded, live, live).objects == recorded.objects


@given(schemas(), schemas(), schemas())
def test_drift_that_the_run_left_alone_stays(
    recorded: Schema, before: Schema, after: Schema
) -> None:
    """All that had drifted before, and did not go with something, has still drifted."""
    own = changed(before, after)
    drifted = changed(recorded, before) - own
    gone = before.objects.keys() - after.objects.keys()
    left = changed(recorded_after(recorded, before, after), after)
    for each in drifted - left:
        outer = recorded.objects[each].of
        while outer is not None and outer not in gone:
            outer = recorded.objects[outer].of
        assert outer in gone


@given(schemas(), schemas(), schemas())
def test_nothing_else_has_drifted(recorded: Schema, before: Schema, after: Schema) -> None:
    """But for what the run made inside of something that nobody recorded."""
    had = changed(recorded, before)
    for each in changed(recorded_after(recorded, before, after), after) - had:
        assert each not in before.objects
        assert each in after.objects


@given(schemas(), schemas())
def test_differences_lead_from_one_schema_to_the_other(before: Schema, after: Schema) -> None:
    """Each object that came, went or was altered is as it is there."""
    made = with_differences(before, compare_schemas(before, after))
    assert made.objects == after.objects


def test_what_was_made_by_hand_is_not_recorded() -> None:
    """A run of something else leaves it as drift."""
    was = schema(SchemaObject(TABLE), SchemaObject(EVIL, {"grants": PUBLIC}))
    now = Schema({**was.objects, INDEX: SchemaObject(INDEX, {}, TABLE)})
    kept = recorded_after(schema(SchemaObject(TABLE)), was, now)
    assert set(kept.objects) == {TABLE, INDEX}


def test_what_was_dropped_by_hand_is_still_recorded() -> None:
    """It is gone, and stays said to be gone."""
    both = schema(SchemaObject(TABLE), SchemaObject(INDEX, {}, TABLE))
    was, now = (schema(SchemaObject(TABLE, {"comment": text})) for text in "ab")
    assert changed(recorded_after(both, was, now), now) == {INDEX}


def test_with_a_table_goes_what_was_in_it() -> None:
    """A column that went by hand before its table is no drift any more."""
    kept = recorded_after(table("id", "ward"), table("id"), schema())
    assert kept == schema()


def test_inside_of_what_is_not_recorded_nothing_is() -> None:
    """A change of a table that was made by hand does not say what that table is."""
    assert recorded_after(schema(), table("id"), table("id", "ward")) == schema()
    assert recorded_after(schema(), table("id"), table("id")) == schema()
    assert recorded_after(schema(), function(comment="a"), function(comment="b")) == schema()


def test_properties_that_the_run_did_not_alter_are_as_recorded() -> None:
    """Whoever may do what by hand stays drift, though the run altered the same object."""
    was = function(grants=PUBLIC)
    now = function(grants=PUBLIC, comment="age of a patient")
    kept = recorded_after(function(), was, now)
    assert kept == function(comment="age of a patient")


@pytest.mark.parametrize(
    ("key", "had", "was", "now", "stays"),
    [
        ("type", "varchar(8)", "varchar(10)", "varchar(12)", False),
        ("default", "1", "2", "1", False),
        ("grants", "a: SELECT", "PUBLIC: SELECT; a: SELECT", "PUBLIC: SELECT; b: SELECT", True),
        ("grants", "a: SELECT", "a: SELECT, UPDATE", "a: DELETE, SELECT, UPDATE", True),
        ("grants", "a: SELECT; b: SELECT", "a: SELECT", "a: SELECT; c: SELECT", True),
        ("grants", "a: SELECT", "b: SELECT", "c: SELECT", True),
        (
            "members",
            "f, sha256 " + "0" * 64,
            "f, sha256 " + "1" * 64,
            "f, sha256 " + "2" * 64,
            True,
        ),
    ],
)
def test_what_both_altered(key: str, had: str, was: str, now: str, *, stays: bool) -> None:
    """It is as the run made it, but as recorded where what was done by hand is in it still."""
    sides = (function(**{key: text}) for text in (had, was, now))
    kept = recorded_after(*sides)
    assert kept == function(**{key: had if stays else now})


HEAD = "CREATE OR REPLACE FUNCTION his.evil()\n RETURNS integer\n LANGUAGE sql\n"


def routine(*, body: str = "SELECT 1", traits: str = "", cost: int = 100) -> Schema:
    """A function as the server writes it."""
    return function(definition=f"{HEAD}{traits} COST {cost}\nAS $function${body}$function$\n")


def test_a_function_that_was_altered_by_hand() -> None:
    """What the run wrote anew is recorded; not what it left of another's body, power or setting."""
    one = routine()
    assert recorded_after(one, routine(body="SELECT 2"), routine(body="SELECT 3")) == routine(
        body="SELECT 3"
    )
    evil = routine(body="SELECT 2")
    assert recorded_after(one, evil, routine(body="SELECT 2", cost=10)) == one
    definer = {"traits": " SECURITY DEFINER"}
    assert recorded_after(one, routine(**definer), routine(**definer, cost=10)) == one  # type: ignore[arg-type] # traits
    safe = routine(traits=" SET search_path TO 'his'\n")
    assert recorded_after(safe, one, routine(cost=10)) == safe


def test_columns_have_places_without_gaps() -> None:
    """As if nobody had put one between them, or taken one away."""
    cases = [
        (("a", "b"), ("a", "b", "evil"), ("a", "b", "evil", "d"), ("a", "b", "d")),
        (("a", "b", "c"), ("a", "b", "c", "evil"), ("a", "c", "evil"), ("a", "c")),
        (("a", "b", "c"), ("a", "c"), ("a", "c", "d"), ("a", "b", "c", "d")),
        (("a", "b", "c"), ("a", "b"), ("b", "a"), ("b", "c", "a")),
    ]
    for had, was, now, wanted in cases:
        assert recorded_after(table(*had), table(*was), table(*now)) == table(*wanted)


def test_places_that_the_run_left_alone_are_as_recorded() -> None:
    """Columns that stand elsewhere by hand stay drift."""
    was, now = table("b", "a"), table("b", "a")
    now = Schema({**now.objects, TABLE: SchemaObject(TABLE, {"comment": "x"})})
    kept = recorded_after(table("a", "b"), was, now)
    assert changed(kept, table("a", "b")) == {TABLE}


def test_what_came_with_the_server_is_listed_only_where_it_is_set() -> None:
    """What was set by hand stays drift, and nothing is kept of what is as it was made."""
    sleep = name(ObjectKind.FUNCTION, "pg_catalog", "pg_sleep(double precision)")
    plain = schema()
    granted = schema(SchemaObject(sleep, {"grants": "nobody"}))
    said = schema(SchemaObject(sleep, {"grants": "nobody", "comment": "x"}))
    assert recorded_after(plain, granted, said) == schema(SchemaObject(sleep, {"comment": "x"}))
    assert recorded_after(granted, said, plain) == plain
    only = schema(SchemaObject(sleep, {"comment": "x"}))
    assert recorded_after(only, said, only) == only


def test_what_an_older_dbops_could_not_compare_stays_unknown() -> None:
    """Equal would be a guess."""
    old = replace(schema(), unknown=("cast a",))
    assert recorded_after(old, schema(), schema()).unknown == ("cast a",)
