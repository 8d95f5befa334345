"""Proofs: sums over rows that depend on the rows, how often, and on nothing else."""

from __future__ import annotations

import hashlib
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.repository.frames import Payload
from dbops.repository.ranges import MODULUS, NOTHING, Proof, RangeDigest, RowSum, Stream

KEY = b"k" * 32
row = st.binary(max_size=30).map(lambda data: data.replace(b"\n", b""))
rows = st.lists(row, max_size=12)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def proof(items: list[bytes], places: list[int] | None = None, key: bytes = KEY) -> Proof:
    digest = RangeDigest(key, Payload.ROWS)
    for block in cut(b"".join(item + b"\n" for item in items), places or []):
        digest.feed(block)
    return digest.finish()[1]


@given(rows, st.lists(st.integers(0, 1000), max_size=8))
def test_a_sum_is_that_of_its_definition_however_it_is_cut(
    items: list[bytes], places: list[int]
) -> None:
    """The sum of the keyed BLAKE2b-256 of each row, modulo 2^256; cuts leave no trace."""
    expected = sum(
        int.from_bytes(hashlib.blake2b(item, digest_size=32, key=KEY).digest(), "big")
        for item in items
    )
    found = proof(items, places)
    assert int(found.sum, 16) == expected % MODULUS
    assert found.records == len(items)
    assert found.bytes == sum(len(item) + 1 for item in items)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(items: list[bytes], random: object) -> None:
    """A table is a bag of rows."""
    assert proof(items) == proof(sorted(items)) == proof(items[::-1])


@given(st.lists(row, min_size=1, max_size=8))
def test_how_often_a_row_stands_there_matters(items: list[bytes]) -> None:
    """A pair of equal rows is not nothing, and three are not one: no exclusive or."""
    assert proof(items) != proof([*items, items[0], items[0]])
    assert proof([*items, items[0]]) != proof(items)


@given(st.lists(row, min_size=1, max_size=8), row)
def test_another_row_is_another_sum(items: list[bytes], other: bytes) -> None:
    """One changed value changes the sum."""
    if other != items[0]:
        assert proof(items).sum != proof([other, *items[1:]]).sum


@given(rows, rows)
def test_the_proof_of_a_whole_is_that_of_its_parts(one: list[bytes], other: list[bytes]) -> None:
    """Ranges add up to their table, in any order."""
    assert proof(one).plus(proof(other)) == proof(one + other)
    assert reduce(Proof.plus, [proof(other), NOTHING, proof(one)]) == proof(one + other)


def test_the_key_matters() -> None:
    """Without the key a guessed row cannot be compared with a sum."""
    assert proof([b"1"]) != proof([b"1"], key=b"q" * 32)


def test_a_row_without_an_end_is_the_readers_error() -> None:
    """A short stream never becomes a proof."""
    digest = RowSum(KEY)
    digest.feed(b"1\tA\n2\t")
    with pytest.raises(ValueError, match="no end"):
        digest.hex()
    digest.feed(b"\n")
    assert digest.rows == 2


@pytest.mark.parametrize("payload", [Payload.PAGES, Payload.OPAQUE])
def test_what_is_not_rows_is_digested_whole(payload: Payload) -> None:
    """Pages are counted by who reads them, and have no sum of rows."""
    digest = RangeDigest(KEY, payload)
    digest.feed(b"ab")
    digest.feed(b"cd")
    expected = hashlib.blake2b(b"abcd", digest_size=32, key=KEY).hexdigest()
    assert digest.finish(3) == (expected, Proof(3, 4, "0" * 64))


def test_a_stream_without_ranges_proves_nothing() -> None:
    """An empty table has a proof: no rows."""
    assert Stream("t", Payload.ROWS, {}, ()).proof == NOTHING
