"""REP-TRG: triggers and constraints that are switched off."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged

_OFF = "a trigger is switched off"
_KEYS = "foreign keys or checks are switched off"
_ROLE = "session_replication_role is named: it silences triggers"


@pytest.mark.parametrize(
    ("dialect", "script", "sentence"),
    [
        ("postgres", "ALTER TABLE his.visit DISABLE TRIGGER USER;", _OFF),
        ("tsql", "DISABLE TRIGGER audit ON his.visit;", _OFF),
        ("oracle", "ALTER TABLE visit DISABLE ALL TRIGGERS;", _OFF),
        ("postgres", "DROP TRIGGER audit ON his.visit;", "a trigger is dropped or altered"),
        ("postgres", "SET session_replication_role = replica;", _ROLE),
        ("postgres", "SELECT set_config('session_replication_role', 'replica', true);", _ROLE),
        ("postgres", "DO $$ BEGIN SET LOCAL session_replication_role = replica; END $$;", _ROLE),
        ("sqlite", "PRAGMA foreign_keys = off;", _KEYS),
        ("sqlite", "PRAGMA main.ignore_check_constraints(1);", _KEYS),
        ("mysql", "SET FOREIGN_KEY_CHECKS = 0;", _KEYS),
        ("tsql", "ALTER TABLE his.visit NOCHECK CONSTRAINT ALL;", _KEYS),
        ("oracle", "ALTER TABLE visit DISABLE CONSTRAINT fk_ward;", _KEYS),
        ("mysql", "SET SQL_LOG_BIN = 0;", "the engine's own log is switched off"),
    ],
)
def test_what_silences_the_database_is_found(dialect: str, script: str, sentence: str) -> None:
    """In statements that can be read and in those that cannot, and in blocks."""
    (finding,) = found(judged(script, dialect=dialect), "REP-TRG")
    assert finding.sentence == sentence


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE his.visit SET beds = 1 WHERE id = 1; -- never DISABLE TRIGGER here",
        "UPDATE his.visit SET beds = 1 WHERE id = 1 /* session_replication_role */;",
        "SELECT foreign_keys FROM his.old;",
    ],
)
def test_what_is_only_talked_about_is_not(script: str) -> None:
    """Comments switch nothing off."""
    assert found(judged(script), "REP-TRG") == []


def test_conditions_are_looked_at_too() -> None:
    """A check of the manifest may not do what the script may not."""
    manifest = """
before:
  - check: triggers sleep
    sql: SELECT set_config('session_replication_role', 'replica', true)
    equals: replica
"""
    assert len(found(judged(manifest=manifest), "REP-TRG")) == 1
