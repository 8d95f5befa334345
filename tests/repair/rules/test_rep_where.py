"""REP-WHERE: statements that write every row."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("UPDATE his.visit SET ward_code = 'ORT';", "the UPDATE of his.visit has no WHERE"),
        ("DELETE FROM his.visit;", "the DELETE of his.visit has no WHERE"),
        (
            "WITH gone AS (DELETE FROM his.visit RETURNING id) SELECT count(*) FROM gone;",
            "the DELETE of his.visit has no WHERE",
        ),
        *(
            (
                f"DELETE FROM his.visit WHERE {condition};",
                "the DELETE of his.visit has a WHERE that is always true",
            )
            for condition in [
                "1 = 1",
                "TRUE",
                "NOT FALSE",
                "(id = id)",
                "id = 7 OR 1 = 1",
                "1 <> 2 AND TRUE",
                "ward_code LIKE '%'",
            ]
        ),
        (
            "MERGE INTO his.visit v USING his.old o ON 1 = 1"
            " WHEN MATCHED THEN UPDATE SET ward_code = o.ward_code;",
            "the UPDATE of his.visit has a WHERE that is always true",
        ),
    ],
)
def test_a_statement_that_chooses_no_rows_is_found(script: str, how: str) -> None:
    """No WHERE, or one that every row fulfils, stops the repair."""
    (finding,) = found(judged(script), "REP-WHERE")
    assert finding.sentence == f"{how}, so it writes every row"
    assert finding.where == "repair.sql line 1"


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE his.visit SET ward_code = 'ORT' WHERE ward_code = 'OLD';",
        "DELETE FROM his.visit WHERE id = 1 OR id = 2;",
        "DELETE FROM his.visit WHERE id = 1 AND 1 = 1;",
        "DELETE FROM his.visit WHERE FALSE;",
        "DELETE FROM his.visit WHERE note LIKE 'x%';",
        "INSERT INTO his.visit (id) VALUES (1);",
        "SELECT 1;",
    ],
)
def test_a_statement_that_chooses_rows_is_not(script: str) -> None:
    """A condition that some rows do not fulfil is enough."""
    assert found(judged(script), "REP-WHERE") == []


def test_a_join_chooses_rows() -> None:
    """MySQL's UPDATE with a join needs no WHERE."""
    script = "UPDATE his.visit v JOIN his.old o ON v.id = o.id SET v.ward_code = o.ward_code;"
    assert found(judged(script, dialect="mysql"), "REP-WHERE") == []


def test_a_table_of_a_parameter_is_named_by_its_value() -> None:
    """The reader sees which table is meant."""
    manifest = "params:\n  visits: {type: table, value: his.visit}"
    (finding,) = found(judged('DELETE FROM :"visits";', manifest), "REP-WHERE")
    assert finding.sentence == "the DELETE of his.visit has no WHERE, so it writes every row"
