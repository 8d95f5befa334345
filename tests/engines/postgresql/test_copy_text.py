"""COPY text: ranges are told apart in it, and every name and value survives it."""

from __future__ import annotations

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.reading import pass_range
from dbops.engines.postgresql.units import copy_text
from tests.fix_postgresql import PgServer

# What COPY text can hold: never a line of a single backslash and a dot.
_lines = st.lists(
    st.binary(max_size=12).map(
        lambda raw: raw.replace(b"\\", b"\\\\").replace(b"\n", b"\\n") + b"\n"
    ),
    max_size=8,
)


@given(st.lists(_lines, min_size=1, max_size=5), st.data())
def test_ranges_are_told_apart_wherever_blocks_are_cut(
    ranges: list[list[bytes]], data: st.DataObject
) -> None:
    """However the output is cut into blocks, each range gets its own lines and no others."""
    output = b"".join(b"".join(lines) + b"\\.\n" for lines in ranges)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(output)), max_size=20)) | {len(output)})
    blocks = iter([output[a:b] for a, b in zip([0, *cuts], cuts, strict=False)])
    left: bytes | None = b""
    for lines in ranges:
        found: list[bytes] = []
        assert left is not None
        left = pass_range(left, lambda: next(blocks, b""), found.append)
        assert b"".join(found) == b"".join(lines)
    assert left == b""


@given(_lines, st.integers(1, 5))
def test_a_range_without_its_end_is_none(lines: list[bytes], size: int) -> None:
    """Output that ends before the mark is never taken for a range."""
    output = b"".join(lines) + b"\\."
    blocks = iter([output[at : at + size] for at in range(0, len(output), size)])
    assert pass_range(b"", lambda: next(blocks, b""), lambda _: None) is None


@given(st.binary(max_size=40), st.sampled_from(["UTF8", "EUC_CN", "SQL_ASCII", "MULE_INTERNAL"]))
def test_every_name_survives_the_trip_through_text(raw: bytes, encoding: str) -> None:
    """Bytes of any encoding become JSON-safe text that goes back to the same bytes."""
    text = Encoding(encoding).decode(raw)
    text.encode("utf-8")
    assert Encoding(encoding).encode(text) == raw


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_escaped_text_is_what_copy_writes(text: str) -> None:
    """A value has no line break or tab left, and reads back as itself."""
    line = copy_text([(text, "x")])
    assert line.endswith("\tx\n")
    assert line.count("\n") == 1
    assert line.count("\t") == 1
    back = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
    pieces = iter(line.removesuffix("\tx\n"))
    assert "".join(back[next(pieces)] if each == "\\" else each for each in pieces) == text


def test_copy_text_is_the_servers_own(pg15: PgServer) -> None:
    """What dbops escapes by itself is byte for byte what COPY prints."""
    text = "".join(chr(code) for code in range(1, 128)) + "病历 🏥"
    with pg15.connect("postgres") as connection, connection.cursor() as cursor:
        query = psycopg.sql.SQL("COPY (SELECT {}) TO STDOUT").format(psycopg.sql.Literal(text))
        with cursor.copy(query) as copy:
            printed = b"".join(bytes(block) for block in copy)
    assert copy_text([(text,)]).encode() == printed
