"""REP-UNREAD: statements that the rules cannot look into."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged

_FAULT, _OPAQUE, _PART = "cannot be read", "is of a kind that is not looked into", "is read in part"


@pytest.mark.parametrize(
    ("dialect", "script", "why"),
    [
        ("tsql", "UPDATE TOP (3) his.visit SET beds = 1 WHERE id = 1;", _FAULT),
        ("postgres", "UPDATE his.visit SET beds = 1 WHERE CURRENT OF cur;", _FAULT),
        ("mysql", "LOAD DATA INFILE 'x' INTO TABLE his.visit (id) SET beds = = 1;", None),
        ("postgres", "DO $$ BEGIN PERFORM 1; END $$;", _OPAQUE),
        ("sqlite", "REPLACE INTO his.visit VALUES (1);", _OPAQUE),
        ("postgres", "CALL his.mend(1);", _OPAQUE),
        ("tsql", "EXEC his.mend 1;", _OPAQUE),
        ("tsql", "DELETE TOP (3) FROM his.visit WHERE beds = 2;", _PART),
    ],
)
def test_what_is_not_read_is_said(dialect: str, script: str, why: str | None) -> None:
    """Why, once for each statement; what REP-TX refuses anyway is not said twice."""
    findings = found(judged(script, dialect=dialect), "REP-UNREAD")
    assert len(findings) == (why is not None)
    assert all(f"the statement {why}" in finding.sentence for finding in findings)


@pytest.mark.parametrize("dialect", ["postgres", "sqlite", "mysql", "tsql", "oracle"])
@pytest.mark.parametrize(
    "script",
    [
        "UPDATE his.visit SET beds = beds + 1, note = :text WHERE id IN (1, 2) AND note IS NULL;",
        "DELETE FROM his.visit WHERE ward_code = 'O''K' AND NOT beds BETWEEN 1 AND :text;",
        "INSERT INTO his.visit (id, note) SELECT id, upper(note) FROM his.old WHERE id > 7;",
        "INSERT INTO his.visit (id, note) VALUES (1, 'a'), (2, NULL);",
        "UPDATE his.visit SET note = CASE WHEN beds > 1.50 THEN 'a' ELSE :text END WHERE id = 1;",
        "SELECT count(*) FROM his.visit WHERE ward_code = :from OR note = :select;",
    ],
)
def test_what_is_read_is_not(dialect: str, script: str) -> None:
    """Plain statements, and placeholders whose names are keywords."""
    assert found(judged(script, dialect=dialect), "REP-UNREAD") == []


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE his.visit v SET note = o.note FROM his.old o WHERE o.id = v.id;",
        "UPDATE his.visit SET (beds, note) = (SELECT 1, 'x') WHERE id = ANY(ARRAY[1, 2]);",
        "UPDATE his.visit SET note = note::jsonb ->> 'k' WHERE note ~ '^x' AND note = E'a\\tb';",
        "UPDATE his.visit SET note = $q$a$q$ WHERE updated_at > now() - interval '3 days';",
        "WITH a AS (DELETE FROM his.old WHERE id = 1 RETURNING *)"
        " INSERT INTO his.visit SELECT * FROM a;",
        "INSERT INTO his.visit (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = 'x'"
        " WHERE visit.beds > 1;",
        "DELETE FROM his.visit USING his.old WHERE visit.id = old.id RETURNING visit.id;",
        "SELECT count(*) FILTER (WHERE beds > 1) FROM his.visit WHERE note IS DISTINCT FROM 'x';",
    ],
)
def test_postgresql_is_read(script: str) -> None:
    """What repairs are written in."""
    assert found(judged(script), "REP-UNREAD") == []
