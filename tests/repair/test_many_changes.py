"""Many changes put into words at once: the same words as one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dbops.repair.diff_digest import DiffDigest, DigestedTable
from dbops.repair.table import Change, TableName
from dbops.repair.value_text import change_lines, change_text

MARKS = [b"\0", b"\1", b"\2", b"\3", b"\4", b'"', b"\\", b"\xff", b"", b"\0\2\0"]
VALUE = st.none() | st.sampled_from(MARKS) | st.text(max_size=5).map(str.encode)
ROW = st.lists(VALUE, min_size=2, max_size=2).map(tuple)
KEY = st.lists(st.sampled_from([*MARKS, b"7"]), min_size=1, max_size=2).map(tuple)
CHANGES = st.lists(st.builds(Change, KEY, st.none() | ROW, st.none() | ROW), max_size=6)
PLAIN = st.sampled_from([None, b"", b"a", "患".encode()])
PLAIN_ROW = st.tuples(PLAIN, PLAIN)
PLAIN_CHANGES = st.lists(
    st.builds(Change, st.just((b"k",)), st.none() | PLAIN_ROW, st.none() | PLAIN_ROW), max_size=6
)


@given(CHANGES | PLAIN_CHANGES)
def test_lines_are_those_of_each_change(changes: list[Change]) -> None:
    """Whatever stands in the values, marks of our own and broken text included."""
    one_by_one = b"".join(b"".join((b"[3,", *change_text(*each), b"]\n")) for each in changes)
    assert change_lines(b"[3,", changes) == one_by_one


@given(CHANGES)
def test_the_digest_is_that_of_each_change(changes: list[Change]) -> None:
    """Gathered in any way, the same changes have the same digest."""
    tables = [DigestedTable(TableName("his", "visit"), ("a", "b"), ("b",))]
    single, together = DiffDigest(tables, "0" * 64), DiffDigest(tables, "0" * 64)
    for each in changes:
        single.add(0, each)
    together.add_short(0, changes)
    assert single.hexdigest() == together.hexdigest()
