"""True histories of a table in a small model: what the judgement accepts is in the difference."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.repair.compare import Order, changes
from dbops.repair.judgement import Tally, Watched, judge_run
from dbops.repair.manifest import Watch
from dbops.repair.ports import RepairTraits, Strength, Writes
from dbops.repair.table import Change, KeyedRow, Row, TableName
from dbops.sql.statement import Statement
from dbops.sql.written import Written

TABLE = TableName("", "t")
TRAITS = RepairTraits(
    counters=Strength.EXACT,
    counted_by="the model",
    dialect="sqlite",
    schemas=False,
    roles=False,
    own_rows=True,
    overruling=False,
)
NOTHING = Written()
INSIDE, SOMETIMES, OUTSIDE = "ab", "c", "yz"


@dataclass
class Model:
    """A table as an engine keeps it. `writes` says how often each key's row was written."""

    rows: dict[str, str]
    switched: bool = False  # the predicate looks at something else too
    counted: Written = NOTHING
    own: set[str] = field(default_factory=set)
    writes: Counter[str] = field(default_factory=Counter)

    def matches(self, key: str) -> bool:
        value = self.rows[key]
        return value in INSIDE or (self.switched and value in SOMETIMES)

    def read(self) -> Iterator[KeyedRow]:
        return (row for row in self.fetch([_order(k) for k in self.rows]) if self._in(row))

    def fetch(self, orders: Sequence[Order]) -> list[KeyedRow]:
        wanted = sorted(order[0].decode() for order in orders)
        return [
            KeyedRow(_order(key), (key.encode(), self.rows[key].encode()), key in self.own)
            for key in wanted
            if key in self.rows
        ]

    def _in(self, row: KeyedRow) -> bool:
        return self.matches(row.order[0].decode())

    def do(self, op: str, key: str, value: str, target: str) -> None:
        """One operation as the engine counts it; one that finds no row does nothing."""
        if op == "switch":
            self.switched = not self.switched
        elif op == "insert" and key not in self.rows:
            self._put(key, value, Written(inserted=1))
        elif op != "insert" and key in self.rows:
            self._write(op, key, value, target)

    def _write(self, op: str, key: str, value: str, target: str) -> None:
        if op == "update":
            self._put(key, value, Written(updated=1))
        elif op == "touch":
            self._put(key, self.rows[key], Written(updated=1))
        elif op == "move":
            self._put(key, value, Written(inserted=1, deleted=1))
        elif op == "delete":
            self._take(key, Written(deleted=1))
        elif op == "attempt":  # rolled back to a savepoint, and counted all the same
            self.counted += Written(updated=1)
        elif op == "rekey" and target not in self.rows:
            self._take(key, Written())
            self._put(target, value, Written(updated=1))

    def _put(self, key: str, value: str, counted: Written) -> None:
        self.rows[key] = value
        self.own.add(key)
        self.writes[key] += 1
        self.counted += counted

    def _take(self, key: str, counted: Written) -> None:
        del self.rows[key]
        self.own.discard(key)
        self.writes[key] += 1
        self.counted += counted


Step = tuple[str, str, str, str]
START = {"1": "a", "2": "b", "3": "y", "4": "z", "5": "c"}
KEYS = "123456789"
OPS = ("insert", "update", "touch", "move", "delete", "attempt", "rekey", "switch")
STEP = st.tuples(
    st.sampled_from(OPS), st.sampled_from(KEYS), st.sampled_from("abcyz"), st.sampled_from(KEYS)
)


def _order(key: str) -> Order:
    return (key.encode(),)


def run(start: Model, steps: Sequence[Step]) -> Model:
    model = copy.deepcopy(start)
    for step in steps:
        model.do(*step)
    return model


def compared(start: Model, end: Model, *, rewrites: bool) -> tuple[bool, list[Change]]:
    """Whether the judgement accepts, given a manifest that expects whatever shows."""
    tally = Tally(("key", "value"))
    shown: list[Change] = []
    for seen in changes(start.read(), end.read(), end.fetch):
        tally.add(seen)
        shown += seen.changes
    watch = Watch(TABLE, Statement(("…",), 1), tally.ops, ("value",), rewrites)
    breaches = judge_run(
        [Watched(watch, TABLE, tally)],
        (),
        Writes({TABLE: end.counted}),
        own_rows={TABLE: len(end.own)},
        limit=100,
        traits=TRAITS,
    )
    assert {breach.code for breach in breaches} <= {"count-differs"}
    return not breaches, shown


