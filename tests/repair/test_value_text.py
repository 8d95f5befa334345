"""Values in JSON: each comes back to the byte, and each has one form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.repair import value_text
from dbops.repair.table import Row, Value
from dbops.repair.value_text import decode_value, encode_value, row_text, value_pieces

VALUES = st.none() | st.binary() | st.text().map(str.encode)


@given(VALUES)
def test_a_value_survives_json(value: Value) -> None:
    """What is written as JSON text and read again is the same value."""
    text = json.dumps(encode_value(value), ensure_ascii=False)
    assert decode_value(json.loads(text)) == value


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (b"", ""),
        ("病房 🏥\x00\n".encode(), "病房 🏥\x00\n"),
        ("病".encode("gbk"), {"hex": "b2a1"}),
        (b"\xed\xa0\x80", {"hex": "eda080"}),
        (b'{"hex": "00"}', '{"hex": "00"}'),
    ],
)
def test_null_text_and_other_bytes_have_their_forms(value: Value, form: object) -> None:
    """NULL is null, UTF-8 a string, and what is not UTF-8 hex digits."""
    assert encode_value(value) == form
    assert decode_value(form) == value


@pytest.mark.parametrize(
    "found",
    [
        True,
        7,
        1.5,
        [],
        {},
        "\ud800",
        {"hex": "zz"},
        {"hex": "f"},
        {"hex": "FF"},
        {"hex": "ff "},
        {"hex": 255},
        {"hex": "61"},
        {"hex": ""},
        {"hex": "ff", "more": 1},
        {"text": "a"},
    ],
)
def test_any_other_form_is_refused_without_being_quoted(found: object) -> None:
    """A form that no value has raises ValueError, whose words do not hold what was found."""
    with pytest.raises(ValueError) as caught:
        decode_value(found)
    assert type(caught.value) is ValueError
    assert (
        str(caught.value)
        == 'a value is null, a string, or {"hex": "…"} of bytes that are not UTF-8'
    )


@given(st.binary() | st.text().map(str.encode), st.integers(1, 7))
def test_pieces_are_the_text_of_the_whole(value: bytes, size: int) -> None:
    """Wherever a long value is cut, within a character too, its pieces make up the same JSON."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_text, "PIECE", size)
        text = b"".join(value_pieces(value))
    whole = json.dumps(encode_value(value), ensure_ascii=False, separators=(",", ":"))
    assert text == whole.encode()


@given(st.lists(VALUES | st.sampled_from([b"\0", b"\1", b'","', b"\\u0000"])).map(tuple))
def test_a_row_has_the_text_that_json_gives_it(row: Row) -> None:
    """However a row's text is put together, it is what json writes of its values."""
    whole = json.dumps([encode_value(v) for v in row], ensure_ascii=False, separators=(",", ":"))
    assert row_text(row) == whole.encode()


@pytest.mark.parametrize(
    "row",
    [
        (),
        (None,),
        (b"",),
        (b"\1",),
        (b"\1", None),
        (b"a\0b", b"c"),
        (b"\xb2", b"\xa1"),
        (b"a", None),
    ],
)
def test_rows_that_look_like_their_own_marks(row: Row) -> None:
    """A value that is one of the marks of the fast way, or half a character, is still exact."""
    whole = json.dumps([encode_value(v) for v in row], ensure_ascii=False, separators=(",", ":"))
    assert row_text(row) == whole.encode()
