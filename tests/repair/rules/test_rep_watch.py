"""REP-WATCH: writes that the manifest does not declare."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged

_SIDE = "side_effects:\n  - {table: his.visit_log, insert: 2}"
_UPDATE = """
watch:
  - table: his.visit
    where: ward_code = 'OLD'
    expect: {update: 2}
    may_change: [ward_code]
"""


@pytest.mark.parametrize(
    ("script", "manifest", "sentence"),
    [
        (
            "INSERT INTO his.visit_log (line) VALUES ('x');",
            "",
            "his.visit_log is written, and is neither watched nor a side effect",
        ),
        (
            "DELETE FROM his.visit_log WHERE line = 'x';",
            _SIDE,
            "his.visit_log is a side effect, and the script does more than insert there",
        ),
        (
            "UPDATE his.visit SET ward_code = 'ORT', note = 'x' WHERE id = 1;",
            "",
            "his.visit: the script sets note, and may_change does not name it",
        ),
        (
            "DELETE FROM his.visit WHERE id = 1;",
            _UPDATE,
            "his.visit: the script holds DELETE, and expect has no such row",
        ),
    ],
)
def test_what_is_not_declared_is_found(script: str, manifest: str, sentence: str) -> None:
    """Before a rehearsal finds it."""
    (finding,) = found(judged(script, manifest), "REP-WATCH")
    assert finding.sentence == sentence


@pytest.mark.parametrize(
    ("script", "manifest"),
    [
        ("UPDATE visit SET WARD_CODE = 'ORT' WHERE id = 1;", ""),
        ("INSERT INTO his.visit_log (line) VALUES ('x');", _SIDE),
        ("INSERT INTO tmp_ids SELECT 1;", "temporary: [tmp_ids]"),
        ("SELECT id FROM his.old;", ""),
        (
            "WITH a AS (SELECT 1 AS id) UPDATE his.visit v SET ward_code = 'ORT'"
            " FROM a WHERE a.id = v.id;",
            "",
        ),
    ],
)
def test_what_is_declared_is_not(script: str, manifest: str) -> None:
    """Names fit in any case, and without their schema; reading needs no declaration."""
    assert found(judged(script, manifest), "REP-WATCH") == []


def test_columns_of_parameters_are_known() -> None:
    """A column parameter counts as the column that it names."""
    manifest = (
        "params:\n"
        "  visits: {type: table, value: his.visit}\n"
        "  ward: {type: column, table: visits, value: ward_code}"
    )
    script = """UPDATE :"visits" SET :"ward" = 'ORT' WHERE id = 1;"""
    assert found(judged(script, manifest), "REP-WATCH") == []
    other = manifest.replace("ward_code}", "note}")
    (finding,) = found(judged(script, other), "REP-WATCH")
    assert finding.sentence == "his.visit: the script sets note, and may_change does not name it"
