"""What a partition has because its parent has it is covered by the parent's line."""

from __future__ import annotations

import pytest

from dbops.change.diff import compare_schemas
from dbops.change.follow import followed
from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject, schema_of
from dbops.change.touch import parse_touch, touches_of, uncovered

TABLE, COLUMN, INDEX = ObjectKind.TABLE, ObjectKind.COLUMN, ObjectKind.INDEX
PARENT = ObjectName(TABLE, ("his", "Obs"))
CHILD = ObjectName(TABLE, ("his", "obs_2026"))
GRANDCHILD = ObjectName(TABLE, ("his", "obs_2026_01"))


def tables() -> list[SchemaObject]:
    """A table with a partition that is partitioned itself."""
    return [
        SchemaObject(PARENT, {"partitioned by": "RANGE (at)"}),
        SchemaObject(CHILD, {"partition of": 'his."Obs"'}),
        SchemaObject(GRANDCHILD, {"partition of": "his.obs_2026"}),
    ]


def columns(kind: str = "text", **more: str) -> list[SchemaObject]:
    """A column of all three, of which two are inherited."""
    return [
        SchemaObject(
            ObjectName(COLUMN, (*table.path, "device")),
            {"type": kind, **({} if table is PARENT else {"inherited": "yes"}), **more},
            table,
        )
        for table in (PARENT, CHILD, GRANDCHILD)
    ]


def lines(before: Schema, after: Schema) -> list[str]:
    """The fewest lines that cover the difference, which they do."""
    differences = compare_schemas(before, after)
    touches = touches_of(differences)
    assert uncovered(differences, touches) == ()
    return [touch.line for touch in touches]


def test_one_line_makes_a_column_of_every_partition() -> None:
    """At any depth, and away again."""
    without, having = schema_of(tables()), schema_of([*tables(), *columns()])
    assert lines(without, having) == ["create column his.Obs.device"]
    assert lines(having, without) == ["drop column his.Obs.device"]


def test_one_line_alters_a_column_of_every_partition() -> None:
    """What is altered at one partition alone needs a line of its own."""
    before = schema_of([*tables(), *columns()])
    assert lines(before, schema_of([*tables(), *columns("bytea")])) == [
        "alter column his.Obs.device (type)"
    ]
    parent, child, grandchild = columns()
    own = SchemaObject(grandchild.name, {**grandchild.properties, "default": "1"}, grandchild.of)
    assert lines(before, schema_of([*tables(), parent, child, own])) == [
        "alter column his.obs_2026_01.device (default)"
    ]


def test_a_line_for_a_partition_covers_no_other() -> None:
    """Neither its parent nor its sister."""
    before = schema_of([*tables(), *columns()])
    differences = compare_schemas(before, schema_of([*tables(), *columns("bytea")]))
    touch = parse_touch("alter column his.obs_2026.device (type)")
    assert touch is not None
    left = [each.name.written for each in uncovered(differences, [touch])]
    assert left == ["his.Obs.device"]


def test_an_attached_index_follows_the_one_above() -> None:
    """By the name that the server writes, whatever its own is called."""
    above = ObjectName(INDEX, ("his", "obs_at_ix"))
    below = SchemaObject(
        ObjectName(INDEX, ("his", "obs_2026_at_idx")), {"partition of": "his.obs_at_ix"}, CHILD
    )
    having = schema_of([*tables(), SchemaObject(above, {}, PARENT), below])
    assert lines(schema_of(tables()), having) == ["create index his.obs_at_ix"]


@pytest.mark.parametrize(
    "above", ["", "his.a, his.b", 'his."a', "his..a", "a b", '"a"b', "his.", "his.nowhere"]
)
def test_a_name_that_is_no_single_one_is_followed_by_nothing(above: str) -> None:
    """Then every table has its own line."""
    table = SchemaObject(CHILD, {"inherits": above})
    column = SchemaObject(
        ObjectName(COLUMN, (*CHILD.path, "device")), {"inherited": "yes"}, table.name
    )
    assert followed(column, schema_of([table, column])) == ()


def test_who_follow_each_other_end() -> None:
    """No catalogue says so; a file could."""
    one, two = (ObjectName(INDEX, ("his", name)) for name in ("one", "two"))
    ring = schema_of(
        [
            SchemaObject(one, {"partition of": "his.two"}),
            SchemaObject(two, {"partition of": "his.one"}),
        ]
    )
    assert followed(ring.objects[one], ring) == (two, one)
