"""The lines that `touches` lacks."""

from __future__ import annotations

from dbops.change.declare import MOST, declaring, lacking
from dbops.change.diff import Difference, Verb
from dbops.change.schema import ObjectKind, ObjectName
from dbops.change.touch import Touch, parse_touch
from dbops.change.words import difference_words

AGE = ObjectName(ObjectKind.FUNCTION, ("his", "age(date)"))
BEFORE = "CREATE FUNCTION f()\n LANGUAGE sql\nAS $$SELECT 1$$"
BODY = Difference(Verb.ALTER, AGE, {"definition": BEFORE}, {"definition": BEFORE.replace("1", "2")})
WARD = ObjectName(ObjectKind.COLUMN, ("his", "visit", "ward"))
TYPE = Difference(Verb.ALTER, WARD, {"type": "a"}, {"type": "b"})


def touch(line: str) -> Touch:
    found = parse_touch(line)
    assert found is not None
    return found


def test_the_line_of_a_body_that_differs_is_its_definition() -> None:
    """What words call a body, touches calls a definition; quotes stand where YAML wants them."""
    assert difference_words(BODY) == ("function `his.age(date)`: body differs",)
    assert lacking([BODY], []) == ('  - "alter function his.age(date) (definition)"',)


def test_a_line_takes_the_place_of_one_of_the_same_object() -> None:
    """It has the properties of both, in the order of the alphabet."""
    there = touch("alter column his.visit.ward (default)")
    assert lacking([TYPE], [there]) == ("  - alter column his.visit.ward (default, type)",)


def test_a_hint_gives_twenty_lines() -> None:
    """The rest is counted."""
    many = [
        Difference(Verb.CREATE, ObjectName(ObjectKind.VIEW, (f"v{number:02}",)))
        for number in range(MOST + 2)
    ]
    assert declaring(many, []).splitlines()[-3:] == [
        "  - create view v19",
        "  # and 2 more",
        "or leave it out",
    ]
