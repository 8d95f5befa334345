"""REP-LIMIT: rows that a LIMIT chooses."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged, unchecked


@pytest.mark.parametrize(
    ("dialect", "script"),
    [
        ("sqlite", "DELETE FROM his.visit WHERE beds = 1 LIMIT 3;"),
        ("mysql", "UPDATE his.visit SET beds = 1 WHERE beds = 2 LIMIT 3;"),
        ("tsql", "UPDATE TOP (3) his.visit SET beds = 1 WHERE beds = 2;"),
        ("tsql", "DELETE TOP (3) FROM his.visit WHERE beds = 2;"),
        ("postgres", "DELETE FROM his.visit WHERE id IN (SELECT id FROM his.visit LIMIT 3);"),
    ],
)
def test_a_limit_without_order_is_found(dialect: str, script: str) -> None:
    """Which rows it takes is up to the server, and differs from run to run."""
    (finding,) = found(judged(script, dialect=dialect), "REP-LIMIT")
    assert finding.sentence == "a LIMIT or TOP cuts rows that nothing orders"


@pytest.mark.parametrize(
    ("table", "order"), [("visit", "beds"), ("visit_log", "line"), ("old", "id")]
)
def test_an_order_without_the_whole_key_is_found(table: str, order: str) -> None:
    """Rows of equal order may change places."""
    script = f"DELETE FROM his.{table} WHERE 1 = 2 ORDER BY {order} LIMIT 3;"
    (finding,) = found(judged(script, dialect="sqlite"), "REP-LIMIT")
    expected = f"a LIMIT or TOP cuts rows of his.{table} that are not ordered by its whole key"
    assert finding.sentence == expected


@pytest.mark.parametrize(
    "script",
    [
        "DELETE FROM his.visit WHERE beds = 1 ORDER BY beds, ID LIMIT 3;",
        "DELETE FROM his.old WHERE beds = 1 ORDER BY id, ward_code LIMIT 3;",
        "DELETE FROM his.visit WHERE EXISTS (SELECT 1 FROM his.old LIMIT 1);",
        "SELECT id FROM his.visit LIMIT 3;",
    ],
)
def test_an_order_by_the_whole_key_is_not(script: str) -> None:
    """Nor is a LIMIT that chooses nothing that is written."""
    assert found(judged(script, dialect="sqlite"), "REP-LIMIT") == []


def test_without_the_catalogue_it_says_so() -> None:
    """Whether the order is that of the key is only known there."""
    script = "DELETE FROM his.visit WHERE beds = 1 ORDER BY id LIMIT 3;"
    report = judged(script, dialect="sqlite", facts=None)
    assert unchecked(report, "REP-LIMIT") == [
        "not checked: repair.sql line 1: whether a LIMIT orders his.visit by its whole key"
    ]
