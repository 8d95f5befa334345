"""A schema is a value with one text, which reads back as that value and nothing else."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.schema import (
    FORMAT,
    ObjectKind,
    ObjectName,
    Schema,
    SchemaObject,
    refuse_unknown,
    schema_of,
)
from dbops.change.schema_text import parse_schema, schema_text
from dbops.errors import Refused
from tests.change.schemas import TABLE, WARD, odd_schemas, schema, schemas

SMALL = schema(
    SchemaObject(TABLE, {"owner": "his"}),
    SchemaObject(WARD, {"type": "text", "position": "1"}, TABLE),
)
LINES = (
    '{"object":["column","his","visit","ward_code"],"of":["table","his","visit"],'
    '"properties":{"position":"1","type":"text"}}\n'
    '{"object":["table","his","visit"],"of":null,"properties":{"owner":"his"}}\n'
)


@given(schemas() | odd_schemas())
def test_a_schema_reads_back(given_schema: Schema) -> None:
    """Whatever stands in it; and its digest is that of the value."""
    found = parse_schema(schema_text(given_schema), "source.schema")
    assert found == given_schema
    assert found.digest == hashlib.sha256(schema_text(given_schema)).hexdigest()


def test_a_line_an_object() -> None:
    """Sorted, and with keys in one order."""
    assert schema_text(SMALL).decode() == f"{FORMAT}\n{LINES}"
    unknown = Schema(SMALL.objects, ("operator his.=@=",))
    text = schema_text(unknown).decode()
    assert text == f'{FORMAT}\n{{"unknown": "operator his.=@="}}\n{LINES}'
    assert parse_schema(text.encode(), "s") == unknown


@given(schemas(), schemas())
def test_digests_tell_schemas_apart(one: Schema, other: Schema) -> None:
    """Two schemas have one digest where they are equal."""
    assert (one == other) is (one.digest == other.digest)


@given(schemas(), st.data())
def test_no_other_text_is_read(given_schema: Schema, data: st.DataObject) -> None:
    """A byte more, less or otherwise is refused, or says another schema."""
    text = bytearray(schema_text(given_schema))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
    with suppress(Refused):
        assert schema_text(parse_schema(bytes(text), "source.schema")) == bytes(text)


FIRST, SECOND = LINES.splitlines()


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], 1),
        (['{"dbops":"schema/v3"}', ""], 1),
        ([FORMAT], 1),
        ([FORMAT, FIRST], 2),
        ([FORMAT, SECOND, FIRST, ""], 3),
        ([FORMAT, FIRST, FIRST, ""], 3),
        ([FORMAT, FIRST, '{"unknown": "a"}', ""], 3),
        ([FORMAT, '{"unknown": "b"}', '{"unknown": "a"}', ""], 3),
        ([FORMAT, '{"unknown": 3}', ""], 2),
        ([FORMAT, '{"unknown":"a"}', ""], 2),
        ([FORMAT, FIRST, SECOND.replace(":", ": ", 1), ""], 3),
        ([FORMAT, SECOND.replace('"table"', '"tables"'), ""], 2),
        ([FORMAT, SECOND.replace('"his"}', "3}"), ""], 2),
        ([FORMAT, SECOND.replace("{", '{"a":1,', 1), ""], 2),
        ([FORMAT, SECOND.replace('["table","his","visit"]', "[]"), ""], 2),
        ([FORMAT, SECOND.replace('["table","his","visit"]', '"table"'), ""], 2),
        ([FORMAT, "[]", ""], 2),
        ([FORMAT, "null", ""], 2),
        ([FORMAT, "", ""], 2),
        ([FORMAT, "[" * 100_000, ""], 2),
        ([FORMAT, FIRST, "\udcff", ""], 3),
    ],
)
def test_malformed_lines_are_named(lines: list[str], line: int) -> None:
    """The error has the line, and no text of it."""
    with pytest.raises(Refused) as caught:
        parse_schema("\n".join(lines).encode("utf-8", "surrogateescape"), "changes/c/x.schema")
    what = f"changes/c/x.schema line {line}: this is no schema as dbops writes it"
    assert (caught.value.code, caught.value.message) == ("schema-form", what)


def test_unknown_kinds_are_refused_by_name() -> None:
    """The first five are named, and the others counted."""
    refuse_unknown(SMALL, "his")
    unknown = schema_of([], tuple(f"operator {number}" for number in range(7, 0, -1)))
    with pytest.raises(Refused) as caught:
        refuse_unknown(unknown, "his")
    assert caught.value.code == "schema-unknown"
    assert caught.value.message == (
        "his has objects of kinds that dbops does not compare: operator 1, operator 2, operator 3,"
        " operator 4, operator 5 (and 2 more)"
    )


def test_one_name_is_one_object() -> None:
    """A reader that finds a name twice has not understood the catalogue."""
    with pytest.raises(ValueError, match="two objects have one name"):
        schema_of([SchemaObject(TABLE), SchemaObject(TABLE, {"owner": "his"})])


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("his", "visit"), "his.visit"),
        (("his", "a b"), 'his."a b"'),
        (("his", 'a"b'), 'his."a""b"'),
        (("x.y",), '"x.y"'),
        (("",), '""'),
        (("his", "age(date, integer)"), "his.age(date, integer)"),
        (("病区",), "病区"),
        (("a\nb",), '"a\\nb"'),
    ],
)
def test_names_are_written(path: tuple[str, ...], written: str) -> None:
    """Parts that need them stand in quotes, and what no screen shows is an escape."""
    assert ObjectName(ObjectKind.TABLE, path).written == written
    assert ObjectName(ObjectKind.TABLE, path).title == f"table {written}"


def test_the_form_of_an_older_dbops_is_said_to_be_one() -> None:
    """What would read as drift in every object is not compared at all."""
    old = schema_text(SMALL).replace(b"schema/v2", b"schema/v1")
    with pytest.raises(Refused) as caught:
        parse_schema(old, "rehearsed-lab.schema")
    assert caught.value.code == "schema-old"
    assert caught.value.message == (
        "rehearsed-lab.schema is in the form of an older dbops, and cannot be compared"
    )
