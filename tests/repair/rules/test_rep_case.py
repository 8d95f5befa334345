"""REP-CASE: comparisons for which different texts are equal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.repair.rules.judging import FACTS, VISIT, found, judged, unchecked

_LOOSE = "texts that differ in case, accents or blanks are equal in note of his.visit"


@pytest.mark.parametrize(
    "where",
    [
        "note = 'Asa'",
        "NOTE IN ('Asa', 'x')",
        "note = :text",
        "note LIKE 'a%'",
        "id IN (SELECT id FROM his.visit z WHERE z.note <> 'x')",
    ],
)
def test_a_loose_column_is_found(where: str) -> None:
    """Where the column's collation takes more for equal than bytes."""
    script = f"UPDATE his.visit SET ward_code = 'ORT' WHERE {where};"
    (finding,) = found(judged(script, dialect="mysql"), "REP-CASE")
    assert finding.sentence == _LOOSE


def test_the_watch_is_looked_at_too() -> None:
    """Its predicate chooses rows as the script does."""
    manifest = """
watch:
  - table: his.visit
    where: note = 'Asa'
    expect: {update: 2}
    may_change: [ward_code]
"""
    (finding,) = found(judged(manifest=manifest), "REP-CASE")
    assert (finding.sentence, finding.where) == (_LOOSE, "repair.yml line 12")


@pytest.mark.parametrize(
    "where", ["ward_code = 'OLD'", "note = '2026-01-01'", "id = 7", "beds BETWEEN 1 AND 2"]
)
def test_strict_columns_and_texts_without_letters_are_not(where: str) -> None:
    """Digits have no case."""
    script = f"UPDATE his.visit SET ward_code = 'ORT' WHERE {where};"
    assert found(judged(script, dialect="mysql"), "REP-CASE") == []


def test_what_is_assigned_is_not_compared() -> None:
    """Only conditions choose rows."""
    script = "UPDATE his.visit SET note = 'Asa' WHERE id = 7;"
    assert found(judged(script, dialect="mysql"), "REP-CASE") == []


def test_like_in_sqlite_is_found_without_the_catalogue() -> None:
    """It takes ASCII letters of either case for equal, whatever the column."""
    script = "DELETE FROM his.visit WHERE ward_code LIKE 'old%';"
    (finding,) = found(judged(script, dialect="sqlite", facts=None), "REP-CASE")
    assert finding.sentence == "LIKE takes ASCII letters of either case for equal"
    assert found(judged(script, dialect="postgres"), "REP-CASE") == []


def test_without_the_catalogue_it_says_so() -> None:
    """How many comparisons nobody looked at."""
    expected = ["not checked: comparisons of texts by a collation that is not known: 2"]
    assert unchecked(judged(facts=None), "REP-CASE") == expected
    assert unchecked(judged(facts=replace(FACTS, loose=None)), "REP-CASE") == expected
    assert unchecked(judged(), "REP-CASE") == []


def test_what_nobody_looked_at_is_said() -> None:
    """A table whose columns are not known, beside others that are."""
    known = replace(FACTS, loose={VISIT: frozenset({"note"})})
    script = "DELETE FROM his.visit WHERE note = 'Asa' AND id IN (SELECT visit FROM other"
    found_so = judged(f"{script} WHERE what = 'Asa');", facts=known)
    assert [finding.sentence for finding in found(found_so, "REP-CASE")] == [_LOOSE]
    expected = ["not checked: comparisons of texts by a collation that is not known: 1"]
    assert unchecked(found_so, "REP-CASE") == expected
