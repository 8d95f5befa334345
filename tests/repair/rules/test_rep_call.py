"""REP-CALL: functions that may write."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("SELECT fix_visits(1);", "fix_visits"),
        ("SELECT his.mend(1), other(2), his.mend(3);", "mend, other"),
        ("SELECT * FROM his.fix(1);", "fix"),
        ("CALL his.mend(1);", "his.mend"),
        ("UPDATE his.visit SET beds = free_beds(id) WHERE id = 1;", "free_beds"),
        ("SELECT pg_terminate_backend(7);", "pg_terminate_backend"),
        ("SELECT his.age(1);", "age"),
    ],
)
def test_functions_that_may_write_are_said(script: str, names: str) -> None:
    """A SELECT is not innocent because it is a SELECT."""
    (finding,) = found(judged(script), "REP-CALL")
    assert finding.sentence == f"calls functions ({names}); only the counters see what they write"


@pytest.mark.parametrize(
    "script",
    [
        "SELECT count(*), max(id), coalesce(note, ''), upper(note) FROM his.visit;",
        "UPDATE his.visit SET note = jsonb_set(note, '{a}', '1') WHERE id = 1;",
        "UPDATE his.visit SET updated_at = now() WHERE substr(note, 1, 2) = 'ab';",
    ],
)
def test_functions_of_the_server_are_not(script: str) -> None:
    """They compute and write nothing."""
    assert found(judged(script), "REP-CALL") == []
