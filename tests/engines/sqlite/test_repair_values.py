"""SQLite's values and keys in bytes: exact, unambiguous, and in SQLite's own order."""

from __future__ import annotations

import math
import struct

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.engines.sqlite.repair_order import order_part, part_value, text_part
from dbops.engines.sqlite.repair_values import (
    Affinity,
    Bindable,
    Plain,
    Raw,
    affinity_of,
    decode,
    encode,
    encoder,
)
from dbops.errors import Failed, Refused

INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
REALS = st.floats(allow_nan=False)
TEXTS = st.text() | INTEGERS.map(str) | REALS.map(repr) | st.text().map("~".__add__)
STORED = st.one_of(
    INTEGERS.map(lambda value: ("integer", value)),
    REALS.map(lambda value: ("real", value)),
    st.binary().map(lambda value: ("blob", value)),
    TEXTS.map(lambda value: ("text", value.encode())),
    st.binary().map(lambda value: ("text", value)),
)


def same(first: Bindable, second: Bindable) -> bool:
    """Whether both are bound as the same value: -0.0 is not 0.0, 1 is not 1.0."""
    if isinstance(first, float) and isinstance(second, float):
        return struct.pack(">d", first) == struct.pack(">d", second)
    return type(first) is type(second) and first == second


@given(STORED, st.sampled_from(Affinity))
def test_a_value_comes_back(stored: tuple[str, Plain], affinity: Affinity) -> None:
    """What is decoded is what was stored: its type, and each of its bits."""
    kind, value = stored
    found = decode(encode(kind, value, affinity, "utf-8"), affinity)
    if kind == "text" and isinstance(value, bytes):
        try:
            assert same(found, value.decode())
        except UnicodeDecodeError:
            assert found == Raw(value)
    else:
        assert same(found, value)


@given(STORED, st.sampled_from(Affinity), st.sampled_from(["utf-8", "utf-16-le"]))
def test_the_short_way_says_the_same(
    stored: tuple[str, Plain], affinity: Affinity, codec: str
) -> None:
    """A column's own encoder gives what `encode` gives."""
    assert encoder(affinity, codec)(*stored) == encode(*stored, affinity, codec)


@given(st.lists(STORED, min_size=2, max_size=2, unique_by=repr), st.sampled_from(Affinity))
def test_no_two_values_look_the_same(stored: list[tuple[str, Plain]], affinity: Affinity) -> None:
    """Two values of one column have two texts, so that bytes can be compared."""
    first, second = (encode(kind, value, affinity, "utf-8") for kind, value in stored)
    assert first != second


@pytest.mark.parametrize(
    ("kind", "stored", "affinity", "text"),
    [
        ("integer", 12, Affinity.NUMERIC, b"12"),
        ("integer", -1, Affinity.NONE, b"-1"),
        ("integer", 12, Affinity.TEXT, b"~i:12"),
        ("text", b"12", Affinity.TEXT, b"12"),
        ("text", b"12", Affinity.NONE, b"~t:12"),
        ("text", b"007", Affinity.NUMERIC, b"007"),
        ("text", b"2026-11-20", Affinity.NUMERIC, b"2026-11-20"),
        ("text", b"", Affinity.TEXT, b""),
        ("text", b"~x:", Affinity.TEXT, b"~t:~x:"),
        ("text", b"a\xff", Affinity.TEXT, b"~u:61ff"),
        ("text", b"a\0b", Affinity.TEXT, b"a\0b"),
        ("real", 12.5, Affinity.NUMERIC, b"12.5"),
        ("real", 12.5, Affinity.NONE, b"~r:12.5"),
        ("real", 0.1 + 0.2, Affinity.NUMERIC, b"~r:0.30000000000000004"),
        ("real", math.inf, Affinity.NUMERIC, b"~r:inf"),
        ("real", -0.0, Affinity.NUMERIC, b"~r:-0.0"),
        ("blob", b"\x00\xff", Affinity.NONE, b"~x:00ff"),
        ("null", None, Affinity.TEXT, None),
    ],
)
def test_the_form_of_a_value(
    kind: str, stored: Plain, affinity: Affinity, text: bytes | None
) -> None:
    """What is usual for a column is plain text; what is not has a mark."""
    assert encode(kind, stored, affinity, "utf-8") == text


@pytest.mark.parametrize("value", [b"~i:x", b"~r:", b"~x:0", b"~q:1", b"~", b"\xff"])
def test_no_value(value: bytes) -> None:
    """Bytes in no form that values have are refused, and not shown."""
    with pytest.raises(Failed) as caught:
        decode(value, Affinity.TEXT)
    assert caught.value.code == "value-refused"
    assert str(caught.value) == "a value is in no form that SQLite's values have"


@pytest.mark.parametrize(
    ("declared", "affinity"),
    [
        ("INTEGER", Affinity.NUMERIC),
        ("bigint", Affinity.NUMERIC),
        ("VARCHAR(20)", Affinity.TEXT),
        ("CLOB", Affinity.TEXT),
        ("CHARINT", Affinity.NUMERIC),
        ("", Affinity.NONE),
        ("BLOB", Affinity.NONE),
        ("DOUBLE", Affinity.NUMERIC),
        ("DATETIME", Affinity.NUMERIC),
        ("ANY", Affinity.NUMERIC),
    ],
)
def test_the_affinity_of_a_declared_type(declared: str, affinity: Affinity) -> None:
    """SQLite's rules, in SQLite's order."""
    assert affinity_of(declared) is affinity


def test_any_has_no_affinity_in_a_strict_table() -> None:
    """There, and only there, ANY keeps what it is given."""
    assert affinity_of("ANY", strict=True) is Affinity.NONE


KEYS = st.one_of(
    INTEGERS,
    REALS,
    st.integers(-3, 3),
    st.sampled_from([2**53, 2**53 + 1, 2.0**53, 2**63 - 1, -(2**63), 2.0**63, -(2.0**63), -0.0]),
    st.text(),
    st.binary(),
)


def part_of(value: str | float | bytes) -> bytes:
    return text_part(value.encode()) if isinstance(value, str) else order_part(value)


@given(st.lists(KEYS, max_size=30))
def test_keys_ascend_as_in_sqlite(values: list[str | float | bytes]) -> None:
    """Bytes sort as SQLite sorts the values, and are equal exactly where SQLite finds equal."""
    with apsw.Connection(":memory:") as connection:
        connection.execute("CREATE TABLE t (v)")
        connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
        rows = connection.execute("SELECT v, dense_rank() OVER (ORDER BY v) FROM t ORDER BY v")
        found = [(part_of(value), rank) for value, rank in rows]
    parts = [part for part, _ in found]
    assert parts == sorted(parts)
    assert len(set(parts)) == len({rank for _, rank in found}) == len(set(found))


@given(KEYS)
def test_a_key_is_found_by_its_bytes(value: str | float | bytes) -> None:
    """What is looked for is equal to what was there."""
    found = part_value(part_of(value))
    assert found == (Raw(value.encode()) if isinstance(value, str) else value)


@pytest.mark.parametrize("part", [b"", b"q", b"nzz", b"x0"])
def test_no_key(part: bytes) -> None:
    """Bytes that no reading gave out are refused."""
    with pytest.raises(Refused) as caught:
        part_value(part)
    assert caught.value.code == "order-form"
