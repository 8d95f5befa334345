"""What may commit: each rule with its sentence. `test_completeness` shows that they suffice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.repair.compare import Seen
from dbops.repair.judgement import (
    Approved,
    Breach,
    Tally,
    Watched,
    declared_twice,
    judge_approved,
    judge_run,
)
from dbops.repair.manifest import SideEffect, Watch
from dbops.repair.ports import RepairTraits, Strength, Writes
from dbops.repair.table import Change, TableName
from dbops.sql.statement import Statement
from dbops.sql.written import Written

VISIT, AUDIT, LOG = TableName("his", "visit"), TableName("his", "visit_audit"), TableName("", "log")
EXACT = RepairTraits(
    counters=Strength.EXACT,
    counted_by="the test",
    dialect="postgres",
    schemas=True,
    roles=True,
    own_rows=True,
    overruling=False,
)
TOTAL, TABLES = replace(EXACT, counters=Strength.TOTAL), replace(EXACT, counters=Strength.TABLES)
NAMES = ("id", "ward_code", "status", "updated_at")
OLD = (b"1", b"OLD", b"open", b"then")
WARD, STATUS = (b"1", b"ORT", b"open", b"now"), (b"1", b"ORT", b"shut", b"now")


def watched(
    *changes: tuple[tuple[bytes, ...] | None, tuple[bytes, ...] | None],
    expect: Written | None = None,
    own: int | None = None,
    unwritten: int = 0,
    rewrites: bool = False,
    table: TableName = VISIT,
) -> Watched:
    tally = Tally(NAMES)
    rows = tuple(Change((b"%d" % n,), *change) for n, change in enumerate(changes))
    after = sum(row.after is not None for row in rows)
    tally.add(Seen(rows, 5, 7, after if own is None else own, unwritten))
    watch = Watch(
        table,
        Statement(("true",), 1),
        tally.ops if expect is None else expect,
        ("ward_code", "updated_at"),
        rewrites,
    )
    return Watched(watch, table, tally)


def judge(
    *watches: Watched,
    counted: dict[TableName, Written],
    side_effects: tuple[SideEffect, ...] = (),
    objections: tuple[str, ...] = (),
    own_rows: dict[TableName, int] | None = None,
    limit: int = 100,
    traits: RepairTraits = EXACT,
) -> list[tuple[str, str]]:
    breaches = judge_run(
        watches,
        side_effects,
        Writes(counted, objections),
        own_rows=own_rows or {},
        limit=limit,
        traits=traits,
    )
    return [(breach.code, breach.sentence) for breach in breaches]


def test_what_was_declared_may_commit() -> None:
    """Counts that agree, expected, in permitted columns, with the declared side effects."""
    one = watched((OLD, WARD), (OLD, WARD), (None, OLD), (OLD, None))
    effects = (SideEffect(AUDIT, 2),)
    counted = {VISIT: Written(1, 2, 1), AUDIT: Written(inserted=2), LOG: Written()}
    assert judge(one, counted=counted, side_effects=effects) == []


@pytest.mark.parametrize(
    "counted",
    [Written(1, 2, 1), Written(2, 1, 2), Written(3, 0, 3), Written(0, 3, 0)],
    ids=["as shown", "one moved", "both moved", "a key changed"],
)
def test_key_changes_and_moves_agree(counted: Written) -> None:
    """A key change is one update of the engine, a move between partitions delete and insert."""
    one = watched((OLD, WARD), (OLD, WARD), (None, OLD), (OLD, None))
    assert judge(one, counted={VISIT: counted}) == []


@pytest.mark.parametrize(
    "counted",
    [
        Written(1, 3, 1),
        Written(1, 2, 2),
        Written(2, 2, 1),
        Written(2, 2, 2),
        Written(0, 2, 0),
        Written(1, 1, 1),
        Written(),
    ],
)
def test_other_counts_differ(counted: Written) -> None:
    """Anything that the engine counted and the rows do not show, or the other way, is a breach."""
    one = watched((OLD, WARD), (OLD, WARD), (None, OLD), (OLD, None))
    assert judge(one, counted={VISIT: counted}) == [
        (
            "count-differs",
            "his.visit: declared rows show 1 inserted, 2 updated, 1 deleted;"
            f" the engine counted {counted}",
        )
    ]


def test_an_undeclared_table() -> None:
    """A table that was written and not declared is named with its counts."""
    found = judge(watched((OLD, WARD)), counted={VISIT: Written(updated=1), LOG: Written(5, 0, 0)})
    sentence = "log was written (5 inserted, 0 updated, 0 deleted) and is not declared"
    assert found == [("undeclared-write", sentence)]


@pytest.mark.parametrize(
    "counted", [Written(1), Written(3), Written(2, 1, 0), Written(2, 0, 1), Written()]
)
def test_side_effects_are_exactly_the_declared_inserts(counted: Written) -> None:
    """More, fewer, or anything but inserts in a side-effect table is a breach."""
    effects = (SideEffect(AUDIT, 2),)
    assert judge(counted={AUDIT: counted}, side_effects=effects) == [
        (
            "expect-differs",
            "his.visit_audit: side effects are to be 2 inserted, 0 updated, 0 deleted;"
            f" the engine counted {counted}",
        )
    ]


def test_expectation_and_limit() -> None:
    """Other counts than expected, and more rows than the limit, are two breaches."""
    one = watched((OLD, WARD), (OLD, WARD), expect=Written(updated=1))
    assert judge(one, counted={VISIT: Written(updated=2)}, limit=1) == [
        (
            "expect-differs",
            "his.visit: expected are 0 inserted, 1 updated, 0 deleted;"
            " declared rows show 0 inserted, 2 updated, 0 deleted",
        ),
        ("too-many-rows", "2 rows written; the limit is 1"),
    ]


def test_only_permitted_columns_change() -> None:
    """An update of another column is named with its count; inserts and deletes have no columns."""
    one = watched((OLD, STATUS), (OLD, WARD), (None, STATUS), (STATUS, None))
    assert one.tally.columns == {"ward_code": 2, "status": 1, "updated_at": 2}
    assert judge(one, counted={VISIT: Written(1, 2, 1)}) == [
        (
            "column-not-permitted",
            "his.visit: column status changed in 1 row and is not in may_change",
        )
    ]


def test_objections_come_first() -> None:
    """What no repair may do is said before all that is wrong besides."""
    found = judge(
        watched((OLD, STATUS)), counted={LOG: Written(1)}, objections=("his.ward was truncated",)
    )
    assert found[0] == ("forbidden-write", "his.ward was truncated")
    assert [code for code, _ in found[1:]] == [
        "undeclared-write",
        "count-differs",
        "column-not-permitted",
    ]


def test_rows_that_came_to_match_without_a_write() -> None:
    """A row that is no work of this run is no insert, whatever the counts say."""
    one = watched((None, OLD), unwritten=1, own=0)
    assert judge(one, counted={VISIT: Written(1)}) == [
        (
            "count-differs",
            "his.visit: 1 row came to match the watch without being written by this run",
        )
    ]
    unmarked = replace(EXACT, own_rows=False)
    assert judge(one, counted={VISIT: Written(1)}, traits=unmarked) == []


def test_rewrites_need_every_written_row_in_the_watch() -> None:
    """One row may be written often; a row outside of the watch may not be written at all."""
    one = watched((OLD, WARD), own=3, rewrites=True)
    assert judge(one, counted={VISIT: Written(updated=9)}, own_rows={VISIT: 3}) == []
    assert judge(one, counted={VISIT: Written(updated=9)}, own_rows={VISIT: 4}) == [
        ("count-differs", "his.visit: this run wrote 4 rows, of which 3 are declared")
    ]
    assert judge(one, counted={VISIT: Written(updated=9)}) == [
        (
            "count-differs",
            "his.visit: nobody counted the rows that this run wrote, as rewrites needs it",
        )
    ]


@pytest.mark.parametrize(
    "counted", [Written(0, 9, 1), Written(1, 9, 0), Written(), Written(0, 0, 0)]
)
def test_rewrites_leave_no_row_to_chance(counted: Written) -> None:
    """With rewrites too, inserts less deletes agree, and what shows was written."""
    one = watched((OLD, WARD), own=1, rewrites=True)
    assert judge(one, counted={VISIT: counted}, own_rows={VISIT: 1}) == [
        (
            "count-differs",
            "his.visit: declared rows show 0 inserted, 1 updated, 0 deleted;"
            f" the engine counted {counted}",
        )
    ]


def test_a_table_is_declared_once() -> None:
    """Two watches on one table, or a watch and a side effect, would count its rows twice."""
    two = (watched((OLD, WARD)), watched())
    effects = (SideEffect(AUDIT, 0), SideEffect(AUDIT, 0))
    found = judge(*two, counted={VISIT: Written(updated=1)}, side_effects=effects)
    assert found[:2] == [
        ("declared-twice", "his.visit is declared more than once"),
        ("declared-twice", "his.visit_audit is declared more than once"),
    ]
    assert declared_twice([VISIT, LOG, VISIT]) == (VISIT,)


def test_an_exact_total_is_compared_as_it_is() -> None:
    """An engine that knows only the sum must count exactly what shows, and the same tables."""
    one = watched((OLD, WARD), (None, OLD))
    effects = (SideEffect(AUDIT, 2),)
    counted = {VISIT: Written(updated=4), AUDIT: Written()}
    assert judge(one, counted=counted, side_effects=effects, traits=TOTAL) == []
    counted = {VISIT: Written(updated=5), LOG: Written()}
    assert judge(one, counted=counted, side_effects=effects, traits=TOTAL) == [
        ("undeclared-write", "log was written and is not declared"),
        (
            "count-differs",
            "declared rows show 2 written and 2 by side effects; the engine counted 5",
        ),
    ]


def test_names_of_tables_are_all_that_some_engines_know() -> None:
    """An engine that knows only the tables refuses undeclared ones, and compares no counts."""
    one = watched((OLD, WARD))
    assert judge(one, counted={VISIT: Written()}, traits=TABLES) == []
    assert judge(one, counted={LOG: Written()}, traits=TABLES) == [
        ("undeclared-write", "log was written and is not declared")
    ]


def test_what_was_approved_must_come_out_again() -> None:
    """Counts of each table first; where they agree, the rows' digest."""
    one = watched((OLD, WARD))
    right = Approved("00" * 32, "aa", {VISIT: Written(updated=1)})
    assert judge_approved([one], "aa", right) == ()
    assert judge_approved([one], "bb", replace(right, digest=None)) == ()
    assert judge_approved([one], "bb", right) == (
        Breach(
            "not-as-approved",
            "1 row written, as many as approved; but other rows, or other values",
        ),
    )
    other = replace(right, tables={LOG: Written(deleted=2), VISIT: Written(updated=2)})
    assert [breach.sentence for breach in judge_approved([one], "bb", other)] == [
        "log: declared rows show 0 inserted, 0 updated, 0 deleted;"
        " approved were 0 inserted, 0 updated, 2 deleted",
        "his.visit: declared rows show 0 inserted, 1 updated, 0 deleted;"
        " approved were 0 inserted, 2 updated, 0 deleted",
    ]


def test_a_tally_counts_all_stretches() -> None:
    """Rows read, rows written and columns add up over the stretches of one watch."""
    tally = Tally(NAMES)
    for _ in range(2):
        tally.add(Seen((Change((b"1",), OLD, STATUS), Change((b"2",), OLD, None)), 4, 3, 2, 1))
    assert tally.ops == Written(0, 2, 2)
    assert tally.columns == {"ward_code": 2, "status": 2, "updated_at": 2}
    assert (tally.before, tally.after, tally.own, tally.unwritten) == (8, 6, 4, 2)
