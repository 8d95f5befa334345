"""REP-ACCEPTED: acceptances that nothing needs."""

from __future__ import annotations

from tests.repair.rules.judging import found, judged

_WHERE = "accepted:\n  - {rule: REP-WHERE, why: the table has two rows}"


def test_an_idle_acceptance_is_found() -> None:
    """It would hide what the rule may find after the next edit."""
    (finding,) = found(judged(manifest=_WHERE), "REP-ACCEPTED")
    assert finding.sentence == "REP-WHERE is accepted, and found nothing"


def test_an_unknown_rule_is_found() -> None:
    """A rule that is misspelled accepts nothing."""
    manifest = _WHERE.replace("REP-WHERE", "REP-WHEN")
    (finding,) = found(judged(manifest=manifest), "REP-ACCEPTED")
    assert finding.sentence == "REP-WHEN is accepted, and there is no such rule"


def test_an_acceptance_that_is_needed_is_not() -> None:
    """The rule found something."""
    assert found(judged("DELETE FROM his.visit;", _WHERE), "REP-ACCEPTED") == []


def test_nor_is_one_of_a_rule_that_could_not_look() -> None:
    """With a database at hand it may find something."""
    manifest = "accepted:\n  - {rule: REP-PK, why: a table of three rows}"
    assert found(judged(manifest=manifest, facts=None), "REP-ACCEPTED") == []
    assert len(found(judged(manifest=manifest), "REP-ACCEPTED")) == 1
