"""Lines of a bundle come back as the changes that were written, by either way of reading them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.repair.change_line import ChangeLines
from dbops.repair.table import Change, Row
from dbops.repair.value_text import change_lines, decode_value

WIDTH = 3
VALUES = st.one_of(
    st.none(),
    st.text(alphabet="aA1 ,:[]{}'\"\\\n\x00\x7fé中😀\u2028", max_size=6).map(str.encode),
    st.binary(max_size=3),
    st.sampled_from([b"", b"null", b"NULL", b"-1", b'"', b'","', b"\\", b'{"hex":"ff"}']),
)
ROWS = st.tuples(*[VALUES] * WIDTH)
PARTS = VALUES.map(lambda value: value or b"")
KEYS = st.lists(PARTS, min_size=1, max_size=2).map(tuple)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """An insert, an update or a delete, or nothing at all."""
    before, after = draw(st.none() | ROWS), draw(st.none() | ROWS)
    return Change(draw(KEYS), before, after)


def read_by_json(line: bytes) -> tuple[int, Change]:
    """As json says it."""
    index, key, *rows = json.loads(line)
    before, after = (None if row is None else tuple(map(decode_value, row)) for row in rows)
    return index, Change(tuple(part or b"" for part in map(decode_value, key)), before, after)


@given(st.lists(changes(), max_size=8))
def test_a_line_is_what_was_written(given_changes: list[Change]) -> None:
    """Whatever the values are, and whichever lines came before."""
    lines = change_lines(b"[1,", given_changes).splitlines(keepends=True)
    joined = b"".join(lines).split(b"\n")[:-1]
    reader = ChangeLines([7, WIDTH])
    found = [reader.change(line + b"\n") for line in joined]
    assert found == [(1, change) for change in given_changes]
    assert found == [read_by_json(line) for line in joined]


PLAIN = b'[0,["k"],["a","b",null],["a","c",""]]\n'


def test_nulls_and_empty_texts_keep_their_places() -> None:
    """A line that escapes nothing is cut, NULL is none of its values."""
    row: Row = (b"a", b"b", None)
    assert ChangeLines([3]).change(PLAIN) == (0, Change((b"k",), row, (b"a", b"c", b"")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"k"', b"null"),
        (b'"k"', b"7"),
        (b"[0,", b"[1,"),
        (b"[0,", b"[-1,"),
        (b"[0,", b"[true,"),
        (b"null", b"5"),
        (b"null", b"true"),
        (b"null", b'["x"]'),
        (b',"b"', b""),
        (b'"b"', b'"b"x'),
        (b'"b"', b'"b\x01"'),
        (b'"b"', b'"\xff"'),
        (b'"b"', b'{"hex":"62"}'),
        (b'"b"', b'"\\ud800"'),
        (b"]]\n", b']]"x\n'),
        (b"]]\n", b"],null]\n"),
        (b"]]\n", b"]\n"),
        (b'["a","b",null]', b'"a"'),
    ],
)
def test_another_line_is_refused(old: bytes, new: bytes) -> None:
    """A line that `change_lines` does not write is none, also behind lines of like form."""
    reader = ChangeLines([3])
    reader.change(PLAIN)
    assert old in PLAIN
    with pytest.raises((ValueError, TypeError, IndexError)):
        reader.change(PLAIN.replace(old, new, 1))
