"""Differences have one text, and two runs came to the same where what they left is the same."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.diff import Difference, Verb, compare_schemas
from dbops.change.diff_text import FORMAT, diff_text, parse_diff, same_effect
from dbops.change.schema import Schema
from dbops.errors import Refused
from tests.change.schemas import INDEX, TABLE, WARD, differences, schemas

_lists = st.lists(differences, max_size=3, unique_by=lambda each: each.name)
ALTERED = Difference(
    Verb.ALTER, WARD, {"type": "text", "position": "1"}, {"type": "int", "default": "1"}, (TABLE,)
)
DROPPED = Difference(Verb.DROP, INDEX, {"definition": "d"})
LINES = (
    '{"after":{"default":"1","type":"int"},"before":{"position":"1","type":"text"},'
    '"object":["column","his","visit","ward_code"],"verb":"alter",'
    '"within":[["table","his","visit"]]}\n'
    '{"after":{},"before":{"definition":"d"},"object":["index","his","visit_ward_ix"],'
    '"verb":"drop","within":[]}\n'
)


@given(_lists)
def test_differences_read_back(found: list[Difference]) -> None:
    """In the order of their names, whatever stands in them."""
    assert parse_diff(diff_text(found), "x.diff") == tuple(sorted(found, key=lambda d: d.name))


def test_a_line_a_difference() -> None:
    """Keys in one order, so that git shows what changed."""
    assert diff_text([DROPPED, ALTERED]).decode() == f"{FORMAT}\n{LINES}"
    assert diff_text([]).decode() == f"{FORMAT}\n"


def test_usual_grants_stand_there_where_they_are_known() -> None:
    """Behind the other keys; a file without them, as it was written before, is read as ever."""
    usual = replace(ALTERED, usual={"grants": "his: SELECT"})
    line = FIRST.replace('"verb"', '"usual":{"grants":"his: SELECT"},"verb"')
    assert diff_text([usual]).decode() == f"{FORMAT}\n{line}\n"
    assert parse_diff(diff_text([usual]), "x.diff") == (usual,)
    assert same_effect([usual], [ALTERED]) == same_effect([ALTERED], [usual]) == ()


def test_an_object_differs_once() -> None:
    """Two differences of one object are a mistake of whoever found them."""
    with pytest.raises(ValueError, match="one object differs twice"):
        diff_text([DROPPED, replace(DROPPED, verb=Verb.CREATE)])


@given(_lists, st.data())
def test_no_other_text_is_read(found: list[Difference], data: st.DataObject) -> None:
    """A byte more, less or otherwise is refused, or says other differences."""
    text = bytearray(diff_text(found))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
    with suppress(Refused):
        assert diff_text(parse_diff(bytes(text), "x.diff")) == bytes(text)


FIRST, SECOND = LINES.splitlines()


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([""], 1),
        ([FORMAT], 1),
        ([FORMAT, FIRST], 2),
        ([FORMAT, SECOND, FIRST, ""], 3),
        ([FORMAT, FIRST, FIRST, ""], 3),
        ([FORMAT, FIRST, SECOND.replace('"drop"', '"lose"'), ""], 3),
        ([FORMAT, SECOND.replace('"within":[]', '"within":{}'), ""], 2),
        ([FORMAT, SECOND.replace(',"within":[]', ""), ""], 2),
        ([FORMAT, SECOND.replace('"after":{}', '"after":[]'), ""], 2),
        ([FORMAT, SECOND.replace('"d"', "1"), ""], 2),
        ([FORMAT, SECOND.replace('"verb"', '"usual":{},"verb"'), ""], 2),
        ([FORMAT, SECOND.replace('"verb"', '"usual":{"grants":1},"verb"'), ""], 2),
        ([FORMAT, SECOND + " ", ""], 2),
        ([FORMAT, "", ""], 2),
        ([FORMAT, FIRST, "\udcff", ""], 3),
    ],
)
def test_malformed_lines_are_named(lines: list[str], line: int) -> None:
    """The error has the line, and no text of it."""
    with pytest.raises(Refused) as caught:
        parse_diff("\n".join(lines).encode("utf-8", "surrogateescape"), "changes/c/x.diff")
    what = f"changes/c/x.diff line {line}: these are no differences as dbops writes them"
    assert (caught.value.code, caught.value.message) == ("diff-form", what)


@given(schemas(), schemas(), schemas())
def test_what_was_before_does_not_count(one: Schema, other: Schema, after: Schema) -> None:
    """The same differences have the same effect, also where the texts before are others."""
    found = compare_schemas(one, after)
    assert same_effect(found, found) == ()
    blank = tuple(
        replace(each, before=dict.fromkeys(each.before, "?"), within=()) for each in found
    )
    assert same_effect(found, blank) == same_effect(blank, found) == ()
    assert all(line.isprintable() for line in same_effect(found, compare_schemas(other, after)))


@pytest.mark.parametrize(
    ("found", "rehearsed", "sentences"),
    [
        ([ALTERED], [ALTERED, DROPPED], ["index `his.visit_ward_ix` is gone"]),
        ([ALTERED], [replace(ALTERED, before={"type": "x", "position": "9"})], []),
        ([replace(ALTERED, after={**ALTERED.after, "position": "7"})], [ALTERED], []),
        ([Difference(Verb.ALTER, WARD, {"position": "1"}, {"position": "2"})], [], []),
        (
            [replace(ALTERED, after={"type": "bigint", "default": "1"})],
            [ALTERED],
            ["column his.visit.ward_code: type is not as it was rehearsed"],
        ),
        (
            [replace(ALTERED, after={"type": "int"})],
            [ALTERED],
            ["column his.visit.ward_code: default is not as it was rehearsed"],
        ),
        (
            [replace(ALTERED, before={**ALTERED.before, "comment": "c"})],
            [ALTERED],
            ["column his.visit.ward_code: comment is not as it was rehearsed"],
        ),
        (
            [replace(ALTERED, verb=Verb.DROP)],
            [ALTERED],
            ["column his.visit.ward_code: drop, and alter was rehearsed"],
        ),
    ],
)
def test_another_effect_is_said(
    found: list[Difference], rehearsed: list[Difference], sentences: list[str]
) -> None:
    """What is missing, what came besides, and what was left otherwise."""
    said = same_effect(found, rehearsed)
    assert [line.removeprefix("rehearsed, and did not come: ") for line in said] == sentences
    assert len(same_effect(rehearsed, found)) == len(sentences)


def test_what_was_not_rehearsed_is_said() -> None:
    """A line for each property of an altered object."""
    assert same_effect([DROPPED, ALTERED], []) == (
        "not rehearsed: column `ward_code` of `his.visit`: text → int",
        "not rehearsed: column `ward_code` of `his.visit`: default: none → 1",
        "not rehearsed: column `ward_code` of `his.visit`: position: 1 → none",
        "not rehearsed: index `his.visit_ward_ix` is gone",
    )
