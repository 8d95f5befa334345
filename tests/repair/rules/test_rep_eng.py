"""REP-ENG: tables that no rollback takes back."""

from __future__ import annotations

from dataclasses import replace

from tests.repair.rules.judging import FACTS, found, judged, unchecked

_SIDE = "side_effects:\n  - {table: his.visit_log, insert: 2}"


def test_a_table_without_transactions_is_found() -> None:
    """As a side effect too: what a trigger appends there stays after a rollback."""
    (finding,) = found(judged(manifest=_SIDE, dialect="mysql"), "REP-ENG")
    assert finding.sentence == (
        "his.visit_log is of a storage engine without transactions: what is written stays"
    )


def test_a_table_with_transactions_is_not() -> None:
    """Only the storage engine decides."""
    report = judged(dialect="mysql")
    assert found(report, "REP-ENG") == []
    assert unchecked(report, "REP-ENG") == []


def test_without_the_catalogue_it_says_so() -> None:
    """Neither without a database, nor where nobody asked it."""
    expected = ["not checked: the storage engine of his.visit"]
    assert unchecked(judged(dialect="mysql", facts=None), "REP-ENG") == expected
    unasked = replace(FACTS, transactional=None)
    assert unchecked(judged(dialect="mysql", facts=unasked), "REP-ENG") == expected


def test_engines_with_one_kind_of_table_are_not_asked() -> None:
    """PostgreSQL and SQLite roll every table back."""
    for dialect in ("postgres", "sqlite"):
        report = judged(manifest=_SIDE, dialect=dialect, facts=None)
        assert found(report, "REP-ENG") == []
        assert unchecked(report, "REP-ENG") == []
