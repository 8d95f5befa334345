"""Two readings merged: exactly what differs, ascending, in bounded stretches."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Failed
from dbops.repair import compare
from dbops.repair.compare import Order, Seen, changes
from dbops.repair.table import Change, KeyedRow, Row, differing

NAMES = st.sampled_from([b"%d" % number for number in range(12)])
TABLE = st.dictionaries(st.tuples(NAMES), st.tuples(st.sampled_from([None, b"a", b"b"])))


class Table:
    """Rows as they are now, which can be looked up, and what was asked for."""

    def __init__(self, rows: dict[Order, Row], own: set[Order] | None = None) -> None:
        self.rows = rows
        self.own = own or set()
        self.asked: list[int] = []

    def read(self, keys: set[Order] | None = None) -> Iterator[KeyedRow]:
        for key in sorted(self.rows):
            if keys is None or key in keys:
                yield KeyedRow(key, self.rows[key], key in self.own)

    def fetch(self, orders: Sequence[Order]) -> list[KeyedRow]:
        self.asked.append(len(orders))
        return list(self.read(set(orders)))[::-1]


def all_changes(stretches: list[Seen]) -> list[Change]:
    return [change for seen in stretches for change in seen.changes]


@given(
    TABLE, TABLE, st.sets(st.tuples(NAMES)), st.sets(st.tuples(NAMES)), st.sets(st.tuples(NAMES))
)
def test_it_shows_what_differs_and_counts_the_rest(
    old: dict[Order, Row],
    new: dict[Order, Row],
    matched: set[Order],
    matches: set[Order],
    own: set[Order],
) -> None:
    """For any table and any two sets of matching rows, the changes and counts are the true ones."""
    before, after = Table(old), Table(new, own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "BATCH_ROWS", 3)
        stretches = list(changes(before.read(matched), after.read(matches), after.fetch))
    keys = (matched & old.keys()) | (matches & new.keys())
    was = {key: old.get(key) if key in matched else None for key in keys}
    expected = [
        Change(key, was[key], new.get(key)) for key in sorted(keys) if was[key] != new.get(key)
    ]
    assert all_changes(stretches) == expected
    assert sum(seen.before for seen in stretches) == len(matched & old.keys())
    assert sum(seen.after for seen in stretches) == len(matches & new.keys())
    assert sum(seen.own for seen in stretches) == len(keys & new.keys() & own)
    made = [change.key for change in expected if change.after is not None]
    assert sum(seen.unwritten for seen in stretches) == len(set(made) - own)
    assert all(len(seen.changes) <= 3 for seen in stretches)


def test_rows_are_looked_up_in_batches() -> None:
    """Rows that left the predicate cost few round trips, of 1000 rows at most."""
    old: dict[Order, Row] = {(b"%06d" % number,): (b"OLD",) for number in range(5000)}
    now = Table(dict.fromkeys(old, (b"ORT",)))
    stretches = list(changes(Table(old).read(), [], now.fetch))
    assert len(all_changes(stretches)) == 5000
    assert now.asked[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
    assert len(now.asked) == 14
    assert max(map(len, (seen.changes for seen in stretches))) == 1000


def test_long_rows_are_looked_up_in_small_batches() -> None:
    """Rows that became 1 MB long are asked for a few at a time: a batch has some 8 MiB."""
    long = os.urandom(1 << 20)
    old: dict[Order, Row] = {(b"%06d" % number,): (b"short",) for number in range(100)}
    now = Table(dict.fromkeys(old, (long,)))
    assert len(all_changes(list(changes(Table(old).read(), [], now.fetch)))) == 100
    assert max(now.asked) == 8
    assert len(now.asked) < 20


def test_memory_does_not_grow_with_the_rows() -> None:
    """A reading of 100 MB of rows that all differ takes memory for one stretch only."""
    value = b"x" * 10_000

    def reading(tail: bytes) -> Iterator[KeyedRow]:
        for number in range(10_000):
            yield KeyedRow((b"%06d" % number,), (value[:-1] + tail,))

    tracemalloc.start()
    try:
        count = sum(
            len(seen.changes) for seen in changes(reading(b"1"), reading(b"2"), lambda _: [])
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 10_000
    assert peak < 20 << 20


ROW_A, ROW_B = KeyedRow((b"a",), (b"1",)), KeyedRow((b"b",), (b"2",))


@pytest.mark.parametrize(
    ("before", "after"),
    [([ROW_B, ROW_A], []), ([], [ROW_B, ROW_A]), ([ROW_A, ROW_A], []), ([], [ROW_A, ROW_A])],
)
def test_a_reading_that_does_not_ascend_is_refused(
    before: list[KeyedRow], after: list[KeyedRow]
) -> None:
    """A reading out of order, or with a key twice, means nothing and says so."""
    with pytest.raises(Failed) as caught:
        list(changes(before, after, lambda _: []))
    assert caught.value.code == "reading-order"
    assert caught.value.message == (
        "rows of a reading do not ascend by their key, so before and after cannot be compared"
    )


@pytest.mark.parametrize("found", [[ROW_B], [ROW_A, ROW_A]])
def test_rows_that_nobody_asked_for_are_refused(found: list[KeyedRow]) -> None:
    """What a look-up returns are rows of the keys that were given, each once."""
    with pytest.raises(Failed) as caught:
        list(changes([ROW_A], [], lambda _: found))
    assert caught.value.message == (
        "rows that were looked up are others than those asked for,"
        " so before and after cannot be compared"
    )


def test_differing_names_the_places_of_changed_columns() -> None:
    """NULL differs from the empty string, and equal bytes do not differ."""
    assert differing((b"a", None, b"", b"x"), (b"a", b"", b"", b"y")) == (1, 3)
