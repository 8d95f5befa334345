"""What people see of a repair's rows, and what they do not."""

from __future__ import annotations

import pytest

from dbops.repair.difference import NULL, Cell, Operation, RowDifference, difference_of
from dbops.repair.table import Change, Column, Shape, TableName

VISIT = Shape(
    TableName("his", "visit"),
    (Column("id", "integer"), Column("ward", "text"), Column("name", "text")),
    key=(0,),
)
KEY = bytes(32)
BEFORE, AFTER = (b"7", b"OLD", "张伟".encode()), (b"7", b"ORT", "张伟".encode())


def shown(change: Change, *columns: str, key: bytes = KEY) -> RowDifference:
    """The change with these columns in clear."""
    return difference_of(VISIT, change, shown=columns, key=key, text=bytes.decode)


def test_an_update_shows_what_differs() -> None:
    """Only the columns that changed stand there, and the key."""
    found = shown(Change((b"7",), BEFORE, AFTER), "id", "ward")
    assert found == RowDifference(
        "his.visit",
        Operation.UPDATE,
        (Cell("id", "7", "7", masked=False),),
        (Cell("ward", "OLD", "ORT", masked=False),),
    )
    assert found.cells[0].changed
    assert not found.key[0].changed


@pytest.mark.parametrize(
    ("change", "operation", "cell"),
    [
        (Change((b"7",), None, AFTER), Operation.INSERT, Cell("ward", None, "ORT", masked=False)),
        (Change((b"7",), BEFORE, None), Operation.DELETE, Cell("ward", "OLD", None, masked=False)),
    ],
)
def test_a_whole_row_differs(change: Change, operation: Operation, cell: Cell) -> None:
    """An inserted and a deleted row have all their columns."""
    found = shown(change, "ward")
    assert found.operation is operation
    assert [each.column for each in found.cells] == ["id", "ward", "name"]
    assert cell in found.cells


def test_what_may_not_be_shown_is_a_digest() -> None:
    """Neither key nor name is readable, and equal values look equal."""
    found = shown(Change((b"7",), None, AFTER), "ward")
    again = shown(Change((b"8",), None, (b"8", b"ORT", "张伟".encode())), "ward")
    assert "张伟" not in str(found)
    assert found.key[0].masked
    assert found.cells[2].after == again.cells[2].after
    assert found.key != again.key


def test_digests_need_the_key_of_the_bundle() -> None:
    """The same rows in another bundle have other digests."""
    change = Change((b"7",), None, AFTER)
    assert shown(change).cells != shown(change, key=b"\1" * 32).cells


def test_a_value_in_two_columns_has_two_digests() -> None:
    """One column tells nothing about another."""
    found = shown(Change((b"7",), None, (b"7", b"same", b"same")))
    assert found.cells[1].after != found.cells[2].after


def test_null_is_not_the_word() -> None:
    """NULL in clear reads NULL; behind a digest nobody sees that it is one."""
    found = shown(Change((b"7",), (b"7", None, None), None), "ward")
    assert found.cells[1].before == NULL
    for word in ("NULL", "'NULL'"):
        quoted = shown(Change((b"7",), (b"7", None, None), (b"7", word.encode(), None)), "ward")
        assert quoted.cells[0].after == f"'{word}'"
    assert found.cells[2].before is not None
    assert found.cells[2].before.startswith("#")


def test_everything_is_shown_where_nothing_is_hidden() -> None:
    """Who opens a bundle with an identity sees the rows."""
    change = Change((b"7",), BEFORE, AFTER)
    found = difference_of(VISIT, change, shown=None, key=KEY, text=bytes.decode)
    assert not any(cell.masked for cell in (*found.key, *found.cells))
