"""REP-PK: watched tables without a key."""

from __future__ import annotations

from tests.repair.rules.judging import found, judged, unchecked

_LOG = """
watch:
  - table: his.visit_log
    where: line = 'x'
    expect: {delete: 1}
"""


def test_a_table_without_a_key_is_found() -> None:
    """Its rows cannot be told apart, so there is no difference and no undo."""
    (finding,) = found(judged("DELETE FROM his.visit_log WHERE line = 'x';", _LOG), "REP-PK")
    assert finding.sentence == "his.visit_log has no primary key and no unique key without NULL"
    assert finding.where == "repair.yml line 11"


def test_a_table_with_a_key_is_not() -> None:
    """A primary key is a key."""
    report = judged()
    assert found(report, "REP-PK") == []
    assert unchecked(report, "REP-PK") == []


def test_without_the_catalogue_it_says_so() -> None:
    """A rule that cannot look never passes in silence."""
    expected = ["not checked: whether there is a key of his.visit"]
    assert unchecked(judged(facts=None), "REP-PK") == expected
    absent = _LOG.replace("visit_log", "nowhere")
    script = "DELETE FROM his.nowhere WHERE line = 'x';"
    expected = ["not checked: whether there is a key of his.nowhere"]
    assert unchecked(judged(script, absent), "REP-PK") == expected


def test_a_name_without_schema_is_looked_up() -> None:
    """The search path decides, else the only table of that name."""
    bare = _LOG.replace("his.visit_log", "visit_log")
    script = "DELETE FROM visit_log WHERE line = 'x';"
    assert len(found(judged(script, bare), "REP-PK")) == 1
    assert len(found(judged(script, f"{bare}search_path: [his]"), "REP-PK")) == 1
