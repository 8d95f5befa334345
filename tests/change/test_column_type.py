"""What a column loses by a new type, and whether PostgreSQL writes its table anew for it."""

from __future__ import annotations

import pytest

from dbops.change.column_type import is_rewritten, loss
from dbops.change.parsed_types import read_type

_OTHER = "values are converted to another type"
_FRACTIONS = "fractions of a second are rounded away"


@pytest.mark.parametrize(
    ("old", "new", "rewritten", "lost"),
    [
        ("integer[]", "text[]", True, _OTHER),
        ("text[]", "integer[]", True, _OTHER),
        ("character varying(10)[]", "character varying(5)[]", True, _OTHER),
        ("character varying(10)[]", "varchar(10)[]", False, None),
        ("integer[]", "int4[]", False, None),
        ("his.mood[]", "his.state[]", True, _OTHER),
        ("timestamp with time zone", "timestamptz", False, None),
        ("timestamp with time zone", "timestamptz(0)", True, _FRACTIONS),
        ("timestamp(3) without time zone", "timestamp", False, None),
        ("time without time zone", "time(0)", True, _FRACTIONS),
        ("bit(8)", "bit(4)", True, _OTHER),
        ("bit varying(8)", "bit varying(4)", True, _OTHER),
        ("bit(8)", "boolean", True, _OTHER),
        ("text", "name", True, "values are cut, or the change fails, where they are longer"),
        ("public.mood", "his.mood", True, _OTHER),
        ("character varying(10)", "text", False, None),
        ("numeric(10,2)", "numeric(12,2)", False, None),
    ],
)
def test_what_a_new_type_does(old: str, new: str, rewritten: bool, lost: str | None) -> None:
    """As the manual of ALTER TABLE says; doubt counts as a loss, and as a table written anew."""
    types = [read_type(text, "postgres") for text in (old, new)]
    assert (is_rewritten(*types), loss(*types)) == (rewritten, lost)


def test_a_bit_of_another_server_is_a_truth_value() -> None:
    """SQL Server and MySQL keep one bit by that name."""
    assert loss(read_type("bit", "tsql"), read_type("int", "tsql")) is not None
    assert loss(read_type("bit", "tsql"), read_type("bit", "tsql")) is None
