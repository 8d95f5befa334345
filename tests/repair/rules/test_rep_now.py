"""REP-NOW: values that differ from run to run."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged


@pytest.mark.parametrize(
    ("dialect", "value", "name"),
    [
        ("postgres", "now()", "current_timestamp"),
        ("postgres", "CURRENT_DATE", "current_date"),
        ("postgres", "clock_timestamp()", "clock_timestamp"),
        ("postgres", "gen_random_uuid()", "uuid"),
        ("postgres", "nextval('s')", "nextval"),
        ("postgres", "'now'::timestamp", "'now'"),
        ("sqlite", "datetime('now')", "'now'"),
        ("sqlite", "random()", "rand"),
        ("sqlite", "CURRENT_TIMESTAMP", "current_timestamp"),
        ("mysql", "NOW()", "now"),
        ("tsql", "GETDATE()", "current_timestamp"),
        ("oracle", "SYSDATE", "current_timestamp"),
    ],
)
def test_what_differs_is_found(dialect: str, value: str, name: str) -> None:
    """The rehearsal then shows other values than production gets."""
    script = f"UPDATE his.visit SET ward_code = {value} WHERE id = 1;"
    (finding,) = found(judged(script, dialect=dialect), "REP-NOW")
    expected = f"{name} differs from run to run, so production differs from the rehearsal"
    assert finding.sentence == expected


def test_a_volatile_column_may_differ() -> None:
    """The comparison leaves it out; another column in the same statement does not."""
    manifest = "undo: {volatile: [updated_at]}"
    script = "UPDATE his.visit SET updated_at = now() WHERE id = 1;"
    assert found(judged(script, manifest), "REP-NOW") == []
    script = "UPDATE his.visit SET updated_at = now(), ward_code = now() WHERE id = 1;"
    assert len(found(judged(script, manifest), "REP-NOW")) == 1


def test_a_row_that_is_inserted_is_looked_at() -> None:
    """By the place of the value in its row."""
    manifest = "undo: {volatile: [updated_at]}"
    script = "INSERT INTO his.visit (id, updated_at) VALUES (7, now());"
    assert found(judged(script, manifest), "REP-NOW") == []
    script = "INSERT INTO his.visit (updated_at, id) VALUES (7, now());"
    assert len(found(judged(script, manifest), "REP-NOW")) == 1


def test_what_stays_is_not() -> None:
    """Constants, parameters and columns."""
    script = "UPDATE his.visit SET ward_code = :a, note = 'now', beds = beds + 1 WHERE id = 1;"
    assert found(judged(script), "REP-NOW") == []
