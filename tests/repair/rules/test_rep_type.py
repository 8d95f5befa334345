"""REP-TYPE: comparisons with a value of another type."""

from __future__ import annotations

import pytest

from dbops.repair.rules.column_types import Family, family
from tests.repair.rules.judging import found, judged, unchecked

_NUMBER = "params:\n  given: {type: integer, value: 7}"


@pytest.mark.parametrize("dialect", ["mysql", "oracle", "sqlite", "tsql"])
def test_a_text_compared_with_a_number_is_found(dialect: str) -> None:
    """'007' is 7 for one engine, and is not for another."""
    script = "DELETE FROM his.visit WHERE patient_no = 7;"
    (finding,) = found(judged(script, dialect=dialect), "REP-TYPE")
    assert finding.sentence.lower() == "patient_no holds text and is compared with numbers"


@pytest.mark.parametrize(
    ("dialect", "where", "manifest"),
    [
        ("mysql", "beds = '7'", ""),
        ("mysql", "beds = :given", ""),
        ("mysql", "ward_code IN (1, 'B')", ""),
        ("sqlite", "ward_code = :given", _NUMBER),
        ("sqlite", "beds = '7 or so'", ""),
    ],
)
def test_parameters_and_lists_are_looked_at(dialect: str, where: str, manifest: str) -> None:
    """A parameter has the type that the manifest gives it."""
    script = f"DELETE FROM his.visit WHERE {where};"
    assert len(found(judged(script, manifest, dialect=dialect), "REP-TYPE")) == 1


@pytest.mark.parametrize(
    ("dialect", "where", "manifest"),
    [
        ("mysql", "ward_code = '7'", ""),
        ("mysql", "beds = -7", ""),
        ("mysql", "beds = :given", _NUMBER),
        ("mysql", "updated_at > '2026-01-01'", ""),
        ("sqlite", "beds = '7'", ""),
        ("sqlite", "beds = :given", ""),
        ("postgres", "ward_code = 7", ""),
    ],
)
def test_values_of_the_columns_type_are_not(dialect: str, where: str, manifest: str) -> None:
    """PostgreSQL refuses such a comparison itself; SQLite reads numbers in texts."""
    script = f"DELETE FROM his.visit WHERE {where};"
    assert found(judged(script, manifest, dialect=dialect), "REP-TYPE") == []


def test_without_the_catalogue_it_says_so() -> None:
    """The script's comparison and the watch's."""
    assert unchecked(judged(dialect="mysql", facts=None), "REP-TYPE") == [
        "not checked: comparisons with a column whose type is not known: 2"
    ]


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        ("character varying(20)", Family.TEXT),
        ("NVARCHAR2(20 CHAR)", Family.TEXT),
        ("bigint unsigned", Family.NUMBER),
        ("numeric(10,2)", Family.NUMBER),
        ("double precision", Family.NUMBER),
        ("timestamp with time zone", Family.OTHER),
        ("tinyblob", Family.OTHER),
        ("interval", Family.OTHER),
        ("", Family.OTHER),
    ],
)
def test_types_are_sorted_by_their_names(name: str, sort: Family) -> None:
    """In the words of several engines."""
    assert family(name) is sort
