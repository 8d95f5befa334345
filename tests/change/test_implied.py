"""Objects that were always there: what was set on them differs, and they are never new."""

from __future__ import annotations

import pytest

from dbops.change.diff import Difference, Verb, compare_schemas
from dbops.change.implied import may_be_unset
from dbops.change.schema import ObjectKind, ObjectName, SchemaObject
from dbops.change.touch import touches_of
from tests.change.schemas import name, schema

VIEW = SchemaObject(name(ObjectKind.VIEW, "his", "v"), {"owner": "his", "definition": "SELECT"})
COLUMN = name(ObjectKind.COLUMN, "his", "v", "id")
SET = SchemaObject(COLUMN, {"type": "bigint", "position": "1", "comment": "x"}, VIEW.name)
GRANTED = {"grants": "his: EXECUTE"}
RELOAD = name(ObjectKind.FUNCTION, "pg_catalog", "pg_reload_conf()")


@pytest.mark.parametrize(
    "what",
    [
        RELOAD,
        name(ObjectKind.VIEW, "information_schema", "tables"),
        name(ObjectKind.SCHEMA, "pg_catalog"),
        name(ObjectKind.LANGUAGE, "sql"),
    ],
    ids=lambda what: what.title,
)
def test_the_servers_own_is_altered(what: ObjectName) -> None:
    """By grants alone, there and back; both schemas list it or not."""
    found = compare_schemas(schema(), schema(SchemaObject(what, GRANTED)))
    assert found == (Difference(Verb.ALTER, what, {}, GRANTED),)
    assert compare_schemas(schema(SchemaObject(what, GRANTED)), schema()) == (
        Difference(Verb.ALTER, what, GRANTED, {}),
    )


@pytest.mark.parametrize(
    "one",
    [
        SchemaObject(RELOAD, {"owner": "his", **GRANTED}),
        SchemaObject(name(ObjectKind.FUNCTION, "his", "f()"), GRANTED),
        SchemaObject(name(ObjectKind.LANGUAGE, "plown"), GRANTED),
        SchemaObject(name(ObjectKind.INDEX, "pg_catalog", "i"), GRANTED),
        SchemaObject(name(ObjectKind.DEFAULT_PRIVILEGES, "pg_catalog", "tables"), GRANTED),
    ],
    ids=lambda one: one.name.title,
)
def test_what_somebody_made_is_new(one: SchemaObject) -> None:
    """It has an owner, or lies elsewhere."""
    (found,) = compare_schemas(schema(), schema(one))
    assert found.verb is Verb.CREATE


def test_a_column_of_a_view_is_altered() -> None:
    """Where the view is on both sides: what was set, and not where it stands."""
    (found,) = compare_schemas(schema(VIEW), schema(VIEW, SET))
    assert found == Difference(Verb.ALTER, COLUMN, {}, {"comment": "x"}, (VIEW.name,))
    assert [touch.line for touch in touches_of([found])] == ["alter column his.v.id (comment)"]
    (back,) = compare_schemas(schema(VIEW, SET), schema(VIEW))
    assert (back.before, back.after) == ({"comment": "x"}, {})


def test_a_column_comes_and_goes_with_its_view() -> None:
    """Of a new view it is new, and covered by the view."""
    found = compare_schemas(schema(), schema(VIEW, SET))
    assert {each.verb for each in found} == {Verb.CREATE}
    assert [touch.line for touch in touches_of(found)] == ["create view his.v"]


def test_a_column_of_a_table_is_new() -> None:
    """Only definitions bring columns along that are not listed."""
    table = SchemaObject(name(ObjectKind.TABLE, "his", "t"), {"owner": "his"})
    column = SchemaObject(name(ObjectKind.COLUMN, "his", "t", "a"), {"comment": "x"}, table.name)
    (found,) = compare_schemas(schema(table), schema(table, column))
    assert found.verb is Verb.CREATE


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        (ObjectKind.FUNCTION, "pg_catalog.pg_reload_conf()", True),
        (ObjectKind.LANGUAGE, "sql", True),
        (ObjectKind.SCHEMA, "pg_catalog", True),
        (ObjectKind.COLUMN, "his.v.id", True),
        (ObjectKind.COLUMN, "his.t.id", False),
        (ObjectKind.FUNCTION, "his.age(date)", False),
    ],
)
def test_what_may_be_there_unlisted(kind: ObjectKind, written: str, expected: bool) -> None:
    """By the name that a touch has."""
    assert may_be_unset(kind, written, schema(VIEW)) is expected