def undone(end: Model, shown: Sequence[Change]) -> dict[str, str]:
    """The table after an undo of what shows."""
    rows: dict[Order, Row] = {row.order: row.row for row in end.fetch([_order(k) for k in KEYS])}
    for change in shown:
        assert rows.pop(change.key, None) == change.after
        if change.before is not None:
            rows[change.key] = change.before
    return {key[0].decode(): (row[1] or b"").decode() for key, row in rows.items()}


def check(steps: Sequence[Step]) -> list[bool]:
    """Assert what acceptance must mean, strictly and with rewrites; returns what was accepted."""
    start = Model(dict(START))
    end = run(start, steps)
    found = []
    for rewrites in (False, True):
        accepted, shown = compared(start, end, rewrites=rewrites)
        found.append(accepted)
        if accepted:
            keys = {change.key[0].decode() for change in shown}
            assert undone(end, shown) == START
            written = {key for key, times in end.writes.items() if times}
            if rewrites:
                left = {key for key in written - keys if not _matched(start, end, key)}
                assert not left & end.own, "a row outside of the watch stays written"
            else:
                assert written <= keys, "a row was written and does not show"
    return found


def _matched(start: Model, end: Model, key: str) -> bool:
    return (key in start.rows and start.matches(key)) or (key in end.rows and end.matches(key))


@settings(max_examples=400, deadline=None)
@given(st.lists(STEP, max_size=6))
def test_what_is_accepted_shows_completely(steps: list[Step]) -> None:
    """Any history: if it is accepted, each row that it wrote shows, and an undo restores all.

    With rewrites a row may have been written and be as it was, if it is in the watch or is gone
    again; an undo restores all the same.
    """
    check(steps)


# Each row of the watch may be written in one of these ways; a new row may come.
HONEST = [
    [
        ("update", "1", "b", ""),
        ("update", "1", "z", ""),
        ("move", "1", "b", ""),
        ("delete", "1", "", ""),
        ("rekey", "1", "a", "6"),
    ],
    [("update", "2", "z", ""), ("delete", "2", "", ""), ("rekey", "2", "b", "8")],
    [("insert", "9", "a", "")],
]
NOISE = [
    ("update", "3", "z", ""),
    ("update", "3", "a", ""),
    ("touch", "3", "", ""),
    ("move", "3", "z", ""),
    ("delete", "3", "", ""),
    ("insert", "3", "y", ""),
    ("rekey", "3", "y", "7"),
    ("rekey", "7", "a", "3"),
    ("rekey", "1", "z", "7"),
    ("insert", "7", "z", ""),
    ("delete", "7", "", ""),
    ("attempt", "1", "", ""),
    ("switch", "", "", ""),
]


def honest() -> Iterator[list[Step]]:
    """Every way to write some of the rows of the watch once each, and nothing else."""
    for choice in product(*([None, *steps] for steps in HONEST)):
        yield [step for step in choice if step is not None]


def test_honest_histories_are_accepted() -> None:
    """Rows of the watch, each written once and to something else, may always commit."""
    histories = list(honest())
    assert len(histories) == 6 * 4 * 2
    for steps in histories:
        assert check(steps) == [True, True], steps


def test_no_two_other_writes_cancel_out() -> None:
    """An honest history with any two writes that should not be is refused, or shows all of it."""
    accepted = Counter[bool]()
    for steps in honest():
        for first, second in product(NOISE, NOISE):
            accepted[check([first, *steps, second])[0]] += 1
    assert accepted[False] > 9 * accepted[True] > 0


@pytest.mark.sweep
def test_all_short_histories() -> None:
    """Every history of three operations on three keys, those that do nothing included."""
    values, keys = "acz", "135"
    steps = [
        *product(("insert", "update", "move"), keys, values, ("",)),
        *product(("touch", "delete"), keys, ("",), ("",)),
        *product(("rekey",), keys, values, keys),
        ("attempt", "1", "", ""),
        ("switch", "", "", ""),
    ]
    accepted = sum(check(history)[0] for history in product(steps, repeat=3))
    assert accepted > 1000
